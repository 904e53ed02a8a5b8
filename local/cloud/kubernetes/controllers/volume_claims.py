"""PersistentVolumeClaims: each gets a volume of its own, some only once a pod uses them (Kubernetes docs)."""

from local.cloud.kubernetes.cluster import SimulatedCluster
from local.cloud.kubernetes.objects import Object

_LOOK_SECONDS = 5.0


def reconcile(cluster: SimulatedCluster, claim: Object) -> float | None:
    if _waits(cluster, claim) and not _is_used(cluster, claim):
        if not claim.get("status"):
            cluster.set_status(claim, phase="Pending")
        return _LOOK_SECONDS
    volume = claim["spec"].get("volumeName") or f"pvc-{claim['metadata']['uid']}"
    capacity = claim["spec"].get("resources", {}).get("requests", {})
    bound = cluster.update({**claim, "spec": {**claim["spec"], "volumeName": volume}})
    cluster.set_status(bound, phase="Bound", capacity=capacity, accessModes=claim["spec"].get("accessModes", []))
    return None


def _waits(cluster: SimulatedCluster, claim: Object) -> bool:
    """Whether its storage class binds no claim before a pod uses it."""
    found = cluster.find("StorageClass", "", claim["spec"].get("storageClassName") or "")
    return found is not None and found.get("volumeBindingMode") == "WaitForFirstConsumer"


def _is_used(cluster: SimulatedCluster, claim: Object) -> bool:
    volumes = [
        volume.get("persistentVolumeClaim", {}).get("claimName")
        for pod in cluster.objects("Pod", claim["metadata"]["namespace"])
        for volume in pod["spec"].get("volumes") or ()
    ]
    return claim["metadata"]["name"] in volumes
