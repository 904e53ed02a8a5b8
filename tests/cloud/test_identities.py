"""User-assigned identities are principals of their own, with at most twenty federated credentials."""

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.mgmt.msi.aio import ManagedServiceIdentityClient
from azure.mgmt.msi.models import FederatedIdentityCredential, Identity

from local.cloud.world import REGION, World
from tests.worlds import sdk


def _client(world: World) -> ManagedServiceIdentityClient:
    return ManagedServiceIdentityClient(**sdk.arm(world, world.entra.add("caller")))


def _credential(subject: str) -> FederatedIdentityCredential:
    return FederatedIdentityCredential(
        issuer="https://westeurope.oic.prod-aks.azure.com/t/c/",
        subject=f"system:serviceaccount:shop:{subject}",
        audiences=["api://AzureADTokenExchange"],
    )


async def test_an_identity_keeps_its_principal_when_it_is_written_again(world: World) -> None:
    world.resource_groups.add("rg-a")
    async with _client(world) as client:
        body = Identity(location=REGION, tags={"a": "1"})
        first = await client.user_assigned_identities.create_or_update("rg-a", "backup", body)
        second = await client.user_assigned_identities.create_or_update("RG-A", "Backup", Identity(location=REGION))
        listed = [i.name async for i in client.user_assigned_identities.list_by_resource_group("rg-a")]
    assert first.principal_id == second.principal_id
    assert str(first.client_id) in world.entra.principals
    assert listed == ["backup"]
    assert [e.status for e in world.wire.exchanges if e.method == "PUT"] == [201, 200]


async def test_a_deleted_identity_gets_no_token(world: World) -> None:
    identity = world.identities.add("backup")
    async with _client(world) as client:
        await client.federated_identity_credentials.create_or_update(
            "rg-identities", "backup", "alpha", _credential("backup")
        )
        await client.user_assigned_identities.delete("rg-identities", "backup")
        await client.user_assigned_identities.delete("rg-identities", "backup")
        with pytest.raises(ResourceNotFoundError):
            await client.federated_identity_credentials.get("rg-identities", "backup", "alpha")
    assert identity["properties"]["clientId"] not in world.entra.principals


async def test_an_identity_takes_twenty_credentials_each_of_its_own_subject(world: World) -> None:
    world.identities.add("backup")
    async with _client(world) as client:
        credentials = client.federated_identity_credentials
        for number in range(20):
            await credentials.create_or_update("rg-identities", "backup", f"alpha{number}", _credential(f"s{number}"))
        await credentials.create_or_update("rg-identities", "backup", "alpha0", _credential("s0"))
        with pytest.raises(ResourceExistsError):
            await credentials.create_or_update("rg-identities", "backup", "alpha1", _credential("s0"))
        with pytest.raises(HttpResponseError, match="at most 20"):
            await credentials.create_or_update("rg-identities", "backup", "alpha20", _credential("s20"))
        assert len([c async for c in credentials.list("rg-identities", "backup")]) == 20
        await credentials.delete("rg-identities", "backup", "alpha0")
        await credentials.create_or_update("rg-identities", "backup", "alpha20", _credential("s20"))
