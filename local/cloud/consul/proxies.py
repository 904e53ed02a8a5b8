"""The proxies before the services of a datacenter, and what they open to each other.

Rules (seen with the built-in proxy and with Envoy):
- A proxy trusts every root that its datacenter lists, at once when that changes.
- After a change of what signs it gets a new leaf at a moment of its own within 30 seconds; otherwise between 60 and 90
  percent of its leaf's life. What is refused is asked for again within 30 seconds.
- Connections that are open aren't cut; each handshake is judged by both sides.
- All keys are one: what is signed counts here, not who holds it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from random import Random
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from local.cloud.clock import Alarm, Clock
from local.cloud.consul.chains import refusal
from local.cloud.consul.datacenter import Datacenter, Registered
from local.cloud.consul.errors import ConsulError

_SPREAD = 30.0
_RENEWED_FROM, _RENEWED_TO = 0.6, 0.9
_FIRST_PORT = 20_000


@cache
def _key() -> ec.EllipticCurvePublicKey:
    return ec.generate_private_key(ec.SECP256R1()).public_key()


@dataclass(eq=False)
class ConnectProxy:
    """The proxy of one instance; its leaf comes first in `chain`, which is empty until it has got one."""

    datacenter: Datacenter
    service: str
    instance: str
    chain: list[x509.Certificate]
    signed_by: str = ""  # the signing key of its leaf
    turn: Alarm | None = None

    def __str__(self) -> str:
        return f"{self.datacenter.name}/{self.instance}"

    def refuses(self, peer: "ConnectProxy") -> str:
        """Why it doesn't talk to a peer; empty if it does."""
        roots = [root.certificate for root in self.datacenter.authority.roots]
        return refusal(peer.chain, roots, self.datacenter.clock.now())


class ConnectProxies:
    """The proxies of one datacenter."""

    def __init__(self, datacenter: Datacenter, random: Random) -> None:
        self._datacenter, self._random = datacenter, random
        self.proxies: list[ConnectProxy] = []
        datacenter.authority.listeners.append(self._changed)

    def run(self, service: str, instances: int) -> None:
        """Register so many instances of a service, each with a proxy that gets its leaf in its turn."""
        for number in range(instances):
            proxy = ConnectProxy(self._datacenter, service, f"{service}-{number}", [])
            self.proxies.append(proxy)
            for body in _registrations(proxy, number):
                node = f"node-{number % 100}"
                self._datacenter.catalog[node, body["ID"]] = Registered(node, "10.0.0.1", body)
            self._renew(proxy)

    def connected(self) -> Iterator[ConnectProxy]:
        """Those that have a leaf."""
        return (proxy for proxy in self.proxies if proxy.chain)

    def _changed(self) -> None:
        active = self._datacenter.authority.active
        for proxy in self.proxies:
            if active and proxy.signed_by != active.signed_by:
                self._renew_after(proxy, self._random.uniform(0, _SPREAD))

    def _renew_after(self, proxy: ConnectProxy, seconds: float) -> None:
        if proxy.turn:
            proxy.turn.cancel()
        proxy.turn = self._clock.after(seconds, lambda: self._renew(proxy))

    def _renew(self, proxy: ConnectProxy) -> None:
        authority = self._datacenter.authority
        try:
            proxy.chain = authority.sign(_key(), self._datacenter.uri(proxy.service))
        except ConsulError:
            self._renew_after(proxy, self._random.uniform(0, _SPREAD))
            return
        assert authority.active
        proxy.signed_by, leaf = authority.active.signed_by, proxy.chain[0]
        life = (leaf.not_valid_after_utc - leaf.not_valid_before_utc).total_seconds()
        self._renew_after(proxy, life * self._random.uniform(_RENEWED_FROM, _RENEWED_TO))

    @property
    def _clock(self) -> Clock:
        return self._datacenter.clock


def _registrations(proxy: ConnectProxy, number: int) -> Iterator[dict[str, Any]]:
    yield {"ID": proxy.instance, "Service": proxy.service, "Port": 8080}
    yield {
        "ID": f"{proxy.instance}-sidecar-proxy",
        "Service": f"{proxy.service}-sidecar-proxy",
        "Kind": "connect-proxy",
        "Port": _FIRST_PORT + number % 10_000,
        "Proxy": {"DestinationServiceName": proxy.service, "DestinationServiceID": proxy.instance},
    }
