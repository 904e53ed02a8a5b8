"""The contract of an API server, kept by real ones: two clusters that run side by side."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from local.cloud.world import World
from local.scenario import cluster_names
from shared.adapters.kubernetes.api import NAMESPACE
from tests.contracts.kubernetes import Cluster, KubernetesContract, opened
from tests.real.control_plane import ControlPlane

CLUSTERS = cluster_names(2)


async def _wait() -> None:
    await asyncio.sleep(0.1)


class TestRealApiServer(KubernetesContract):
    @pytest.fixture(params=CLUSTERS)
    async def cluster(self, world: World, real: ControlPlane, request: pytest.FixtureRequest) -> AsyncIterator[Cluster]:
        other = real.servers[request.param].admin
        async with opened(world, request.param, other, wait=_wait, forget=real.compact) as cluster:
            yield cluster


async def test_one_cluster_knows_nothing_of_the_other(world: World, real: ControlPlane) -> None:
    east, west = (opened(world, name, real.servers[name].admin, wait=_wait, forget=real.compact) for name in CLUSTERS)
    async with east as here, west as there:
        await here.meshward.apply(NAMESPACE, {"metadata": {"name": "only-here"}})
        assert await here.meshward.get(NAMESPACE, "only-here") is not None
        assert await there.meshward.get(NAMESPACE, "only-here") is None
