"""What a pod's program gets from another pod: names and addresses, and who listens.

Rules (Kubernetes docs):
- Names are resolved by kube-dns, which a pod must be let reach on port 53.
- A Service leads to the ready pods that its selector picks.
- The API server listens on its Service's address, and shows a certificate that curl doesn't trust.
- A container listens on the ports that it declares. Annotation `local/http` of its pod says with which status it
  answers HTTP (default 200), for all paths or by path: "503", "/health=503,/=200"; "refused" where nothing listens.
- A mesh comes between the two (`MeshHooks.carry`).
"""

from math import inf
from urllib.parse import urlsplit

from local.cloud.kubernetes.cluster import SimulatedCluster
from local.cloud.kubernetes.mesh_hooks import CallResult, PodCall
from local.cloud.kubernetes.network_policies import drops, drops_outward, ports, resolves
from local.cloud.kubernetes.objects import Object, is_ready, labels_of

HTTP = "local/http"
UNRESOLVED, REFUSED, TIMED_OUT, EMPTY_REPLY, UNTRUSTED = 6, 7, 28, 52, 60  # as curl has them
API_SERVER = ("10.0.0.1", 443)  # which every container finds in its environment
_PORTS = {"http": 80, "https": 443, "telnet": 23}
_DROPPED = CallResult(exit_code=TIMED_OUT, seconds=inf)


def fetch(cluster: SimulatedCluster, client: Object, url: str) -> CallResult:
    """What a program in the pod `client` gets from `url` (http:, or telnet: for a connection that sends nothing)."""
    parts = urlsplit(url if "://" in url else f"http://{url}")
    host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
    found = _destination(cluster, client, host, port)
    if isinstance(found, CallResult):
        return found
    server, port, otherwise = found
    call = PodCall(client, server, port, parts.path or "/", parts.scheme == "http", otherwise)
    return cluster.mesh.carry(call) if cluster.mesh else direct(cluster, call)


def direct(cluster: SimulatedCluster, call: PodCall) -> CallResult:
    """The answer where no mesh takes part."""
    if call.server is None:
        return call.otherwise
    return _DROPPED if drops(cluster, call.client, call.server, call.port) else served(call.server, call)


def served(server: Object, call: PodCall) -> CallResult:
    """What the program in the server's pod answers, or its kernel if nothing listens there."""
    status = _status(server, call.path) if call.port in dict(ports(server)) else "refused"
    if status == "refused":
        return CallResult(exit_code=REFUSED)
    return CallResult(status=int(status)) if call.is_http else CallResult()


def _destination(
    cluster: SimulatedCluster, client: Object, host: str, port: int
) -> tuple[Object | None, int, CallResult] | CallResult:
    """The pod and port behind a host, and what the network answers if there is none; or why the host isn't found."""
    if (host, port) == API_SERVER:
        dropped = drops_outward(cluster, client, host, port)
        return _DROPPED if dropped else CallResult(exit_code=UNTRUSTED)
    if host.replace(".", "").isdigit():
        return _at(cluster, host), port, _DROPPED
    if not resolves(cluster, client):
        return CallResult(exit_code=TIMED_OUT, seconds=inf)
    name, _, rest = host.partition(".")
    namespace = rest.removesuffix(".cluster.local").removesuffix(".svc") or client["metadata"]["namespace"]
    service = cluster.find("Service", namespace, name)
    if service is None:
        return CallResult(exit_code=UNRESOLVED)
    offered = next((p for p in service["spec"]["ports"] if p["port"] == port), None)
    if offered is None:
        return None, port, _DROPPED
    return _endpoint(cluster, service, offered.get("targetPort", port))


def _at(cluster: SimulatedCluster, address: str) -> Object | None:
    pods = cluster.objects("Pod")
    return next((p for p in pods if p["status"].get("podIP") == address and _runs(p)), None)


def _runs(pod: Object) -> bool:
    return bool(pod["status"]["phase"] == "Running")


def _endpoint(cluster: SimulatedCluster, service: Object, target: int | str) -> tuple[Object | None, int, CallResult]:
    chosen = service["spec"].get("selector") or {}
    pods = [
        p for p in cluster.objects("Pod", service["metadata"]["namespace"]) if chosen.items() <= labels_of(p).items()
    ]
    for pod in filter(is_ready, pods if chosen else ()):
        number = next((n for n, name in ports(pod) if target in (n, name)), target)
        if isinstance(number, int):
            return pod, number, _DROPPED
    return None, 0, CallResult(exit_code=REFUSED)


def _status(server: Object, path: str) -> str:
    answers = server["metadata"].get("annotations", {}).get(HTTP, "200")
    if "=" not in answers:
        return str(answers)
    by_path = dict(each.split("=") for each in answers.split(","))
    return str(by_path.get(path, "404"))
