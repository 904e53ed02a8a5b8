"""One Linkerd proxy: the roots it read at its start, its leaf, and when it asks for the next one.

Rules (linkerd2-proxy, identity client):
- Roots come from the environment, once per container start.
- A leaf is renewed after 70 % of what is left of it, at least 10 s, at most 24 h; so is a renewal that failed. Only a
  proxy that never had a leaf tries every 10 s.
- A new leaf that the proxy's own roots don't accept is dropped and counted as an error; a request that failed is not.
"""

from collections.abc import Callable
from contextlib import suppress

from local.cloud.clock import Alarm, Clock
from local.cloud.kubernetes.objects import Object
from local.cloud.linkerd.certificates import Certificates, Leaf
from local.cloud.linkerd.identity import CertificateRefused
from local.cloud.linkerd.installation import COMPONENT, NAMESPACE, Installation
from local.cloud.linkerd.peers import Peers

BAD_CLIENT = "the server rejects the client's certificate"
_RENEWAL_SHARE, _SOONEST_SECONDS, _LATEST_SECONDS = 0.7, 10.0, 86_400.0


class LinkerdProxy:
    """A running proxy; `failure` says why it could not start."""

    def __init__(
        self, cluster: str, pod: Object, of: Installation, anchors: str, certificates: Certificates, peers: Peers
    ) -> None:
        meta = pod["metadata"]
        self.cluster, self.namespace, self.pod = cluster, meta["namespace"], meta["name"]
        self.trust_domain, self._minor = of.trust_domain, of.minor
        account = pod["spec"].get("serviceAccountName", "default")
        self.identity = f"{account}.{self.namespace}.serviceaccount.identity.{NAMESPACE}.{of.trust_domain}"
        self.account = account
        self.is_control_plane = COMPONENT in meta.get("labels", {}) and self.namespace == NAMESPACE
        self.leaf: Leaf | None = None
        self.refreshes = {"ok": 0, "error": 0}
        self._certificates, self._peers = certificates, peers
        self._alarm: Alarm | None = None
        self.failure, self.roots = "", frozenset[str]()
        try:
            self.roots = frozenset(certificates.read(anchors))
        except ValueError as error:
            self.failure = f"invalid trust anchors: {error}"
        if not self.roots:
            self.failure = self.failure or "no trust anchors"

    def __str__(self) -> str:
        return f"{self.cluster}/{self.namespace}/{self.pod}"

    def start(self, clock: Clock, certify: Callable[["LinkerdProxy"], Leaf]) -> None:
        self.started = self.refreshed = clock.time()
        if not self.failure:
            self._renew(clock, certify)

    def stop(self) -> None:
        if self._alarm:
            self._alarm.cancel()
        self._drop()

    def _renew(self, clock: Clock, certify: Callable[["LinkerdProxy"], Leaf]) -> None:
        now = clock.time()
        with suppress(CertificateRefused):
            self._take(certify(self), now)
        left = self.leaf.not_after - now if self.leaf else 0.0
        seconds = min(max(_RENEWAL_SHARE * left, _SOONEST_SECONDS), _LATEST_SECONDS)
        self._alarm = clock.after(seconds, lambda: self._renew(clock, certify))

    def _take(self, leaf: Leaf, now: float) -> None:
        if self._certificates.refusal(leaf, self.identity, self.roots, now):
            self.refreshes["error"] += 1
            return
        self._drop()
        self.leaf, self.refreshed = leaf, now
        self._peers.join(self, now)
        self.refreshes["ok"] += 1

    def _drop(self) -> None:
        if self.leaf:
            self._peers.leave(self)
            self._certificates.forget(self.leaf)
            self.leaf = None

    def metrics(self) -> str:
        """The identity part of the admin port's /metrics, under the names of the proxy's version."""
        prefix = "control_identity_cert" if self._minor >= 16 else "identity_cert"
        expires = self.leaf.not_after if self.leaf else 0
        lines = [f"process_start_time_seconds {self.started:.0f}", f"{prefix}_expiration_timestamp_seconds {expires}"]
        if self._minor < 15:
            return "\n".join([*lines, f"identity_cert_refresh_count {self.refreshes['ok']}", ""])
        lines.append(f"{prefix}_refresh_timestamp_seconds {self.refreshed:.0f}")
        lines += [f'{prefix}_refreshes_total{{result="{r}"}} {n}' for r, n in self.refreshes.items()]
        return "\n".join([*lines, ""])


def handshake(
    client: LinkerdProxy, server: LinkerdProxy, certificates: Certificates, now: float, *, anonymous: bool = False
) -> str:
    """Why mutual TLS between two proxies fails; empty if it holds. An anonymous client shows no certificate."""
    if server.leaf is None:
        return "the server has no certificate"
    refusal = certificates.refusal(server.leaf, server.identity, client.roots, now)
    if refusal:
        return f"the client rejects the server's certificate: {refusal}"
    if anonymous:
        return ""
    if client.leaf is None:
        return "the client has no certificate"
    refusal = certificates.refusal(client.leaf, client.identity, server.roots, now)
    return f"{BAD_CLIENT}: {refusal}" if refusal else ""
