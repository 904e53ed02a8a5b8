"""Whether all proxies that may talk share trust: watched by the world at every change, not by whoever rotates roots.

Rules:
- What counts of a proxy is which roots it trusts and who signed its issuer. Proxies alike in both are one class, of
  which even a large fleet knows few.
- A cluster's proxies may all talk with each other, and so may the data planes of a trust domain (`circles`).
- Two classes of a circle that don't accept each other are a violation from that moment, whether or not they talk.
  Expiry is left to handshakes.
"""

from collections import defaultdict, deque
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from local.cloud.linkerd.certificates import Certificates, Leaf

_KEPT = 1_000

type Circle = dict[Trust, dict[Peer, None]]


class Peer(Protocol):
    """What is watched of a proxy; as text it is cluster/namespace/pod."""

    trust_domain: str
    cluster: str
    is_control_plane: bool
    roots: frozenset[str]
    leaf: Leaf | None


class Trust(NamedTuple):
    """A class of proxies: the roots they trust (fingerprints), and who signed their issuer."""

    roots: frozenset[str]
    signer: str


@dataclass(frozen=True, kw_only=True)
class Violation:
    """Two proxies (cluster/namespace/pod) that may talk and can't, since a Unix time."""

    at: float
    proxy: str
    peer: str


class Peers:
    """The classes of live proxies in each circle; `violations` has the newest."""

    def __init__(self, certificates: Certificates) -> None:
        self._certificates = certificates
        self._circles: dict[tuple[str, str], Circle] = defaultdict(dict)
        self._chains: dict[str, tuple[str, ...]] = {}  # one of each signer's, as good as any other
        self.violations: deque[Violation] = deque(maxlen=_KEPT)

    def join(self, proxy: Peer, at: float) -> None:
        """The proxy has got a leaf."""
        trust = self._trust(proxy)
        for circle in self._of(proxy):
            if trust not in circle:
                peers = [next(iter(alike)) for other, alike in circle.items() if not self._mutual(trust, other)]
                self.violations += (Violation(at=at, proxy=str(proxy), peer=str(peer)) for peer in peers)
            circle.setdefault(trust, {})[proxy] = None

    def leave(self, proxy: Peer) -> None:
        """The proxy is about to lose its leaf."""
        trust = self._trust(proxy)
        for circle in self._of(proxy):
            del circle[trust][proxy]
            if not circle[trust]:
                del circle[trust]

    def _of(self, proxy: Peer) -> list[Circle]:
        fleet = [] if proxy.is_control_plane else [""]
        return [self._circles[proxy.trust_domain, circle] for circle in (proxy.cluster, *fleet)]

    def _trust(self, proxy: Peer) -> Trust:
        assert proxy.leaf
        signer = self._certificates.signer(proxy.leaf.chain)
        self._chains[signer] = proxy.leaf.chain
        return Trust(proxy.roots, signer)

    def _mutual(self, a: Trust, b: Trust) -> bool:
        return self._accepts(a.roots, b.signer) and self._accepts(b.roots, a.signer)

    def _accepts(self, roots: frozenset[str], signer: str) -> bool:
        paths = (self._certificates.path(self._chains[signer], root) for root in roots)
        return any(path is not None and path.within_path_lengths for path in paths)
