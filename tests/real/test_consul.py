"""The contract of Consul, kept by two real datacenters."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from local.cloud.world import World
from shared.domain.trust.certificates import certificates_in
from shared.domain.trust.consul.chains import verifies
from tests.contracts.consul import ConsulContract
from tests.contracts.consul_pruning import Advance, PruningContract
from tests.real.consul_agents import RealConsul, datacenters
from tests.real.consul_proxies import traffic
from tests.real.stepped_clock import SteppedClock, needs
from tests.worlds.consul import ConsulUnderTest, opened

SPREAD = timedelta(seconds=30)  # within which every proxy has its new leaf
STEP, PAUSE = timedelta(minutes=10), 1.0  # timeouts jump too: servers need a moment after each step


@pytest.fixture(scope="session")
async def agents(anyio_backend: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RealConsul]:
    async with datacenters(tmp_path_factory.mktemp("consul")) as agents:
        yield agents


@pytest.fixture(scope="module")
async def aging(anyio_backend: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RealConsul]:
    """Datacenters of their own, as their clocks don't come back."""
    if lacking := needs():
        pytest.skip(lacking)
    async with datacenters(tmp_path_factory.mktemp("aging-consul")) as agents:
        yield agents


@pytest.fixture(scope="module")
def clocks(aging: RealConsul) -> list[SteppedClock]:
    return [SteppedClock(agent.program.pid) for agent in aging.agents.values()]


async def wait() -> None:
    await asyncio.sleep(0.1)


def now() -> datetime:
    return datetime.now(UTC)


def contract(world: World, agents: RealConsul) -> AbstractAsyncContextManager[ConsulUnderTest]:
    urls = {name: agent.url for name, agent in agents.agents.items()}
    return opened(world, urls, agents.ca_pem, agents.management, wait=wait, now=now)


class TestRealConsul(ConsulContract):
    @pytest.fixture
    async def consul(self, world: World, agents: RealConsul) -> AsyncIterator[ConsulUnderTest]:
        async with contract(world, agents) as consul:
            yield consul

    async def test_real_proxies_talk_all_the_while_and_come_to_the_new_root(
        self, consul: ConsulUnderTest, agents: RealConsul, tmp_path: Path
    ) -> None:
        async with traffic(consul, agents, tmp_path) as flow, consul.session() as session:
            old = await consul.rotate(session)
            new = (await session.authority.roots()).active
            assert new

            async def is_renewed() -> bool:
                return verifies(await flow.presented(), certificates_in(new.certificate), now())

            await consul.until(is_renewed)
            assert verifies(await flow.presented(), certificates_in(old.certificate), now())
            await asyncio.sleep(SPREAD.total_seconds())
        assert (flow.failed, flow.made > 100) == ([], True)


class TestRealPruning(PruningContract):
    """On the unmodified program, whose clock is set ahead in steps: see `stepped_clock`."""

    @pytest.fixture
    async def consul(self, world: World, aging: RealConsul) -> AsyncIterator[ConsulUnderTest]:
        async with contract(world, aging) as consul:
            yield consul

    @pytest.fixture
    def advance(self, clocks: list[SteppedClock]) -> Advance:
        async def advance(by: timedelta) -> None:
            for _ in range(by // STEP):
                for clock in clocks:
                    clock.step(STEP)
                await asyncio.sleep(PAUSE)

        return advance
