"""PersistentVolumeClaims: each gets a volume of its own."""

from local.cloud.kubernetes.cluster import SimulatedCluster
from local.cloud.kubernetes.objects import Object


def reconcile(cluster: SimulatedCluster, claim: Object) -> None:
    volume = claim["spec"].get("volumeName") or f"pvc-{claim['metadata']['uid']}"
    capacity = claim["spec"].get("resources", {}).get("requests", {})
    bound = cluster.update({**claim, "spec": {**claim["spec"], "volumeName": volume}})
    cluster.set_status(bound, phase="Bound", capacity=capacity, accessModes=claim["spec"].get("accessModes", []))
