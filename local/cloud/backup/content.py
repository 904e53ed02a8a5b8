"""What an AKS backup holds: namespaced Kubernetes objects, taken from one cluster and made again in another place.

Rules (AKS backup and Velero docs):
- System namespaces are left out, and so is what a cluster makes again by itself (objects with an owner, events).
- A restored object starts a new life: no uid, resourceVersion, status, volume or cluster IP of the old one.
- Namespaces are renamed by the restore's mapping; an object that exists already is skipped unless the policy is Patch.
- Velero's order: namespaces, claims, secrets, config maps, service accounts, pods, then the rest.
"""

from collections.abc import Iterable, Iterator
from copy import deepcopy
from typing import Any

from local.cloud.kubernetes.cluster import SimulatedCluster
from local.cloud.kubernetes.errors import StatusError

Object = dict[str, Any]
_FIRST = ("Namespace", "PersistentVolumeClaim", "Secret", "ConfigMap", "ServiceAccount", "Pod")
_REMADE = {"Event", "Endpoints", "Lease"}
_SYSTEM = {"kube-system", "kube-public", "kube-node-lease", "dataprotection-microsoft"}
_OF_THE_OLD_LIFE = ("uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "ownerReferences")
_OF_THE_OLD_SPEC = {
    "Service": ("clusterIP", "clusterIPs"),
    "Pod": ("nodeName",),
    "PersistentVolumeClaim": ("volumeName",),
}


def captured(source: SimulatedCluster | None, parameters: dict[str, Any]) -> list[Object]:
    """The objects of a cluster that a backup with these datasource parameters takes."""
    kinds = source.kinds() if source else []
    backed_up = (k for k in kinds if (k.namespaced or k.name == "Namespace") and k.name not in _REMADE)
    found = (o for k in backed_up if source for o in source.objects(f"{k.name}.{k.group}"))
    return sorted((deepcopy(o) for o in found if _taken(o, parameters)), key=_turn)


def restored(objects: Iterable[Object], criteria: dict[str, Any]) -> Iterator[Object]:
    """The objects that a restore with these criteria makes, in the order it makes them."""
    excluded = {_plain(name) for name in criteria.get("excludedResourceTypes") or []}
    only = {_plain(name) for name in criteria.get("includedResourceTypes") or []}
    mapping = criteria.get("namespaceMappings") or {}
    for object in objects:
        names = _names(object)
        wanted = not names & excluded and (not only or names & {"namespace", *only})
        if wanted and _taken(object, criteria):
            yield _reborn(object, mapping)


def make(cluster: SimulatedCluster, object: Object, criteria: dict[str, Any]) -> str | None:
    """Create the object in `cluster`; returns what the API server said against it."""
    kind = f"{object['kind']}.{object['apiVersion'].rpartition('/')[0]}"
    try:
        present = cluster.find(kind, object["metadata"].get("namespace", ""), object["metadata"]["name"])
        if present is None or criteria.get("conflictPolicy") == "Patch":
            cluster.apply(object, manager="velero-server")
    except (StatusError, KeyError) as refused:
        return f"{object['kind']} {object['metadata']['name']}: {refused}"
    return None


def _taken(object: Object, parameters: dict[str, Any]) -> bool:
    namespace = _namespace(object)
    included, excluded = parameters.get("includedNamespaces"), parameters.get("excludedNamespaces") or ()
    if namespace in _SYSTEM or namespace in excluded or (included and namespace not in included):
        return False
    return not object["metadata"].get("ownerReferences")


def _namespace(object: Object) -> str:
    """The namespace an object belongs to; a Namespace belongs to itself."""
    return str(object["metadata"]["name" if object["kind"] == "Namespace" else "namespace"])


def _turn(object: Object) -> int:
    return _FIRST.index(object["kind"]) if object["kind"] in _FIRST else len(_FIRST)


def _reborn(object: Object, mapping: dict[str, str]) -> Object:
    new = deepcopy(object)
    new.pop("status", None)
    for name in _OF_THE_OLD_LIFE:
        new["metadata"].pop(name, None)
    place = "name" if object["kind"] == "Namespace" else "namespace"
    new["metadata"][place] = mapping.get(_namespace(object), _namespace(object))
    for name in _OF_THE_OLD_SPEC.get(object["kind"], ()):
        new.get("spec", {}).pop(name, None)
    return new


def _plain(name: str) -> str:
    """`v1/Secret`, `ingresses.networking.k8s.io` or `Job` without group and version, in lower case."""
    return name.rpartition("/")[2].partition(".")[0].lower()


def _names(object: Object) -> set[str]:
    kind = object["kind"].lower()
    return {kind, f"{kind}s", f"{kind}es", f"{kind[:-1]}ies"}
