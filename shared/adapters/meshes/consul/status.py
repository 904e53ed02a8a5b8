"""How a datacenter's servers are: leader, health, versions, and what a secondary copies."""

from datetime import datetime

import msgspec

from shared.adapters.meshes.consul.calls import Calls, Request
from shared.domain.trust.consul.facts import Health, Replication, Server

_UNWELL = 429  # with which Consul says that some server isn't healthy
_NEVER = 1  # Go's zero time is in this year


class _Server(msgspec.Struct, rename="pascal"):
    name: str
    version: str = ""
    healthy: bool = False
    voter: bool = False


class _Health(msgspec.Struct, rename="pascal"):
    healthy: bool
    failure_tolerance: int = 0
    servers: list[_Server] | None = None


class _Replication(msgspec.Struct, rename="pascal"):
    running: bool
    last_success: datetime | None = None
    last_error: datetime | None = None
    last_error_message: str = ""


class Status:
    """Whether a datacenter is well."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def datacenters(self) -> list[str]:
        """The names of all datacenters that the servers know, also of those that don't answer."""
        return await self._calls.read(list[str], "listing datacenters", "catalog/datacenters")

    async def leader(self, dc: str = "") -> str:
        """The address of the leader, empty if there is none."""
        return await self._calls.read(str, "asking for the leader", "status/leader", dc)

    async def health(self, dc: str = "") -> Health:
        """The health of the servers, and their versions."""
        doing = "reading the servers' health"
        answer = await self._calls.send(doing, Request("GET", "operator/autopilot/health", dc, answers=_UNWELL))
        found = self._calls.decoded(answer.content, _Health, doing)
        servers = [
            Server(name=server.name, version=server.version, healthy=server.healthy, voter=server.voter)
            for server in found.servers or ()
        ]
        return Health(healthy=found.healthy, failure_tolerance=found.failure_tolerance, servers=tuple(servers))

    async def replication(self, dc: str) -> Replication:
        """How a secondary copies tokens and policies from the primary."""
        found = await self._calls.read(_Replication, "reading the replication", "acl/replication", dc)
        return Replication(
            running=found.running,
            last_success=_moment(found.last_success),
            last_error=_moment(found.last_error),
            last_error_message=found.last_error_message,
        )


def _moment(found: datetime | None) -> datetime | None:
    return None if found is None or found.year == _NEVER else found
