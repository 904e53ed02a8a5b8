"""Evictions and the budgets that bound them (Kubernetes docs, API-initiated eviction).

Rules:
- A drain of a node evicts and so waits for budgets; a rolling restart deletes and doesn't.
- Pods that have a budget are counted when somebody asks, as if its controller were never late.
"""

import math

from local.cloud.kubernetes.cluster import SimulatedCluster
from local.cloud.kubernetes.errors import StatusError
from local.cloud.kubernetes.objects import Object, is_ready, share
from local.cloud.kubernetes.pod_status import stopped

_REFUSED = "Cannot evict pod as it would violate the pod's disruption budget."


def evict(cluster: SimulatedCluster, pod: Object, *, dry_run: bool) -> None:
    """Ask for the pod's end; raises StatusError TooManyRequests if a budget has no pod to spare."""
    meta = pod["metadata"]
    if is_ready(pod):
        for budget in cluster.objects("PodDisruptionBudget", meta["namespace"]):
            if _selects(budget, pod):
                _spend(cluster, budget)
    if not dry_run:
        cluster.delete("Pod", meta["namespace"], meta["name"])


def evict_for_pressure(cluster: SimulatedCluster, pod: Object) -> None:
    """Let the pod's node end it for lack of memory, whatever its budget: it stays as Failed, beside the one that takes
    its place.
    """
    ended = {"terminated": {"exitCode": 137, "reason": "Error"}}
    cluster.set_status(pod, **stopped(pod, ended, "Failed", reason="Evicted", message="The node was low on memory."))
    if cluster.mesh:
        cluster.mesh.stop(pod)


def _spend(cluster: SimulatedCluster, budget: Object) -> None:
    pods = [p for p in cluster.objects("Pod", budget["metadata"]["namespace"]) if _selects(budget, p)]
    healthy, needed = sum(map(is_ready, pods)), _needed(budget["spec"], _expected(cluster, pods))
    if healthy > needed:
        return
    name = budget["metadata"]["name"]
    message = f"The disruption budget {name} needs {needed} healthy pods and has {healthy} currently"
    causes = [{"reason": "DisruptionBudget", "message": message}]
    raise StatusError(429, "TooManyRequests", _REFUSED, {"causes": causes})


def _needed(spec: Object, expected: int) -> int:
    if "maxUnavailable" in spec:
        return max(0, expected - share(spec["maxUnavailable"], expected, math.ceil))
    return share(spec.get("minAvailable", 1), expected, math.ceil)


def _expected(cluster: SimulatedCluster, pods: list[Object]) -> int:
    """The desired number of pods of their owners."""
    owners = {(o["kind"], o["name"]) for p in pods for o in p["metadata"].get("ownerReferences", ())}
    found = (cluster.find(kind, pods[0]["metadata"]["namespace"], name) for kind, name in owners)
    return sum(o["spec"].get("replicas", 1) for o in found if o)


def _selects(budget: Object, pod: Object) -> bool:
    selector, labels = budget["spec"]["selector"].get("matchLabels", {}), pod["metadata"].get("labels", {})
    return bool(selector.items() <= labels.items())
