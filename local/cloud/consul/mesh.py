"""Consul: trust domains of a primary datacenter and its secondaries, by name, and the traffic in them.

Every minute some proxies of each trust domain open new connections, to any other of it; each is a full handshake with
both certificates. `handshakes` counts them, `failed` holds the newest failures.
"""

import uuid
from collections import defaultdict, deque
from dataclasses import dataclass
from itertools import count
from random import Random

from local.cloud.clock import Clock
from local.cloud.consul.acl import AccessControl
from local.cloud.consul.api import ConsulWire
from local.cloud.consul.datacenter import Datacenter, Shared
from local.cloud.consul.entries import ConfigEntries
from local.cloud.consul.proxies import ConnectProxies, ConnectProxy
from local.cloud.entra import Entra
from local.cloud.wire import Wire

_KEPT_FAILURES = 1_000
_FEWEST_CALLERS, _CALLERS_SHARE, _MOST_CALLERS = 4, 8, 40


@dataclass(frozen=True, kw_only=True)
class FailedConnection:
    """Two proxies (datacenter/instance) that could not talk at a Unix time, and why."""

    at: float
    client: str
    server: str
    reason: str


class SimulatedConsul:
    """All datacenters; each answers under /consul/{name}. `traffic_every` is in virtual seconds."""

    def __init__(self, clock: Clock, wire: Wire, entra: Entra) -> None:
        self._clock, self._entra, self._random = clock, entra, Random(0)
        self.datacenters: dict[str, Datacenter] = {}
        self.proxies: dict[str, ConnectProxies] = {}
        self.handshakes, self.traffic_every = 0, 60.0
        self.failed: deque[FailedConnection] = deque(maxlen=_KEPT_FAILURES)
        self._wire = ConsulWire(wire, self.datacenters)

    def add(self, name: str, primary: str = "") -> Datacenter:
        """A datacenter that leads; a secondary of `primary`, or the primary of a new trust domain."""
        above = self.datacenters[primary] if primary else None
        shared = above.shared if above else self._new(name)
        made = self.datacenters[name] = Datacenter(name, self._clock, shared, above)
        return made

    def run(self, datacenter: str, service: str, instances: int) -> None:
        """Run so many instances of a service behind proxies, which talk to all others of the trust domain."""
        if not self.proxies:
            self._clock.after(self.traffic_every, self._traffic)
        if datacenter not in self.proxies:
            self.proxies[datacenter] = ConnectProxies(self.datacenters[datacenter], self._random)
        self.proxies[datacenter].run(service, instances)

    def _new(self, name: str) -> Shared:
        acl = AccessControl(self._clock, self._entra.claims)
        next_index = count(2).__next__
        return Shared(str(uuid.uuid4()), acl, ConfigEntries(next_index), name, next_index)

    def _traffic(self) -> None:
        domains = defaultdict[str, list[ConnectProxy]](list)
        for name, proxies in self.proxies.items():
            domains[self.datacenters[name].trust_domain].extend(proxies.connected())
        for peers in domains.values():
            callers = min(len(peers), max(_FEWEST_CALLERS, len(peers) // _CALLERS_SHARE), _MOST_CALLERS)
            for client in self._random.sample(peers, callers):
                self._shake(client, self._random.choice(peers))
        self._clock.after(self.traffic_every, self._traffic)

    def _shake(self, client: ConnectProxy, server: ConnectProxy) -> None:
        self.handshakes += 1
        if reason := client.refuses(server) or server.refuses(client):
            failure = FailedConnection(at=self._clock.time(), client=str(client), server=str(server), reason=reason)
            self.failed.append(failure)
