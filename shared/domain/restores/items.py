"""Protected items, by kind: what differs between kinds is asked of the item, or done by its kind's adapters.

Rules:
- No code elsewhere asks which kind an item is of (`tests/test_kinds.py` holds that). CONTRIBUTING.md says what a
  new kind touches.
- Stored documents say the kind in their field `kind`: a tag never changes.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import ClassVar, Literal

import msgspec

from shared.domain.cluster import CLUSTERS
from shared.domain.errors import Unreadable
from shared.domain.resource_id import ResourceId, folded, same
from shared.domain.restores.filters import EVERYTHING, BackupFilter

_CONFIG_MAP = re.compile(r"ConfigMap (?P<namespace>[a-z0-9-]+)/[a-z0-9.-]+")

type ItemKind = Literal["cluster", "share", "machine"]

MANAGEMENT: dict[ItemKind, str] = {"share": "AzureStorage", "machine": "AzureIaasVM"}
"""What a Recovery Services vault calls the management of each kind that it protects."""


class RecoveryPoint(msgspec.Struct, frozen=True, kw_only=True):
    """A copy that can be restored, if it is complete and no threat was found in it."""

    id: str  # its name in the vault
    time: datetime  # UTC: when the backup was taken
    complete: bool  # whether a restore of all of the item can begin at once
    threat: bool = False  # whether Defender for Cloud found one
    unclear: str = ""  # Azure's word on threats where nobody knows what it means
    partial: bool = False  # whether Azure says that only a part of the item is in it
    vaulted: bool = False  # it is in the vault tier alone


class ProtectedItem(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind"):
    """What every kind of item has, and what holds of a kind unless its own struct says otherwise."""

    id: str  # resource id of the backup instance or protected item
    source_id: str  # resource id of the cluster, machine or storage account
    location: str = ""  # Azure region of a cluster or machine
    policy: str = ""  # resource id of the backup policy

    has_workloads: ClassVar[bool] = False  # a restored copy runs: its pods are waited for, and called
    tells_point: ClassVar[bool] = True  # a restore job tells which recovery point it restores

    @classmethod
    def kind_of_all(cls) -> ItemKind:
        kind: ItemKind = cls.__struct_config__.tag  # type: ignore[assignment]  # one of the tags below
        return kind

    @property
    def kind(self) -> ItemKind:
        return self.kind_of_all()

    @property
    def holds_all(self) -> bool:
        """Whether the backup wasn't told to leave out anything of what it covers."""
        return True

    def is_staged(self, point: RecoveryPoint) -> bool:
        """Whether a restore of the point passes through a staging account. Azure Backup can be asked about such a
        restore before it is sent.
        """
        return False

    def target(self, target_id: str, isolated: Mapping[str, str]) -> str:
        """What restore jobs call the isolated copy; empty where they don't name it."""
        return ""

    def canaries(self, listed: Iterable[str], names: Collection[str]) -> list[str]:
        """Those of the policy document's canaries that a copy of these namespaces, or of this share, holds."""
        return []

    def covers(self, entry: str, names: Collection[str]) -> bool:
        """Whether an entry of the item's manifest is due in a copy of these namespaces, or of this share."""
        return True


class ClusterItem(ProtectedItem, frozen=True, kw_only=True, tag="cluster"):
    """An AKS cluster, of which some namespaces are backed up; none included means all."""

    included: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    filter: BackupFilter = EVERYTHING  # what of the namespaces is backed up

    has_workloads: ClassVar[bool] = True

    @property
    def holds_all(self) -> bool:
        return self.filter.everything

    def is_staged(self, point: RecoveryPoint) -> bool:
        return point.vaulted

    def target(self, target_id: str, isolated: Mapping[str, str]) -> str:
        return target_id

    def canaries(self, listed: Iterable[str], names: Collection[str]) -> list[str]:
        configs = {canary: _CONFIG_MAP.fullmatch(canary) for canary in listed}
        return [canary for canary, config in configs.items() if config and config["namespace"] in names]

    def covers(self, entry: str, names: Collection[str]) -> bool:
        return entry.partition(" ")[2].partition("/")[0] in names


class ShareItem(ProtectedItem, frozen=True, kw_only=True, tag="share"):
    """A share of Azure Files."""

    share: str

    tells_point: ClassVar[bool] = False  # and needn't: nobody else can name the scratch share

    def target(self, target_id: str, isolated: Mapping[str, str]) -> str:
        if self.share not in isolated:
            raise Unreadable("DocumentBroken", f"a plan names no isolated copy of share {self.share}")
        return isolated[self.share]

    def canaries(self, listed: Iterable[str], names: Collection[str]) -> list[str]:
        return [canary for canary in listed if not _CONFIG_MAP.fullmatch(canary)]


class MachineItem(ProtectedItem, frozen=True, kw_only=True, tag="machine"):
    """A virtual machine, of whose data disks some are backed up, by their LUNs; none included means all."""

    included: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()

    def is_staged(self, point: RecoveryPoint) -> bool:
        return True

    def target(self, target_id: str, isolated: Mapping[str, str]) -> str:
        return ResourceId(target_id).name


type Item = ClusterItem | ShareItem | MachineItem

DATA_SOURCES: dict[str, type[ProtectedItem]] = {folded(CLUSTERS): ClusterItem}
"""The items that Backup vaults protect, by what they call the data source, in lower case."""


def kind_of(id: ResourceId) -> ItemKind:
    """What a job or an item is about, as far as its id tells. The rest is learnt in its vault.

    Clusters stand for all that Backup vaults protect, and shares for all jobs of Recovery Services vaults.
    """
    if same(id.namespace, "Microsoft.DataProtection"):
        return "cluster"
    return "machine" if folded(id.name).startswith("vm;") else "share"


def kind_managed_as(management: str) -> ItemKind:
    """What a job of a Recovery Services vault is about; of a management that isn't known, a share."""
    return next((kind for kind, name in MANAGEMENT.items() if same(name, management)), "share")
