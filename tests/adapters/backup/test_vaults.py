"""What holds for the vaults of both services, asked of the simulated Azure by the real SDK clients."""

from datetime import timedelta

import msgspec
import pytest

from local.cloud.world import World
from shared.adapters.backup.backup_vaults import BackupVaults
from shared.adapters.backup.recovery_services_vaults import RecoveryServicesVaults
from shared.adapters.backup.vaults import Vaults
from shared.domain.vaults.protection import Protection
from tests.worlds import sdk
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
