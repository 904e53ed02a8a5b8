"""Machines on their way into a Recovery Services vault, asked of the simulated Azure by the real SDK clients."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from local.cloud.world import World
from shared.adapters.backup.machine_backups import MachineBackups
from shared.adapters.backup.recovery_vaults import RecoveryVaults
from shared.adapters.backup.share_backups import ShareBackups
from shared.domain.vaults.protection import Protection
from shared.domain.vaults.volume_plan import VolumeOperation
from shared.domain.vaults.volumes import DataSource
from tests.worlds import sdk
from tests.worlds.settings import settings

MINUTE = timedelta(minutes=1)


@pytest.fixture
async def machine(world: World) -> DataSource:
    return DataSource(kind="machine", source_id=world.machines.add("vm-build")["id"], name="vm-build")


@pytest.fixture
async def backups(world: World) -> AsyncIterator[MachineBackups]:
    backups = MachineBackups(settings(world), **sdk.aio(world, world.entra.add("provisioner")))
    yield backups
    await backups.close()


async def test_what_is_known_of_a_machine_says_whether_it_is_there_and_which_vault_holds_it(
    world: World, backups: MachineBackups, protection: Protection, machine: DataSource
) -> None:
    found = await backups.candidate(protection, machine)
    assert (found.exists, found.region, found.vault) == (True, protection.location, "")
    gone = DataSource(kind="machine", source_id=f"{machine.source_id}-gone", name="vm-build-gone")
    assert not (await backups.candidate(protection, gone)).exists
    world.recovery_vaults.protect_machine("rsv-theirs", "vm-build")
    assert (await backups.candidate(protection, machine)).vault.endswith("/rsv-theirs")


async def test_a_machine_is_protected_by_the_wanted_policy(
    world: World, backups: MachineBackups, protection: Protection, machine: DataSource
) -> None:
    options = sdk.aio(world, world.entra.add("provisioner"))
    vaults, items = RecoveryVaults(settings(world), **options), ShareBackups(settings(world), **options)
    world.resource_groups.add("rg-backup")
    await vaults.create_vault(protection, protection.terms.redundancy)
    await world.clock.advance(MINUTE)
    await vaults.create_policy(protection, "machine")
    operation = await backups.protect(protection, machine)
    await world.clock.advance(MINUTE)
    assert (
        await items.on_item(VolumeOperation(protection=protection, source=machine, operation=operation))
    ).state == "Succeeded"
    (item,) = await items.items(protection)
    assert item.of(machine)
    assert item.policy.lower() == protection.source_policy_id("machine").lower()
    await vaults.close()
    await items.close()
