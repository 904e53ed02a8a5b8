"""A session at Consul when something fails: what is given back, tried again, bounded, and never said."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from datetime import timedelta

import aiohttp
import msgspec
import pytest

from local.cloud.consul.datacenter import Datacenter
from local.cloud.wire import InjectedFault, Reply
from local.cloud.world import World
from shared.adapters.kubernetes.errors import OutOfBounds, Unreachable
from shared.adapters.meshes.consul.calls import Calls, ConsulBounds
from shared.adapters.meshes.consul.errors import CannotSign, ConsulForbidden, NoLeader, TokenUnknown
from shared.adapters.meshes.consul.session import session_of
from shared.domain.errors import MeshwardError, NotConverged, PermanentError
from tests.worlds.consul import PRIMARY, SECONDARY, ConsulUnderTest, canary, opened

KEY = "-----BEGIN EC PRIVATE KEY-----\\nc2VjcmV0\\n-----END EC PRIVATE KEY-----"


@pytest.fixture
def primary(world: World) -> Datacenter:
    world.consul.add(PRIMARY)
    world.consul.add(SECONDARY, primary=PRIMARY)
    return world.consul.datacenters[PRIMARY]


@pytest.fixture
async def consul(world: World, primary: Datacenter) -> AsyncIterator[ConsulUnderTest]:
    async def wait() -> None:
        await world.clock.advance(timedelta(seconds=1))

    urls = {name: f"{world.wire.url}/consul/{name}" for name in (PRIMARY, SECONDARY)}
    management, now = primary.shared.acl.management, world.clock.now
    async with opened(world, urls, world.wire.ca_pem, management, wait=wait, now=now) as consul:
        yield consul


def answers(world: World, on: str, *, status: int = 500, text: str = "", times: int = 1) -> None:
    world.wire.inject(
        InjectedFault(on=on, kind="answer", times=times, reply=Reply(status=status, content=text.encode()))
    )


async def test_a_token_that_servers_learn_of_late_is_shown_again(consul: ConsulUnderTest, primary: Datacenter) -> None:
    primary.shared.acl.late = 3
    async with consul.session() as session:
        assert (await session.authority.configuration()).provider == "consul"


async def test_a_token_that_stays_unknown_ends_the_tries(consul: ConsulUnderTest, primary: Datacenter) -> None:
    primary.shared.acl.late = 100
    with pytest.raises(TokenUnknown):
        async with consul.session(bounds=ConsulBounds(tries=3, pause=0.0)) as session:
            await session.authority.configuration()


async def test_a_login_ends_by_itself_where_it_cannot_be_given_back(consul: ConsulUnderTest, world: World) -> None:
    answers(world, "POST .*/acl/logout")
    async with consul.session():
        pass
    assert len(await consul.logins()) == 1
    await world.clock.advance(timedelta(minutes=11))
    assert await consul.logins() == []


async def test_a_login_is_given_back_when_its_activity_is_cancelled(consul: ConsulUnderTest) -> None:
    held = asyncio.Event()

    async def work() -> None:
        async with consul.session():
            held.set()
            await asyncio.Event().wait()

    task = asyncio.ensure_future(work())
    await held.wait()
    assert len(await consul.logins()) == 1
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await consul.logins() == []


async def test_an_activity_that_takes_too_long_gives_its_login_back(consul: ConsulUnderTest) -> None:
    with pytest.raises(Unreachable, match="didn't answer all"):
        async with consul.session(bounds=ConsulBounds(visit=2.0)):
            await asyncio.sleep(60)
    assert await consul.logins() == []


@pytest.mark.parametrize(
    "text",
    [
        f'error parsing private key "{KEY}": no',
        'error parsing private key "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0": no',
        f"it was {KEY}",
    ],
)
async def test_a_key_that_consul_repeats_is_not_passed_on(consul: ConsulUnderTest, world: World, text: str) -> None:
    async with consul.session() as session:
        wanted = (await session.authority.configuration()).with_new_key()
        answers(world, "PUT .*/configuration", text=text)
        with pytest.raises(PermanentError) as refused:
            await session.authority.write_configuration(wanted)
    assert "c2VjcmV0" not in refused.value.message


async def test_the_token_of_a_login_is_not_passed_on(
    consul: ConsulUnderTest, world: World, primary: Datacenter
) -> None:
    async with consul.session() as session:
        (secret,) = [token.secret for token in primary.shared.acl.live() if token.method]
        answers(world, "GET .*/leader", status=403, text=f"no right with {secret}")
        with pytest.raises(ConsulForbidden) as refused:
            await session.status.leader()
    assert secret not in f"{refused.value} {refused.value.__cause__}"


async def test_a_write_that_a_lost_leader_has_made_or_not_is_told_by_reading(
    consul: ConsulUnderTest, primary: Datacenter, world: World
) -> None:
    for made in (True, False):
        async with consul.session() as session:
            before = await session.authority.roots()
            wanted = (await session.authority.configuration()).with_new_key()
            primary.loses_leader.append(made)
            with pytest.raises(NoLeader):
                await session.authority.write_configuration(wanted)
            with pytest.raises(NoLeader):
                await session.authority.roots()
            assert await session.status.leader() == ""
            await world.clock.advance(timedelta(seconds=3))
            assert ((await session.authority.roots()).active_id != before.active_id) == made


async def test_a_configuration_that_somebody_writes_over_is_noticed(consul: ConsulUnderTest, world: World) -> None:
    async with consul.session() as session:
        wanted = (await session.authority.configuration()).with_new_key()
        world.wire.inject(InjectedFault(on="PUT .*/configuration", kind="answer", reply=Reply(content=b"")))
        with pytest.raises(NotConverged) as noticed:
            await session.authority.write_configuration(wanted)
    assert noticed.value.reason == "CaConfigurationChanged"


async def test_a_secondary_that_is_down_is_named(consul: ConsulUnderTest, world: World) -> None:
    world.consul.datacenters[SECONDARY].stop()
    async with consul.session() as session:
        with pytest.raises(NoLeader, match=SECONDARY):
            await session.authority.roots(SECONDARY)
    with pytest.raises(Unreachable):
        async with consul.session(SECONDARY):
            pass


async def test_servers_that_are_not_well_are_described_all_the_same(consul: ConsulUnderTest, world: World) -> None:
    server = {"Name": "s1", "Version": "1.22.6", "Healthy": False, "Voter": True}
    body = {"Healthy": False, "FailureTolerance": 0, "Servers": [server]}
    world.wire.inject(InjectedFault(on="GET .*/health", kind="answer", reply=Reply(status=429, body=body)))
    async with consul.session() as session:
        health = await session.status.health()
    assert (health.healthy, [server.healthy for server in health.servers]) == (False, [False])


async def test_an_answer_without_bounds_is_not_read_to_its_end(consul: ConsulUnderTest, world: World) -> None:
    async with consul.session(bounds=ConsulBounds(answer=100_000)) as session:
        world.wire.inject(
            InjectedFault(on="GET .*/roots", kind="answer", reply=Reply(status=200, content=b"x" * 200_000))
        )
        with pytest.raises(OutOfBounds, match="more than 100000 bytes"):
            await session.authority.roots()


async def test_an_answer_of_another_form_is_said_to_be_one(consul: ConsulUnderTest, world: World) -> None:
    async with consul.session() as session:
        named: dict[str, object] = {"ActiveRootID": "a", "TrustDomain": "b"}
        bodies: list[object] = [{"Roots": 3}, [], {**named, "Roots": [{}]}]
        for body in bodies:
            world.wire.inject(InjectedFault(on="GET .*/roots", kind="answer", reply=Reply(body=body)))
            with pytest.raises(OutOfBounds, match="reading the roots in dc1"):
                await session.authority.roots()


async def test_more_services_than_are_read_are_refused(consul: ConsulUnderTest) -> None:
    async with consul.session(bounds=ConsulBounds(services=2)) as session:
        for name in ("backup-a", "backup-b", "backup-c"):
            await session.catalog.register("backup-workloads", "10.0.0.9", {"Service": name, "Port": 1})
        with pytest.raises(OutOfBounds, match="more than 2 services"):
            await session.catalog.instances()


@pytest.mark.parametrize("name", ["..", ".", "", "x" * 600])
async def test_a_name_that_is_none_is_not_sent(consul: ConsulUnderTest, name: str) -> None:
    async with consul.session() as session:
        with pytest.raises(PermanentError) as refused:
            await session.entries.get("service-intentions", name)
    assert refused.value.reason == "NotAName"


async def test_an_odd_name_changes_nothing_but_itself(consul: ConsulUnderTest, world: World) -> None:
    async with consul.session() as session:
        for name in ("a?dc=dc2", "a#b", "a b", "*"):
            await session.catalog.register("backup-workloads", "10.0.0.9", {"Service": f"backup-{name}", "Port": 1})
        found = await session.catalog.instances()
    assert {one.service for one in found} == {"backup-a?dc=dc2", "backup-a#b", "backup-a b", "backup-*"}


@pytest.mark.parametrize(
    "url", ["http://localhost", "https://", "https://me@localhost", "https://localhost?dc=x", "https://localhost:port"]
)
async def test_an_address_that_cannot_be_meant_is_refused(consul: ConsulUnderTest, url: str) -> None:
    with pytest.raises(PermanentError) as refused:
        async with consul.session_at(msgspec.structs.replace(consul.servers[PRIMARY], url=url)):
            pass
    assert refused.value.reason == "BadPolicy"


async def test_an_authority_that_is_none_is_refused(consul: ConsulUnderTest) -> None:
    with pytest.raises(PermanentError, match=PRIMARY):
        async with consul.session_at(msgspec.structs.replace(consul.servers[PRIMARY], authority="none")):
            pass


async def test_a_caller_without_login_may_read_roots_and_nothing_else(consul: ConsulUnderTest, world: World) -> None:
    tls = ssl.create_default_context(cadata=world.wire.ca_pem.decode())
    connector = aiohttp.TCPConnector(ssl=tls)
    async with aiohttp.ClientSession(f"{consul.servers[PRIMARY].url}/", connector=connector) as http:
        session = session_of(Calls(PRIMARY, http, ConsulBounds()))
        assert (await session.authority.roots()).active
        assert await session.catalog.services() == []
        for refused in (session.authority.configuration(), session.status.health(), session.authority.leaf(canary())):
            with pytest.raises(ConsulForbidden, match="anonymous token lacks permission"):
                await refused


async def test_a_secondary_without_any_intermediate_cannot_sign(consul: ConsulUnderTest, world: World) -> None:
    world.consul.datacenters[SECONDARY].authority.signer = None
    with pytest.raises((CannotSign, MeshwardError), match="error parsing CA cert"):
        await consul.leaf_elsewhere()
