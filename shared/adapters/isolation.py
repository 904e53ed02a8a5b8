"""Isolated namespaces: the objects of protected ones, and the places where a cluster's backup is restored to."""

from collections.abc import Iterable

from shared.adapters.kubernetes import (
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
from shared.domain.restore import Item, Plan
from shared.domain.restore_isolation import MESH_NAMESPACE, is_ours, isolated_namespace, isolating_policy
from shared.domain.restore_manifest import Held, Manifest, of_objects, protected_namespaces
from shared.domain.restore_workloads import Copy, workloads_of

VOLUME = Kind("", "v1", "PersistentVolume", "persistentvolumes", namespaced=False)
_READ = (DEPLOYMENT, STATEFUL_SET, DAEMON_SET, SERVICE_ACCOUNT, CONFIG_MAP, VOLUME_CLAIM, POD)
_TRUST_ROOTS = "linkerd-identity-trust-roots"
_NEEDED = (
    *(Permission(verb, NAMESPACE) for verb in ("get", "list", "create", "patch", "delete")),
    *(Permission("list", kind) for kind in (*_READ, VOLUME)),
    *(Permission(verb, NETWORK_POLICY) for verb in ("create", "patch")),
)
_NEEDED_IN_MESH = (Permission("get", CONFIG_MAP, MESH_NAMESPACE, _TRUST_ROOTS),)


class Namespaces:
    """Protected namespaces and their isolated copies."""

    def __init__(self, kubernetes: Kubernetes) -> None:
        self._kubernetes = kubernetes

    async def missing_permissions(self, cluster_id: str) -> list[str]:
        """What a verification does and isn't permitted in the cluster."""
        async with self._kubernetes.api(cluster_id) as api:
            missing = list(await api.missing(*_NEEDED))
            if "get namespaces" in missing or await api.get(NAMESPACE, MESH_NAMESPACE) is None:
                return missing
            return [*missing, *await api.missing(*_NEEDED_IN_MESH)]

    async def held(self, item: Item) -> Held:
        """What the protected namespaces hold."""
        async with self._kubernetes.api(item.source_id) as api:
            names = protected_namespaces(await api.list(NAMESPACE), item.included, item.excluded)
            objects = await _objects(api, names)
        return Held(names=tuple(names), entries=of_objects(objects, {name: name for name in names}))

    async def copy(self, plan: Plan, manifest: Manifest) -> Copy:  # noqa: ARG002  # shares need it
        """What the isolated namespaces hold, and whether their workloads run and joined the mesh."""
        source = {place: name for name, place in plan.places.items()}
        async with self._kubernetes.api(plan.item.source_id) as api:
            objects = await _objects(api, source)
            roots = await api.get(CONFIG_MAP, _TRUST_ROOTS, MESH_NAMESPACE)
        bundle = roots["data"]["ca-bundle.crt"] if roots else ""
        return Copy(entries=of_objects(objects, source), workloads=workloads_of(objects, bundle))

    async def isolate(self, plan: Plan) -> None:
        """Make the place for each namespace and close it before anything is restored there."""
        async with self._kubernetes.api(plan.item.source_id) as api:
            for name, place in plan.places.items():
                source = await api.get(NAMESPACE, name) or {"metadata": {"name": name}}
                await api.apply(NAMESPACE, isolated_namespace(source, place, plan.job_name))
                await api.apply(NETWORK_POLICY, isolating_policy(place))

    async def remove(self, plan: Plan) -> list[str]:
        """Ask for the end of the places; the names of what is still there, volumes included.

        A namespace that isn't ours is left alone.
        """
        places = list(plan.places.values())
        async with self._kubernetes.api(plan.item.source_id) as api:
            found = [await api.get(NAMESPACE, place) for place in places]
            left = [namespace for namespace in found if namespace and is_ours(namespace)]
            for namespace in left:
                if not namespace["metadata"].get("deletionTimestamp"):
                    await api.delete(NAMESPACE, namespace["metadata"]["name"])
            volumes = [v for v in await api.list(VOLUME) if _claimed_from(v) in places]
        return [item["metadata"]["name"] for item in (*left, *volumes)]


async def _objects(api: ClusterApi, names: Iterable[str]) -> dict[str, list[Object]]:
    """What is in these namespaces, by kind, with the namespaces themselves."""
    found: dict[str, list[Object]] = {kind.kind: [] for kind in (*_READ, NAMESPACE)}
    for name in names:
        namespace = await api.get(NAMESPACE, name)
        found["Namespace"] += [namespace] if namespace else []
        for kind in _READ:
            found[kind.kind] += await api.list(kind, namespace=name)
    return found


def _claimed_from(volume: Object) -> str:
    return str((volume["spec"].get("claimRef") or {}).get("namespace"))
