"""Backup vaults, asked of the simulated Azure by the real SDK client."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from local.cloud.world import World
from shared.adapters.azure.resources import AzureResources
from shared.adapters.backup.vaults import BackupVaults
from shared.domain.errors import NotConverged, PermanentError, TemporaryError
from shared.domain.vaults.findings import (
    FoundVault,
    Validation,
    at_least,
    concluded,
    protected,
    strong,
    unclaimed,
    weaknesses,
)
from shared.domain.vaults.protection import Protection, grants
from tests.worlds import sdk
from tests.worlds.accounts import with_account
from tests.worlds.settings import settings

MINUTES = timedelta(minutes=5)


@pytest.fixture
async def vaults(world: World) -> AsyncIterator[BackupVaults]:
    vaults = BackupVaults(settings(world), **sdk.aio(world, world.entra.add("provisioner")))
    yield vaults
    await vaults.close()


async def with_vault(world: World, vaults: BackupVaults, protection: Protection) -> FoundVault:
    world.resource_groups.add(protection.group)
    await vaults.create_vault(protection, "GeoRedundant")
    await world.clock.advance(MINUTES)
    await vaults.create_policy(protection)
    found = await vaults.vault(protection)
    assert found is not None
    return found


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


async def test_nothing_is_found_where_nothing_is(vaults: BackupVaults, protection: Protection) -> None:
    assert await vaults.vault(protection) is None
    assert await vaults.policy(protection) is None
    assert await vaults.instance(protection) is None
    assert await vaults.holders(protection) == []


async def test_a_new_vault_is_as_strong_as_wanted(world: World, vaults: BackupVaults, protection: Protection) -> None:
    vault = await with_vault(world, vaults, protection)
    assert strong(protection.bar, vault) is vault
    assert weaknesses(protection.bar, vault) == []
    assert (vault.soft_delete, vault.immutability, vault.redundancy) == ("On", "Unlocked", "GeoRedundant")
    features = world.arm.resources[protection.vault_id.lower()]["properties"]["featureSettings"]
    assert features["crossRegionRestoreSettings"]["state"] == "Disabled"


async def test_a_region_without_geo_redundancy_is_refused_and_not_served_weaker(
    world: World, vaults: BackupVaults, protection: Protection
) -> None:
    world.resource_groups.add(protection.group)
    world.backup_vaults.unsupported_redundancy.add("GeoRedundant")
    with pytest.raises(PermanentError, match=r"StorageType.*GeoRedundant isn't supported"):
        await vaults.create_vault(protection, "GeoRedundant")
    assert await vaults.vault(protection) is None


async def test_a_vault_that_somebody_weakened_can_be_hardened_again(
    world: World, vaults: BackupVaults, protection: Protection
) -> None:
    await with_vault(world, vaults, protection)
    held = world.arm.resources[protection.vault_id.lower()]["properties"]["securitySettings"]
    held["softDeleteSettings"] = {"state": "Off", "retentionDurationInDays": 30.0}
    weak = await vaults.vault(protection)
    assert weak is not None
    await vaults.harden_vault(protection, at_least(protection.bar, weak))
    vault = await vaults.vault(protection)
    assert vault is not None
    assert (vault.soft_delete, vault.soft_delete_days) == ("On", 30)


async def test_the_policy_backs_up_daily_and_keeps_a_week(
    world: World, vaults: BackupVaults, protection: Protection
) -> None:
    await with_vault(world, vaults, protection)
    assert await vaults.policy(protection) is not None
    backup, kept = world.arm.resources[protection.policy_id.lower()]["properties"]["policyRules"]
    assert backup["trigger"]["schedule"]["repeatingTimeIntervals"] == ["R/2024-01-01T02:00:00+00:00/P1D"]
    assert kept["lifecycles"][0]["deleteAfter"]["duration"] == "P7D"


async def test_a_validation_is_followed_by_its_id_alone(
    world: World, resources: AzureResources, vaults: BackupVaults, protection: Protection
) -> None:
    await ready(world, resources, vaults, protection)
    await world.clock.advance(MINUTES)
    validation = await vaults.start_validation(protection)
    assert len(validation.operation) < 200
    with pytest.raises(NotConverged, match="UnderWay"):
        concluded("it", await vaults.operation(validation))
    await world.clock.advance(MINUTES)
    assert concluded("it", await vaults.operation(validation)).code == ""


async def test_a_role_that_doesnt_act_yet_shows_in_the_validation(
    world: World, resources: AzureResources, vaults: BackupVaults, protection: Protection
) -> None:
    world.roles.lag = timedelta(minutes=20).total_seconds()
    await ready(world, resources, vaults, protection)
    validation = await vaults.start_validation(protection)
    await world.clock.advance(MINUTES)
    finding = concluded("it", await vaults.operation(validation))
    assert finding.code == "KubernetesBackupListExtensionsError"
    assert "lacks the role" in finding.message


async def test_an_operation_that_nobody_knows_is_worth_another_try(
    world: World, vaults: BackupVaults, protection: Protection
) -> None:
    await with_vault(world, vaults, protection)
    with pytest.raises(TemporaryError):
        await vaults.operation(Validation(protection=protection, operation="unknown=="))


async def test_an_instance_ends_up_protected(
    world: World, resources: AzureResources, vaults: BackupVaults, protection: Protection
) -> None:
    await ready(world, resources, vaults, protection)
    await world.clock.advance(MINUTES)
    await vaults.put_instance(protection)
    with pytest.raises(NotConverged):
        protected(protection, await vaults.instance(protection))
    await world.clock.advance(MINUTES)
    instance = protected(protection, await vaults.instance(protection))
    assert (instance.id, instance.policy) == (protection.instance_id, protection.policy_id)
    assert await vaults.holders(protection) == [instance]
    held = world.arm.resources[protection.instance_id.lower()]["properties"]
    assert held["dataSourceInfo"]["resourceID"] == protection.cluster_id


async def test_a_protection_that_somebody_stopped_is_told(
    world: World, resources: AzureResources, vaults: BackupVaults, protection: Protection
) -> None:
    await ready(world, resources, vaults, protection)
    await world.clock.advance(MINUTES)
    await vaults.put_instance(protection)
    await world.clock.advance(MINUTES)
    held = world.arm.resources[protection.instance_id.lower()]["properties"]
    held.update(currentProtectionState="ProtectionStopped", protectionStatus={"status": "ProtectionStopped"})
    with pytest.raises(PermanentError, match="ProtectionStopped"):
        protected(protection, await vaults.instance(protection))


async def test_a_cluster_that_another_vault_holds_is_seen(
    world: World, vaults: BackupVaults, protection: Protection
) -> None:
    world.backup_vaults.protect("aks-new", vault="bv-old")
    holders = await vaults.holders(protection)
    with pytest.raises(PermanentError, match=r"ProtectedElsewhere.*bv-old"):
        unclaimed(protection, holders)
