"""What controllers write into the status of a workload."""

from typing import Any

from local.cloud.kubernetes.cluster import SimulatedCluster
from local.cloud.kubernetes.objects import Object, is_ready

COUNTS = ("replicas", "readyReplicas", "availableReplicas")


def count(cluster: SimulatedCluster, workload: Object, pods: list[Object], **more: Any) -> None:
    """Write the number of pods and of ready ones, and further fields of the workload's kind."""
    ready = sum(map(is_ready, pods))
    counts = dict(zip(COUNTS, (len(pods), ready, ready), strict=True))
    cluster.set_status(workload, observedGeneration=workload["metadata"]["generation"], **counts, **more)


def condition(type: str, holds: bool, reason: str) -> Object:
    return {"type": type, "status": "True" if holds else "False", "reason": reason}
