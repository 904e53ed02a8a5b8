"""What a cluster keeps outside itself and names by tag, for a Recovery Services vault: shares of Azure Files.

    meshward:files = [<resource group>/]<storage account>/<share>, …      without a group: the cluster's node group

Rules:
- A tag's value has 256 characters (Azure Resource Manager docs): `meshward:files-2`, `meshward:files-3`, … go on with
  the list. What isn't of this form refuses the whole tag.
- A storage account belongs to one vault, and lies in the vault's region.
- A share that is protected by nobody is taken; one that was stopped or deleted from backup, by whomever, isn't taken up
  again. What is no longer named stays protected.
- An item says IRPending long after its first backup: protected is what isn't stopped.
- Azure Files keeps up to 200 snapshots of a share, so no policy may want more (Azure Files docs).
"""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta

import msgspec

from shared.domain.cluster import Cluster
from shared.domain.errors import PermanentError
from shared.domain.vault_policy import ProtectPolicy

FILES_TAG = "meshward:files"
SNAPSHOTS = 200
_NAMED = re.compile(r"(?:(?P<group>[^/,]{1,90})/)?(?P<account>[a-z0-9]{3,24})/(?P<share>[a-z0-9](?:-?[a-z0-9]){2,62})")


class Share(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """A share of Azure Files: the resource id of its storage account, and its name."""

    account_id: str
    name: str

    @property
    def account(self) -> str:
        return self.account_id.rpartition("/")[2]

    @property
    def label(self) -> str:
        return f"{self.account}/{self.name}"


class FoundItem(msgspec.Struct, frozen=True, kw_only=True):
    """What a Recovery Services vault protects: `source_id` is the account's, `policy` and `id` are resource ids.

    `state` is Azure Backup's protection state; `deleted` says that it is only kept until it can't be brought back, at
    `until` in UTC, None if the service doesn't say.
    """

    id: str
    source_id: str
    name: str
    state: str
    policy: str
    deleted: bool
    until: datetime | None = None

    def of(self, share: Share) -> bool:
        """Whether this is the share."""
        return self.source_id.lower() == share.account_id.lower() and self.name == share.name


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """A share that the vault doesn't protect: whether it is there, in which region, and the vault (resource id, empty:
    none) that its account is registered with.
    """

    share: Share
    exists: bool
    region: str = ""
    vault: str = ""


def shares_of(cluster: Cluster) -> tuple[Share, ...]:
    """The shares that the cluster's tags name, in order; raises PermanentError "BadTag" for what names none."""
    named = (each.strip() for value in _values(cluster) for each in value.split(","))
    return tuple(sorted({_share(cluster, each) for each in named if each}))


def _values(cluster: Cluster) -> Iterator[str]:
    for name, value in cluster.tags.items():
        if re.fullmatch(rf"{FILES_TAG}(-[0-9]+)?", name.lower()):
            yield value


def _share(cluster: Cluster, named: str) -> Share:
    found = _NAMED.fullmatch(named)
    group = (found and found["group"]) or cluster.node_resource_group
    if found is None or not group:
        raise PermanentError(
            "BadTag",
            f"tag {FILES_TAG} of cluster {cluster.name} names {named!r}; "
            "it lists shares as [<resource group>/]<storage account>/<share>, separated by commas",
        )
    at = f"/subscriptions/{cluster.subscription_id}/resourceGroups/{group}/providers/Microsoft.Storage"
    return Share(account_id=f"{at}/storageAccounts/{found['account']}", name=found["share"])


def share_policy(terms: ProtectPolicy) -> str:
    """The name of the backup policy for shares, which says what is in it."""
    return f"files-{terms.backup_policy}"


def refusal(item: FoundItem | None, found: Candidate | None, vault: str, region: str, terms: ProtectPolicy) -> str:
    """Why a share can't be taken into the vault (resource id) of this region, and what to do; empty if it can.

    `item` is the share in the vault, `found` the share outside of it.
    """
    if item is not None:
        return ended(item)
    if timedelta(days=1) / terms.backup_every * terms.keep.days > SNAPSHOTS:
        return f"its backups would need more than {SNAPSHOTS} snapshots; keep fewer, or back up less often"
    if found is None or not found.exists:
        return f"there is no such storage account or share; correct the tag {FILES_TAG}"
    if found.vault and found.vault.lower() != vault.lower():
        return f"its account is registered with {found.vault}; an account belongs to one vault: unregister it there"
    if found.region != region:
        return f"its account is in {found.region}, and the vault in {region}; a vault takes accounts of its own region"
    return ""


def ended(item: FoundItem) -> str:
    """How somebody has ended an item's protection, and what to do; empty if nobody has."""
    if item.deleted:
        return "its backup was deleted and is kept for some days; undelete it, or wait until it is gone"
    if item.state == "ProtectionStopped":
        return "its protection was stopped; resume it, or take the share off the tag"
    return ""
