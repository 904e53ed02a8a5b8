"""What a protection needs around its vault, asked of the simulated Azure by the real SDK clients."""

from datetime import timedelta

import pytest

from local.cloud.wire import InjectedFault, Reply
from local.cloud.world import TENANT, World
from shared.adapters.azure.resources import AzureResources
from shared.domain.errors import PermanentError, TemporaryError
from shared.domain.vaults.protection import Grant, Protection
from shared.domain.vaults.roles import BLOB_DATA_READER, CONTRIBUTOR, READER
from tests.worlds.accounts import with_account

MINUTES = timedelta(minutes=5)


def puts(world: World) -> int:
    return sum(exchange.method == "PUT" for exchange in world.wire.exchanges)


async def test_nothing_is_found_where_nothing_is(resources: AzureResources, protection: Protection) -> None:
    assert await resources.group(protection, protection.group) is None
    assert await resources.account(protection) is None
    assert await resources.container(protection) is None
    assert await resources.extension(protection) is None
    assert await resources.trusted_access(protection) is None


async def test_a_group_is_made_in_the_clusters_region(
    world: World, resources: AzureResources, protection: Protection
) -> None:
    await resources.create_group(protection, protection.snapshot_group)
    found = await resources.group(protection, protection.snapshot_group)
    assert found is not None
    assert found.state == "Succeeded"
    held = world.arm.find(protection.snapshot_group_id)
    assert held is not None
    assert held["location"] == protection.location


async def test_a_new_account_is_closed(world: World, resources: AzureResources, protection: Protection) -> None:
    await with_account(world, resources, protection)
    account = await resources.account(protection)
    assert account is not None
    assert account.closed
    assert account.blob_url == f"https://{protection.account}.blob.core.windows.net/"
    held = world.arm.resources[protection.account_id.lower()]
    assert (held["kind"], held["sku"]["name"]) == ("StorageV2", "Standard_LRS")


@pytest.mark.parametrize(
    "opened",
    [
        {"allowSharedKeyAccess": True},
        {"allowBlobPublicAccess": True},
        {"supportsHttpsTrafficOnly": False},
        {"minimumTlsVersion": "TLS1_0"},
    ],
)
async def test_an_account_that_somebody_opened_is_closed_again(
    world: World, resources: AzureResources, protection: Protection, opened: dict[str, object]
) -> None:
    await with_account(world, resources, protection)
    world.arm.resources[protection.account_id.lower()]["properties"].update(opened)
    account = await resources.account(protection)
    assert account is not None
    assert account.lax
    await resources.create_account(protection)
    account = await resources.account(protection)
    assert account is not None
    assert account.closed


async def test_the_container_is_private(world: World, resources: AzureResources, protection: Protection) -> None:
    await with_account(world, resources, protection)
    await resources.create_container(protection)
    assert await resources.container(protection) is not None
    held = world.arm.resources[f"{protection.account_id}/blobServices/default/containers/backups".lower()]
    assert held["properties"]["publicAccess"] == "None"


async def test_the_extension_stores_to_our_account_without_a_key(
    world: World, resources: AzureResources, protection: Protection
) -> None:
    await resources.create_extension(protection, "https://blobs/")
    found = await resources.extension(protection)
    assert found is not None
    assert (found.state, found.account, found.principal) == ("Creating", protection.account, "")
    await world.clock.advance(MINUTES)
    found = await resources.extension(protection)
    assert found is not None
    assert found.state == "Succeeded"
    assert found.principal
    (held,) = world.arm.of_type("Microsoft.KubernetesConfiguration/extensions")
    configured = held["properties"]["configurationSettings"]
    assert configured["configuration.backupStorageLocation.config.useAAD"] == "true"
    assert configured["credentials.tenantId"] == TENANT
    assert not held["properties"]["configurationProtectedSettings"]


async def test_an_extension_that_failed_says_why(
    world: World, resources: AzureResources, protection: Protection
) -> None:
    world.extensions.fail_next(message="The nodes run Windows.")
    await resources.create_extension(protection, "https://blobs/")
    await world.clock.advance(MINUTES)
    found = await resources.extension(protection)
    assert found is not None
    assert (found.state, found.message) == ("Failed", "The nodes run Windows.")


async def test_trusted_access_is_for_the_vault_alone(
    world: World, resources: AzureResources, protection: Protection
) -> None:
    await resources.create_trusted_access(protection)
    await world.clock.advance(MINUTES)
    found = await resources.trusted_access(protection)
    assert found is not None
    assert found.state == "Succeeded"
    (held,) = world.arm.of_type("Microsoft.ContainerService/managedClusters/trustedAccessRoleBindings")
    assert held["properties"]["sourceResourceId"] == protection.backup_vault_id
    assert held["properties"]["roles"] == ["Microsoft.DataProtection/backupVaults/backup-operator"]


async def test_a_role_can_be_granted_to_an_identity_that_was_just_made(
    world: World, resources: AzureResources, protection: Protection
) -> None:
    young = world.entra.add("young").object_id
    grant = Grant(principal=young, role=READER, scope=protection.cluster_id)
    await resources.grant(grant)
    assert not world.roles.effective(young, READER, protection.cluster_id)
    await world.clock.advance(MINUTES)
    assert world.roles.effective(young, READER, protection.cluster_id)


async def test_a_role_that_somebody_else_granted_will_do(
    world: World, resources: AzureResources, protection: Protection
) -> None:
    world.roles.grant(protection.cluster_principal, CONTRIBUTOR, protection.cluster_id)
    await resources.grant(Grant(principal=protection.cluster_principal, role=CONTRIBUTOR, scope=protection.cluster_id))


async def test_an_identity_that_isnt_known_everywhere_is_granted_later(
    world: World, resources: AzureResources, protection: Protection
) -> None:
    unknown = {"error": {"code": "PrincipalNotFound", "message": "Principal does not exist in the directory."}}
    world.wire.inject(InjectedFault(on="PUT .*/roleAssignments/", kind="answer", reply=Reply(status=400, body=unknown)))
    grant = Grant(principal=protection.cluster_principal, role=BLOB_DATA_READER, scope=protection.cluster_id)
    with pytest.raises(TemporaryError, match="PrincipalNotFound"):
        await resources.grant(grant)


async def test_a_throttled_write_is_sent_once_and_says_when_to_come_back(
    world: World, resources: AzureResources, protection: Protection
) -> None:
    world.wire.inject(InjectedFault(on="PUT", kind="answer", reply=Reply(status=429, headers={"Retry-After": "17"})))
    with pytest.raises(TemporaryError) as caught:
        await resources.create_group(protection, protection.group)
    assert caught.value.retry_after == 17
    assert puts(world) == 1


async def test_a_lost_answer_is_worth_another_try(
    world: World, resources: AzureResources, protection: Protection
) -> None:
    world.wire.inject(InjectedFault(on="PUT", kind="lose", times=2))  # the connection pool repeats a PUT once by itself
    with pytest.raises(TemporaryError, match="Unreachable"):
        await resources.create_group(protection, protection.group)
    assert await resources.group(protection, protection.group) is not None


async def test_what_azure_refuses_is_told_in_its_words(
    world: World, resources: AzureResources, protection: Protection
) -> None:
    refused = {"error": {"code": "RequestDisallowedByPolicy", "message": "Accounts need a private endpoint."}}
    world.wire.inject(InjectedFault(on="PUT .*/storageAccounts/", kind="answer", reply=Reply(status=403, body=refused)))
    with pytest.raises(PermanentError, match=r"RequestDisallowedByPolicy.*Accounts need a private endpoint"):
        await resources.create_account(protection)
