"""What an AKS backup holds: namespaced Kubernetes objects, taken from one cluster and made again in another place.

Rules (AKS backup and Velero docs):
- System namespaces are left out, and so is what a controller makes again by itself (objects with an owner).
- A restored object starts a new life: no uid, resourceVersion, status or cluster IP of the old one.
- Namespaces are renamed by the restore's mapping; an object that exists already is skipped unless the policy is Patch.
"""

from collections.abc import Iterable, Iterator
from copy import deepcopy
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from local.cloud.world import World

Object = dict[str, Any]
KINDS = (
    "Namespace",
    "PersistentVolumeClaim",
    "Secret",
    "ConfigMap",
    "ServiceAccount",
    "Role",
    "RoleBinding",
    "Service",
    "NetworkPolicy",
    "Pod",
    "Deployment",
    "StatefulSet",
    "DaemonSet",
    "CronJob",
    "Job",
    "Ingress",
    "HorizontalPodAutoscaler",
)
_SYSTEM = {"kube-system", "kube-public", "kube-node-lease", "dataprotection-microsoft"}
_OF_THE_OLD_LIFE = ("uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "ownerReferences")


def captured(world: "World", cluster: str, parameters: dict[str, Any]) -> list[Object]:
    """The objects of `cluster` (its name) that a backup with these datasource parameters takes."""
    if cluster not in world.kubernetes.clusters:
        return []
    found = (o for kind in KINDS for o in world.kubernetes.clusters[cluster].objects(kind))
    return [deepcopy(o) for o in found if _taken(o, parameters)]


def restored(objects: Iterable[Object], criteria: dict[str, Any]) -> Iterator[Object]:
    """The objects that a restore with these criteria makes, in the order it makes them."""
    excluded = [_plain(name) for name in criteria.get("excludedResourceTypes") or []]
    only = [_plain(name) for name in criteria.get("includedResourceTypes") or []]
    mapping = criteria.get("namespaceMappings") or {}
    for object in objects:
        names = _names(object)
        kept = names.isdisjoint(excluded) and (not only or object["kind"] == "Namespace" or names & set(only))
        if kept and _taken(object, criteria):
            yield _reborn(object, mapping)


def _taken(object: Object, parameters: dict[str, Any]) -> bool:
    namespace = namespace_of(object)
    included, excluded = parameters.get("includedNamespaces"), parameters.get("excludedNamespaces") or ()
    if namespace in _SYSTEM or namespace in excluded or (included and namespace not in included):
        return False
    return not object["metadata"].get("ownerReferences")


def namespace_of(object: Object) -> str:
    """The namespace an object belongs to; a Namespace belongs to itself."""
    metadata = object["metadata"]
    return str(metadata["name"] if object["kind"] == "Namespace" else metadata.get("namespace", ""))


def _reborn(object: Object, mapping: dict[str, str]) -> Object:
    new = deepcopy(object)
    new.pop("status", None)
    for name in _OF_THE_OLD_LIFE:
        new["metadata"].pop(name, None)
    place = "name" if object["kind"] == "Namespace" else "namespace"
    new["metadata"][place] = mapping.get(namespace_of(object), namespace_of(object))
    for name in {"Service": ("clusterIP", "clusterIPs"), "Pod": ("nodeName",)}.get(object["kind"], ()):
        new.get("spec", {}).pop(name, None)
    return new


def _plain(name: str) -> str:
    """`v1/Secret`, `ingresses.networking.k8s.io` or `Job` without group and version, in lower case."""
    return name.rpartition("/")[2].partition(".")[0].lower()


def _names(object: Object) -> set[str]:
    kind = object["kind"].lower()
    return {kind, f"{kind}s", f"{kind}es", f"{kind[:-1]}ies"}
