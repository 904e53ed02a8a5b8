"""Managed clusters, asked of the simulated resource manager by the real SDK client."""

from collections.abc import AsyncIterator

import pytest
import yaml  # type: ignore[import-untyped]

from local.cloud.world import World
from shared.adapters.clusters import Clusters
from tests import sdk
from tests.adapters.test_azure_resources import settings


@pytest.fixture
async def clusters(world: World) -> AsyncIterator[Clusters]:
    clusters = Clusters(settings(world), **sdk.aio(world, world.entra.add("rotator")))
    yield clusters
    await clusters.close()


async def test_clusters_are_listed_with_what_flows_decide_on(world: World, clusters: Clusters) -> None:
    made = world.aks.add("aks-east", tags={"meshward:mesh": "linkerd"})
    world.aks.add("aks-west", oidc=False)
    east, west = sorted(await clusters.list(), key=lambda c: c.name)
    assert east == await clusters.get(made["id"])
    assert (east.name, east.resource_group.lower(), east.location) == ("aks-east", "rg-clusters", "westeurope")
    assert east.tagged("meshward:mesh", "linkerd")
    assert east.created_at == world.clock.now()
    assert (east.provisioning_state, east.power_state) == ("Succeeded", "Running")
    assert east.principal_id == made["identity"]["principalId"]
    assert east.oidc_issuer == made["properties"]["oidcIssuerProfile"]["issuerURL"]
    assert west.oidc_issuer is None


async def test_a_cluster_that_is_gone_is_nothing(world: World, clusters: Clusters) -> None:
    made = world.aks.add("aks-east")
    world.aks.remove("aks-east")
    assert await clusters.get(made["id"]) is None


async def test_a_kubeconfig_names_the_api_server_and_holds_no_credential(world: World, clusters: Clusters) -> None:
    made = world.aks.add("aks-east")
    found = yaml.safe_load(await clusters.kubeconfig(made["id"]))
    assert found["clusters"][0]["cluster"]["server"].startswith("https://")
    assert not {"token", "client-key-data", "password"} & set(found["users"][0]["user"])
