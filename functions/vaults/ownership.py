"""Whether what is there under the names of a protection is the cluster's: the store says so before anything is made."""

from collections.abc import Mapping
from secrets import token_hex
from typing import Any

from msgspec.structs import replace

from shared.domain.errors import NotConverged
from shared.domain.vaults.ownership import (
    OWNERSHIP,
    Ownership,
    require_own_group,
    require_own_names,
    require_own_vault,
)
from shared.domain.vaults.parts import VAULTS
from shared.domain.vaults.protection import Protection
from shared.wiring import services


async def owner_of_names(protection: Protection) -> Ownership | None:
    """Whose the names of the protection are; None if nobody has them yet. Raises PermanentError if another has."""
    found = await services().ledger.find(OWNERSHIP, OWNERSHIP.path(vault=protection.backup_vault))
    require_own_names(protection, found)
    return found


async def require_own(protection: Protection, parts: Mapping[str, Any]) -> None:
    """Raise PermanentError if the names, or the parts that are there, are another cluster's or anybody's."""
    owner = await owner_of_names(protection)
    there = [(parts[part], protection.vault_id(service)) for service, part in VAULTS.items() if parts.get(part)]
    for vault, id in there:
        require_own_vault(protection, vault, id, known=owner is not None)
    if owner is None and not there:
        group = await services().provisioner.azure_resources.group(protection, protection.snapshot_group)
        require_own_group(protection, group, "")


async def take_names(protection: Protection, *, made_before: bool) -> None:
    """Let the names be the cluster's: with a mark, unless an earlier version has made what is there."""
    if await owner_of_names(protection) is None:
        taken = Ownership(cluster=protection.cluster_id, mark="" if made_before else token_hex())
        path = OWNERSHIP.path(vault=protection.backup_vault)
        if not await services().ledger.create(path, OWNERSHIP.encoded(taken)):
            raise NotConverged("EntryChanged", f"another worker is writing whose {protection.backup_vault} is")


async def change_mark(protection: Protection) -> None:
    """Give the names a new mark once the vault is released: anybody could read that of the group that is gone."""
    path, ledger = OWNERSHIP.path(vault=protection.backup_vault), services().ledger
    found = await ledger.read(path)
    if found is None:
        return
    marked = replace(OWNERSHIP.decoded(path, found), mark=token_hex())
    if not await ledger.update(path, OWNERSHIP.encoded(marked), seen=found):
        raise NotConverged("EntryChanged", f"another worker is writing whose {protection.backup_vault} is")
