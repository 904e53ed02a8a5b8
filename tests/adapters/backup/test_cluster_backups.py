"""Clusters on their way into a Backup vault, asked of the simulated Azure by the real SDK client."""

from datetime import timedelta

import pytest

from local.cloud.wire import InjectedFault, Reply
from local.cloud.world import World
from shared.adapters.azure.resources import AzureResources
from shared.adapters.backup.backup_vaults import BackupVaults
from shared.adapters.backup.cluster_backups import ClusterBackups
from shared.domain.errors import NotConverged, PermanentError, TemporaryError
from shared.domain.operations import concluded
from shared.domain.vaults.findings import require_protected, require_unclaimed
from shared.domain.vaults.protection import Protection, grants
from tests.worlds import sdk
from tests.worlds.accounts import with_account, with_vault
from tests.worlds.settings import settings

MINUTES = timedelta(minutes=5)


@pytest.fixture
async def vaults(world: World) -> BackupVaults:
    return BackupVaults(settings(world), **sdk.aio(world, world.entra.add("provisioner")))


@pytest.fixture
async def backups(world: World) -> ClusterBackups:
    return ClusterBackups(settings(world), **sdk.aio(world, world.entra.add("provisioner")))


async def ready(world: World, resources: AzureResources, vaults: BackupVaults, protection: Protection) -> None:
    """Everything that Azure Backup asks for, but the roles' effect."""
    await with_account(world, resources, protection)
    await resources.create_group(protection, protection.snapshot_group)
    await resources.create_container(protection)
    await resources.create_extension(protection, "https://blobs/")
    vault = await with_vault(world, vaults, protection)
    await resources.create_trusted_access(protection)
    await world.clock.advance(MINUTES)
    extension = await resources.extension(protection)
    assert extension is not None
    for grant in grants(protection, vault.principal, extension.principal):
        await resources.grant(grant)


async def test_nothing_is_found_where_nothing_is(backups: ClusterBackups, protection: Protection) -> None:
    assert await backups.instance(protection) is None
    assert await backups.holders(protection) == []


async def test_a_validation_is_followed_by_its_id_alone(
    world: World, resources: AzureResources, vaults: BackupVaults, backups: ClusterBackups, protection: Protection
) -> None:
    await ready(world, resources, vaults, protection)
    await world.clock.advance(MINUTES)
    validation = await backups.start_validation(protection)
    assert len(validation.operation) < 200
    with pytest.raises(NotConverged, match="UnderWay"):
        concluded("it", await vaults.operation(protection, validation.operation, "it"))
    await world.clock.advance(MINUTES)
    assert concluded("it", await vaults.operation(protection, validation.operation, "it")).code == ""


async def test_a_role_that_doesnt_act_yet_shows_in_the_validation(
    world: World, resources: AzureResources, vaults: BackupVaults, backups: ClusterBackups, protection: Protection
) -> None:
    world.roles.lag = timedelta(minutes=20).total_seconds()
    await ready(world, resources, vaults, protection)
    validation = await backups.start_validation(protection)
    await world.clock.advance(MINUTES)
    finding = concluded("it", await vaults.operation(protection, validation.operation, "it"))
    assert finding.code == "KubernetesBackupListExtensionsError"
    assert "lacks the role" in finding.message


async def test_an_operation_that_nobody_knows_is_worth_another_try(
    world: World, vaults: BackupVaults, protection: Protection
) -> None:
    await with_vault(world, vaults, protection)
    with pytest.raises(TemporaryError):
        await vaults.operation(protection, "unknown==", "it")


async def test_an_instance_ends_up_protected(
    world: World, resources: AzureResources, vaults: BackupVaults, backups: ClusterBackups, protection: Protection
) -> None:
    await ready(world, resources, vaults, protection)
    await world.clock.advance(MINUTES)
    operation = await backups.put_instance(protection)
    assert await backups.instance(protection) is None, "it isn't there before its operation has ended"
    under_way = await backups.instance_operation(protection, operation)
    assert under_way
    assert under_way.state == "Inprogress"
    await world.clock.advance(timedelta(seconds=15))
    with pytest.raises(NotConverged, match="ConfiguringProtection"):
        require_protected(protection, await backups.instance(protection))
    await world.clock.advance(MINUTES)
    ended = await backups.instance_operation(protection, operation)
    assert ended
    assert concluded("it", ended).code == ""
    assert await backups.instance_operation(protection, "unknown==") is None
    instance = require_protected(protection, await backups.instance(protection))
    assert (instance.id, instance.policy) == (protection.instance_id, protection.policy_id)
    assert await backups.holders(protection) == [instance]
    held = world.arm.resources[protection.instance_id.lower()]["properties"]
    assert held["dataSourceInfo"]["resourceID"] == protection.cluster_id


@pytest.mark.parametrize("status", [200, 201, 202])
async def test_a_put_is_taken_in_every_form_that_was_recorded(
    world: World, backups: ClusterBackups, protection: Protection, status: int
) -> None:
    path = f"{world.wire.url}{protection.backup_vault_id}/operationStatus/MzIz=="
    asynchronous = {"Azure-AsyncOperation": f"{path}?api-version=2025-07-01&t=1&s=x"}
    location = {"Location": f"{world.wire.url}{protection.instance_id}/operationResults/MzIz=="}
    headers = {200: {}, 201: asynchronous, 202: asynchronous | location}[status]
    held = world.backup_vaults.protect("aks-new", vault="bv-old")
    world.arm.remove(held["id"])
    state = "ConfiguringProtection"
    held["properties"].update(currentProtectionState=state, protectionStatus={"status": state})
    body = None if status == 202 else held
    world.wire.inject(
        InjectedFault("PUT .*/backupInstances/", "answer", reply=Reply(status=status, body=body, headers=headers))
    )
    assert await backups.put_instance(protection) == ("" if status == 200 else "MzIz==")


async def test_an_instance_that_is_being_updated_shows_its_former_policy(
    world: World, backups: ClusterBackups, protection: Protection
) -> None:
    held = world.backup_vaults.protect("aks-new", vault="bv-old")
    held["properties"].update(currentProtectionState="UpdatingProtection", provisioningState="Updating")
    (found,) = await backups.holders(protection)
    assert found.changing
    assert found.policy.endswith("/aks-daily")


async def test_a_protection_that_somebody_stopped_is_told(
    world: World, resources: AzureResources, vaults: BackupVaults, backups: ClusterBackups, protection: Protection
) -> None:
    await ready(world, resources, vaults, protection)
    await world.clock.advance(MINUTES)
    await backups.put_instance(protection)
    await world.clock.advance(MINUTES)
    held = world.arm.resources[protection.instance_id.lower()]["properties"]
    held.update(currentProtectionState="ProtectionStopped", protectionStatus={"status": "ProtectionStopped"})
    with pytest.raises(PermanentError, match="ProtectionStopped"):
        require_protected(protection, await backups.instance(protection))


async def test_a_cluster_that_another_vault_holds_is_seen(
    world: World, backups: ClusterBackups, protection: Protection
) -> None:
    world.backup_vaults.protect("aks-new", vault="bv-old")
    holders = await backups.holders(protection)
    with pytest.raises(PermanentError, match=r"ProtectedElsewhere.*bv-old"):
        require_unclaimed(protection, holders)
