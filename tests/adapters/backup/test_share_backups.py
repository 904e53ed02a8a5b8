"""Shares on their way into a Recovery Services vault, asked of the simulated Azure by the real SDK clients."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from local.cloud.arm import Resource
from local.cloud.world import World
from shared.adapters.backup.recovery_vaults import RecoveryVaults
from shared.adapters.backup.share_backups import ShareBackups
from shared.domain.vaults.findings import FoundOperation
from shared.domain.vaults.protection import FILE_BACKUP_CONTRIBUTOR, FILE_RESTORE_CONTRIBUTOR, Protection
from shared.domain.vaults.volume_plan import VolumeOperation
from shared.domain.vaults.volumes import DataSource
from tests.worlds import sdk
from tests.worlds.settings import settings

MINUTE = timedelta(minutes=1)
ACCOUNT = "stshop"


@pytest.fixture
async def backups(world: World, protection: Protection) -> AsyncIterator[ShareBackups]:
    """With the vault and its policy; the account has two shares."""
    options = sdk.aio(world, world.entra.add("provisioner"))
    backups, vaults = ShareBackups(settings(world), **options), RecoveryVaults(settings(world), **options)
    world.resource_groups.add("rg-backup")
    for share in ("carts", "images"):
        world.file_shares.create(ACCOUNT, share)
    await vaults.create_vault(protection, protection.terms.redundancy)
    await world.clock.advance(MINUTE)
    await vaults.create_policy(protection, "share")
    yield backups
    await vaults.close()
    await backups.close()


def share_of(world: World, name: str = "carts") -> DataSource:
    return DataSource(source_id=world.file_shares.account(ACCOUNT)["id"], name=name)


def granted(world: World, protection: Protection) -> None:
    vault: Resource | None = world.arm.find(protection.recovery_vault_id)
    assert vault
    for role in (FILE_BACKUP_CONTRIBUTOR, FILE_RESTORE_CONTRIBUTOR):
        world.roles.grant(vault["identity"]["principalId"], role, world.file_shares.account(ACCOUNT)["id"])


async def ended(world: World, backups: ShareBackups, protection: Protection, operation: str) -> FoundOperation:
    asked = VolumeOperation(protection=protection, source=share_of(world), operation=operation)
    assert (await backups.on_account(asked)).state == "InProgress"
    await world.clock.advance(2 * MINUTE)
    return await backups.on_account(asked)


async def registered(world: World, backups: ShareBackups, protection: Protection) -> None:
    granted(world, protection)
    found = await ended(world, backups, protection, await backups.register(protection, share_of(world)))
    assert found.state == "Succeeded"
    await ended(world, backups, protection, await backups.inquire(protection, share_of(world)))


async def test_an_account_whose_role_does_not_act_yet_is_refused_by_the_operation(
    world: World, backups: ShareBackups, protection: Protection
) -> None:
    found = await ended(world, backups, protection, await backups.register(protection, share_of(world)))
    assert (found.state, bool(found.code), bool(found.words)) == ("Failed", True, True)
    assert not await backups.registered(protection, share_of(world))


async def test_a_share_is_found_by_its_name_once_its_account_was_inquired(
    world: World, backups: ShareBackups, protection: Protection
) -> None:
    await registered(world, backups, protection)
    assert await backups.registered(protection, share_of(world))
    assert await backups.protectable(protection, share_of(world))
    assert await backups.protectable(protection, share_of(world, "nowhere")) == ""


async def test_a_share_is_protected_read_and_given_up_softly(
    world: World, backups: ShareBackups, protection: Protection
) -> None:
    await registered(world, backups, protection)
    share = share_of(world)
    operation = await backups.protect(protection, share, await backups.protectable(protection, share))
    await world.clock.advance(MINUTE)
    assert (
        await backups.on_item(VolumeOperation(protection=protection, source=share, operation=operation))
    ).state == "Succeeded"
    (item,) = await backups.items(protection)
    assert item.of(share)
    assert item.policy.lower() == protection.source_policy_id("share").lower()
    await backups.delete(protection, item)
    await world.clock.advance(MINUTE)
    (kept,) = await backups.items(protection)
    assert kept.deleted
    assert kept.until
    assert kept.until > world.clock.now()


async def test_what_is_known_of_a_share_says_whether_it_is_there_and_which_vault_holds_its_account(
    world: World, backups: ShareBackups, protection: Protection
) -> None:
    found = await backups.candidate(protection, share_of(world))
    assert (found.exists, found.region, found.vault) == (True, protection.location, "")
    assert not (await backups.candidate(protection, share_of(world, "nowhere"))).exists
    await registered(world, backups, protection)
    found = await backups.candidate(protection, share_of(world, "images"))
    assert found.vault.lower() == protection.recovery_vault_id.lower()


async def test_an_account_without_protected_shares_is_unregistered(
    world: World, backups: ShareBackups, protection: Protection
) -> None:
    await registered(world, backups, protection)
    (container,) = await backups.accounts(protection)
    await backups.unregister(protection, container)
    await world.clock.advance(MINUTE)
    assert await backups.accounts(protection) == []
