"""The contract of Consul, kept by two real datacenters."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from local.cloud.world import World
from tests.contracts.consul import ConsulContract
from tests.real.consul_agents import RealConsul, datacenters
from tests.worlds.consul import ConsulUnderTest, opened


@pytest.fixture(scope="session")
async def agents(anyio_backend: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RealConsul]:
    async with datacenters(tmp_path_factory.mktemp("consul")) as agents:
        yield agents


class TestRealConsul(ConsulContract):
    @pytest.fixture
    async def consul(self, world: World, agents: RealConsul) -> AsyncIterator[ConsulUnderTest]:
        async def wait() -> None:
            await asyncio.sleep(0.1)

        urls = {name: agent.url for name, agent in agents.agents.items()}
        async with opened(world, urls, agents.ca_pem, agents.management, wait=wait) as consul:
            yield consul
