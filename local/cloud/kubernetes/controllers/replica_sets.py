"""ReplicaSets: as many pods as desired; those that aren't ready are deleted first."""

from local.cloud.kubernetes.cluster import SimulatedCluster
from local.cloud.kubernetes.controllers.pods import active_pods, new_pod
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
