"""Backup vaults, asked of the simulated Azure by the real SDK client."""

import pytest

from local.cloud.wire import InjectedFault, Reply
from local.cloud.world import World
from shared.adapters.backup.backup_vaults import BackupVaults
from shared.domain.errors import PermanentError, TemporaryError
from shared.domain.vaults.protection import Protection
from shared.domain.vaults.source import VaultService
from shared.domain.vaults.strength import at_least, require_strong, weaknesses
from tests.worlds import sdk
from tests.worlds.accounts import with_vault
from tests.worlds.settings import settings


@pytest.fixture
async def vaults(world: World) -> BackupVaults:
    return BackupVaults(settings(world), **sdk.aio(world, world.entra.add("provisioner")))


async def test_nothing_is_found_where_nothing_is(vaults: BackupVaults, protection: Protection) -> None:
    assert await vaults.vault(protection) is None


async def test_a_group_that_isn_t_there_has_no_vaults_and_an_unseen_subscription_is_not_known_to_have_none(
    world: World, vaults: BackupVaults, protection: Protection
) -> None:
    assert await vaults.tagged(protection.subscription, "rg-absent") == []
    assert world.wire.exchanges[-1].body["error"]["code"] == "ResourceGroupNotFound"
    unseen = {"error": {"code": "SubscriptionNotFound", "message": "The subscription could not be found."}}
    world.wire.inject(InjectedFault("GET .*/backupVaults$", "answer", reply=Reply(status=404, body=unseen)))
    with pytest.raises(TemporaryError, match="could not be found") as unknown:
        await vaults.tagged(protection.subscription, "rg-absent")
    assert unknown.value.reason == "SubscriptionNotFound"


async def test_a_new_vault_is_as_strong_as_wanted(world: World, vaults: BackupVaults, protection: Protection) -> None:
    vault = await with_vault(world, vaults, protection)
    assert require_strong(protection.requirements(VaultService.BACKUP), vault) is vault
    assert weaknesses(protection.requirements(VaultService.BACKUP), vault) == []
    assert (vault.soft_delete, vault.immutability, vault.redundancy) == ("On", "Unlocked", "GeoRedundant")
    features = world.arm.resources[protection.backup_vault_id.lower()]["properties"]["featureSettings"]
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
    held = world.arm.resources[protection.backup_vault_id.lower()]["properties"]["securitySettings"]
    held["softDeleteSettings"] = {"state": "Off", "retentionDurationInDays": 30.0}
    weak = await vaults.vault(protection)
    assert weak is not None
    await vaults.harden_vault(protection, at_least(protection.requirements(VaultService.BACKUP), weak))
    vault = await vaults.vault(protection)
    assert vault is not None
    assert (vault.soft_delete, vault.soft_delete_days) == ("On", 30)


async def test_the_policy_backs_up_daily_and_keeps_a_week(
    world: World, vaults: BackupVaults, protection: Protection
) -> None:
    await with_vault(world, vaults, protection)
    backup, kept = world.arm.resources[protection.policy_id.lower()]["properties"]["policyRules"]
    assert backup["trigger"]["schedule"]["repeatingTimeIntervals"] == ["R/2024-01-01T02:00:00+00:00/P1D"]
    assert kept["lifecycles"][0]["deleteAfter"]["duration"] == "P7D"
