"""When Consul drops an old root: hourly, by the leaf lifetime that each datacenter has stored at that moment.

A suite provides `advance` beside `consul`: it lets so much time pass in both datacenters.
"""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from typing import Any

from shared.domain.trust.consul.ca_configuration import CaConfiguration
from tests.worlds.consul import PRIMARY, SECONDARY, ConsulUnderTest

type Advance = Callable[[timedelta], Awaitable[None]]

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


async def lives_for(consul: ConsulUnderTest, hours: int, dc: str) -> None:
    """Give a datacenter's leaves this lifetime."""
    async with consul.session() as session:
        found = (await session.authority.configuration(dc)).completed()
        values = {**found.values, "LeafCertTTL": f"{hours}h"}
        await session.authority.write_configuration(CaConfiguration(provider="consul", values=values), dc)


async def rotated(consul: ConsulUnderTest) -> str:
    """The root that was active in the primary, after another one has taken its place there."""
    async with consul.session() as session:
        old = (await session.authority.roots()).active_id
        await session.authority.write_configuration((await session.authority.configuration()).with_new_key())
    return old


async def lists(consul: ConsulUnderTest, root: str, dc: str) -> bool:
    return root in {found["ID"] for found in (await consul.admin("GET", "connect/ca/roots", at=dc))["Roots"]}


class PruningContract:
    async def test_each_datacenter_drops_an_old_root_by_its_own_leaf_lifetime(
        self, consul: ConsulUnderTest, advance: Advance
    ) -> None:
        await lives_for(consul, 1, PRIMARY)
        await lives_for(consul, 72, SECONDARY)
        old = await rotated(consul)
        async with consul.session() as session:
            await consul.until(partial(consul.follows, session))
        await advance(2 * HOUR - 10 * MINUTE)
        assert await lists(consul, old, PRIMARY)
        await advance(HOUR + 20 * MINUTE)
        assert not await lists(consul, old, PRIMARY)
        assert await lists(consul, old, SECONDARY)
        await lives_for(consul, 1, SECONDARY)
        await advance(HOUR + 10 * MINUTE)
        assert not await lists(consul, old, SECONDARY)

    async def test_without_leaf_lifetime_an_old_root_is_dropped_at_the_next_hour(
        self, consul: ConsulUnderTest, advance: Advance
    ) -> None:
        await lives_for(consul, 72, PRIMARY)
        old = await rotated(consul)
        await advance(HOUR + 10 * MINUTE)
        assert await lists(consul, old, PRIMARY)
        async with consul.session() as session:
            found = (await consul.sane(session)).values
        kept: dict[str, Any] = {name: value for name, value in found.items() if name.startswith("PrivateKey")}
        assert (await consul.configure(**kept)).status_code == 200
        await advance(HOUR + 10 * MINUTE)
        assert not await lists(consul, old, PRIMARY)
