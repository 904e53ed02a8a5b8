"""What controllers make of a pod template, and which of their pods count."""

import hashlib

import msgspec

from local.cloud.kubernetes.cluster import SimulatedCluster
from local.cloud.kubernetes.objects import Object, has_ended


def new_pod(
    owner: Object, template: Object, *, name: str = "", generated: bool = False, revision: str = "", node: str = ""
) -> Object:
    """A pod of the owner's; `revision` and `node` for those that have them."""
    meta = template.get("metadata", {})
    labels = {**meta.get("labels", {}), **({"controller-revision-hash": revision} if revision else {})}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            **({"generateName": f"{owner['metadata']['name']}-"} if generated else {"name": name}),
            "namespace": owner["metadata"]["namespace"],
            "labels": labels,
            "annotations": dict(meta.get("annotations", {})),
            "ownerReferences": [owner_reference(owner)],
        },
        "spec": {**template["spec"], **({"nodeName": node} if node else {})},
    }


def owner_reference(obj: Object) -> Object:
    meta = obj["metadata"]
    named = {"apiVersion": obj["apiVersion"], "kind": obj["kind"], "name": meta["name"], "uid": meta["uid"]}
    return {**named, "controller": True, "blockOwnerDeletion": True}


def active_pods(cluster: SimulatedCluster, owner: Object) -> list[Object]:
    """Pods that run or are about to."""
    return [p for p in cluster.owned(owner, "Pod") if "deletionTimestamp" not in p["metadata"] and not has_ended(p)]


def revision_of(pod: Object) -> str:
    """Which version of its template a pod of a StatefulSet or DaemonSet was made from."""
    return str(pod["metadata"]["labels"].get("controller-revision-hash", ""))


def template_hash(template: Object) -> str:
    """Ten digits that equal templates share."""
    return hashlib.sha256(msgspec.json.encode(template, order="sorted")).hexdigest()[:10]
