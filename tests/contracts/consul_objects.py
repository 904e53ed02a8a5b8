"""What Meshward relies on beside the authority: config entries, intentions, the catalog, and how servers are."""

import uuid

import pytest

from shared.adapters.meshes.consul.errors import ConsulForbidden, EntryChanged
from shared.adapters.meshes.consul.session import ConsulSession
from shared.domain.errors import PermanentError
from shared.domain.trust.consul.facts import ConfigEntry
from tests.worlds.consul import NODE, PRIMARY, SECONDARY, ConsulUnderTest

INTENTIONS = "service-intentions"


def service() -> str:
    """A name of a backup workload that no test has used."""
    return f"backup-{uuid.uuid4().hex[:8]}"


def allows(*sources: str) -> dict[str, object]:
    return {"Sources": [{"Name": name, "Action": "allow"} for name in sources]}


async def entry(session: ConsulSession, name: str) -> ConfigEntry:
    found = await session.entries.get(INTENTIONS, name)
    assert found
    return found


class ObjectsContract:
    async def test_an_entry_is_made_only_where_there_is_none(self, consul: ConsulUnderTest) -> None:
        name = service()
        async with consul.session() as session:
            assert await session.entries.get(INTENTIONS, name) is None
            await session.entries.put(INTENTIONS, name, allows("web"), None)
            with pytest.raises(EntryChanged):
                await session.entries.put(INTENTIONS, name, allows("other"), None)
            found = await entry(session, name)
        assert [source["Name"] for source in found.content["Sources"]] == ["web"]  # type: ignore[attr-defined]

    async def test_an_entry_is_written_and_removed_only_as_it_was_read(self, consul: ConsulUnderTest) -> None:
        name = service()
        async with consul.session() as session:
            await session.entries.put(INTENTIONS, name, allows("web"), None)
            found = await entry(session, name)
            await session.entries.put(INTENTIONS, name, allows("web", "db"), found)
            with pytest.raises(EntryChanged):
                await session.entries.put(INTENTIONS, name, allows("late"), found)
            with pytest.raises(EntryChanged):
                await session.entries.delete(found)
            await session.entries.delete(await entry(session, name))
            assert await session.entries.get(INTENTIONS, name) is None

    async def test_intentions_without_a_source_are_refused(self, consul: ConsulUnderTest) -> None:
        async with consul.session() as session:
            with pytest.raises(PermanentError, match="At least one source") as refused:
                await session.entries.put(INTENTIONS, service(), allows(), None)
        assert refused.value.reason == "ConfigEntryRefused"

    async def test_an_entry_of_somebody_elses_service_is_refused(self, consul: ConsulUnderTest) -> None:
        async with consul.session() as session:
            with pytest.raises(ConsulForbidden):
                await session.entries.put(INTENTIONS, "somebody-elses", allows("web"), None)

    async def test_what_intentions_allow_is_asked_both_ways(self, consul: ConsulUnderTest) -> None:
        name = service()
        async with consul.session() as session:
            sources = {"Sources": [{"Name": "web", "Action": "allow"}, {"Name": "*", "Action": "deny"}]}
            await session.entries.put(INTENTIONS, name, sources, None)
            assert await session.entries.allowed("web", name)
            assert not await session.entries.allowed("stranger", name)
            assert not await session.entries.allowed(name, "web")

    async def test_instances_and_the_proxies_before_them_are_listed(self, consul: ConsulUnderTest) -> None:
        name = service()
        proxy = {"Kind": "connect-proxy", "Proxy": {"DestinationServiceName": name}, "Port": 20000}
        async with consul.session() as session:
            await session.catalog.register(NODE, "10.0.0.9", {"ID": f"{name}-1", "Service": name, "Port": 8080})
            sidecar = {"ID": f"{name}-1-sidecar", "Service": f"{name}-sidecar-proxy", **proxy}
            for _ in range(2):
                await session.catalog.register(NODE, "10.0.0.9", sidecar)
            found = [one for one in await session.catalog.instances() if one.service.startswith(name)]
        assert {(one.id, one.kind, one.stands_for, one.port) for one in found} == {
            (f"{name}-1", "", "", 8080),
            (f"{name}-1-sidecar", "connect-proxy", name, 20000),
        }
        assert {(one.node, one.address, one.native) for one in found} == {(NODE, "10.0.0.9", False)}

    async def test_the_node_of_somebody_else_takes_no_service(self, consul: ConsulUnderTest) -> None:
        async with consul.session() as session:
            with pytest.raises(ConsulForbidden):
                await session.catalog.register("somebody-elses", "10.0.0.9", {"Service": service(), "Port": 1})

    async def test_servers_are_well_and_say_their_version(self, consul: ConsulUnderTest) -> None:
        async with consul.session() as session:
            assert {PRIMARY, SECONDARY} <= set(await session.status.datacenters())
            for datacenter in (PRIMARY, SECONDARY):
                assert await session.status.leader(datacenter)
                health = await session.status.health(datacenter)
                assert health.healthy
                assert {server.version for server in health.servers} == {"1.22.6"}

    async def test_a_secondary_says_that_it_copies_tokens(self, consul: ConsulUnderTest) -> None:
        async with consul.session() as session:

            async def copies() -> bool:
                found = await session.status.replication(SECONDARY)
                return found.running and found.last_success is not None

            await consul.until(copies)
            assert not (await session.status.replication(PRIMARY)).running
