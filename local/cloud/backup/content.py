"""What an AKS backup holds: namespaced Kubernetes objects, taken from one cluster and restored into any.

Rules (AKS backup and Velero docs):
- System namespaces are left out, and so is what a cluster recreates by itself (objects with an owner, events).
- A restored object is a new one: without the uid, resourceVersion, status, volume and cluster IP of the old one.
- A backup may be told which kinds and which labels to take, as a restore may; namespaces come with what is in them. One
  of several label selectors is enough (the docs don't say so).
- Namespaces are renamed by the restore's mapping; an object that exists already is skipped unless the policy is Patch.
- Velero's order: namespaces, claims, secrets, config maps, service accounts, pods, then the rest.
"""

from collections.abc import Iterable, Iterator
from copy import deepcopy
from typing import Any

from local.cloud.kubernetes.cluster import SimulatedCluster
from local.cloud.kubernetes.errors import StatusError

Object = dict[str, Any]
_RESTORED_FIRST = ("Namespace", "PersistentVolumeClaim", "Secret", "ConfigMap", "ServiceAccount", "Pod")
_RECREATED = {"Event", "Endpoints", "Lease"}
_SYSTEM_NAMESPACES = {"kube-system", "kube-public", "kube-node-lease", "dataprotection-microsoft"}
_DROPPED_METADATA = ("uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "ownerReferences")
_DROPPED_SPEC = {
    "Service": ("clusterIP", "clusterIPs"),
    "Pod": ("nodeName",),
    "PersistentVolumeClaim": ("volumeName",),
}


def captured(source: SimulatedCluster | None, parameters: dict[str, Any]) -> list[Object]:
    """The objects of a cluster that a backup with these datasource parameters takes."""
    kinds = source.kinds() if source else []
    backed_up = (k for k in kinds if (k.namespaced or k.name == "Namespace") and k.name not in _RECREATED)
    found = (o for k in backed_up if source for o in source.objects(f"{k.name}.{k.group}"))
    return sorted((deepcopy(o) for o in found if _is_included(o, parameters)), key=_restore_order)


def restored(objects: Iterable[Object], criteria: dict[str, Any]) -> Iterator[Object]:
    """The objects that a restore with these criteria makes, in the order it makes them."""
    mapping = criteria.get("namespaceMappings") or {}
    return (_as_new_object(object, mapping) for object in objects if _is_included(object, criteria))


def make(cluster: SimulatedCluster, object: Object, criteria: dict[str, Any]) -> str | None:
    """Create the object in `cluster`; the API server's error, None without one."""
    kind = f"{object['kind']}.{object['apiVersion'].rpartition('/')[0]}"
    try:
        present = cluster.find(kind, object["metadata"].get("namespace", ""), object["metadata"]["name"])
        if present is None or criteria.get("conflictPolicy") == "Patch":
            cluster.apply(object, manager="velero-server")
    except (StatusError, KeyError) as refused:
        return f"{object['kind']} {object['metadata']['name']}: {refused}"
    return None


def _is_included(object: Object, parameters: dict[str, Any]) -> bool:
    namespace = _namespace_of(object)
    included, excluded = parameters.get("includedNamespaces"), parameters.get("excludedNamespaces") or ()
    if namespace in _SYSTEM_NAMESPACES or namespace in excluded or (included and namespace not in included):
        return False
    chosen = object["kind"] == "Namespace" or (_is_of_kinds(object, parameters) and _is_labelled(object, parameters))
    return chosen and not object["metadata"].get("ownerReferences")


def _is_of_kinds(object: Object, parameters: dict[str, Any]) -> bool:
    excluded = {_kind_name(name) for name in parameters.get("excludedResourceTypes") or []}
    only = {_kind_name(name) for name in parameters.get("includedResourceTypes") or []}
    names = _kind_names(object)
    return not names & excluded and (not only or bool(names & only))


def _is_labelled(object: Object, parameters: dict[str, Any]) -> bool:
    selectors = parameters.get("labelSelectors") or []
    labels = {f"{key}={value}" for key, value in (object["metadata"].get("labels") or {}).items()}
    return not selectors or any(labels.issuperset(selector.split(",")) for selector in selectors)


def _namespace_of(object: Object) -> str:
    """The namespace an object belongs to; a Namespace belongs to itself."""
    return str(object["metadata"]["name" if object["kind"] == "Namespace" else "namespace"])


def _restore_order(object: Object) -> int:
    return _RESTORED_FIRST.index(object["kind"]) if object["kind"] in _RESTORED_FIRST else len(_RESTORED_FIRST)


def _as_new_object(object: Object, mapping: dict[str, str]) -> Object:
    new = deepcopy(object)
    new.pop("status", None)
    for name in _DROPPED_METADATA:
        new["metadata"].pop(name, None)
    field = "name" if object["kind"] == "Namespace" else "namespace"
    new["metadata"][field] = mapping.get(_namespace_of(object), _namespace_of(object))
    for name in _DROPPED_SPEC.get(object["kind"], ()):
        new.get("spec", {}).pop(name, None)
    return new


def _kind_name(name: str) -> str:
    """`v1/Secret`, `ingresses.networking.k8s.io` or `Job` without group and version, in lower case."""
    return name.rpartition("/")[2].partition(".")[0].lower()


def _kind_names(object: Object) -> set[str]:
    kind = object["kind"].lower()
    return {kind, f"{kind}s", f"{kind}es", f"{kind[:-1]}ies"}
