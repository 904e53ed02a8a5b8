"""Two real clusters for all tests here, members of one simulated Azure whose time is the real one."""

import time
from collections.abc import AsyncIterator

import pytest

from local.cloud.clock import Clock
from local.cloud.world import World
from local.scenario import cluster_names
from tests.real.control_plane import RealControlPlane, control_plane

CLUSTERS = cluster_names(2)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
async def world(anyio_backend: str) -> AsyncIterator[World]:
    world = World(Clock(time.time()))
    await world.start()
    yield world
    await world.stop()


@pytest.fixture(scope="session")
async def real(world: World, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RealControlPlane]:
    async with control_plane(world, CLUSTERS, tmp_path_factory.mktemp("real")) as real:
        for name, server in real.servers.items():
            world.aks.add(name)
            world.aks.api_servers[name] = (server.url, server.authority)
        yield real
