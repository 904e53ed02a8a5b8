"""A datacenter: its authority, the agent's leaves, its catalog, and how it fails.

A secondary follows a new root of its primary after `lag` seconds, if it is up; what it copies otherwise (tokens, config
entries) it has at once.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from local.cloud.clock import Clock
from local.cloud.consul.acl import AccessControl
from local.cloud.consul.authority import DatacenterAuthority
from local.cloud.consul.entries import ConfigEntries
from local.cloud.consul.errors import ConsulError
from local.cloud.consul.leaves import LeafCache

VERSION = "1.22.6"


@dataclass
class Shared:
    """What all datacenters of a trust domain have in common."""

    cluster: str  # its id, of which the trust domain's name is made
    acl: AccessControl
    entries: ConfigEntries
    primary: str  # the name of the primary datacenter
    next_index: Callable[[], int]  # of the state, which grows with each change


@dataclass
class Registered:
    """A service on a node, as it was registered."""

    node: str
    address: str
    service: dict[str, Any]


class Datacenter:
    """One datacenter. `lag` is in seconds; while it isn't `up` or has no leader, nobody gets an answer of it."""

    def __init__(self, name: str, clock: Clock, shared: Shared, primary: "Datacenter | None") -> None:
        self.name, self.shared, self.primary, self.clock = name, shared, primary, clock
        self.up, self.lag, self.version = True, 0.05, VERSION
        self.replication_token = shared.acl.management
        self.catalog: dict[tuple[str, str], Registered] = {}
        self.loses_leader: list[bool] = []  # the next writes of the configuration end so: whether they were made
        self._elected_at = 0.0
        self.authority: DatacenterAuthority = DatacenterAuthority(
            clock=clock,
            cluster=shared.cluster,
            next_index=shared.next_index,
            primary=primary.authority if primary else None,
            may_be_signed=self._may_be_signed,
        )
        self.leaves = LeafCache(clock, self.authority, self.uri)
        self.authority.start()
        if primary:
            primary.authority.listeners.append(lambda: clock.after(self.lag, self._follow))

    def uri(self, service: str) -> str:
        """The SPIFFE id of a service here."""
        return f"spiffe://{self.trust_domain}/ns/default/dc/{self.name}/svc/{service}"

    @property
    def trust_domain(self) -> str:
        return f"{self.shared.cluster}.consul"

    def elect(self, seconds: float = 2.0) -> None:
        """Lose the leader; another one leads after so many seconds."""
        self._elected_at = self.clock.time() + seconds
        self.clock.after(seconds, self.authority.lead)

    @property
    def has_leader(self) -> bool:
        return self.clock.time() >= self._elected_at

    def require_leader(self) -> None:
        if not self.has_leader:
            raise ConsulError("No cluster leader")

    def stop(self) -> None:
        self.up = False

    def restart(self) -> None:
        """Come up again, as after a restart of its leader, and follow the primary."""
        self.up = True
        self.authority.lead()
        if self.primary:
            self.authority.follow(anew=True)

    def _follow(self) -> None:
        if self.up:
            self.authority.follow()

    def _may_be_signed(self) -> bool:
        try:
            permissions = self.shared.acl.permissions(self.replication_token, self.shared.primary)
        except ConsulError:
            return False
        return permissions.has("operator", "write")
