"""Protected namespaces, and the isolated ones that their backups are restored to.

These are in the cluster that is restored to, which may be another one than the source.
"""

from collections.abc import Iterable, Sequence
from contextlib import AbstractAsyncContextManager

from shared.adapters.kubernetes.api import (
    CONFIG_MAP,
    DAEMON_SET,
    DEPLOYMENT,
    NAMESPACE,
    NETWORK_POLICY,
    POD,
    SERVICE_ACCOUNT,
    STATEFUL_SET,
    VOLUME_CLAIM,
    ClusterApi,
    Kind,
    Kubernetes,
    Object,
    Permission,
)
from shared.adapters.kubernetes.errors import Absent
from shared.domain.errors import PermanentError
from shared.domain.restores.calls import WorkloadCall, objects_of, pod_of
from shared.domain.restores.isolation import MESH_NAMESPACE, is_own, isolated_namespace, isolating_policy
from shared.domain.restores.items import ClusterItem
from shared.domain.restores.manifest import (
    VERIFIES_LABEL,
    Contents,
    Manifest,
    canary_times_of,
    of_objects,
    protected_namespaces,
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
_TRUST_ROOTS = "linkerd-identity-trust-roots"
_APPLIED = ("create", "patch")
_NEEDED = (
    *(Permission(verb, NAMESPACE) for verb in ("get", "list", *_APPLIED, "delete")),
    *(Permission("list", kind) for kind in (*_READ, VOLUME)),
    *(Permission(verb, kind) for kind in (NETWORK_POLICY, SERVICE_ACCOUNT, POD) for verb in _APPLIED),
    Permission("get", POD),
)
_NEEDED_IN_MESH = (
    Permission("get", CONFIG_MAP, MESH_NAMESPACE, _TRUST_ROOTS),
    *(Permission(verb, kind) for kind in _MESH_POLICIES for verb in _APPLIED),
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
        return Contents(names=tuple(names), entries=of_objects(objects, {name: name for name in names}))

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

    async def isolate(self, plan: RestorePlan) -> None:
        """Make an isolated namespace for each one that is restored, and close it before anything is in it.

        Raises PermanentError where a namespace of that name is somebody else's.
        """
        async with self._kubernetes.api(plan.item.source_id, plan.trust_domain) as api:
            sources = {name: await api.get(NAMESPACE, name) for name in plan.isolated}
        async with self._target(plan) as api:
            for name, isolated in plan.isolated.items():
                found = await api.get(NAMESPACE, isolated)
                if found and not is_own(found, plan.name):
                    raise PermanentError("PlaceTaken", f"namespace {isolated} is there already and isn't Meshward's")
                source = sources[name] or {"metadata": {"name": name}}
                await api.apply(NAMESPACE, isolated_namespace(source, isolated, plan.name))
                await api.apply(NETWORK_POLICY, isolating_policy(isolated))

    async def call(self, plan: RestorePlan, calls: Sequence[WorkloadCall]) -> dict[tuple[str, str], Object]:
        """The pods of these calls by namespace and name; those that aren't there are made, and what lets them in first.

        Raises PermanentError where the mesh's policies aren't served.
        """
        async with self._target(plan) as api:
            found = {(c.namespace, c.name): await api.get(POD, c.name, c.namespace) for c in calls}
            missing = [c for c in calls if found[c.namespace, c.name] is None]
            for kind, access in objects_of(missing, plan.name):
                await _let_in(api, kind, access)
            for call in missing:
                found[call.namespace, call.name] = await api.apply(POD, pod_of(call, plan.name))
        return {key: pod for key, pod in found.items() if pod}

    def _target(self, plan: RestorePlan) -> AbstractAsyncContextManager[ClusterApi]:
        return self._kubernetes.api(plan.target_id, plan.domain_of_target)

    async def remove(self, plan: RestorePlan) -> list[str]:
        """Ask for the end of the isolated namespaces; the names of what is still there, volumes included.

        A namespace that isn't ours is left alone.
        """
        isolated = list(plan.isolated.values())
        async with self._target(plan) as api:
            found = [await api.get(NAMESPACE, name) for name in isolated]
            left = [namespace for namespace in found if namespace and is_own(namespace, plan.name)]
            for namespace in left:
                if not namespace["metadata"].get("deletionTimestamp"):
                    await api.delete(NAMESPACE, namespace["metadata"]["name"])
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


async def _let_in(api: ClusterApi, kind: str, access: Object) -> None:
    try:
        await api.apply(_ACCESS[kind], access)
    except Absent as error:
        raise PermanentError("KindNotServed", f"{kind} isn't served: {error.message}") from error


async def _bundle(api: ClusterApi) -> str:
    roots = await api.get(CONFIG_MAP, _TRUST_ROOTS, MESH_NAMESPACE)
    return str(roots["data"]["ca-bundle.crt"]) if roots else ""


def _claimed_from(volume: Object) -> str:
    return str((volume["spec"].get("claimRef") or {}).get("namespace"))
