"""Protected namespaces, and the isolated ones that their backups are restored to.

These are in the cluster that is restored to, which may be another one than the source.
"""

from collections.abc import Iterable, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from functools import partial

from shared.adapters.kubernetes.api import ClusterApi, Kubernetes
from shared.adapters.kubernetes.errors import Absent, Exists
from shared.adapters.kubernetes.kinds import (
    CONFIG_MAP,
    DAEMON_SET,
    DEPLOYMENT,
    NAMESPACE,
    NETWORK_POLICY,
    POD,
    RESOURCE_QUOTA,
    SERVICE_ACCOUNT,
    STATEFUL_SET,
    VOLUME_CLAIM,
    Kind,
    Object,
    Permission,
)
from shared.domain.errors import NotConverged, PermanentError
from shared.domain.restores.calls import WorkloadCall, objects_of, pod_of
from shared.domain.restores.isolation import (
    CNI_NAMESPACE,
    MESH_NAMESPACE,
    bears_mark,
    isolated_namespace,
    isolating_policy,
    limiting_quota,
    require_closed,
    require_no_free_volume,
)
from shared.domain.restores.items import ClusterItem
from shared.domain.restores.lease import Delete
from shared.domain.restores.manifest import (
    VERIFIES_LABEL,
    Contents,
    Manifest,
    canary_times_of,
    of_objects,
    protected_namespaces,
)
from shared.domain.restores.refusals import (
    SELFTEST,
    Refusal,
    plain_pod,
    refusals,
    require_refused,
    unconfined_pod,
)
from shared.domain.restores.verification import RestorePlan
from shared.domain.restores.workloads import IsolatedCopy, workloads_of

VOLUME = Kind("", "v1", "PersistentVolume", "persistentvolumes", namespaced=False)
_READ = (DEPLOYMENT, STATEFUL_SET, DAEMON_SET, SERVICE_ACCOUNT, CONFIG_MAP, VOLUME_CLAIM, POD)
_MESH_POLICIES = (
    Kind("policy.linkerd.io", "v1beta1", "Server", "servers"),  # which Linkerd 2.14 serves too
    Kind("policy.linkerd.io", "v1alpha1", "MeshTLSAuthentication", "meshtlsauthentications"),
    Kind("policy.linkerd.io", "v1alpha1", "AuthorizationPolicy", "authorizationpolicies"),
)
_ACCESS = {kind.kind: kind for kind in (SERVICE_ACCOUNT, *_MESH_POLICIES)}
_TRIED = {kind.kind: kind for kind in (NAMESPACE, POD, NETWORK_POLICY, SERVICE_ACCOUNT)}
_QUOTA = "exceeded quota"  # which lets nothing run where the self-test tries
_TRUST_ROOTS = "linkerd-identity-trust-roots"
_NEEDED = (
    *(Permission(verb, NAMESPACE) for verb in ("get", "list", "create", "delete")),
    *(Permission("list", kind) for kind in (*_READ, VOLUME, NETWORK_POLICY)),
    *(Permission("create", kind) for kind in (NETWORK_POLICY, RESOURCE_QUOTA, SERVICE_ACCOUNT, POD)),
    Permission("get", POD),
)
_NEEDED_IN_MESH = (
    Permission("get", CONFIG_MAP, MESH_NAMESPACE, _TRUST_ROOTS),
    *(Permission("create", kind) for kind in _MESH_POLICIES),
)


class Namespaces:
    """Protected namespaces and their isolated copies."""

    def __init__(self, kubernetes: Kubernetes) -> None:
        self._kubernetes = kubernetes

    async def missing_permissions(self, cluster_id: str, trust_domain: str) -> list[str]:
        """What a verification does and isn't permitted in the cluster."""
        async with self._kubernetes.api(cluster_id, trust_domain) as api:
            missing = list(await api.missing(*_NEEDED))
            if "get namespaces" in missing or await api.get(NAMESPACE, MESH_NAMESPACE) is None:
                return missing
            return [*missing, *await api.missing(*_NEEDED_IN_MESH)]

    async def contents(self, item: ClusterItem, trust_domain: str) -> Contents:
        """What the protected namespaces hold; `trust_domain` is the one of the cluster."""
        async with self._kubernetes.api(item.source_id, trust_domain) as api:
            names = protected_namespaces(await api.list(NAMESPACE), item.included, item.excluded)
            objects = await _objects(api, names, _READ)
        entries = of_objects(objects, {name: name for name in names}, item.filter)
        return Contents(names=tuple(names), entries=entries, filtered=not item.holds_all)

    async def copy(self, plan: RestorePlan, manifest: Manifest, canaries: Sequence[str]) -> IsolatedCopy:  # noqa: ARG002  # shares need them
        """What the isolated namespaces hold, and whether their workloads run and joined the mesh."""
        source = {isolated: name for name, isolated in plan.isolated.items()}
        async with self._target(plan) as api:
            objects = await _objects(api, source, _READ)
            bundle = await _bundle(api) if plan.trust_domain else None
        return IsolatedCopy(
            entries=of_objects(objects, source),
            workloads=workloads_of(objects, bundle),
            canary_times=canary_times_of(objects["ConfigMap"], source),
        )

    async def running(self, plan: RestorePlan) -> dict[str, list[Object]]:
        """The pods of the isolated namespaces, and the namespaces themselves."""
        async with self._target(plan) as api:
            return await _objects(api, plan.isolated.values(), (POD,))

    async def isolate(self, plan: RestorePlan) -> dict[str, str]:
        """Make an isolated namespace for each one that is restored, and close it before anything is in it; their UIDs.

        Raises PermanentError where a namespace of that name is somebody else's. One that an earlier try of this
        verification has made, of which no UID was written down, is removed: TemporaryError until it is gone.
        """
        async with self._kubernetes.api(plan.item.source_id, plan.trust_domain) as api:
            sources = {name: await api.get(NAMESPACE, name) for name in plan.isolated}
        async with self._target(plan) as api:
            cni = bool(await api.list(DAEMON_SET, namespace=CNI_NAMESPACE))
            uids = {}
            for name, isolated in plan.isolated.items():
                source = sources[name] or {"metadata": {"name": name}}
                uids[isolated] = await _made(api, isolated_namespace(source, isolated, plan.name, cni=cni), plan)
                await api.create(NETWORK_POLICY, isolating_policy(isolated))
                await api.create(RESOURCE_QUOTA, limiting_quota(isolated))
        return uids

    async def require_isolated(self, plan: RestorePlan) -> None:
        """Raise PermanentError unless each isolated namespace is the one that was made, closed, and confined by the
        cluster's admission policies, and no volume is there that a restored claim could bind.
        """
        async with self._target(plan) as api:
            await _require_own(api, plan)
            for isolated in plan.isolated.values():
                require_closed(isolated, await api.list(NETWORK_POLICY, namespace=isolated))
            require_no_free_volume(await api.list(VOLUME))

    async def require_confined(self, plan: RestorePlan, image: str) -> None:
        """Raise PermanentError unless the cluster refuses what `meshward-copies-confined` has to refuse, there."""
        async with self._target(plan) as api:
            tried = [unconfined_pod(isolated, image) for isolated in plan.isolated.values()]
            require_refused(plan.target_id, [each.what for each in tried if not await _is_refused(api, each)])

    async def unproven(self, cluster_id: str, trust_domain: str, image: str) -> list[str]:
        """What the cluster's admission policies have to refuse and don't, and what they refuse and mustn't."""
        async with self._kubernetes.api(cluster_id, trust_domain) as api:
            found = [f"{each.what} isn't refused" for each in refusals(image) if not await _is_refused(api, each)]
            against = await api.refused(POD, plain_pod(SELFTEST, image))
        return found if not against or _QUOTA in against else [*found, f"Meshward's own pod is refused: {against}"]

    async def call(self, plan: RestorePlan, calls: Sequence[WorkloadCall]) -> dict[tuple[str, str], Object]:
        """The pods of these calls by namespace and name; those that aren't there are made, and what lets them in first.

        Raises PermanentError where the mesh's policies aren't served, or a namespace isn't the one that was made.
        """
        async with self._target(plan) as api:
            await _require_own(api, plan)
            found = {(c.namespace, c.name): await api.get(POD, c.name, c.namespace) for c in calls}
            missing = [c for c in calls if found[c.namespace, c.name] is None]
            for kind, access in objects_of(missing, plan.name):
                await _let_in(api, kind, access)
            for call in missing:
                found[call.namespace, call.name] = await api.create(POD, pod_of(call, plan.name))
        return {key: pod for key, pod in found.items() if pod}

    def _target(self, plan: RestorePlan) -> AbstractAsyncContextManager[ClusterApi]:
        return self._kubernetes.api(plan.target_id, plan.domain_of_target)

    async def remove(self, plan: RestorePlan, delete: Delete) -> list[str]:
        """Ask for the end of the isolated namespaces; the names of what is still there, volumes included.

        A namespace that isn't ours is left alone.
        """
        isolated = list(plan.isolated.values())
        async with self._target(plan) as api:
            found = [await api.get(NAMESPACE, name) for name in isolated]
            left = [namespace for namespace in found if namespace and _is_own(namespace, plan)]
            for namespace in left:
                if not namespace["metadata"].get("deletionTimestamp"):
                    await delete(f"namespace {namespace['metadata']['name']}", partial(_end, api, namespace))
            volumes = [v for v in await api.list(VOLUME) if _claimed_from(v) in isolated]
        return [item["metadata"]["name"] for item in (*left, *volumes)]


async def _objects(api: ClusterApi, names: Iterable[str], kinds: Sequence[Kind]) -> dict[str, list[Object]]:
    """What is in these namespaces, by kind, with the namespaces themselves; without the pods of our own calls."""
    found: dict[str, list[Object]] = {kind.kind: [] for kind in (*kinds, NAMESPACE)}
    for name in names:
        namespace = await api.get(NAMESPACE, name)
        found["Namespace"] += [namespace] if namespace else []
        for kind in kinds:
            listed = await api.list(kind, namespace=name)
            found[kind.kind] += [o for o in listed if VERIFIES_LABEL not in (o["metadata"].get("labels") or {})]
    return found


async def _made(api: ClusterApi, desired: Object, plan: RestorePlan) -> str:
    """The UID of a namespace that wasn't there before."""
    name = desired["metadata"]["name"]
    try:
        made = await api.create(NAMESPACE, desired)
    except Exists:
        found = await api.get(NAMESPACE, name)
        if found and not bears_mark(found, plan.name):
            raise PermanentError("PlaceTaken", f"namespace {name} is there already and isn't Meshward's") from None
        if found:
            await _end(api, found)
        raise NotConverged("PlaceRemade", f"namespace {name} is made again, once it is gone") from None
    return str(made["metadata"]["uid"])


async def _end(api: ClusterApi, namespace: Object) -> None:
    """Ask for the end of this very namespace."""
    metadata = namespace["metadata"]
    if not metadata.get("deletionTimestamp"):
        await api.delete(NAMESPACE, metadata["name"], uid=metadata["uid"])


async def _require_own(api: ClusterApi, plan: RestorePlan) -> None:
    for isolated in plan.isolated.values():
        found = await api.get(NAMESPACE, isolated)
        if found is None or not _is_own(found, plan):
            message = f"namespace {isolated} isn't there any more, or another one of that name is"
            raise PermanentError("PlaceTaken", message)


def _is_own(namespace: Object, plan: RestorePlan) -> bool:
    """Whether it is the namespace that was made. Where a run has died before it knew the UID, the name has to do: it
    couldn't be guessed, and stands in the lease.
    """
    uid = plan.uids.get(namespace["metadata"]["name"])
    return bool(namespace["metadata"]["uid"] == uid) if uid else bears_mark(namespace, plan.name)


async def _is_refused(api: ClusterApi, each: Refusal) -> bool:
    against = await api.refused(_TRIED[each.kind], each.object)
    return any(policy in against for policy in each.policies)


async def _let_in(api: ClusterApi, kind: str, access: Object) -> None:
    try:
        with suppress(Exists):  # an earlier try has made it, or another call
            await api.create(_ACCESS[kind], access)
    except Absent as error:
        raise PermanentError("KindNotServed", f"{kind} isn't served: {error.message}") from error


async def _bundle(api: ClusterApi) -> str:
    roots = await api.get(CONFIG_MAP, _TRUST_ROOTS, MESH_NAMESPACE)
    return str(roots["data"]["ca-bundle.crt"]) if roots else ""


def _claimed_from(volume: Object) -> str:
    return str((volume["spec"].get("claimRef") or {}).get("namespace"))
