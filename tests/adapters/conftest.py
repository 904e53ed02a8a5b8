"""A cluster that is to be protected, and the adapter to what its vault needs around it."""

from collections.abc import AsyncIterator

import pytest

from local.cloud.world import World
from shared.adapters.azure.clusters import Clusters
from shared.adapters.azure.resources import AzureResources
from shared.domain.vaults.policy import ProtectPolicy
from shared.domain.vaults.protection import Protection, protection_of
from tests.worlds import sdk
from tests.worlds.settings import settings


@pytest.fixture
async def world(world: World) -> AsyncIterator[World]:
    """The world, which outlives its clients' connections."""
    yield world
    await sdk.close(world)


@pytest.fixture
async def protection(world: World) -> Protection:
    """The protection of the cluster aks-new, of which nothing exists yet but the cluster."""
    made = world.aks.add("aks-new", tags={"meshward:protect": "true"})
    clusters = Clusters(settings(world), **sdk.aio(world, world.entra.add("provisioner")))
    cluster = await clusters.get(made["id"])
    assert cluster is not None
    return protection_of(cluster, "rg-backup", ProtectPolicy())


@pytest.fixture
async def resources(world: World) -> AzureResources:
    return AzureResources(settings(world), **sdk.aio(world, world.entra.add("provisioner")))
