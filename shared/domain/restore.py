"""A verification restore: which backup, which of its points, where to, and whether a restore may be sent now.

Rules:
- What is restored goes to a place of its own, whose name follows from the backup job alone: a doubled step finds it.
- A restore is sent at most once while its job may still show up. Whether it was sent stands in the ledger; the job is
  then looked for among the item's restore jobs, because the answer to the request may have been lost.
- Restores of one item follow one another: a job that started after ours was sent is ours.
- Azure Backup allows ten restores a day and item (AKS backup and Azure Files support matrices).
- Status words differ in case between services and are compared without case.
"""

import hashlib
import re
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Literal

import msgspec

from shared.domain.errors import InvalidEvent, NotConverged, PermanentError

RESTORES_PER_DAY = 10
SHOWS_UP_WITHIN = timedelta(minutes=10)
DAY = timedelta(days=1)
ENDED = frozenset({"completed", "completedwithwarnings", "failed", "cancelled"})
GOOD = frozenset({"completed", "completedwithwarnings"})
_CLOCK_SKEW = timedelta(minutes=1)
_LONGEST_NAME = 47  # of 63, less "verify-" and "-" with eight digits

_JOB = re.compile(
    r"(?P<vault_id>/subscriptions/(?P<subscription_id>[^/]+)/resourcegroups/(?P<resource_group>[^/]+)"
    r"/providers/(?P<provider>microsoft\.dataprotection/backupvaults|microsoft\.recoveryservices/vaults)"
    r"/(?P<vault>[^/]+))/backupjobs/(?P<name>[0-9a-f-]{36})",
    re.IGNORECASE,
)


class JobId(msgspec.Struct, frozen=True, kw_only=True):
    """A backup job's resource id taken apart."""

    vault_id: str
    subscription_id: str
    resource_group: str
    provider: str
    vault: str
    name: str

    @property
    def kind(self) -> Literal["cluster", "share"]:
        """What jobs of this vault are about: Backup vaults protect clusters, Recovery Services vaults file shares."""
        return "cluster" if self.provider.lower().startswith("microsoft.dataprotection") else "share"


class BackupJob(msgspec.Struct, frozen=True, kw_only=True):
    """A job as its vault tells it. `item` and `source` name what was backed up and where it lives.

    Cluster: resource ids of backup instance and cluster. Share: names of share and storage account.
    """

    id: str
    operation: str
    status: str
    item: str
    source: str
    started: datetime
    ended: datetime | None


class Verification(msgspec.Struct, frozen=True, kw_only=True):
    """The backup job whose copy is to be verified, by its resource id."""

    job_id: str


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """A protected item: `id` of its backup instance or protected item, `source_id` of the cluster or storage account.

    `included` and `excluded` are the namespaces of a cluster's backup; none included means all.
    """

    kind: Literal["cluster", "share"]
    id: str
    source_id: str
    location: str = ""
    share: str = ""
    included: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()


class RecoveryPoint(msgspec.Struct, frozen=True, kw_only=True):
    """A copy that can be restored: complete, and without a threat found in it, or not."""

    id: str
    time: datetime
    complete: bool
    threat: bool = False


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """A finished backup and what it is of."""

    job: BackupJob
    item: Item


class Chosen(msgspec.Struct, frozen=True, kw_only=True):
    """A recovery point; `rpo_s` is its age in seconds when it was chosen: what a disaster then would have cost."""

    point: RecoveryPoint
    rpo_s: float


class RestoreJob(msgspec.Struct, frozen=True, kw_only=True):
    """A restore job. `target` is the share it restores to; empty, and counters None, if the service doesn't tell."""

    id: str
    status: str
    started: datetime
    ended: datetime | None = None
    target: str = ""
    warnings: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()
    restored: int | None = None
    failed: int | None = None
    skipped: int | None = None

    @property
    def open(self) -> bool:
        return self.status.lower() not in ENDED


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What a verification will restore; `places` maps each protected namespace, or the share, to its isolated place.

    `taken` is the moment up to which changes of the source are surely in the copy.
    """

    job_id: str
    item: Item
    point: RecoveryPoint
    rpo_s: float
    taken: datetime
    places: dict[str, str]

    @property
    def job_name(self) -> str:
        return self.job_id.rsplit("/", 1)[-1]


class Started(msgspec.Struct, frozen=True, kw_only=True):
    """A restore that was sent: its job, or the operation that will name the job."""

    plan: Plan
    job: str = ""
    operation: str = ""


class Restored(msgspec.Struct, frozen=True, kw_only=True):
    """A plan whose restore job has ended."""

    plan: Plan
    job: RestoreJob


def job_id(resource_id: str) -> JobId:
    """Take a backup job's resource id apart; raises InvalidEvent for any other id."""
    found = _JOB.fullmatch(resource_id)
    if found is None:
        raise InvalidEvent("NotABackupJob", f"{resource_id[:300]} isn't the resource id of a backup job")
    return JobId(**found.groupdict())


def check_ours(job: JobId, subscriptions: Collection[str]) -> None:
    """Raise InvalidEvent for a job outside the subscriptions that Meshward looks after."""
    if job.subscription_id.lower() not in {subscription.lower() for subscription in subscriptions}:
        raise InvalidEvent("ForeignSubscription", f"subscription {job.subscription_id} isn't among the configured ones")


def vault_of(item_id: str) -> tuple[str, str]:
    """Resource group and name of the vault that an instance, item or job belongs to."""
    parts = item_id.split("/")
    return parts[4], parts[8]


def isolated_name(name: str, job_id: str) -> str:
    """The name of the isolated place for a namespace or share in the verification of one backup job.

    Lower-case letters, digits and single hyphens, at most 63: valid for namespaces and for shares.
    """
    digest = hashlib.sha256(f"{job_id.lower()} {name}".encode()).hexdigest()[:8]
    return f"verify-{name[:_LONGEST_NAME].strip('-')}-{digest}"


def finished_backup(job: BackupJob) -> BackupJob:
    """The job, if it is a backup that made a copy; raises PermanentError otherwise."""
    if job.operation.lower() != "backup" or job.status.lower() not in GOOD:
        raise PermanentError("NothingToVerify", f"the job is a {job.operation} with status {job.status}")
    return job


def choose_point(points: Iterable[RecoveryPoint], backup_started: datetime) -> RecoveryPoint:
    """The latest complete point without a threat.

    Points are listed some time after the job's end and may be younger than it: until one is listed that is as young as
    the backup, raises NotConverged. If none may be restored, raises PermanentError.
    """
    listed = sorted(points, key=lambda point: point.time, reverse=True)
    if not listed or listed[0].time < backup_started:
        raise NotConverged(
            "PointNotListed", f"no recovery point since {backup_started:%Y-%m-%d %H:%M} UTC is listed yet"
        )
    usable = [point for point in listed if point.complete and not point.threat]
    if not usable:
        raise PermanentError("NoUsablePoint", f"all {len(listed)} recovery points are incomplete or carry a threat")
    return usable[0]


def plan_of(source: Source, chosen: Chosen, names: Iterable[str]) -> Plan:
    """The plan for these namespaces, or for the share."""
    return Plan(
        job_id=source.job.id,
        item=source.item,
        point=chosen.point,
        rpo_s=chosen.rpo_s,
        taken=min(chosen.point.time, source.job.started),
        places={name: isolated_name(name, source.job.id) for name in names},
    )


def next_act(
    jobs: Iterable[RestoreJob], target: str, sends: Sequence[datetime], now: datetime
) -> RestoreJob | Literal["send"]:
    """What to do about a restore: follow the job that is ours already, or send the request now.

    `jobs` are the item's restore jobs of the last day, `sends` the moments our request was sent, oldest first. Raises
    NotConverged while a sent request may still become a job or another restore of the item runs, PermanentError if
    today's restores are used up.
    """
    jobs = list(jobs)
    if sends:
        ours = [job for job in jobs if job.started >= sends[0] - _CLOCK_SKEW and job.target in ("", target)]
        if ours:
            return min(ours, key=lambda job: job.started)
        if now - sends[-1] < SHOWS_UP_WITHIN:
            raise NotConverged("RestoreSent", "the restore was sent and its job isn't listed yet")
    if any(job.open for job in jobs):
        raise NotConverged("RestoreRunning", "another restore of the same item is running")
    if sum(job.started > now - DAY for job in jobs) >= RESTORES_PER_DAY:
        raise PermanentError("QuotaReached", f"{RESTORES_PER_DAY} restores of the item have run within a day")
    return "send"
