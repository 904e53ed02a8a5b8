"""Recovery Services vaults as restores need them: jobs, recovery points and restores of Azure file shares.

The SDK's argument order differs between its operations: everything is passed by keyword. Names of containers and items
are never built: new items are named by a hash, and casing isn't stable.
"""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from shared.adapters.azure import Management, translated, unless_absent
from shared.adapters.restores import OperationHeader, job_of_operation
from shared.domain.errors import NotFound, PermanentError
from shared.domain.restore import BackupJob, Item, Plan, RecoveryPoint, RestoreJob, VaultPart, vault_of

if TYPE_CHECKING:
    from azure.mgmt.recoveryservicesbackup.aio import RecoveryServicesBackupClient

_SHARES = "backupManagementType eq 'AzureStorage'"
_FABRIC = "Azure"


class ShareRestores(Management):
    """Restores of file shares."""

    async def job(self, id: VaultPart) -> BackupJob:
        """A job as its vault tells it."""
        with translated(f"reading job {id.name}"):
            reading = self._client(id.vault_id).job_details.get(
                vault_name=id.vault, resource_group_name=id.resource_group, job_name=id.name
            )
            found = await unless_absent(reading)
        if found is None:
            raise NotFound("JobGone", f"vault {id.vault} knows no job {id.name} (any more)")
        told: Any = found.properties
        return BackupJob(
            id=f"{id.vault_id}/backupJobs/{id.name}",
            operation=told.operation,
            status=told.status,
            item=told.entity_friendly_name or "",
            source=told.get("storageAccountName") or "",
            started=told.start_time,
            ended=told.end_time,
        )

    async def item(self, job: BackupJob) -> Item:
        """The protected share that the job was about; jobs of virtual machines and databases name no account."""
        if not job.source:
            raise PermanentError("UnknownDatasource", f"{job.item} isn't a file share: its backup can't be verified")
        items = self._client(job.id).backup_protected_items.list(**_vault(job.id), filter=_SHARES)
        with translated("listing protected shares"):
            found: list[Any] = [item async for item in items if _is_about(job, item)]
        if not found:
            raise PermanentError("ItemNotFound", f"share {job.item} of account {job.source} isn't protected any more")
        return _share(found[0])

    async def item_of(self, id: str) -> Item:
        """The protected share of this resource id."""
        items = self._client(id).backup_protected_items.list(**_vault(id), filter=_SHARES)
        with translated("listing protected shares"):
            found = [item async for item in items if str(item.id).lower() == id.lower()]
        if not found:
            raise PermanentError("ItemNotFound", f"{id} isn't a protected share")
        return _share(found[0])

    async def points(self, item: Item) -> list[RecoveryPoint]:
        """The share's recovery points."""
        listed = self._client(item.id).recovery_points.list(**_item(item))
        with translated("listing recovery points"):
            return [_point(found) async for found in listed]

    async def restores(self, item: Item, since: datetime) -> list[RestoreJob]:
        """The share's restore jobs that started since, with the shares they restore to."""
        until = since + timedelta(days=3)  # the service takes both ends or none
        span = f"startTime eq '{_twelve_hours(since)}' and endTime eq '{_twelve_hours(until)}'"
        jobs = self._client(item.id).backup_jobs.list(
            **_vault(item.id), filter=f"{_SHARES} and operation eq 'Restore' and {span}"
        )
        with translated("listing restore jobs"):
            mine = [str(job.name) async for job in jobs if _is_of(item, job)]
        return [await self.restore_job(item, name) for name in mine]

    async def send(self, plan: Plan) -> str:
        """Send the restore request, once; the id of the operation that accepted it."""
        accepted = OperationHeader()
        with translated("sending the restore"):
            await self._client(plan.item.id).restores.begin_trigger(
                **_item(plan.item),
                recovery_point_id=plan.point.id,
                parameters=_request(plan),
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
            found = await self._client(item.id).job_details.get(**_vault(item.id), job_name=name)
        return _restore_job(found)

    def _client(self, resource_id: str) -> "RecoveryServicesBackupClient":
        from azure.mgmt.recoveryservicesbackup.aio import RecoveryServicesBackupClient

        return self.client(RecoveryServicesBackupClient, resource_id.split("/")[2])


def _vault(resource_id: str) -> dict[str, str]:
    group, vault = vault_of(resource_id)
    return {"resource_group_name": group, "vault_name": vault}


def _item(item: Item) -> dict[str, str]:
    parts = item.id.split("/")
    names = {"container_name": parts[-3], "protected_item_name": parts[-1]}
    return {**_vault(item.id), "fabric_name": _FABRIC, **names}


def _share(found: Any) -> Item:
    held = found.properties
    return Item(
        kind="share",
        id=found.id,
        source_id=held.source_resource_id,
        share=held.get("friendlyName"),
        policy=held.policy_id or "",
    )


def _is_about(job: BackupJob, item: Any) -> bool:
    protected = item.properties
    account = (protected.source_resource_id or "").rsplit("/", 1)[-1]
    return bool(protected.get("friendlyName") == job.item and account.lower() == job.source.lower())


def _is_of(item: Item, found: Any) -> bool:
    job = found.properties
    account = item.source_id.rsplit("/", 1)[-1]
    same_account = str(job.get("storageAccountName")).lower() == account.lower()
    return bool(same_account and job.get("entityFriendlyName") == item.share)


def _twelve_hours(moment: datetime) -> str:
    """The service's own way to write a time in a filter, in UTC."""
    return moment.strftime("%Y-%m-%d %I:%M:%S %p")


def _point(found: Any) -> RecoveryPoint:
    point = found.properties
    tiers = point.get("recoveryPointTierDetails") or ()
    return RecoveryPoint(
        id=found.name,
        time=point.recovery_point_time,
        complete=not tiers or any(tier.get("status") in ("Valid", "Rehydrated") for tier in tiers),
        threat=str(point.get("threatStatus", "")).lower() in ("unhealthy", "warning"),
    )


def _restore_job(found: Any) -> RestoreJob:
    job = found.properties
    extended = job.get("extendedInfo") or {}
    told = extended.get("propertyBag") or {}
    return RestoreJob(
        id=found.name,
        status=job.status,
        started=job.start_time,
        ended=job.end_time,
        target=told.get("Target File Share Name", ""),
        errors=tuple(f"{e.get('errorCode')}: {e.get('errorString')}" for e in job.get("errorDetails") or ()),
        restored=_count(told, "Restored"),
        failed=_count(told, "Failed"),
        skipped=_count(told, "Skipped"),
    )


def _count(told: dict[str, str], kind: str) -> int | None:
    text = told.get(f"Number Of {kind} Files", "")
    return int(text) if text.isdigit() else None


def _request(plan: Plan) -> Any:
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
