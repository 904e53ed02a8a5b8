"""A data source: something besides itself that a cluster names by tag, and that one of its vaults protects.

Each kind has a module of its own, which says all that is particular to it, and which service's vault protects it; a new
one stands in `sources.DataSource`.
"""

from abc import abstractmethod
from datetime import datetime
from enum import StrEnum
from typing import ClassVar, Literal, NamedTuple, Self

import msgspec

from shared.domain.cluster import Cluster
from shared.domain.resource_id import ResourceId, parsed, same
from shared.domain.states import INSTANCE, ITEM, Meaning, States
from shared.domain.vaults.policy import ProtectPolicy

type Consent = Literal["given", "missing", "unknown"]  # of the owner of an account or machine, to its backup


class VaultService(StrEnum):
    """The two services that keep backups, by what messages call their vaults."""

    BACKUP = "Backup vault"  # Microsoft.DataProtection: the cluster itself
    RECOVERY_SERVICES = "Recovery Services vault"  # Microsoft.RecoveryServices: the shares and machines that it names


class JobNames(NamedTuple):
    """What a backup job says of what it has backed up; empty where it says nothing."""

    name: str
    account: str
    container: str


class Source(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind"):
    """What every kind of data source has, and answers."""

    service: ClassVar[VaultService]  # whose vault protects it
    type: ClassVar[str]  # Azure's, of `source_id`
    cluster_tag: ClassVar[str]  # the cluster's tag that names it
    form: ClassVar[str]  # what that tag lists
    policies: ClassVar[str]  # what the names of its backup policies begin with
    roles: ClassVar[tuple[str, ...]] = ()  # what the vault's identity needs on `source_id`
    in_account: ClassVar[bool] = False  # whether its account is registered, and looked through, before it is protected

    source_id: str  # resource id of the storage account of a share, or of the machine
    name: str

    @property
    def group(self) -> str:
        return ResourceId(self.source_id).group

    @property
    @abstractmethod
    def label(self) -> str:
        """What messages call it; of what one cluster names, no two have the same."""

    @classmethod
    @abstractmethod
    def named(cls, cluster: Cluster, text: str) -> Self | None:
        """What the text in the cluster's tag names, None if it names nothing."""

    @classmethod
    @abstractmethod
    def label_in_job(cls, job: JobNames) -> str:
        """The label of the source that a backup job names, empty if it is none of this kind."""

    @abstractmethod
    def unfit(self, terms: ProtectPolicy) -> str:
        """Why the terms don't suit this kind, empty if they do."""

    def policy(self, terms: ProtectPolicy) -> str:
        """The name of its backup policy, which says what is in it."""
        return f"{self.policies}-{terms.backup_policy}"

    def protected_by(self, item: "FoundItem") -> bool:
        """Whether the item is this source's."""
        return same(item.source_id, self.source_id)


class FoundItem(msgspec.Struct, frozen=True, kw_only=True):
    """What a vault protects, or has protected: a backup instance or a protected item."""

    id: str  # resource id
    source_id: str  # resource id of the cluster or machine, or of the storage account of a share
    name: str  # of the instance, share or machine
    state: str  # Azure Backup's protection state
    policy: str  # resource id of its backup policy
    deleted: bool  # only kept until it can't be brought back
    until: datetime | None = None  # when that is, in UTC; None if the service doesn't say

    @property
    def service(self) -> VaultService:
        id = parsed(self.id)
        of_backup_vault = id is not None and same(id.namespace, "Microsoft.DataProtection")
        return VaultService.BACKUP if of_backup_vault else VaultService.RECOVERY_SERVICES

    @property
    def states(self) -> States:
        """The words of its vault's service for its state."""
        return INSTANCE if self.service is VaultService.BACKUP else ITEM

    @property
    def meaning(self) -> Meaning:
        """What its state means."""
        return self.states.meaning(self.state)

    @property
    def configured(self) -> bool:
        return self.meaning == "good" and not self.deleted

    @property
    def day(self) -> str:
        return f"{self.until:%Y-%m-%d}" if self.until else "an unknown day"


class SourceOwner(msgspec.Struct, frozen=True, kw_only=True):
    """The storage account of a share, or the machine itself: where it is, and what its owner says by tags."""

    region: str
    tags: dict[str, str]


class SourceCandidate(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a source outside of the vault; without consent, nothing else was asked."""

    exists: bool  # whether it is there
    consent: Consent = "unknown"  # whether its owner agrees
    missing: str = ""  # what is told if it isn't known to agree
    region: str = ""  # Azure region of its account, or of the machine
    vault: str = ""  # resource id of the vault that holds it or its account, empty where none does
