"""Recovery Services vaults as restores need them: jobs, recovery points and restores, of Azure file shares here.

The SDK's argument order differs between its operations: everything is passed by keyword. Names of containers and items
are never built: new items are named by a hash, and casing isn't stable.
"""

from abc import ABC, abstractmethod
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec

from shared.adapters.azure.common import Management, plain, translated, unless_absent
from shared.adapters.backup.cluster_restores import OperationHeader, job_of_operation
from shared.domain.errors import NotFound, PermanentError, shown
from shared.domain.resource_id import ResourceId, name_of, same
from shared.domain.restores.verification import (
    BackupJob,
    Item,
    ItemKind,
    RecoveryPoint,
    RestoreJob,
    RestorePlan,
    vault_of,
)

if TYPE_CHECKING:
    from azure.mgmt.recoveryservicesbackup.aio import RecoveryServicesBackupClient

_FABRIC = "Azure"
_KINDS: dict[str, ItemKind] = {"azurestorage": "share", "azureiaasvm": "machine"}


class VaultRestores(Management, ABC):
    """Restores from Recovery Services vaults; a subclass knows one kind of item, which its jobs and items say as
    `management`. What is `found` is a model of the SDK.
    """

    management: ClassVar[str]

    @abstractmethod
    def _item_of(self, found: Any) -> Item: ...

    @abstractmethod
    def _is_about(self, job: BackupJob, found: Any) -> bool: ...

    @abstractmethod
    def _is_of(self, item: Item, found: Any) -> bool: ...

    @abstractmethod
    def _told(self, job: RestoreJob, bag: dict[str, str]) -> RestoreJob:
        """The restore job with what its property bag tells."""

    @abstractmethod
    def _request(self, plan: RestorePlan) -> Any: ...

    async def job(self, id: ResourceId) -> BackupJob:
        """A job as its vault tells it."""
        with translated(f"reading job {id.name}"):
            reading = self._client(str(id)).job_details.get(**_vault(str(id)), job_name=id.name)
            found = await unless_absent(reading)
        if found is None:
            raise NotFound("JobGone", f"vault {vault_of(id).name} has no job {id.name} (any more)")
        told: Any = found.properties
        return BackupJob(
            kind=_KINDS.get(plain(told.backup_management_type).lower(), "share"),
            id=str(vault_of(id).child("backupJobs", id.name)),
            operation=told.operation,
            status=told.status,
            item=told.entity_friendly_name or "",
            source=told.get("storageAccountName") or told.get("containerName") or "",
            started=told.start_time,
            ended=told.end_time,
        )

    async def item(self, job: BackupJob) -> Item:
        """The protected item that the job was about; jobs of databases name neither an account nor a machine."""
        if not job.source:
            raise PermanentError("UnknownDatasource", f"{job.item} is neither a file share nor a virtual machine")
        found = [found for found in await self._items(job.id) if self._is_about(job, found)]
        if not found:
            raise PermanentError("ItemNotFound", f"{job.kind} {job.item} of {job.source} isn't protected any more")
        return self._item_of(found[0])

    async def item_of(self, id: str) -> Item:
        """The protected item of this resource id."""
        found = [found for found in await self._items(id) if same(str(found.id), id)]
        if not found:
            message = f"{shown(id)} isn't protected (any more), or is neither a file share nor a virtual machine"
            raise PermanentError("ItemNotFound", message)
        return self._item_of(found[0])

    async def _items(self, resource_id: str) -> list[Any]:
        listed = self._client(resource_id).backup_protected_items.list(**_vault(resource_id), filter=self._filter)
        with translated("listing protected items"):
            return [item async for item in listed]

    @property
    def _filter(self) -> str:
        return f"backupManagementType eq '{self.management}'"

    async def points(self, item: Item) -> list[RecoveryPoint]:
        """The item's recovery points."""
        listed = self._client(item.id).recovery_points.list(**_item(item))
        with translated("listing recovery points"):
            return [_point(found) async for found in listed]

    async def restores(self, item: Item, since: datetime) -> list[RestoreJob]:
        """The item's restore jobs that started since, with the places they restore to."""
        until = since + timedelta(days=3)  # the service takes both ends or none
        span = f"startTime eq '{_twelve_hours(since)}' and endTime eq '{_twelve_hours(until)}'"
        jobs = self._client(item.id).backup_jobs.list(
            **_vault(item.id), filter=f"{self._filter} and operation eq 'Restore' and {span}"
        )
        with translated("listing restore jobs"):
            mine = [str(job.name) async for job in jobs if self._is_of(item, job)]
        return [await self.restore_job(item, name) for name in mine]

    async def send(self, plan: RestorePlan) -> str:
        """Send the restore request, once; the id of the operation that accepted it."""
        accepted = OperationHeader()
        with translated("sending the restore"):
            await self._client(plan.item.id).restores.begin_trigger(
                **_item(plan.item),
                recovery_point_id=plan.point.id,
                parameters=self._request(plan),
                polling=False,
                raw_response_hook=accepted,
            )
        return accepted.operation

    async def job_of(self, item: Item, operation: str) -> str:
        """The name of the job that an accepted request became; NotConverged until there is one."""
        statuses = self._client(item.id).backup_operation_statuses
        with translated("reading the restore's operation"):
            found: Any = await statuses.get(**_vault(item.id), operation_id=operation)
        return job_of_operation(found.status, found.error, (found.properties or {}).get("jobId"))

    async def restore_job(self, item: Item, name: str) -> RestoreJob:
        """A restore job with its errors and counters."""
        with translated(f"reading job {name}"):
            found: Any = await self._client(item.id).job_details.get(**_vault(item.id), job_name=name)
        extended = found.properties.get("extendedInfo") or {}
        return self._told(_restore_job(found), extended.get("propertyBag") or {})

    def _client(self, resource_id: str) -> "RecoveryServicesBackupClient":
        from azure.mgmt.recoveryservicesbackup.aio import RecoveryServicesBackupClient

        return self.client(RecoveryServicesBackupClient, ResourceId(resource_id).subscription)


class ShareRestores(VaultRestores):
    """Restores of file shares."""

    management = "AzureStorage"

    def _item_of(self, found: Any) -> Item:
        held = found.properties
        return Item(
            kind="share",
            id=found.id,
            source_id=held.source_resource_id,
            share=held.get("friendlyName"),
            policy=held.policy_id or "",
        )

    def _is_about(self, job: BackupJob, found: Any) -> bool:
        protected = found.properties
        account = name_of(protected.source_resource_id or "")
        return bool(protected.get("friendlyName") == job.item and same(account, job.source))

    def _is_of(self, item: Item, found: Any) -> bool:
        job = found.properties
        of_account = same(str(job.get("storageAccountName")), ResourceId(item.source_id).name)
        return bool(of_account and job.get("entityFriendlyName") == item.share)

    def _told(self, job: RestoreJob, bag: dict[str, str]) -> RestoreJob:
        restored, failed, skipped = (_count(bag, kind) for kind in ("Restored", "Failed", "Skipped"))
        target = bag.get("Target File Share Name", "")
        return msgspec.structs.replace(job, target=target, restored=restored, failed=failed, skipped=skipped)

    def _request(self, plan: RestorePlan) -> Any:
        from azure.mgmt.recoveryservicesbackup import models

        return models.RestoreRequestResource(
            properties=models.AzureFileShareRestoreRequest(
                recovery_type="AlternateLocation",
                source_resource_id=plan.item.source_id,
                copy_options="Overwrite",
                restore_request_type="FullShareRestore",
                target_details=models.TargetAFSRestoreInfo(
                    name=plan.places[plan.item.share], target_resource_id=plan.item.source_id
                ),
            )
        )


def _vault(resource_id: str) -> dict[str, str]:
    vault = vault_of(ResourceId(resource_id))
    return {"resource_group_name": vault.group, "vault_name": vault.name}


def _item(item: Item) -> dict[str, str]:
    id = ResourceId(item.id)
    names = {"container_name": id.parent.name, "protected_item_name": id.name}
    return {**_vault(item.id), "fabric_name": _FABRIC, **names}


def _twelve_hours(moment: datetime) -> str:
    """The service's own way to write a time in a filter, in UTC."""
    return moment.strftime("%Y-%m-%d %I:%M:%S %p")


def _point(found: Any) -> RecoveryPoint:
    point = found.properties
    tiers = point.get("recoveryPointTierDetails") or ()
    return RecoveryPoint(
        id=found.name,
        time=point.recovery_point_time,
        complete=not tiers or any(_at_hand(tier) for tier in tiers),
        threat=str(point.get("threatStatus", "")).lower() in ("unhealthy", "warning"),
    )


def _at_hand(tier: Any) -> bool:
    """Whether a point can be restored from this tier at once: an archived one has to be rehydrated first."""
    status = tier.get("status")
    return bool(status == "Rehydrated" or (status == "Valid" and tier.get("type") != "ArchivedRP"))


def _restore_job(found: Any) -> RestoreJob:
    job = found.properties
    return RestoreJob(
        id=found.name,
        status=job.status,
        started=job.start_time,
        ended=job.end_time,
        errors=tuple(f"{e.get('errorCode')}: {e.get('errorString')}" for e in job.get("errorDetails") or ()),
    )


def _count(told: dict[str, str], kind: str) -> int | None:
    text = told.get(f"Number Of {kind} Files", "")
    return int(text) if text.isdigit() else None
