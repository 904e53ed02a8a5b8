"""Identities of backup workloads, asked of the simulated Azure by the real SDK client."""

import pytest

from local.cloud.world import World
from shared.adapters.azure.workload_identity import WorkloadIdentities
from shared.domain.vaults.binding import Federation
from shared.domain.vaults.protection import Protection
from tests.worlds import sdk
from tests.worlds.settings import settings


@pytest.fixture
async def identities(world: World) -> WorkloadIdentities:
    world.resource_groups.add("rg-backup")
    return WorkloadIdentities(settings(world), **sdk.aio(world, world.entra.add("provisioner")))


async def test_an_identity_keeps_its_ids_when_it_is_made_again(
    identities: WorkloadIdentities, protection: Protection
) -> None:
    assert await identities.identity(protection) is None
    await identities.create(protection)
    first = await identities.identity(protection)
    await identities.create(protection)
    assert first == await identities.identity(protection)
    assert first is not None


async def test_a_federated_credential_says_whose_tokens_are_taken_until_the_identity_is_gone(
    identities: WorkloadIdentities, protection: Protection
) -> None:
    await identities.create(protection)
    assert await identities.federation(protection) is None
    for subject in ("system:serviceaccount:a:b", "system:serviceaccount:a:c"):
        federation = Federation(issuer="https://issuer/", subject=subject, audiences=("api://AzureADTokenExchange",))
        await identities.federate(protection, federation)
        assert await identities.federation(protection) == federation
    await identities.delete(protection)
    assert await identities.identity(protection) is None
    assert await identities.federation(protection) is None
