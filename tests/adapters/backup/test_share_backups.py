"""Shares on their way into a Recovery Services vault, asked of the simulated Azure by the real SDK clients."""

from datetime import timedelta

import pytest

from local.cloud.arm import Resource
from local.cloud.world import World
from shared.adapters.backup.recovery_services_vaults import RecoveryServicesVaults
from shared.adapters.backup.share_backups import ShareBackups
from shared.domain.errors import NotConverged
from shared.domain.operations import FoundOperation
from shared.domain.vaults.consents import CONSENT_TAG
from shared.domain.vaults.protection import Protection, SourceOperation
from shared.domain.vaults.shares import FILE_BACKUP_CONTRIBUTOR, FILE_RESTORE_CONTRIBUTOR, FileShare
from shared.domain.vaults.source import SourceOwner
from tests.worlds import sdk
from tests.worlds.consents import agree
from tests.worlds.settings import settings

MINUTE = timedelta(minutes=1)
ACCOUNT = "stshop"


@pytest.fixture
async def vaults(world: World, protection: Protection) -> RecoveryServicesVaults:
    vaults = RecoveryServicesVaults(settings(world), **sdk.aio(world, world.entra.add("provisioner")))
    world.resource_groups.add("rg-backup")
    await vaults.create_vault(protection, protection.terms.redundancy)
    await world.clock.advance(MINUTE)
    return vaults


@pytest.fixture
async def backups(world: World, vaults: RecoveryServicesVaults, protection: Protection) -> ShareBackups:
    """With the vault and its policy; the account has two shares."""
    backups = ShareBackups(settings(world), **sdk.aio(world, world.entra.add("provisioner")))
    for share in ("carts", "images"):
        world.file_shares.create(ACCOUNT, share)
    policy = share_of(world).policy(protection.terms)
    await vaults.ensure_policy(protection, policy, backups.policy(protection.terms))
    return backups


def share_of(world: World, name: str = "carts") -> FileShare:
    return FileShare(source_id=world.file_shares.account(ACCOUNT)["id"], name=name)


def granted(world: World, protection: Protection) -> None:
    vault: Resource | None = world.arm.find(protection.recovery_services_vault_id)
    assert vault
    for role in (FILE_BACKUP_CONTRIBUTOR, FILE_RESTORE_CONTRIBUTOR):
        world.roles.grant(vault["identity"]["principalId"], role, world.file_shares.account(ACCOUNT)["id"])


async def ended(world: World, backups: ShareBackups, protection: Protection, operation: str) -> FoundOperation:
    asked = SourceOperation(protection=protection, source=share_of(world), operation=operation)
    assert (await backups.operation(asked)).state == "InProgress"
    await world.clock.advance(2 * MINUTE)
    return await backups.operation(asked)


async def registered(world: World, backups: ShareBackups, protection: Protection) -> None:
    granted(world, protection)
    found = await ended(world, backups, protection, await backups.register(protection, share_of(world)))
    assert found.state == "Succeeded"
    await ended(world, backups, protection, await backups.inquire(protection, share_of(world)))


async def test_an_account_whose_role_does_not_act_yet_is_refused_by_the_operation(
    world: World, backups: ShareBackups, protection: Protection
) -> None:
    found = await ended(world, backups, protection, await backups.register(protection, share_of(world)))
    assert (found.state, bool(found.code), bool(found.message)) == ("Failed", True, True)
    assert not await backups.registered(protection, share_of(world))


async def test_a_share_that_no_inquiry_has_found_is_not_protected_yet(
    world: World, backups: ShareBackups, protection: Protection
) -> None:
    await registered(world, backups, protection)
    assert await backups.registered(protection, share_of(world))
    with pytest.raises(NotConverged, match="ShareNotFound"):
        await backups.protect(protection, share_of(world, "nowhere"), None)


async def test_a_share_is_protected_read_and_given_up_softly(
    world: World, backups: ShareBackups, vaults: RecoveryServicesVaults, protection: Protection
) -> None:
    await registered(world, backups, protection)
    share = share_of(world)
    operation = await backups.protect(protection, share, None)
    await world.clock.advance(MINUTE)
    assert (await vaults.operation(protection, operation, "it")).state == "Succeeded"
    (item,) = await vaults.items(protection)
    assert share.protected_by(item)
    assert item.policy.lower() == protection.source_policy_id(share).lower()
    await vaults.delete_item(protection, item)
    await world.clock.advance(MINUTE)
    (kept,) = await vaults.items(protection)
    assert kept.deleted
    assert kept.until
    assert kept.until > world.clock.now()


async def test_what_is_known_of_a_share_says_whether_it_is_there_and_which_vault_holds_its_account(
    world: World, backups: ShareBackups, protection: Protection
) -> None:
    agree(world.file_shares.account(ACCOUNT), cluster="rg/aks")
    owner = SourceOwner(region=protection.location, tags={CONSENT_TAG: "rg/aks"})
    assert await backups.owner(share_of(world)) == owner
    gone = FileShare(source_id=f"{share_of(world).source_id}gone", name="carts")
    assert await backups.owner(gone) is None
    assert await backups.holder(protection, share_of(world)) == ""
    assert await backups.holder(protection, share_of(world, "nowhere")) is None
    await registered(world, backups, protection)
    holder = await backups.holder(protection, share_of(world, "images")) or ""
    assert holder.lower() == protection.recovery_services_vault_id.lower()


async def test_a_vault_is_deleted_once_its_accounts_are_unregistered(
    world: World, backups: ShareBackups, vaults: RecoveryServicesVaults, protection: Protection
) -> None:
    await registered(world, backups, protection)
    (name,) = await vaults.accounts(protection)
    await vaults.unregister(protection, name)
    await world.clock.advance(MINUTE)
    assert not await vaults.accounts(protection)
    assert not await backups.registered(protection, share_of(world))
    await vaults.delete_vault(protection)
    await world.clock.advance(MINUTE)
    assert await vaults.vault(protection) is None
