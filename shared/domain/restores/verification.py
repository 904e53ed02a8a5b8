"""A verification restore: of which backup, to where.

Rules:
- The name of an isolated copy can't be guessed, and stands in the ledger before the copy is made: what has it was made
  for that verification, or by somebody who has read it afterwards. Of a namespace, its UID tells these apart.
- Status words differ in case between services and are compared without case.
"""

import hashlib
import re
from collections.abc import Collection, Iterable
from datetime import datetime

import msgspec

from shared.domain.errors import InvalidEvent, PermanentError, shown
from shared.domain.resource_id import ResourceId, folded, parsed, same
from shared.domain.restores.items import Item, ItemKind, RecoveryPoint
from shared.domain.states import JOB, unknown_state
from shared.domain.unique import id_digest

_LONGEST_NAME = 39  # of 63, less "verify-" and "-" with sixteen digits

_BACKUP_VAULTS, _RECOVERY_VAULTS = "Microsoft.DataProtection/backupVaults", "Microsoft.RecoveryServices/vaults"
_JOBS = ("Microsoft.DataProtection/backupVaults/backupJobs", "Microsoft.RecoveryServices/vaults/backupJobs")
_INSTANCES = "Microsoft.DataProtection/backupVaults/backupInstances"
_FABRICS = "Microsoft.RecoveryServices/vaults/backupFabrics"
_ITEMS = "Microsoft.RecoveryServices/vaults/backupFabrics/protectionContainers/protectedItems"
_JOB_NAME = re.compile(r"[0-9a-fA-F-]{36}")


class BackupJob(msgspec.Struct, frozen=True, kw_only=True):
    """A job as its vault reports it."""

    kind: ItemKind  # of the item
    id: str  # resource id
    operation: str  # "Backup", "Restore", …
    status: str  # Azure Backup's word
    item: str  # of a cluster: resource id of the backup instance; else the name of the share or machine
    source: str  # the cluster's resource id, the share's storage account, or Azure Backup's own name of a machine
    started: datetime  # UTC
    ended: datetime | None  # UTC; None while it runs


class Verification(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be verified: the copy that a backup job made, or a recovery point of a protected item."""

    name: str  # lower-case letters, digits and hyphens
    job_id: str = ""  # resource id
    item_id: str = ""  # resource id, where no job is named
    point_id: str = ""  # of the item; empty for the latest
    asked: bool = False  # somebody asks for it: it is verified for sure

    @property
    def instance_id(self) -> str:
        return instance_of(self.name)


class RestoreSource(msgspec.Struct, frozen=True, kw_only=True):
    """A protected item, the backup whose copy is verified, and where that is restored to."""

    verification: Verification  # that restores it
    item: Item  # what was backed up
    job: BackupJob | None = None  # none if somebody asks for a point
    target_id: str = ""  # of the cluster, or of the group for a machine's disks
    trust_domain: str = ""  # the one of the source's cluster
    target_domain: str | None = None  # the one of the cluster that is restored to; None: as the source's
    staging: str = ""  # name of the storage account that a staged restore passes through
    staging_group: str = ""  # resource id of the group that a cluster's staged restore passes through
    names: tuple[str, ...] = ()  # of its namespaces, or the share, once its manifest is written
    manifest: str = ""  # path of that


class JobWarning(msgspec.Struct, frozen=True, kw_only=True):
    """A warning of a restore job: its code and what it says about which object."""

    code: str
    text: str


class RestoreJob(msgspec.Struct, frozen=True, kw_only=True):
    """A restore job; what the service doesn't report is empty or None."""

    id: str  # its name in the vault
    status: str  # Azure Backup's word
    started: datetime  # UTC
    ended: datetime | None = None  # UTC; None while it runs
    target: str = ""  # name of the share or group that it restores to, or resource id of the cluster
    point: str = ""  # name of the recovery point that it restores
    point_time: datetime | None = None  # of that point, UTC
    staging: str = ""  # name of the container that it leaves in the staging account
    warnings: tuple[JobWarning, ...] = ()  # that the job gave
    errors: tuple[str, ...] = ()  # `<code>: <message>`
    restored: int | None = None  # files of a share; None where the vault counts none
    failed: int | None = None  # files
    skipped: int | None = None  # files

    @property
    def open(self) -> bool:
        """Whether it isn't known to have ended; in a state that nobody knows, it may go on."""
        return JOB.meaning(self.status) not in ("good", "bad")

    @property
    def succeeded(self) -> bool:
        return JOB.meaning(self.status) == "good"

    @property
    def why_open(self) -> str:
        """What is said of a job that is open."""
        label = f"restore job {self.id}"
        known = JOB.meaning(self.status) != "unknown"
        return f"{label} is {self.status}" if known else f"StateUnknown: {unknown_state(label, self.status)}"


def still_open(jobs: Iterable[RestoreJob]) -> list[str]:
    """What is said of those of the jobs that may go on: while there are any, nothing of what they make is removed."""
    return [job.why_open for job in jobs if job.open]


class RestorePlan(msgspec.Struct, frozen=True, kw_only=True):
    """What a verification restores, as it was decided when it was planned. A lease keeps it."""

    name: str  # of the verification
    job_id: str  # resource id of the backup job; empty if somebody asked for a recovery point
    item: Item  # what was backed up
    target_id: str = ""  # of the cluster, or of the group for a machine's disks
    trust_domain: str = ""  # the one of the source's cluster
    target_domain: str | None = None  # the one of the cluster that is restored to; None: as the source's
    staging: str = ""  # name of the staging account; empty where the point isn't staged
    staging_group: str = ""  # resource id of the group that a cluster's staged restore passes through
    point: RecoveryPoint  # the recovery point that is restored
    rpo_s: float  # seconds: how old the latest restorable point was, which is what a disaster then would have cost
    taken: datetime  # changes of the source up to then are surely in the copy
    isolated: dict[str, str] = msgspec.field(name="places")  # names of the copies, by namespace or share
    manifest: str = ""  # path of what the copy must hold
    planned: datetime  # UTC
    flagged: tuple[str, ...] = ()  # points that were skipped for a threat
    partial: tuple[str, ...] = ()  # points after the chosen one that were skipped because they are partial
    uids: dict[str, str] = {}  # of the isolated namespaces by their names, once they are made

    @property
    def domain_of_target(self) -> str:
        """The trust domain of the cluster that is restored to."""
        return self.trust_domain if self.target_domain is None else self.target_domain

    @property
    def target(self) -> str:
        """What restore jobs call the isolated copy; empty where they don't name it."""
        return self.item.target(self.target_id, self.isolated)


class RestoreOperation(msgspec.Struct, frozen=True, kw_only=True):
    """What Azure Backup was asked for: to validate a restore, or to make it, of which the job may be known already."""

    plan: RestorePlan
    operation: str = ""
    job: str = ""


class EndedRestore(msgspec.Struct, frozen=True, kw_only=True):
    """A plan whose restore job has ended, well or not."""

    plan: RestorePlan
    job: RestoreJob


def job_id(text: str) -> ResourceId:
    """A backup job's resource id; raises InvalidEvent "NotABackupJob" for any other text."""
    found = parsed(text)
    if found is None or not (found.of_type(*_JOBS) and _JOB_NAME.fullmatch(found.name)):
        raise InvalidEvent("NotABackupJob", f"{shown(text)} isn't the resource id of a backup job")
    return found


def item_id(text: str) -> ResourceId:
    """The resource id of a backup instance or a protected item; raises InvalidEvent "NotAProtectedItem" for any other
    text.
    """
    found = parsed(text)
    if found is None or not (found.of_type(_INSTANCES) or _is_protected_item(found)):
        message = f"{shown(text)} isn't the resource id of a backup instance or protected item"
        raise InvalidEvent("NotAProtectedItem", message)
    return found


def _is_protected_item(id: ResourceId) -> bool:
    return id.of_type(_ITEMS) and same(id.nearest(_FABRICS).name, "Azure")


def vault_in(text: str) -> ResourceId | None:
    """The vault of an instance, an item or a job; None where somebody's names aren't Meshward's to read."""
    id = parsed(text)
    return vault_of(id) if id else None


def vault_of(id: ResourceId) -> ResourceId:
    """The vault that a job, an instance or an item belongs to."""
    return id.nearest(_BACKUP_VAULTS, _RECOVERY_VAULTS)


def counts_reads(id: ResourceId) -> bool:
    """Whether the vault of a job or an item counts how often its jobs are read."""
    return vault_of(id).of_type(_RECOVERY_VAULTS)


def require_configured(id: ResourceId, subscriptions: Collection[str]) -> None:
    """Raise InvalidEvent for what is outside the subscriptions that Meshward looks after."""
    if not any(same(id.subscription, each) for each in subscriptions):
        raise InvalidEvent("ForeignSubscription", f"subscription {id.subscription} isn't among the configured ones")


def item_digest(item_id: str) -> str:
    """A short name for an item, the same in whatever case its id is written."""
    return hashlib.sha256(folded(item_id).encode()).hexdigest()[:16]


def instance_of(verification: str) -> str:
    """The instance id of the verification of this name."""
    return f"verify-{verification}"


def of_job(resource_id: str, *, asked: bool = False) -> Verification:
    """The verification of a backup job's copy; it is named after the whole id of the job, so that there is one."""
    id = job_id(resource_id)
    return Verification(name=f"{id.name.lower()}-{id_digest(str(id))}", job_id=resource_id, asked=asked)


def of_item(resource_id: str, point: str, now: datetime) -> Verification:
    """The verification of an item's point that somebody asks for now; asked for again within a minute, the same."""
    digest = id_digest(str(item_id(resource_id)), point)
    return Verification(name=f"{digest}-{now:%Y%m%d-%H%M}", item_id=resource_id, point_id=point, asked=True)


def isolated_name(name: str, secret: str) -> str:
    """The name of the isolated copy of a namespace or share, for who knows the verification's secret.

    Lower-case letters, digits and single hyphens, at most 63: valid for namespaces and for shares.
    """
    digest = hashlib.sha256(f"{secret} {name}".encode()).hexdigest()[:16]
    return f"verify-{name[:_LONGEST_NAME].strip('-')}-{digest}"


def require_finished_backup(job: BackupJob) -> BackupJob:
    """The job, if it is a backup that made a copy; raises PermanentError otherwise."""
    if job.operation.lower() != "backup" or JOB.meaning(job.status) != "good":
        raise PermanentError("NothingToVerify", f"the job is a {job.operation} with status {job.status}")
    return job


def isolated_names(names: Iterable[str], secret: str) -> dict[str, str]:
    """The names of the isolated copies of these namespaces, or of this share."""
    return {name: isolated_name(name, secret) for name in names}
