"""Recovery Services vaults as restores need them: jobs, protected items, recovery points and restores.

The SDK's argument order differs between its operations: everything is passed by keyword. Names of containers and items
are never built: new items are named by a hash, and casing isn't stable.
"""

from abc import ABC, abstractmethod
from datetime import datetime, timedelta
from typing import ClassVar

import msgspec
from azure.mgmt.recoveryservicesbackup import models
from azure.mgmt.recoveryservicesbackup.aio import RecoveryServicesBackupClient

from shared.adapters.azure.common import LISTED, AnswerSeen, Management, plain, properties_of, translated
from shared.adapters.backup.restores import ReportedJob, backup_job, job_of_operation, job_properties
from shared.adapters.backup.source_backups import item_names, vault_names
from shared.domain.errors import PermanentError, shown
from shared.domain.resource_id import ResourceId, same
from shared.domain.restores.items import ProtectedItem, RecoveryPoint, kind_managed_as
from shared.domain.restores.verification import BackupJob, RestoreJob, RestorePlan
from shared.domain.states import THREAT, Meaning


class _Tier(msgspec.Struct, frozen=True):
    """Where a recovery point is, and how."""

    type: str | None = None
    status: str | None = None


class _Point(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What is read of a recovery point."""

    recovery_point_time: datetime
    recovery_point_tier_details: list[_Tier] | None = None
    threat_status: str | int | None = None


class RecoveryServicesRestores[I: ProtectedItem](Management, ABC):
    """Restores from Recovery Services vaults; a subclass knows one kind of item, which its jobs and items say as
    `management`. What is `found` is a model of the SDK.
    """

    management: ClassVar[str]

    @abstractmethod
    def _item_of(self, found: models.ProtectedItemResource) -> I: ...

    @abstractmethod
    def _is_about(self, job: BackupJob, found: models.ProtectedItemResource) -> bool: ...

    @abstractmethod
    def _is_of(self, item: I, found: models.JobResource) -> bool: ...

    @abstractmethod
    def _with_details(self, job: RestoreJob, bag: dict[str, str]) -> RestoreJob:
        """The restore job with what its property bag says."""

    @abstractmethod
    def _request(self, plan: RestorePlan) -> models.RestoreRequestResource: ...

    async def job(self, id: ResourceId) -> BackupJob:
        reading = self._client(str(id)).job_details.get(**vault_names(str(id)), job_name=id.name)
        with translated(f"reading job {id.name}"):
            job = await job_properties(id, reading)
            kind = kind_managed_as(plain(job.backup_management_type))
            source = job.get("storageAccountName") or job.get("containerName") or ""
            return backup_job(id, job, kind=kind, item=job.entity_friendly_name or "", source=source)

    async def item(self, job: BackupJob) -> I:
        """The protected item that the job was about; jobs of databases name neither an account nor a machine."""
        if not job.source:
            raise PermanentError("UnknownDatasource", f"{job.item} is neither a file share nor a virtual machine")
        found = [found for found in await self._items(job.id) if self._is_about(job, found)]
        if not found:
            raise PermanentError("ItemNotFound", f"{job.kind} {job.item} of {job.source} isn't protected any more")
        return self._item_of(found[0])

    async def item_of(self, id: str) -> I:
        found = [found for found in await self._items(id) if same(str(found.id), id)]
        if not found:
            message = f"{shown(id)} isn't protected (any more), or is neither a file share nor a virtual machine"
            raise PermanentError("ItemNotFound", message)
        return self._item_of(found[0])

    async def _items(self, resource_id: str) -> list[models.ProtectedItemResource]:
        listed = self._client(resource_id).backup_protected_items.list(
            **vault_names(resource_id), filter=self._filter, **LISTED
        )
        with translated("listing protected items"):
            return [item async for item in listed]

    @property
    def _filter(self) -> str:
        return f"backupManagementType eq '{self.management}'"

    async def points(self, item: ProtectedItem) -> list[RecoveryPoint]:
        listed = self._client(item.id).recovery_points.list(**item_names(item.id), **LISTED)
        with translated("listing recovery points"):
            return [_point(found) async for found in listed]

    async def restores(self, item: I, since: datetime) -> list[RestoreJob]:
        """The item's restore jobs that started since, with what they restore to."""
        until = since + timedelta(days=3)  # the service takes both ends or none
        span = f"startTime eq '{_filter_time(since)}' and endTime eq '{_filter_time(until)}'"
        jobs = self._client(item.id).backup_jobs.list(
            **vault_names(item.id), filter=f"{self._filter} and operation eq 'Restore' and {span}", **LISTED
        )
        with translated("listing restore jobs"):
            own = [str(job.name) async for job in jobs if self._is_of(item, job)]
        return [await self.restore_job(item, name) for name in own]

    async def send(self, plan: RestorePlan) -> str:
        accepted = AnswerSeen()
        with translated("sending the restore"):
            await self._client(plan.item.id).restores.begin_trigger(
                **item_names(plan.item.id),
                recovery_point_id=plan.point.id,
                parameters=self._request(plan),
                polling=False,
                raw_response_hook=accepted,
            )
            return accepted.operation

    async def job_of(self, item: ProtectedItem, operation: str) -> str:
        statuses = self._client(item.id).backup_operation_statuses
        with translated("reading the restore's operation"):
            found = await statuses.get(**vault_names(item.id), operation_id=operation)
            return job_of_operation(plain(found.status), found.error, found.properties)

    async def restore_job(self, item: ProtectedItem, name: str) -> RestoreJob:
        with translated(f"reading job {name}"):
            found = await self._client(item.id).job_details.get(**vault_names(item.id), job_name=name)
            extended = properties_of(found).get("extendedInfo") or {}
            return self._with_details(_restore_job(found), extended.get("propertyBag") or {})

    def _client(self, resource_id: str) -> RecoveryServicesBackupClient:
        return self.client(RecoveryServicesBackupClient, ResourceId(resource_id).subscription)


def _filter_time(moment: datetime) -> str:
    """The service's own way to write a time in a filter, in UTC."""
    return moment.strftime("%Y-%m-%d %I:%M:%S %p")


def _point(found: models.RecoveryPointResource) -> RecoveryPoint:
    point = msgspec.convert(properties_of(found), _Point)
    tiers, status = point.recovery_point_tier_details, _word(point.threat_status)
    threat = _threat(status, detailed=bool(properties_of(found).get("threatInfo")))
    return RecoveryPoint(
        id=found.name or "",
        time=point.recovery_point_time,
        complete=not tiers or any(_at_hand(tier) for tier in tiers),
        threat=threat == "bad",
        unclear=status if threat == "unknown" else "",
    )


def _threat(status: str, *, detailed: bool) -> Meaning:
    """What is said of threats. Points of shares have no status, and details tell of a threat unless it is Healthy."""
    if detailed and not same(status, "Healthy"):
        return "bad"
    return THREAT.meaning(status) if status else "good"


def _word(status: str | int | None) -> str:
    """A word or a number as a word: 0 is one, too."""
    return str(status) if isinstance(status, int) else plain(status)


def _at_hand(tier: _Tier) -> bool:
    """Whether a point can be restored from this tier at once: an archived one has to be rehydrated first."""
    return tier.status == "Rehydrated" or (tier.status == "Valid" and tier.type != "ArchivedRP")


def _restore_job(found: models.JobResource) -> RestoreJob:
    described = properties_of(found)
    job, errors = msgspec.convert(described, ReportedJob), described.get("errorDetails") or ()
    return RestoreJob(
        id=found.name or "",
        status=job.status,
        started=job.start_time,
        ended=job.end_time,
        errors=tuple(f"{e.get('errorCode')}: {e.get('errorString')}" for e in errors),
    )
