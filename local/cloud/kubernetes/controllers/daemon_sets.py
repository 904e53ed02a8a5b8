"""DaemonSets: a pod on each node, updated node by node."""

import math

from local.cloud.kubernetes.cluster import SimulatedCluster
from local.cloud.kubernetes.controllers.pods import active_pods, new_pod, revision_of, template_hash
from local.cloud.kubernetes.objects import Object, is_ready, share


def reconcile(cluster: SimulatedCluster, daemon_set: Object) -> None:
    spec, revision = daemon_set["spec"], template_hash(daemon_set["spec"]["template"])
    nodes = [n["metadata"]["name"] for n in cluster.objects("Node")]
    pods = {p["spec"]["nodeName"]: p for p in cluster.owned(daemon_set, "Pod")}
    rolling = spec.get("updateStrategy", {})
    limit = share(rolling.get("rollingUpdate", {}).get("maxUnavailable", 1), len(nodes), math.ceil)
    away = sum(not (node in pods and is_ready(pods[node])) for node in nodes)
    try:
        for node in nodes:
            if node not in pods:
                cluster.create(new_pod(daemon_set, spec["template"], generated=True, revision=revision, node=node))
            elif revision_of(pods[node]) != revision and rolling.get("type") != "OnDelete" and away < limit:
                away += 1
                cluster.delete("Pod", daemon_set["metadata"]["namespace"], pods[node]["metadata"]["name"])
    finally:
        _count(cluster, daemon_set, revision, len(nodes))


def _count(cluster: SimulatedCluster, daemon_set: Object, revision: str, nodes: int) -> None:
    pods = active_pods(cluster, daemon_set)
    ready = sum(map(is_ready, pods))
    cluster.set_status(
        daemon_set,
        observedGeneration=daemon_set["metadata"]["generation"],
        desiredNumberScheduled=nodes,
        currentNumberScheduled=len(pods),
        numberMisscheduled=0,
        numberReady=ready,
        numberAvailable=ready,
        numberUnavailable=nodes - ready,
        updatedNumberScheduled=sum(revision_of(p) == revision for p in pods),
    )
