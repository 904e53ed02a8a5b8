"""Machines on their way into a Recovery Services vault, asked of the simulated Azure by the real SDK clients."""

from datetime import timedelta

import pytest

from local.cloud.world import World
from shared.adapters.backup.machine_backups import MachineBackups
from shared.adapters.backup.recovery_services_vaults import RecoveryServicesVaults
from shared.domain.vaults.machines import VirtualMachine
from shared.domain.vaults.protection import Protection
from shared.domain.vaults.source import SourceOwner
from tests.worlds import sdk
from tests.worlds.settings import settings

MINUTE = timedelta(minutes=1)


@pytest.fixture
async def machine(world: World) -> VirtualMachine:
    return VirtualMachine(source_id=world.machines.add("vm-build")["id"], name="vm-build")


@pytest.fixture
async def backups(world: World) -> MachineBackups:
    return MachineBackups(settings(world), **sdk.aio(world, world.entra.add("provisioner")))


async def test_what_is_known_of_a_machine_says_whether_it_is_there_and_which_vault_holds_it(
    world: World, backups: MachineBackups, protection: Protection, machine: VirtualMachine
) -> None:
    assert await backups.owner(machine) == SourceOwner(region=protection.location, tags={})
    assert await backups.holder(protection, machine) == ""
    gone = VirtualMachine(source_id=f"{machine.source_id}-gone", name="vm-build-gone")
    assert await backups.owner(gone) is None
    world.recovery_vaults.protect_machine("rsv-theirs", "vm-build")
    assert (await backups.holder(protection, machine) or "").endswith("/rsv-theirs")


async def test_a_machine_is_protected_by_its_policy(
    world: World, backups: MachineBackups, protection: Protection, machine: VirtualMachine
) -> None:
    vaults = RecoveryServicesVaults(settings(world), **sdk.aio(world, world.entra.add("provisioner")))
    world.resource_groups.add("rg-backup")
    await vaults.create_vault(protection, protection.terms.redundancy)
    await world.clock.advance(MINUTE)
    name = machine.policy(protection.terms)
    await vaults.ensure_policy(protection, name, backups.policy(protection.terms))
    operation = await backups.protect(protection, machine, None)
    await world.clock.advance(MINUTE)
    assert (await vaults.operation(protection, operation, "it")).state == "Succeeded"
    (item,) = await vaults.items(protection)
    assert machine.protected_by(item)
    assert item.policy.lower() == protection.source_policy_id(machine).lower()
