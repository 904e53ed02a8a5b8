"""NetworkPolicies: which connections between pods they drop.

Rules (Kubernetes docs):
- The NetworkPolicies of a namespace that select a pod apply to it, each direction by itself, and add up. What they
  don't allow is dropped without an answer.
"""

from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from typing import NamedTuple

from local.cloud.kubernetes.cluster import SimulatedCluster
from local.cloud.kubernetes.objects import Object, labels_of
from local.cloud.kubernetes.selectors import selects

_DNS: Object = {"metadata": {"namespace": "kube-system", "labels": {"k8s-app": "kube-dns"}}}


def drops(cluster: SimulatedCluster, client: Object, server: Object, port: int, protocol: str = "TCP") -> bool:
    """Whether the policies of either side keep a connection of one pod from a port of the other."""
    there = _Port(server, port, protocol)
    return cluster.enforces_policies and not (
        _allows(cluster, client, "Egress", server, there) and _allows(cluster, server, "Ingress", client, there)
    )


def drops_outward(cluster: SimulatedCluster, client: Object, address: str, port: int) -> bool:
    """Whether the policies of a pod keep it from an address that is no pod's."""
    outside: Object = {"metadata": {}, "status": {"podIP": address}, "spec": {"containers": []}}
    allowed = _allows(cluster, client, "Egress", outside, _Port(outside, port, "TCP"))
    return cluster.enforces_policies and not allowed


def resolves(cluster: SimulatedCluster, pod: Object) -> bool:
    """Whether a pod may ask kube-dns."""
    return not drops(cluster, pod, _DNS, 53, "UDP")


class _Port(NamedTuple):
    pod: Object
    number: int
    protocol: str

    def matches(self, rule: Object) -> bool:
        port: int | str = rule.get("port", self.number)
        if isinstance(port, int):
            same = port <= self.number <= int(rule.get("endPort", port))
        else:
            same = (self.number, port) in ports(self.pod)
        return same and rule.get("protocol", "TCP") == self.protocol


def _allows(cluster: SimulatedCluster, pod: Object, direction: str, peer: Object, port: _Port) -> bool:
    policies = cluster.objects("NetworkPolicy", pod["metadata"]["namespace"])
    bound = [
        p for p in policies if direction in _types(p["spec"]) and selects(p["spec"]["podSelector"], labels_of(pod))
    ]
    rules = (rule for policy in bound for rule in policy["spec"].get(direction.lower()) or ())
    return not bound or any(_rule_allows(cluster, rule, direction, pod, peer, port) for rule in rules)


def _types(spec: Object) -> list[str]:
    return spec.get("policyTypes") or ["Ingress", *(["Egress"] if "egress" in spec else [])]


def _rule_allows(
    cluster: SimulatedCluster, rule: Object, direction: str, pod: Object, peer: Object, port: _Port
) -> bool:
    peers, allowed_ports = rule.get("to" if direction == "Egress" else "from"), rule.get("ports")
    among_peers = not peers or any(_is_peer(cluster, each, pod["metadata"]["namespace"], peer) for each in peers)
    return among_peers and (not allowed_ports or any(map(port.matches, allowed_ports)))


def _is_peer(cluster: SimulatedCluster, rule: Object, namespace: str, peer: Object) -> bool:
    if block := rule.get("ipBlock"):
        at = peer.get("status", {}).get("podIP")
        return bool(at) and _holds(block["cidr"], at) and not any(_holds(e, at) for e in block.get("except", ()))
    where = peer["metadata"].get("namespace")
    if where is None:
        return False
    if "namespaceSelector" in rule:
        near = selects(rule["namespaceSelector"], labels_of(cluster.get("Namespace", "", where)))
    else:
        near = where == namespace
    return near and selects(rule.get("podSelector", {}), labels_of(peer))


def _holds(cidr: str, address: str) -> bool:
    return ip_address(address) in ip_network(cidr)


def ports(pod: Object) -> Iterator[tuple[int, str]]:
    """The ports that a pod's containers declare, with their names."""
    for container in pod["spec"]["containers"]:
        yield from ((p["containerPort"], p.get("name", "")) for p in container.get("ports", ()))
