"""What a call between two pods gets where proxies take part (linkerd2-proxy, and issues and docs of linkerd2).

Rules:
- Meshed pods talk by a handshake in which each side verifies the other. From 2.18 on, such a connection goes to the
  proxy's own port 4143, and only that port counts for NetworkPolicies.
- An outbound proxy that can't connect, or doesn't accept the server's certificate, tries again for 3 seconds and
  answers 504; a server that doesn't accept the client's breaks the connection: 502.
- What the inbound proxy's policy refuses is answered by 403, an application that doesn't listen by 502. Such an answer
  tells why in `l5d-proxy-error` to meshed clients only, and from 2.15 on the client's own proxy takes that header away
  (linkerd2-proxy 2694). What the client's own proxy has to say itself, it always tells there.
- A proxy accepts every TCP connection before it knows what is behind: connecting proves nothing.
- Where the port is opaque, a refused connection is closed.
"""

from collections.abc import Mapping

from local.cloud.kubernetes.cluster import SimulatedCluster
from local.cloud.kubernetes.mesh_hooks import CallResult, PodCall
from local.cloud.kubernetes.network import EMPTY_REPLY, direct, served
from local.cloud.kubernetes.network_policies import drops
from local.cloud.kubernetes.objects import Object
from local.cloud.linkerd.certificates import Certificates
from local.cloud.linkerd.policy import TrafficPolicy
from local.cloud.linkerd.proxy import BAD_CLIENT, LinkerdProxy, handshake

ERROR = "l5d-proxy-error"
_INBOUND_PORT, _EPHEMERAL = 4143, 40000
_FAIL_FAST_SECONDS = 3.0
_TO_THE_PROXY_SINCE, _TAKES_ERRORS_AWAY_SINCE = 18, 15


class Traffic:
    """Calls between the pods of a cluster with Linkerd 2.`minor`; `proxies` are the live ones, by pod uid."""

    def __init__(
        self,
        cluster: SimulatedCluster,
        minor: int,
        proxies: Mapping[str, LinkerdProxy],
        certificates: Certificates,
        policy: TrafficPolicy,
    ) -> None:
        self._cluster, self._minor, self._proxies = cluster, minor, proxies
        self._certificates, self._policy = certificates, policy

    def carry(self, call: PodCall) -> CallResult:
        """The answer to a call, of which one side at least may have a proxy."""
        client, server = self._proxy(call.client), self._proxy(call.server)
        if not client and not server:
            return direct(self._cluster, call)
        if client and not call.is_http:
            return CallResult()
        if client and (call.server is None or self._is_dropped(call, both=bool(server))):
            return _fail_fast(call)
        if call.server is None or (not client and self._is_dropped(call, both=False)):
            return direct(self._cluster, call)
        if not server:
            return _by_own_proxy(call, call.server)
        return self._by_handshake(call, client, server) if client else self._inbound(call, call.server, None)

    def _proxy(self, pod: Object | None) -> LinkerdProxy | None:
        return self._proxies.get(pod["metadata"]["uid"]) if pod else None

    def _is_dropped(self, call: PodCall, *, both: bool) -> bool:
        assert call.server
        direct_to_proxy = both and self._minor >= _TO_THE_PROXY_SINCE
        return drops(self._cluster, call.client, call.server, _INBOUND_PORT if direct_to_proxy else call.port)

    def _by_handshake(self, call: PodCall, client: LinkerdProxy, server: LinkerdProxy) -> CallResult:
        assert call.server
        failure = handshake(client, server, self._certificates, self._cluster.clock.time())
        if failure.startswith(BAD_CLIENT):
            return _own_proxy_answer(call, 502, f"connection error: received fatal alert: {failure.rpartition(' ')[2]}")
        return _fail_fast(call) if failure else self._inbound(call, call.server, client)

    def _inbound(self, call: PodCall, server: Object, client: LinkerdProxy | None) -> CallResult:
        """The answer of the server's proxy or, if that allows the call, of its application."""
        identity, address = client.identity if client else None, call.client["status"]["podIP"]
        refused = self._policy.refuses_ingress(server, call.port, identity, address=address)
        if not call.is_http:
            return CallResult()
        if refused and self._policy.is_opaque(server, call.port):
            return CallResult(exit_code=EMPTY_REPLY)
        if refused:
            at = f"client {address}:{_EPHEMERAL}: server: {server['status']['podIP']}:{call.port}"
            return self._by_peer(client, 403, f"{at}: unauthorized request on route")
        answer = served(server, call)
        return self._by_peer(client, 502, "Connection refused (os error 111)") if answer.exit_code else answer

    def _by_peer(self, client: LinkerdProxy | None, status: int, why: str) -> CallResult:
        shown = client and self._minor < _TAKES_ERRORS_AWAY_SINCE
        return CallResult(status=status, headers={ERROR: why} if shown else {})


def _by_own_proxy(call: PodCall, server: Object) -> CallResult:
    """A meshed client and a server without a proxy."""
    answer = served(server, call)
    return _own_proxy_answer(call, 502, "client error (Connect)") if answer.exit_code else answer


def _fail_fast(call: PodCall) -> CallResult:
    return _own_proxy_answer(call, 504, "service in fail-fast", seconds=_FAIL_FAST_SECONDS)


def _own_proxy_answer(call: PodCall, status: int, why: str, *, seconds: float = 0.1) -> CallResult:
    """What the client's own proxy answers."""
    endpoint = f"{call.server['status']['podIP']}:{call.port}" if call.server else ""
    message = f"endpoint {endpoint}: {why}" if endpoint else why
    return CallResult(status=status, headers={ERROR: message, "l5d-proxy-connection": "close"}, seconds=seconds)
