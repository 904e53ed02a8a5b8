"""Linkerd's policy in one cluster: which connections proxies allow.

Rules (Linkerd docs and policy controller):
- Nothing applies to a pod without a proxy.
- An address belongs to an EgressNetwork of the client's namespace, or of linkerd-egress if that namespace has none: the
  one with the smallest network around it, then the oldest. What belongs to none is forwarded.
- An EgressNetwork without `networks` holds everything but clusterNetworks. One that isn't accepted holds its addresses
  all the same.
- With Deny, only an accepted route for the port allows a connection; a TLSRoute by the SNI alone.
- A Server decides about the pods and the port (by name or number) that it selects, the oldest if there are several: by
  its accessPolicy, or if one of the AuthorizationPolicies of it or of its namespace has all its references met. Without
  a Server, the default-inbound-policy of pod or namespace counts.
"""

from ipaddress import ip_address, ip_network

from local.cloud.kubernetes.cluster import SimulatedCluster
from local.cloud.kubernetes.network_policies import ports
from local.cloud.kubernetes.objects import Object
from local.cloud.kubernetes.selectors import selects
from local.cloud.linkerd.injection import proxy_of
from local.cloud.linkerd.policy_controller import CLUSTER_NETWORKS, PolicyController, served_objects

_GLOBAL_EGRESS = "linkerd-egress"
_DEFAULT_INBOUND = "config.linkerd.io/default-inbound-policy"


class TrafficPolicy:
    """`refuses_egress` and `refuses_ingress` say why a connection of a running pod is refused; empty if it isn't.

    `watches` are the kinds that the policy controller judges.
    """

    def __init__(self, cluster: SimulatedCluster, trust_domain: str) -> None:
        self._cluster, self._trust_domain = cluster, trust_domain
        self.watches = PolicyController(cluster).watches

    def refuses_egress(self, pod: Object, host: str, port: int = 443, *, address: str = "20.50.2.1") -> str:
        """A TLS connection of the pod to a host at an address outside the cluster."""
        network = self._network(pod["metadata"]["namespace"], address) if proxy_of(pod) else None
        if network is None or network["spec"]["trafficPolicy"] == "Allow":
            return ""
        routes = [r for r in self._found("TLSRoute", network["metadata"]["namespace"]) if _serves(r, network, port)]
        if any(_is_named(host, name) for route in routes for name in route["spec"].get("hostnames", ())):
            return ""
        return f"{network['metadata']['name']}-tls-egress-deny"

    def refuses_ingress(self, pod: Object, port: int | str, client: str | None, *, address: str = "") -> str:
        """A connection to the pod's port (number or name) from a mesh identity, None without one, at a pod IP."""
        if proxy_of(pod) is None:
            return ""
        server = self._server(pod, port)
        word = server["spec"].get("accessPolicy", "deny") if server else self._default(pod)
        if not word.startswith("deny") and (client or not word.endswith("-authenticated")):
            return ""
        if server and self._authorized(server, client, address):
            return ""
        return f"server:{server['metadata']['name']}" if server else f"default:{word}"

    def is_opaque(self, pod: Object, port: int | str) -> bool:
        """Whether a Server declares that the pod's port doesn't speak HTTP."""
        server = self._server(pod, port)
        return bool(server) and (server or {})["spec"].get("proxyProtocol") in ("opaque", "TLS")

    def _server(self, pod: Object, port: int | str) -> Object | None:
        servers = [s for s in self._found("Server", pod["metadata"]["namespace"]) if _selects(s, pod, port)]
        return min(servers, key=lambda s: s["metadata"]["creationTimestamp"], default=None)

    def _authorized(self, server: Object, client: str | None, address: str) -> bool:
        namespace = server["metadata"]["namespace"]
        targets = [("Server", server["metadata"]["name"]), ("Namespace", namespace)]
        policies = [
            p["spec"]
            for p in self._found("AuthorizationPolicy", namespace)
            if (p["spec"]["targetRef"]["kind"], p["spec"]["targetRef"]["name"]) in targets
        ]
        caller = (client, address)
        return any(all(self._met(r, namespace, *caller) for r in p["requiredAuthenticationRefs"]) for p in policies)

    def _met(self, reference: Object, namespace: str, client: str | None, address: str) -> bool:
        if reference["kind"] == "ServiceAccount":
            return client == self._identity(reference, namespace)
        found = self._cluster.find(reference["kind"], reference.get("namespace", namespace), reference["name"])
        spec = found["spec"] if found else {}
        if "networks" in spec:
            return bool(address) and any(_holds(network, address) for network in spec["networks"])
        names = [*spec.get("identities", ()), *(self._identity(r, namespace) for r in spec.get("identityRefs", ()))]
        return client is not None and any(name == "*" or _is_named(client, name) for name in names)

    def _identity(self, account: Object, namespace: str) -> str:
        where = account.get("namespace", namespace)
        return f"{account['name']}.{where}.serviceaccount.identity.linkerd.{self._trust_domain}"

    def _default(self, pod: Object) -> str:
        namespace = self._cluster.get("Namespace", "", pod["metadata"]["namespace"])["metadata"]
        annotations = namespace.get("annotations", {}) | pod["metadata"].get("annotations", {})
        return str(annotations.get(_DEFAULT_INBOUND, "all-unauthenticated"))

    def _network(self, namespace: str, address: str) -> Object | None:
        own = self._found("EgressNetwork", namespace) or served_objects(self._cluster, "EgressNetwork", _GLOBAL_EGRESS)
        sized = [
            (size, n["metadata"]["creationTimestamp"], n) for n in own if (size := _prefix(n, address)) is not None
        ]
        return min(sized, key=lambda match: (-match[0], match[1]))[2] if sized else None

    def _found(self, kind: str, namespace: str) -> list[Object]:
        return served_objects(self._cluster, kind, namespace)


def _prefix(network: Object, address: str) -> int | None:
    """The length of the longest prefix by which the network holds the address."""
    everything = [{"cidr": cidr, "except": CLUSTER_NETWORKS} for cidr in ("0.0.0.0/0", "::/0")]
    networks = network["spec"].get("networks", everything)
    return max((ip_network(n["cidr"]).prefixlen for n in networks if _holds(n, address)), default=None)


def _holds(network: Object, address: str) -> bool:
    at = ip_address(address)
    return at in ip_network(network["cidr"]) and not any(at in ip_network(e) for e in network.get("except", ()))


def _serves(route: Object, network: Object, port: int) -> bool:
    """Whether the route is of this network and port, and accepted there."""
    name = network["metadata"]["name"]
    return any(
        (status["parentRef"]["name"], status["parentRef"].get("port", port)) == (name, port)
        and all(condition["status"] == "True" for condition in status["conditions"])
        for status in route.get("status", {}).get("parents", ())
    )


def _selects(server: Object, pod: Object, port: int | str) -> bool:
    chosen = selects(server["spec"].get("podSelector", {}), pod["metadata"].get("labels", {}))
    return chosen and server["spec"]["port"] in _called(pod, port)


def _called(pod: Object, port: int | str) -> set[int | str]:
    """What the pod's port is called: its number, and the name that a container gives it."""
    names = {word for pair in ports(pod) if port in pair for word in pair}
    return names | ({port} if isinstance(port, int) else set())


def _is_named(name: str, pattern: str) -> bool:
    """A pattern is a name, or `*.` and the end of names."""
    return name == pattern or (pattern.startswith("*.") and name.endswith(pattern[1:]))
