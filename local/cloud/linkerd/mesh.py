"""Linkerd over all clusters: installation, traffic, and what tests ask of the trust between proxies.

Rules:
- Proxies of one trust domain talk: within a cluster all with all, across clusters the data planes.
- Every minute a share of the live proxies, 40 at most, opens new connections, each a full handshake with both
  certificates.
- `handshakes` counts them, `failed` holds the newest failures; `violations` are pairs that could not have talked, at
  any moment. A rotation is sound if both stay empty.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

from local.cloud.clock import Clock
from local.cloud.kubernetes.cluster import SimulatedCluster
from local.cloud.kubernetes.objects import Object
from local.cloud.linkerd.certificates import Certificates
from local.cloud.linkerd.control_plane import LinkerdControlPlane
from local.cloud.linkerd.installation import Installation
from local.cloud.linkerd.manifests import control_plane
from local.cloud.linkerd.peers import Peers, Violation
from local.cloud.linkerd.proxy import LinkerdProxy, handshake

_KEPT_FAILURES = 1_000
_FEWEST_CALLERS, _CALLERS_SHARE, _MOST_CALLERS = 4, 8, 40


@dataclass(frozen=True, kw_only=True)
class FailedHandshake:
    """Two proxies (cluster/namespace/pod) that could not talk at a Unix time, and why."""

    at: float
    client: str
    server: str
    reason: str


class SimulatedLinkerd:
    """The meshes of these clusters, by name; `traffic_every` is in virtual seconds."""

    def __init__(self, clock: Clock, clusters: Mapping[str, SimulatedCluster]) -> None:
        self._clock, self._clusters = clock, clusters
        self.control_planes: dict[str, LinkerdControlPlane] = {}
        self.handshakes = 0
        self.failed: deque[FailedHandshake] = deque(maxlen=_KEPT_FAILURES)
        self.traffic_every = 60.0
        self._certificates = Certificates()
        self._peers = Peers(self._certificates)
        self._random = Random(0)

    def install(
        self,
        cluster_name: str,
        *,
        trust_domain: str,
        root_pem: str,
        issuer_cert_pem: str,
        issuer_key_pem: str,
        version: str = "2.19",
        native_sidecars: bool | None = None,
    ) -> LinkerdControlPlane:
        """Install a highly available control plane in external CA mode; it is ready within a minute of virtual time.

        Until then pods that want a proxy are refused (controllers try again). 2.20 has native sidecars by default.
        """
        cluster = self._clusters[cluster_name]
        native = version >= "2.20" if native_sidecars is None else native_sidecars
        of = Installation(trust_domain=trust_domain, version=version, native_sidecars=native)
        if not self.control_planes:
            self._clock.after(self.traffic_every, self._traffic)
        plane = self.control_planes[cluster_name] = LinkerdControlPlane(cluster, of, self._certificates, self._peers)
        cluster.mesh = plane
        manifests = control_plane(of, root_pem=root_pem, issuer_cert_pem=issuer_cert_pem, issuer_key_pem=issuer_key_pem)
        for manifest in manifests:
            cluster.apply(manifest)
        return plane

    @property
    def violations(self) -> list[Violation]:
        """Pairs that may talk and didn't share a trusted root, at any moment until now."""
        return list(self._peers.violations)

    def proxies(self, trust_domain: str) -> list[LinkerdProxy]:
        """The live proxies of a trust domain."""
        planes = [p for p in self.control_planes.values() if p.of.trust_domain == trust_domain]
        return [proxy for plane in planes for proxy in plane.proxies.values() if not proxy.failure]

    def roots(self, trust_domain: str) -> set[str]:
        """SHA-256 fingerprints of all roots that some live proxy trusts."""
        return {root for proxy in self.proxies(trust_domain) for root in proxy.roots}

    def miss_reload(self, pod: Object) -> None:
        """Let the identity replica in this pod miss its next change of issuer (linkerd2 issue 15109)."""
        for plane in self.control_planes.values():
            identity = plane.identities.get(pod["metadata"]["uid"])
            if identity:
                identity.misses += 1

    def broken_pairs(self) -> list[FailedHandshake]:
        """Pairs that may talk and could not now, one for each combination of roots and issuer on both sides."""
        alike: dict[tuple[object, ...], LinkerdProxy] = {}
        now = self._clock.time()
        for proxy in (p for domain in self._domains() for p in self.proxies(domain) if p.leaf):
            assert proxy.leaf
            key = (proxy.trust_domain, proxy.cluster, proxy.is_control_plane, proxy.roots, proxy.leaf.chain)
            alike.setdefault((*key, proxy.leaf.not_before <= now <= proxy.leaf.not_after), proxy)
        pairs = [(a, b) for a in alike.values() for b in alike.values() if _may_talk(a, b)]
        return [failure for a, b in pairs if (failure := self._judge(a, b))]

    def _domains(self) -> set[str]:
        return {plane.of.trust_domain for plane in self.control_planes.values()}

    def _traffic(self) -> None:
        for domain in sorted(self._domains()):
            self._connect([p for p in self.proxies(domain) if p.leaf])
        self._clock.after(self.traffic_every, self._traffic)

    def _connect(self, proxies: list[LinkerdProxy]) -> None:
        """Some callers each reach a control-plane proxy of their cluster, one of any cluster, and one of their own."""
        callers = min(len(proxies), max(_FEWEST_CALLERS, len(proxies) // _CALLERS_SHARE), _MOST_CALLERS)
        for client in self._random.sample(proxies, callers):
            near = [p for p in self.control_planes[client.cluster].proxies.values() if p.leaf and not p.failure]
            above, beside = ([p for p in near if p.is_control_plane is it] for it in (True, False))
            for peers in (above, beside, proxies):
                server = self._random.choice(peers) if peers else client
                if server is not client and _may_talk(client, server):
                    self._shake(client, server)

    def _shake(self, client: LinkerdProxy, server: LinkerdProxy) -> None:
        self.handshakes += 1
        failure = self._judge(client, server)
        if failure:
            self.failed.append(failure)

    def _judge(self, client: LinkerdProxy, server: LinkerdProxy) -> FailedHandshake | None:
        now = self._clock.time()
        reason = handshake(client, server, self._certificates, now)
        return FailedHandshake(at=now, client=str(client), server=str(server), reason=reason) if reason else None


def _may_talk(a: LinkerdProxy, b: LinkerdProxy) -> bool:
    near = a.cluster == b.cluster or not (a.is_control_plane or b.is_control_plane)
    return a.trust_domain == b.trust_domain and near
