"""Resource Guards of both kinds of vault, asked of the simulated Azure by the real SDK clients."""

from collections.abc import AsyncIterator
from datetime import timedelta

import msgspec
import pytest

from local.cloud.world import World
from shared.adapters.backup.guards import Guards
from shared.adapters.backup.recovery_vaults import RecoveryVaults
from shared.adapters.backup.vaults import BackupVaults
from shared.domain.vaults.protection import Protection
from tests.worlds import sdk
from tests.worlds.settings import settings

MINUTE = timedelta(minutes=1)


@pytest.fixture
async def guards(world: World, protection: Protection) -> AsyncIterator[Guards]:
    """With both vaults of the cluster."""
    options = sdk.aio(world, world.entra.add("provisioner"))
    guards, vaults = Guards(settings(world), **options), BackupVaults(settings(world), **options)
    recovery = RecoveryVaults(settings(world), **options)
    world.resource_groups.add("rg-backup")
    await vaults.create_vault(protection, protection.terms.redundancy)
    await recovery.create_vault(protection, protection.terms.redundancy)
    await world.clock.advance(MINUTE)
    yield guards
    for adapter in (guards, vaults, recovery):
        await adapter.close()


@pytest.mark.parametrize("recovery", [True, False])
async def test_a_vault_has_no_guard_until_it_is_tied_to_one(
    world: World, guards: Guards, protection: Protection, *, recovery: bool
) -> None:
    guard = world.resource_guards.add("guard-contoso")["id"]
    terms = msgspec.structs.replace(protection.terms, guard=guard)
    guarded = msgspec.structs.replace(protection, terms=terms)
    assert await guards.guard(guarded, recovery=recovery) == ""
    for _ in range(2):
        await guards.tie(guarded, recovery=recovery)
    assert (await guards.guard(guarded, recovery=recovery)).lower() == guard.lower()
    assert await guards.guard(guarded, recovery=not recovery) == "", "each vault is tied by itself"
