"""NetworkPolicies: which connections between pods they drop.

Rules (Kubernetes docs):
- The NetworkPolicies of a namespace that select a pod bind it, each direction apart, and add up. What they don't allow
  is dropped without an answer.
"""

from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from typing import NamedTuple

from local.cloud.kubernetes.cluster import SimulatedCluster
from local.cloud.kubernetes.objects import Object
from local.cloud.kubernetes.selectors import selects

_DNS: Object = {"metadata": {"namespace": "kube-system", "labels": {"k8s-app": "kube-dns"}}}


def drops(cluster: SimulatedCluster, client: Object, server: Object, port: int, protocol: str = "TCP") -> bool:
    """Whether the policies of either side keep a connection of one pod from a port of the other."""
    there = _Port(server, port, protocol)
    return not (
        _allows(cluster, client, "Egress", server, there) and _allows(cluster, server, "Ingress", client, there)
    )


def resolves(cluster: SimulatedCluster, pod: Object) -> bool:
    """Whether a pod may ask kube-dns."""
    return not drops(cluster, pod, _DNS, 53, "UDP")


class _Port(NamedTuple):
    pod: Object
    number: int
    protocol: str

    def fits(self, wanted: Object) -> bool:
        port: int | str = wanted.get("port", self.number)
        if isinstance(port, int):
            held = port <= self.number <= int(wanted.get("endPort", port))
        else:
            held = (self.number, port) in ports(self.pod)
        return held and wanted.get("protocol", "TCP") == self.protocol


def _allows(cluster: SimulatedCluster, pod: Object, direction: str, peer: Object, port: _Port) -> bool:
    policies = cluster.objects("NetworkPolicy", pod["metadata"]["namespace"])
    bound = [p for p in policies if direction in _types(p["spec"]) and selects(p["spec"]["podSelector"], _labels(pod))]
    rules = (rule for policy in bound for rule in policy["spec"].get(direction.lower()) or ())
    return not bound or any(_rule_allows(cluster, rule, direction, pod, peer, port) for rule in rules)


def _types(spec: Object) -> list[str]:
    return spec.get("policyTypes") or ["Ingress", *(["Egress"] if "egress" in spec else [])]


def _rule_allows(
    cluster: SimulatedCluster, rule: Object, direction: str, pod: Object, peer: Object, port: _Port
) -> bool:
    peers, wanted = rule.get("to" if direction == "Egress" else "from"), rule.get("ports")
    known = not peers or any(_is_peer(cluster, each, pod["metadata"]["namespace"], peer) for each in peers)
    return known and (not wanted or any(map(port.fits, wanted)))


def _is_peer(cluster: SimulatedCluster, wanted: Object, namespace: str, peer: Object) -> bool:
    if block := wanted.get("ipBlock"):
        at = peer.get("status", {}).get("podIP")
        return bool(at) and _holds(block["cidr"], at) and not any(_holds(e, at) for e in block.get("except", ()))
    where = peer["metadata"]["namespace"]
    if "namespaceSelector" in wanted:
        near = selects(wanted["namespaceSelector"], _labels(cluster.get("Namespace", "", where)))
    else:
        near = where == namespace
    return near and selects(wanted.get("podSelector", {}), _labels(peer))


def _holds(cidr: str, address: str) -> bool:
    return ip_address(address) in ip_network(cidr)


def ports(pod: Object) -> Iterator[tuple[int, str]]:
    """The ports that a pod's containers declare, with their names."""
    for container in pod["spec"]["containers"]:
        yield from ((p["containerPort"], p.get("name", "")) for p in container.get("ports", ()))


def _labels(obj: Object) -> dict[str, str]:
    return dict(obj["metadata"].get("labels", {}))
