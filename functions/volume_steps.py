"""The activities that protect the volumes which a cluster names. Each looks first and does at most one thing.

What takes time is asked for by one activity and followed by another, because how it ended only its operation tells.
"""

import msgspec

from functions.durable import activity
from functions.vault_steps import app, hardened, made
from shared.domain.errors import NotConverged
from shared.domain.vault import Protection
from shared.domain.vault_findings import Finding, Found, FoundVault, concluded
from shared.domain.volume_plan import Asked, SeenVolumes
from shared.domain.volumes import Share
from shared.wiring import services


class Volume(msgspec.Struct, frozen=True, kw_only=True):
    """A share of a protection."""

    wanted: Protection
    share: Share


async def volumes_now(wanted: Protection) -> SeenVolumes:
    """What is there of the volumes: two reads, and three for each share that isn't protected."""
    if not wanted.shares:
        return SeenVolumes()
    vault = await services().recovery_vaults.vault(wanted)
    items = await services().share_backups.items(wanted) if vault else []
    guard = await services().guards.guard(wanted, recovery=True) if vault and wanted.terms.guard else ""
    seen = SeenVolumes(vault=vault, items=tuple(items), guard=guard)
    others = [share for share in wanted.shares if seen.item(share) is None]
    candidates = [await services().share_backups.candidate(wanted, share) for share in others]
    return msgspec.structs.replace(seen, candidates=tuple(candidates))


@activity(app)
async def ensure_recovery_vault(wanted: Protection) -> FoundVault:
    """The Recovery Services vault, at least as strong as wanted."""
    vaults = services().recovery_vaults
    found = await vaults.vault(wanted)
    if found is None:
        await made(wanted, wanted.recovery_bar, vaults.create_vault)
    return await hardened(wanted, wanted.recovery_bar, found, vaults.harden_vault)


@activity(app)
async def ensure_share_policy(wanted: Protection) -> Found:
    """The vault's backup policy for shares, written once."""
    vaults = services().recovery_vaults
    return await vaults.share_policy(wanted) or await vaults.create_share_policy(wanted)


@activity(app)
async def start_registration(volume: Volume) -> Asked:
    """Ask the vault to take in the share's account."""
    wanted, share = volume.wanted, volume.share
    there = await services().share_backups.registered(wanted, share)
    operation = "" if there else await services().share_backups.register(wanted, share)
    return Asked(wanted=wanted, share=share, operation=operation)


@activity(app)
async def finish_registration(asked: Asked) -> Finding:
    """How the registration ended; a role that doesn't act yet shows here."""
    return await _of_account(asked, f"the registration of storage account {asked.share.account}")


@activity(app)
async def start_inquiry(volume: Volume) -> Asked:
    """Ask the vault to look which shares the account has: before, it knows none."""
    operation = await services().share_backups.inquire(volume.wanted, volume.share)
    return Asked(wanted=volume.wanted, share=volume.share, operation=operation)


@activity(app)
async def finish_inquiry(asked: Asked) -> Finding:
    """How the inquiry ended."""
    return await _of_account(asked, f"the inquiry after the shares of {asked.share.account}")


@activity(app)
async def start_protecting(volume: Volume) -> Asked:
    """Ask the vault to protect the share by the wanted policy."""
    wanted, share, backups = volume.wanted, volume.share, services().share_backups
    item = next((item for item in await backups.items(wanted) if item.of(share)), None)
    if item and item.policy.lower() == wanted.share_policy_id.lower():
        return Asked(wanted=wanted, share=share)
    id = item.id if item else await backups.protectable(wanted, share)
    if not id:
        raise NotConverged("ShareNotFound", f"{wanted.recovery_bar.what} hasn't found share {share.label} yet")
    return Asked(wanted=wanted, share=share, operation=await backups.protect(wanted, share, id))


@activity(app)
async def finish_protecting(asked: Asked) -> Finding:
    """How the request for protection ended."""
    if not asked.operation:
        return Finding()
    found = await services().share_backups.on_item(asked)
    return concluded(f"the protection of share {asked.share.label}", found)


async def _of_account(asked: Asked, what: str) -> Finding:
    if not asked.operation:
        return Finding()
    return concluded(what, await services().share_backups.on_account(asked))
