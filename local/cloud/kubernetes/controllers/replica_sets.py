"""ReplicaSets: as many pods as are wanted; those that are not ready go first."""

from local.cloud.kubernetes.cluster import SimulatedCluster
from local.cloud.kubernetes.controllers.pods import active_pods, new_pod
from local.cloud.kubernetes.controllers.status import count
from local.cloud.kubernetes.objects import Object, is_ready


def reconcile(cluster: SimulatedCluster, replica_set: Object) -> None:
    wanted = replica_set["spec"].get("replicas", 1) if "deletionTimestamp" not in replica_set["metadata"] else 0
    pods = active_pods(cluster, replica_set)
    for pod in sorted(pods, key=is_ready)[: max(0, len(pods) - wanted)]:
        cluster.delete("Pod", pod["metadata"]["namespace"], pod["metadata"]["name"])
    try:
        for _ in range(wanted - len(pods)):
            cluster.create(new_pod(replica_set, replica_set["spec"]["template"], generated=True))
    finally:
        count(cluster, replica_set, active_pods(cluster, replica_set))
