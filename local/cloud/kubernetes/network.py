"""What a pod's program gets from another pod: names and addresses, NetworkPolicies, and who listens.

Rules (Kubernetes docs):
- The NetworkPolicies of a namespace that select a pod bind it, each direction apart, and add up. What they don't allow
  is dropped without an answer.
- Names are resolved by kube-dns, which a pod must be let reach on port 53.
- A Service leads to the ready pods that its selector picks.
- A container listens on the ports that it declares. Annotation `local/http` of its pod says with which status it
  answers HTTP (default 200), for all paths or by path: "503", "/health=503,/=200"; "refused" where nothing listens.
- A mesh comes between the two (`Mesh.carry`).
"""

from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from math import inf
from typing import NamedTuple
from urllib.parse import urlsplit

from local.cloud.kubernetes.cluster import Cluster
from local.cloud.kubernetes.mesh import Answer, Call
from local.cloud.kubernetes.objects import Object, is_ready
from local.cloud.kubernetes.selectors import selects

HTTP = "local/http"
UNRESOLVED, REFUSED, TIMED_OUT, EMPTY_REPLY = 6, 7, 28, 52  # as curl has them
_PORTS = {"http": 80, "https": 443, "telnet": 23}
_DNS: Object = {"metadata": {"namespace": "kube-system", "labels": {"k8s-app": "kube-dns"}}}
_DROPPED = Answer(exit_code=TIMED_OUT, seconds=inf)


def fetch(cluster: Cluster, client: Object, url: str) -> Answer:
    """What a program in the pod `client` gets from `url` (http:, or telnet: for a connection that sends nothing)."""
    parts = urlsplit(url if "://" in url else f"http://{url}")
    host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
    found = _destination(cluster, client, host, port)
    if isinstance(found, Answer):
        return found
    server, port, otherwise = found
    call = Call(client, server, port, parts.path or "/", parts.scheme == "http", otherwise)
    return cluster.mesh.carry(call) if cluster.mesh else direct(cluster, call)


def direct(cluster: Cluster, call: Call) -> Answer:
    """The answer where no mesh takes part."""
    if call.server is None:
        return call.otherwise
    return _DROPPED if drops(cluster, call.client, call.server, call.port) else served(call.server, call)


def served(server: Object, call: Call) -> Answer:
    """What the program in the server's pod answers, or its kernel if nothing listens there."""
    status = _status(server, call.path) if call.port in dict(ports(server)) else "refused"
    if status == "refused":
        return Answer(exit_code=REFUSED)
    return Answer(status=int(status)) if call.is_http else Answer()


def ports(pod: Object) -> Iterator[tuple[int, str]]:
    """The ports that a pod's containers declare, with their names."""
    for container in pod["spec"]["containers"]:
        yield from ((p["containerPort"], p.get("name", "")) for p in container.get("ports", ()))


def drops(cluster: Cluster, client: Object, server: Object, port: int, protocol: str = "TCP") -> bool:
    """Whether the policies of either side keep a connection of one pod from a port of the other."""
    there = _Port(server, port, protocol)
    return not (
        _allows(cluster, client, "Egress", server, there) and _allows(cluster, server, "Ingress", client, there)
    )


def resolves(cluster: Cluster, pod: Object) -> bool:
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


def _allows(cluster: Cluster, pod: Object, direction: str, peer: Object, port: _Port) -> bool:
    policies = cluster.objects("NetworkPolicy", pod["metadata"]["namespace"])
    bound = [p for p in policies if direction in _types(p["spec"]) and selects(p["spec"]["podSelector"], _labels(pod))]
    rules = (rule for policy in bound for rule in policy["spec"].get(direction.lower()) or ())
    return not bound or any(_rule_allows(cluster, rule, direction, pod, peer, port) for rule in rules)


def _types(spec: Object) -> list[str]:
    return spec.get("policyTypes") or ["Ingress", *(["Egress"] if "egress" in spec else [])]


def _rule_allows(cluster: Cluster, rule: Object, direction: str, pod: Object, peer: Object, port: _Port) -> bool:
    peers, wanted = rule.get("to" if direction == "Egress" else "from"), rule.get("ports")
    known = not peers or any(_is_peer(cluster, each, pod["metadata"]["namespace"], peer) for each in peers)
    return known and (not wanted or any(map(port.fits, wanted)))


def _is_peer(cluster: Cluster, wanted: Object, namespace: str, peer: Object) -> bool:
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


def _destination(cluster: Cluster, client: Object, host: str, port: int) -> tuple[Object | None, int, Answer] | Answer:
    """The pod and port behind a host, and what the network answers if there is none; or why the host isn't found."""
    if host.replace(".", "").isdigit():
        return _at(cluster, host), port, _DROPPED
    if not resolves(cluster, client):
        return Answer(exit_code=TIMED_OUT, seconds=inf)
    name, _, rest = host.partition(".")
    namespace = rest.removesuffix(".cluster.local").removesuffix(".svc") or client["metadata"]["namespace"]
    service = cluster.find("Service", namespace, name)
    if service is None:
        return Answer(exit_code=UNRESOLVED)
    offered = next((p for p in service["spec"]["ports"] if p["port"] == port), None)
    if offered is None:
        return None, port, _DROPPED
    return _endpoint(cluster, service, offered.get("targetPort", port))


def _at(cluster: Cluster, address: str) -> Object | None:
    pods = cluster.objects("Pod")
    return next((p for p in pods if p["status"].get("podIP") == address and _runs(p)), None)


def _runs(pod: Object) -> bool:
    return bool(pod["status"]["phase"] == "Running")


def _endpoint(cluster: Cluster, service: Object, target: int | str) -> tuple[Object | None, int, Answer]:
    chosen = service["spec"].get("selector") or {}
    pods = [p for p in cluster.objects("Pod", service["metadata"]["namespace"]) if chosen.items() <= _labels(p).items()]
    for pod in filter(is_ready, pods if chosen else ()):
        number = next((n for n, name in ports(pod) if target in (n, name)), target)
        if isinstance(number, int):
            return pod, number, _DROPPED
    return None, 0, Answer(exit_code=REFUSED)


def _status(server: Object, path: str) -> str:
    told = server["metadata"].get("annotations", {}).get(HTTP, "200")
    if "=" not in told:
        return str(told)
    by_path = dict(each.split("=") for each in told.split(","))
    return str(by_path.get(path, "404"))


def _labels(obj: Object) -> dict[str, str]:
    return dict(obj["metadata"].get("labels", {}))
