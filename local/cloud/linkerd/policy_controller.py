"""Linkerd's policy controller in one cluster: which EgressNetworks and TLSRoutes it accepts (its docs and sources).

Rules:
- An EgressNetwork that reaches into clusterNetworks isn't accepted, and no route of it either.
- What it says stands in the status a moment after a change.
"""

from ipaddress import ip_network
from typing import Any

from local.cloud.kubernetes.cluster import SimulatedCluster
from local.cloud.kubernetes.objects import Object
from local.cloud.kubernetes.store import WatchEvent

CLUSTER_NETWORKS = ("10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16", "fd00::/8")
CONTROLLER = "linkerd.io/policy-controller"
_REACTS_SECONDS = 1.0
_ACCEPTED = ("Accepted", "")


class PolicyController:
    """`watches` are the kinds that it judges: a kind that wasn't served when it started isn't one."""

    def __init__(self, cluster: SimulatedCluster) -> None:
        self._cluster = cluster
        self.watches = {"EgressNetwork", "TLSRoute"}
        cluster.listeners.append(self._changed)

    def _changed(self, change: WatchEvent) -> None:
        if change.kind.name in self.watches:
            self._cluster.clock.after(_REACTS_SECONDS, self._judge)

    def _judge(self) -> None:
        accepted = {}
        for network in served_objects(self._cluster, "EgressNetwork"):
            overlaps = any(_overlaps(n["cidr"]) for n in network["spec"].get("networks", ()))
            reason = ("EgressReasonNetworkOverlap", "networks overlap with clusterNetworks") if overlaps else _ACCEPTED
            accepted[_key(network)] = not overlaps
            self._set_status(network, conditions=[self._condition(*reason)])
        for route in served_objects(self._cluster, "TLSRoute") if "TLSRoute" in self.watches else ():
            parents = [p for p in route["spec"]["parentRefs"] if p.get("kind") == "EgressNetwork"]
            self._set_status(route, parents=[self._parent(route, parent, accepted) for parent in parents])

    def _parent(self, route: Object, parent: Object, accepted: dict[tuple[str, str], bool]) -> Object:
        network = accepted.get((route["metadata"]["namespace"], parent["name"]))
        words = "EgressNetwork parent has not been accepted" if network is False else ""
        reason = _ACCEPTED if network else ("NoMatchingParent", words)
        return {"parentRef": parent, "controllerName": CONTROLLER, "conditions": [self._condition(*reason)]}

    def _condition(self, reason: str, message: str) -> Object:
        status = "True" if reason == "Accepted" else "False"
        at = self._cluster.now()
        return {"type": "Accepted", "status": status, "reason": reason, "message": message, "lastTransitionTime": at}

    def _set_status(self, obj: Object, **status: Any) -> None:
        if _timeless(obj.get("status")) != _timeless(status):
            self._cluster.set_status(obj, **status)


def served_objects(cluster: SimulatedCluster, kind: str, namespace: str | None = None) -> list[Object]:
    """The objects of a kind; none if this version of Linkerd doesn't have the kind."""
    try:
        return cluster.objects(kind, namespace)
    except KeyError:
        return []


def _key(obj: Object) -> tuple[str, str]:
    return obj["metadata"]["namespace"], obj["metadata"]["name"]


def _timeless(status: Any) -> Any:
    if isinstance(status, dict):
        return {key: _timeless(value) for key, value in status.items() if key != "lastTransitionTime"}
    return [_timeless(item) for item in status] if isinstance(status, list) else status


def _overlaps(cidr: str) -> bool:
    network = ip_network(cidr)
    cluster_networks = (ip_network(c) for c in CLUSTER_NETWORKS)
    return any(network.version == h.version and network.overlaps(h) for h in cluster_networks)
