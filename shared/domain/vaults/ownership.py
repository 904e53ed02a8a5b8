"""Whose the names of a protection are: those of the vaults, of the snapshot group and of the identity end alike.

Rules:
- These names end with eight digits of a digest. Somebody who chooses a cluster's name can try until it has the same. So
  who comes first has them: a document of the store, written once and before anything is made, names the cluster.
  Nobody else takes anything over, or gets a role on it.
- The document has a mark that nobody can guess. The snapshot group, which anybody may have made beforehand who makes
  groups, bears it as a tag: only what was made after the document was written can have it. A release changes the mark.
- What earlier versions made has no document. It is the cluster's whose tag the Backup vault has, and has no mark.
"""

import msgspec

from shared.domain.documents import Document
from shared.domain.errors import PermanentError, shown
from shared.domain.resource_id import same
from shared.domain.vaults.findings import FoundGroup, FoundVault
from shared.domain.vaults.protection import CLUSTER_TAG, MARK_TAG, Protection


class Ownership(msgspec.Struct, frozen=True, kw_only=True):
    """Whose the names are that end as a Backup vault's."""

    cluster: str  # resource id
    mark: str = ""  # of the snapshot group; empty where an earlier version has made it


OWNERSHIP = Document(
    "vaults/{vault}.json", "For which cluster a vault and what is named like it are made, and their mark.", Ownership
)


def require_own_names(protection: Protection, owner: Ownership | None) -> None:
    """Raise PermanentError "VaultNotOurs" if the names of the protection are another cluster's."""
    if owner and not same(owner.cluster, protection.cluster_id):
        message = f"{protection.backup_vault} and what is named like it are for {owner.cluster}"
        raise PermanentError("VaultNotOurs", f"{message}: give this cluster another name")


def require_own_vault(protection: Protection, vault: FoundVault, id: str, *, known: bool) -> None:
    """Raise PermanentError "VaultNotOurs" if the tag of a vault (resource id) names another cluster, or none.

    Of one that is `known` by a document, the tag may be lost.
    """
    own = protection.tags[CLUSTER_TAG]
    if same(vault.cluster, own) or (known and not vault.cluster):
        return
    command = f"az tag update --operation merge --resource-id '{id}' --tags '{CLUSTER_TAG}={own}'"
    raise PermanentError(
        "VaultNotOurs",
        f"{shown(id)} is for cluster {shown(vault.cluster) or 'none that its tags name'}, so nothing is done there; if"
        f" it is for {protection.cluster}: {command}",
    )


def require_own_group(protection: Protection, found: FoundGroup | None, mark: str) -> None:
    """Raise PermanentError "GroupNotOurs" if the snapshot group was made by somebody else: it lacks the mark.

    Nobody is told the mark: who reads messages could make it theirs.
    """
    if found is None or (mark and found.mark == mark):
        return
    lost = f"; if its tag {MARK_TAG} was lost, {OWNERSHIP.path(vault=protection.backup_vault)} of the store has it"
    raise PermanentError(
        "GroupNotOurs",
        f"Meshward hasn't made resource group {protection.snapshot_group}, so no snapshot goes there: find out who did,"
        f" and delete it{lost if mark else ''}",
    )
