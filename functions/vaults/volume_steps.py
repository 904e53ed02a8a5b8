"""The activities that protect the volumes which a cluster names. Each looks first and does at most one thing.

What takes time is asked for by one activity and followed by another, because how it ended only its operation tells.
"""

import msgspec

from functions.engine.activities import activity
from functions.vaults.steps import app, hardened, made
from shared.domain.errors import NotConverged
from shared.domain.resource_id import same
from shared.domain.vaults.findings import Found, FoundVault, OperationResult, concluded
from shared.domain.vaults.protection import Protection
from shared.domain.vaults.volume_plan import SeenVolumes, VolumeOperation
from shared.domain.vaults.volumes import DataSource, SourceCandidate
from shared.wiring import services


class SourceRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A share or machine of a protection."""

    protection: Protection
    source: DataSource


async def volumes_now(protection: Protection) -> SeenVolumes:
    """What is there of the volumes: two reads, and up to three for each volume that isn't protected."""
    if not protection.sources:
        return SeenVolumes()
    vault = await services().provisioner.recovery_vaults.vault(protection)
    items = await services().provisioner.share_backups.items(protection) if vault else []
    guard = (
        await services().provisioner.guards.guard(protection, recovery=True) if vault and protection.terms.guard else ""
    )
    seen = SeenVolumes(vault=vault, items=tuple(items), guard=guard)
    candidates = [await _candidate(protection, source) for source in protection.sources if seen.item(source) is None]
    return msgspec.structs.replace(seen, candidates=tuple(candidates))


async def _candidate(protection: Protection, source: DataSource) -> SourceCandidate:
    outer = services()
    backups = outer.provisioner.share_backups if source.kind == "share" else outer.provisioner.machine_backups
    return await backups.candidate(protection, source)


@activity(app)
async def ensure_recovery_vault(protection: Protection) -> FoundVault:
    """The Recovery Services vault, at least as strong as wanted."""
    vaults = services().provisioner.recovery_vaults
    found = await vaults.vault(protection)
    if found is None:
        await made(protection, protection.recovery_bar, vaults.create_vault)
    return await hardened(protection, protection.recovery_bar, found, vaults.harden_vault)


class SourcePolicy(msgspec.Struct, frozen=True, kw_only=True):
    """Shares or machines of a protection."""

    protection: Protection
    kind: str


@activity(app)
async def ensure_source_policy(kind: SourcePolicy) -> Found:
    """The vault's backup policy for shares or machines, written once."""
    vaults = services().provisioner.recovery_vaults
    return await vaults.policy(kind.protection, kind.kind) or await vaults.create_policy(kind.protection, kind.kind)


@activity(app)
async def start_registration(volume: SourceRequest) -> VolumeOperation:
    """Ask the vault to take in the share's account."""
    protection, share = volume.protection, volume.source
    there = await services().provisioner.share_backups.registered(protection, share)
    operation = "" if there else await services().provisioner.share_backups.register(protection, share)
    return VolumeOperation(protection=protection, source=share, operation=operation)


@activity(app)
async def finish_registration(asked: VolumeOperation) -> OperationResult:
    """How the registration ended; a role that doesn't act yet shows here."""
    return await _of_account(asked, f"the registration of storage account {asked.source.account}")


@activity(app)
async def start_inquiry(volume: SourceRequest) -> VolumeOperation:
    """Ask the vault to look which shares the account has: before, it knows none."""
    operation = await services().provisioner.share_backups.inquire(volume.protection, volume.source)
    return VolumeOperation(protection=volume.protection, source=volume.source, operation=operation)


@activity(app)
async def finish_inquiry(asked: VolumeOperation) -> OperationResult:
    """How the inquiry ended."""
    return await _of_account(asked, f"the inquiry after the shares of {asked.source.account}")


@activity(app)
async def start_protecting(volume: SourceRequest) -> VolumeOperation:
    """Ask the vault to protect the share or machine by the wanted policy."""
    protection, source, backups = volume.protection, volume.source, services().provisioner.share_backups
    item = next((item for item in await backups.items(protection) if item.of(source)), None)
    if item and same(item.policy, protection.source_policy_id(source.kind)):
        return VolumeOperation(protection=protection, source=source)
    if source.kind == "machine":
        sent = await services().provisioner.machine_backups.protect(protection, source)
        return VolumeOperation(protection=protection, source=source, operation=sent)
    id = item.id if item else await backups.protectable(protection, source)
    if not id:
        raise NotConverged("ShareNotFound", f"{protection.recovery_bar.what} hasn't found {source.label} yet")
    return VolumeOperation(
        protection=protection, source=source, operation=await backups.protect(protection, source, id)
    )


@activity(app)
async def finish_protecting(asked: VolumeOperation) -> OperationResult:
    """How the request for protection ended."""
    if not asked.operation:
        return OperationResult()
    found = await services().provisioner.share_backups.on_item(asked)
    return concluded(f"the protection of {asked.source.label}", found)


async def _of_account(asked: VolumeOperation, what: str) -> OperationResult:
    if not asked.operation:
        return OperationResult()
    return concluded(what, await services().provisioner.share_backups.on_account(asked))
