"""The contract of Consul, kept by the simulated one."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from local.cloud.world import World
from tests.contracts.consul import ConsulContract
from tests.contracts.consul_pruning import Advance, PruningContract
from tests.worlds.consul import PRIMARY, SECONDARY, ConsulUnderTest, opened


class TestSimulatedConsul(ConsulContract, PruningContract):
    @pytest.fixture
    async def consul(self, world: World) -> AsyncIterator[ConsulUnderTest]:
        first = world.consul.add(PRIMARY)
        world.consul.add(SECONDARY, primary=PRIMARY)

        async def wait() -> None:
            await world.clock.advance(timedelta(seconds=1))

        urls = {name: f"{world.wire.url}/consul/{name}" for name in (PRIMARY, SECONDARY)}
        management = first.shared.acl.management
        async with opened(world, urls, world.wire.ca_pem, management, wait=wait, now=world.clock.now) as consul:
            yield consul

    @pytest.fixture
    def advance(self, world: World) -> Advance:
        return world.clock.advance
