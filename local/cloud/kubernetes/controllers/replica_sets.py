"""ReplicaSets: as many pods as desired; those that aren't ready are deleted first."""

from local.cloud.kubernetes.cluster import SimulatedCluster
from local.cloud.kubernetes.controllers.pods import active_pods, new_pod, owner_reference
from local.cloud.kubernetes.controllers.status import count
from local.cloud.kubernetes.objects import Object, is_ready


def reconcile(cluster: SimulatedCluster, replica_set: Object) -> None:
    desired = replica_set["spec"].get("replicas", 1) if "deletionTimestamp" not in replica_set["metadata"] else 0
    pods = active_pods(cluster, replica_set)
    for pod in sorted(pods, key=is_ready)[: max(0, len(pods) - desired)]:
        cluster.delete("Pod", pod["metadata"]["namespace"], pod["metadata"]["name"])
    try:
        for _ in range(desired - len(pods)):
            cluster.create(new_pod(replica_set, replica_set["spec"]["template"], generated=True))
    finally:
        count(cluster, replica_set, active_pods(cluster, replica_set))


def replica_set_of(owner: Object, hash_label: str, digest: str, replicas: int) -> Object:
    """The ReplicaSet of what has a template, which is told by the label from those of its other templates."""
    spec, meta, template = owner["spec"], owner["metadata"], owner["spec"]["template"]
    labels = {**template.get("metadata", {}).get("labels", {}), hash_label: digest}
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": f"{meta['name']}-{digest}",
            "namespace": meta["namespace"],
            "labels": labels,
            "ownerReferences": [owner_reference(owner)],
        },
        "spec": {
            "replicas": replicas,
            "selector": spec.get("selector", {}),
            "template": {**template, "metadata": {**template.get("metadata", {}), "labels": labels}},
        },
    }
