"""Linkerd's policy in one cluster: what its policy controller accepts, and what proxies let through.

Rules (Linkerd docs and policy controller):
- A pod without a proxy is bound by nothing.
- An address belongs to an EgressNetwork of the client's namespace, or of linkerd-egress if that namespace has none: the
  one with the smallest network around it, then the oldest. What belongs to none is forwarded.
- An EgressNetwork without `networks` holds everything but clusterNetworks. One that reaches into those isn't accepted,
  and no route of it either; it holds its addresses all the same.
- With Deny, only an accepted route for the port lets through; a TLSRoute by the SNI alone.
- A Server decides about the pods and the port (by name or number) that it selects, the oldest if there are several: by
  its accessPolicy, or if one of the AuthorizationPolicies of it or of its namespace has all its references met. Without
  a Server, the default-inbound-policy of pod or namespace counts.
"""

from ipaddress import ip_address, ip_network
from typing import Any

from local.cloud.kubernetes.cluster import Cluster
from local.cloud.kubernetes.network_policies import ports
from local.cloud.kubernetes.objects import Object
from local.cloud.kubernetes.selectors import selects
from local.cloud.kubernetes.store import Change
from local.cloud.linkerd.injection import proxy_of

CLUSTER_NETWORKS = ("10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16", "fd00::/8")
CONTROLLER = "linkerd.io/policy-controller"
_GLOBAL_EGRESS = "linkerd-egress"
_DEFAULT_INBOUND = "config.linkerd.io/default-inbound-policy"
_REACTS_SECONDS = 1.0
_ACCEPTED = ("Accepted", "")


class Policy:
    """`refuses_egress` and `refuses_ingress` say why a connection of a running pod is refused; empty if it isn't.

    `watches` are the kinds that the policy controller judges: a kind that wasn't served when it started isn't one.
    """

    def __init__(self, cluster: Cluster, trust_domain: str) -> None:
        self._cluster, self._trust_domain = cluster, trust_domain
        self.watches = {"EgressNetwork", "TLSRoute"}
        cluster.listeners.append(self._changed)

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
        own = self._found("EgressNetwork", namespace) or self._found("EgressNetwork", _GLOBAL_EGRESS)
        sized = [
            (size, n["metadata"]["creationTimestamp"], n) for n in own if (size := _prefix(n, address)) is not None
        ]
        return min(sized, key=lambda match: (-match[0], match[1]))[2] if sized else None

    def _found(self, kind: str, namespace: str | None = None) -> list[Object]:
        try:
            return self._cluster.objects(kind, namespace)
        except KeyError:  # a kind that this version doesn't have
            return []

    # what the policy controller says of them

    def _changed(self, change: Change) -> None:
        if change.kind.name in self.watches:
            self._cluster.clock.after(_REACTS_SECONDS, self._judge)

    def _judge(self) -> None:
        accepted = {}
        for network in self._found("EgressNetwork"):
            overlaps = any(_overlaps(n["cidr"]) for n in network["spec"].get("networks", ()))
            reason = ("EgressReasonNetworkOverlap", "networks overlap with clusterNetworks") if overlaps else _ACCEPTED
            accepted[_key(network)] = not overlaps
            self._tell(network, conditions=[self._condition(*reason)])
        for route in self._found("TLSRoute") if "TLSRoute" in self.watches else ():
            parents = [p for p in route["spec"]["parentRefs"] if p.get("kind") == "EgressNetwork"]
            self._tell(route, parents=[self._parent(route, parent, accepted) for parent in parents])

    def _parent(self, route: Object, parent: Object, accepted: dict[tuple[str, str], bool]) -> Object:
        network = accepted.get((route["metadata"]["namespace"], parent["name"]))
        words = "EgressNetwork parent has not been accepted" if network is False else ""
        reason = _ACCEPTED if network else ("NoMatchingParent", words)
        return {"parentRef": parent, "controllerName": CONTROLLER, "conditions": [self._condition(*reason)]}

    def _condition(self, reason: str, message: str) -> Object:
        status = "True" if reason == "Accepted" else "False"
        at = self._cluster.now()
        return {"type": "Accepted", "status": status, "reason": reason, "message": message, "lastTransitionTime": at}

    def _tell(self, obj: Object, **status: Any) -> None:
        if _timeless(obj.get("status")) != _timeless(status):
            self._cluster.set_status(obj, **status)


def _key(obj: Object) -> tuple[str, str]:
    return obj["metadata"]["namespace"], obj["metadata"]["name"]


def _timeless(status: Any) -> Any:
    if isinstance(status, dict):
        return {key: _timeless(value) for key, value in status.items() if key != "lastTransitionTime"}
    return [_timeless(item) for item in status] if isinstance(status, list) else status


def _overlaps(cidr: str) -> bool:
    network = ip_network(cidr)
    held = (ip_network(c) for c in CLUSTER_NETWORKS)
    return any(network.version == h.version and network.overlaps(h) for h in held)


def _prefix(network: Object, address: str) -> int | None:
    """The length of the longest prefix by which the network holds the address."""
    everything = [{"cidr": cidr, "except": CLUSTER_NETWORKS} for cidr in ("0.0.0.0/0", "::/0")]
    held = network["spec"].get("networks", everything)
    return max((ip_network(n["cidr"]).prefixlen for n in held if _holds(n, address)), default=None)


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
    known = {word for pair in ports(pod) if port in pair for word in pair}
    return known | ({port} if isinstance(port, int) else set())


def _is_named(name: str, pattern: str) -> bool:
    """A pattern is a name, or `*.` and the end of names."""
    return name == pattern or (pattern.startswith("*.") and name.endswith(pattern[1:]))
