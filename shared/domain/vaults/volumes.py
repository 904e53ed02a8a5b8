"""What a cluster names by tag for a Recovery Services vault: shares of Azure Files, and virtual machines.

    meshward:files    = [<resource group>/]<storage account>/<share>, …   without a group: the cluster's node group
    meshward:machines = [<resource group>/]<virtual machine>, …           without a group: the cluster's own

Rules:
- A tag's value has 256 characters (Azure Resource Manager docs): `meshward:files-2`, `meshward:files-3`, … go on with
  the list. What isn't of this form refuses the whole tag.
- A storage account belongs to one vault, and lies in the vault's region.
- A share that is protected by nobody is taken; one that was stopped or deleted from backup, by whomever, isn't taken up
  again. What is no longer named stays protected.
- An item says IRPending long after its first backup: protected is what isn't stopped.
- Azure Files keeps up to 200 snapshots of a share, and Azure Backup keeps a machine's backups for 7 days at least:
  terms that don't fit are refused (Azure docs).
"""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Literal

import msgspec

from shared.domain.cluster import Cluster
from shared.domain.errors import PermanentError, shown
from shared.domain.resource_id import ACCOUNT_NAME, GROUP_NAME, ResourceId, folded, group_scope, same
from shared.domain.vaults.policy import ProtectPolicy

FILES_TAG = "meshward:files"
MACHINES_TAG = "meshward:machines"
SNAPSHOTS = 200
MACHINE_KEPT = timedelta(days=7)
_GROUP = rf"(?:(?P<group>{GROUP_NAME})/)?"
_MACHINE = re.compile(rf"{_GROUP}(?P<machine>[A-Za-z0-9](?:[\w.-]{{0,62}}\w)?)", re.ASCII)
_SHARE = re.compile(rf"{_GROUP}(?P<account>{ACCOUNT_NAME})/(?P<share>[a-z0-9](?:-?[a-z0-9]){{2,62}})")


class DataSource(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """What is backed up: a share of Azure Files, by its storage account and its name, or a virtual machine.

    `source_id` is the resource id of the account or of the machine.
    """

    kind: Literal["share", "machine"] = "share"
    source_id: str
    name: str

    @property
    def account(self) -> str:
        """The account of a share."""
        return ResourceId(self.source_id).name

    @property
    def group(self) -> str:
        return ResourceId(self.source_id).group

    @property
    def label(self) -> str:
        return (
            f"{self.kind} {self.group}/{self.name}" if self.kind == "machine" else f"share {self.account}/{self.name}"
        )


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

    def of(self, source: DataSource) -> bool:
        """Whether this is the share or machine."""
        return same(self.source_id, source.source_id) and (source.kind == "machine" or self.name == source.name)


class SourceCandidate(msgspec.Struct, frozen=True, kw_only=True):
    """What the vault doesn't protect: whether it is there, in which region, and the vault that holds it or its account.

    `vault` is a resource id, empty where none does.
    """

    source: DataSource
    exists: bool
    region: str = ""
    vault: str = ""


def sources_of(cluster: Cluster) -> tuple[DataSource, ...]:
    """What the cluster's tags name, in order; raises PermanentError "BadTag" for what names nothing."""
    shares = [_share(cluster, named) for named in _named(cluster, FILES_TAG)]
    machines = [_machine(cluster, named) for named in _named(cluster, MACHINES_TAG)]
    once = {(folded(s.source_id), s.kind == "share" and s.name): s for s in sorted(shares + machines, reverse=True)}
    return tuple(sorted(once.values()))


def _named(cluster: Cluster, tag: str) -> Iterator[str]:
    for name, value in cluster.tags.items():
        if re.fullmatch(rf"{tag}(-[0-9]+)?", name.lower()):
            yield from filter(None, (each.strip() for each in value.split(",")))


def _share(cluster: Cluster, named: str) -> DataSource:
    found = _SHARE.fullmatch(named)
    group = (found and found["group"]) or cluster.node_resource_group
    if found is None or not group:
        form = "file shares as [<resource group>/]<storage account>/<share>"
        raise _bad_tag(FILES_TAG, cluster, named, form)
    id = group_scope(cluster.subscription_id, group).child("Microsoft.Storage/storageAccounts", found["account"])
    return DataSource(source_id=str(id), name=found["share"])


def _machine(cluster: Cluster, named: str) -> DataSource:
    found = _MACHINE.fullmatch(named)
    if found is None:
        raise _bad_tag(MACHINES_TAG, cluster, named, "virtual machines as [<resource group>/]<machine>")
    group = found["group"] or cluster.resource_group
    id = group_scope(cluster.subscription_id, group).child("Microsoft.Compute/virtualMachines", found["machine"])
    return DataSource(kind="machine", source_id=str(id), name=found["machine"])


def _bad_tag(tag: str, cluster: Cluster, named: str, form: str) -> PermanentError:
    why = f"tag {tag} of cluster {cluster.name} names {shown(named)!r}; it lists {form}, separated by commas"
    return PermanentError("BadTag", why)


def source_policy(kind: str, terms: ProtectPolicy) -> str:
    """The name of the backup policy for shares or machines, which says what is in it."""
    return f"{'files' if kind == 'share' else 'machines'}-{terms.backup_policy}"


def refusal(
    source: DataSource,
    item: FoundItem | None,
    found: SourceCandidate | None,
    vault: str,
    region: str,
    terms: ProtectPolicy,
) -> str:
    """Why it can't be taken into the vault (resource id) of this region, and what to do; empty if it can.

    `item` is it in the vault, `found` it outside of the vault.
    """
    if item is not None:
        return ended(item)
    if why := _unkept(source, terms):
        return why
    if found is None or not found.exists:
        return f"it doesn't exist; correct the tag {FILES_TAG if source.kind == 'share' else MACHINES_TAG}"
    if found.vault and not same(found.vault, vault):
        return f"{found.vault} holds it, or its storage account; Azure allows one vault only: unregister it there"
    if found.region != region:
        return f"it is in {found.region}, and the vault in {region}; a vault protects only its own region"
    return ""


def _unkept(source: DataSource, terms: ProtectPolicy) -> str:
    """Why the terms don't suit this kind of source."""
    if source.kind == "share" and timedelta(days=1) / terms.backup_every * terms.keep.days > SNAPSHOTS:
        return f"its backups would need more than {SNAPSHOTS} snapshots; keep fewer, or back up less often"
    if source.kind == "machine" and terms.keep < MACHINE_KEPT:
        return f"backups of virtual machines are kept for {MACHINE_KEPT.days} days at least; keep them longer"
    return ""


def ended(item: FoundItem) -> str:
    """How somebody has ended an item's protection, and what to do; empty if nobody has."""
    if item.deleted:
        return "its backup was deleted and is kept for some days; undelete it, or wait until it is gone"
    if item.state == "ProtectionStopped":
        return "its protection was stopped; resume it, or remove it from the tag"
    return ""
