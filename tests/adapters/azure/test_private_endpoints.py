"""The private endpoint of a storage account, asked of the simulated Azure by the real SDK client."""

from datetime import timedelta

import msgspec
import pytest

from local.cloud.world import World
from shared.adapters.azure.private_endpoints import PrivateEndpoints
from shared.adapters.azure.resources import AzureResources
from shared.domain.vaults.protection import Protection
from tests.worlds import sdk
from tests.worlds.accounts import with_account
from tests.worlds.settings import settings

MINUTES = timedelta(minutes=5)


@pytest.fixture
async def endpoints(world: World, protection: Protection) -> PrivateEndpoints:
    """With the storage account."""
    options = sdk.aio(world, world.entra.add("provisioner"))
    endpoints, resources = PrivateEndpoints(settings(world), **options), AzureResources(settings(world), **options)
    await with_account(world, resources, protection)
    return endpoints


@pytest.fixture
def private(world: World, protection: Protection) -> Protection:
    """The protection whose account is to be reached from a subnet alone."""
    subnet, zone = world.networks.add_subnet("backups"), world.networks.add_zone("privatelink.blob")
    terms = msgspec.structs.replace(protection.terms, subnet=subnet["id"], dns_zone=zone["id"])
    return msgspec.structs.replace(protection, terms=terms)


async def test_an_endpoint_and_its_record_are_there_once_they_are_made_and_gone_together(
    world: World, endpoints: PrivateEndpoints, private: Protection
) -> None:
    assert await endpoints.endpoint(private) is None
    await endpoints.create_endpoint(private)
    await world.clock.advance(MINUTES)
    assert await endpoints.record(private) is None
    await endpoints.create_record(private)
    await world.clock.advance(MINUTES)
    found = [await endpoints.endpoint(private), await endpoints.record(private)]
    assert [one and one.state for one in found] == ["Succeeded", "Succeeded"]
    await endpoints.delete_endpoint(private)
    await world.clock.advance(MINUTES)
    assert await endpoints.endpoint(private) is None
    assert await endpoints.record(private) is None
