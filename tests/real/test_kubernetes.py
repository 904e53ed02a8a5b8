"""The contract of an API server, kept by real ones: two clusters that run side by side."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager

import pytest

from local.cloud.world import World
from local.scenario import cluster_names
from shared.adapters.kubernetes.kinds import NAMESPACE
from tests.contracts.kubernetes import KubernetesContract
from tests.real.control_plane import RealControlPlane
from tests.worlds.api_server import ClusterUnderTest, opened

CLUSTERS = cluster_names(2)


async def _wait() -> None:
    await asyncio.sleep(0.1)


def _opened(world: World, real: RealControlPlane, name: str) -> AbstractAsyncContextManager[ClusterUnderTest]:
    server = real.servers[name]
    return opened(world, name, server.admin, wait=_wait, compact=real.compact, paused=server.kubelets.paused)


class TestRealApiServer(KubernetesContract):
    @pytest.fixture(params=CLUSTERS)
    async def cluster(
        self, world: World, real: RealControlPlane, request: pytest.FixtureRequest
    ) -> AsyncIterator[ClusterUnderTest]:
        async with _opened(world, real, request.param) as cluster:
            yield cluster


async def test_one_cluster_knows_nothing_of_the_other(world: World, real: RealControlPlane) -> None:
    east, west = (_opened(world, real, name) for name in CLUSTERS)
    async with east as here, west as there:
        await here.meshward.apply(NAMESPACE, {"metadata": {"name": "only-here"}})
        assert await here.meshward.get(NAMESPACE, "only-here") is not None
        assert await there.meshward.get(NAMESPACE, "only-here") is None
