"""Recovery Services vaults and their policies, asked of the simulated Azure by the real SDK clients."""

from datetime import timedelta

import msgspec
import pytest

from local.cloud.wire import InjectedFault, Reply
from local.cloud.world import World
from shared.adapters.backup.machine_backups import MachineBackups
from shared.adapters.backup.recovery_services_vaults import RecoveryServicesVaults
from shared.adapters.backup.share_backups import ShareBackups
from shared.domain.errors import TemporaryError
from shared.domain.vaults.findings import FoundVault
from shared.domain.vaults.protection import Protection
from shared.domain.vaults.strength import at_least
from tests.worlds import sdk
from tests.worlds.settings import settings

MINUTE = timedelta(minutes=1)


@pytest.fixture
async def vaults(world: World) -> RecoveryServicesVaults:
    vaults = RecoveryServicesVaults(settings(world), **sdk.aio(world, world.entra.add("provisioner")))
    world.resource_groups.add("rg-backup")
    return vaults


async def made(world: World, vaults: RecoveryServicesVaults, protection: Protection) -> FoundVault:
    await vaults.create_vault(protection, protection.terms.redundancy)
    await world.clock.advance(MINUTE)
    vault = await vaults.vault(protection)
    assert vault
    return vault


async def test_nothing_is_found_where_nothing_is(vaults: RecoveryServicesVaults, protection: Protection) -> None:
    assert await vaults.vault(protection) is None


async def test_a_new_vault_is_as_hard_as_wanted_in_the_words_of_backup_vaults(
    world: World, vaults: RecoveryServicesVaults, protection: Protection
) -> None:
    vault, terms = await made(world, vaults, protection), protection.terms
    assert (vault.soft_delete, vault.soft_delete_days) == (terms.soft_delete, terms.soft_delete_days)
    assert (vault.immutability, vault.redundancy) == (
        protection.requirements(vaults.service).immutability,
        terms.redundancy,
    )
    assert (vault.state, vault.public, bool(vault.principal)) == ("Succeeded", True, True)


async def test_a_vault_is_hardened_in_place(
    world: World, vaults: RecoveryServicesVaults, protection: Protection
) -> None:
    vault = await made(world, vaults, protection)
    better = msgspec.structs.replace(vault, soft_delete="AlwaysOn", soft_delete_days=30, public=False)
    await vaults.harden_vault(protection, better)
    await world.clock.advance(MINUTE)
    assert await vaults.vault(protection) == better


async def test_a_new_vault_is_locked_by_a_change_of_its_own(
    world: World, vaults: RecoveryServicesVaults, protection: Protection
) -> None:
    terms = msgspec.structs.replace(protection.terms, lock=(protection.recovery_services_vault,))
    locked = msgspec.structs.replace(protection, terms=terms)
    vault = await made(world, vaults, locked)
    assert vault.immutability == "Unlocked"
    await vaults.harden_vault(locked, at_least(locked.requirements(vaults.service), vault))
    await world.clock.advance(MINUTE)
    assert (await vaults.vault(locked)) == msgspec.structs.replace(vault, immutability="Locked")


async def test_backups_that_are_immutable_for_a_time_stay_so(
    world: World, vaults: RecoveryServicesVaults, protection: Protection
) -> None:
    await made(world, vaults, protection)
    held = world.arm.resources[protection.recovery_services_vault_id.lower()]["properties"]["securitySettings"]
    time_based = {"state": "Unlocked", "configuration": {"type": "TimeBased", "durationInDays": 90}}
    held["immutabilitySettings"] = dict(time_based)
    held["softDeleteSettings"] = {"softDeleteState": "Disabled", "softDeleteRetentionPeriodInDays": 14}
    weak = await vaults.vault(protection)
    assert weak
    await vaults.harden_vault(protection, at_least(protection.requirements(vaults.service), weak))
    await world.clock.advance(MINUTE)
    hardened = await vaults.vault(protection)
    assert hardened
    assert (hardened.soft_delete, hardened.immutable_days) == ("On", 90)
    assert held["immutabilitySettings"] == time_based


@pytest.mark.parametrize("kind", [ShareBackups, MachineBackups])
async def test_a_policy_is_there_once_it_is_made(
    world: World, vaults: RecoveryServicesVaults, protection: Protection, kind: type[ShareBackups | MachineBackups]
) -> None:
    await made(world, vaults, protection)
    backups = kind(settings(world), **sdk.aio(world, world.entra.add("provisioner")))
    for _ in ("made", "found"):
        found = await vaults.ensure_policy(protection, "daily", backups.policy(protection.terms))
        assert found.state == "Succeeded"
        world.wire.inject(InjectedFault(on="PUT", kind="answer", reply=Reply(status=500)))


async def test_an_empty_vault_is_deleted(world: World, vaults: RecoveryServicesVaults, protection: Protection) -> None:
    await made(world, vaults, protection)
    await vaults.delete_vault(protection)
    await world.clock.advance(MINUTE)
    assert await vaults.vault(protection) is None


async def test_a_throttled_read_says_when_to_come_back(
    world: World, vaults: RecoveryServicesVaults, protection: Protection
) -> None:
    world.wire.inject(InjectedFault(on="GET", kind="answer", reply=Reply(status=429, headers={"Retry-After": "17"})))
    with pytest.raises(TemporaryError, match="reading Recovery Services vault rsv-aks-new") as caught:
        await vaults.vault(protection)
    assert caught.value.retry_after == 17
