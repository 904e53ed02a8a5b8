"""What holds for the vaults of both services, asked of the simulated Azure by the real SDK clients."""

from datetime import timedelta

import msgspec
import pytest

from local.cloud.clock import Clock
from local.cloud.world import World
from shared.adapters.backup.backup_vaults import BackupVaults
from shared.adapters.backup.recovery_services_vaults import RecoveryServicesVaults
from shared.adapters.backup.vaults import Vaults, word
from shared.domain.errors import NotConverged
from shared.domain.operations import concluded
from shared.domain.vaults.protection import Protection
from shared.domain.vaults.source import VaultService
from shared.domain.vaults.strength import SOFT_DELETE, weaknesses
from tests.worlds import sdk
from tests.worlds.accounts import with_vault
from tests.worlds.settings import settings

MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("kind", "other"), [(BackupVaults, RecoveryServicesVaults), (RecoveryServicesVaults, BackupVaults)]
)
async def test_a_vault_has_no_guard_until_it_is_tied_to_one(
    world: World, protection: Protection, kind: type[Vaults], other: type[Vaults]
) -> None:
    guard = world.resource_guards.add("guard-contoso")["id"]
    guarded = msgspec.structs.replace(protection, terms=msgspec.structs.replace(protection.terms, guard=guard))
    options = sdk.aio(world, world.entra.add("provisioner"))
    vaults, others = kind(settings(world), **options), other(settings(world), **options)
    world.resource_groups.add("rg-backup")
    for each in (vaults, others):
        await each.create_vault(guarded, guarded.terms.redundancy)
    await world.clock.advance(MINUTE)
    assert await guard_of(vaults, guarded) == ""
    for _ in range(2):
        await vaults.attach_guard(guarded)
    assert (await guard_of(vaults, guarded)).lower() == guard.lower()
    assert await guard_of(others, guarded) == "", "each vault is tied by itself"


async def guard_of(vaults: Vaults, protection: Protection) -> str:
    found = await vaults.vault(protection)
    assert found
    return found.guard


@pytest.mark.parametrize(
    ("told", "meant"), [("OFF", "Off"), ("alwaysON", "AlwaysOn"), ("On", "On"), ("Paused", "Paused"), ("", "")]
)
def test_a_state_in_another_casing_is_the_same_state(told: str, meant: str) -> None:
    assert word(SOFT_DELETE, told) == meant


async def test_soft_delete_that_is_off_in_capitals_is_a_weakness_by_its_name(
    world: World, protection: Protection
) -> None:
    vaults = BackupVaults(settings(world), **sdk.aio(world, world.entra.add("provisioner")))
    await with_vault(world, vaults, protection)
    held = world.arm.resources[protection.backup_vault_id.lower()]
    held["properties"]["securitySettings"]["softDeleteSettings"]["state"] = "OFF"
    found = await vaults.vault(protection)
    assert found
    assert "soft delete is Off, not On" in weaknesses(protection.requirements(VaultService.BACKUP), found)


@pytest.mark.parametrize("kind", [BackupVaults, RecoveryServicesVaults])
async def test_a_vault_may_be_deleted_at_once(clock: Clock, protection: Protection, kind: type[Vaults]) -> None:
    world = World(clock)  # one that isn't held against the specification, which knows no 200 of both kinds
    await world.start()
    vaults = kind(settings(world), **sdk.aio(world, world.entra.add("provisioner")))
    world.resource_groups.add(protection.group)
    await vaults.create_vault(protection, "GeoRedundant")
    await world.clock.advance(MINUTE)
    world.backup_vaults.delete_seconds = world.recovery_vaults.delete_seconds = 0.0
    await vaults.delete_vault(protection)
    assert [e.status for e in world.wire.exchanges if e.method == "DELETE"] == [200]
    assert await vaults.vault(protection) is None
    await sdk.close(world)
    await world.stop()


@pytest.mark.parametrize("kind", [BackupVaults, RecoveryServicesVaults])
async def test_the_creation_of_a_vault_is_followed_by_its_operation(
    world: World, protection: Protection, kind: type[Vaults]
) -> None:
    vaults = kind(settings(world), **sdk.aio(world, world.entra.add("provisioner")))
    world.resource_groups.add("rg-backup")
    operation = await vaults.create_vault(protection, "GeoRedundant")
    begun = await vaults.creation(protection, operation)
    assert begun
    with pytest.raises(NotConverged, match="UnderWay"):
        concluded("it", begun)
    await world.clock.advance(MINUTE)
    ended = await vaults.creation(protection, operation)
    assert ended
    assert concluded("it", ended).code == ""
    assert await vaults.creation(protection, "unknown==") is None
