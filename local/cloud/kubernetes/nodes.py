"""Nodes that are lost: their kubelets fall silent, and nobody knows what became of their pods.

Rules (Kubernetes): such pods aren't ready. After five minutes those that a DaemonSet didn't make are about to end, and
stay so, as no kubelet says that they have, until somebody takes them out by force.
"""

from local.cloud.kubernetes.cluster import SimulatedCluster
from local.cloud.kubernetes.objects import Object

_EVICTED_AFTER_SECONDS = 300.0


def lose(cluster: SimulatedCluster, node: str) -> None:
    """The node is gone from now on."""
    cluster.lost_nodes.add(node)
    for pod in _pods(cluster, node):
        cluster.set_status(pod, conditions=[_unready(c) for c in pod["status"]["conditions"]])
        if cluster.mesh:
            cluster.mesh.stop(pod)
    cluster.clock.after(_EVICTED_AFTER_SECONDS, lambda: _evict(cluster, node))


def take_out(cluster: SimulatedCluster, node: str) -> None:
    """Somebody takes out by force what is about to end there."""
    for pod in _pods(cluster, node):
        if "deletionTimestamp" in pod["metadata"]:
            cluster.remove(pod)


def _evict(cluster: SimulatedCluster, node: str) -> None:
    for pod in _pods(cluster, node):
        if not any(owner["kind"] == "DaemonSet" for owner in pod["metadata"].get("ownerReferences", ())):
            cluster.delete("Pod", pod["metadata"]["namespace"], pod["metadata"]["name"])


def _pods(cluster: SimulatedCluster, node: str) -> list[Object]:
    return [pod for pod in cluster.objects("Pod") if pod["spec"].get("nodeName") == node]


def _unready(condition: Object) -> Object:
    return {**condition, "status": "False"} if condition["type"] in ("Ready", "ContainersReady") else condition
