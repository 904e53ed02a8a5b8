"""Backup vaults (Microsoft.DataProtection) as restores need them: all jobs and items, and restores of AKS clusters."""

from collections.abc import AsyncIterable
from datetime import datetime
from typing import Any

import msgspec
from azure.mgmt.dataprotection import models
from azure.mgmt.dataprotection.aio import DataProtectionMgmtClient

from shared.adapters.azure.common import (
    ACCOUNTS,
    LISTED,
    AnswerSeen,
    Management,
    plain,
    properties_of,
    translated,
    unless_absent,
)
from shared.adapters.backup.cluster_backups import data_source
from shared.adapters.backup.restores import ReportedJob, backup_job, job_of_operation, job_properties, require_passed
from shared.domain.errors import PermanentError, shown
from shared.domain.resource_id import ResourceId, folded, same
from shared.domain.restores.filters import BackupFilter
from shared.domain.restores.isolation import RESTORED
from shared.domain.restores.items import DATA_SOURCES, ClusterItem, ProtectedItem, RecoveryPoint
from shared.domain.restores.verification import BackupJob, JobWarning, RestoreJob, RestorePlan, vault_of

_OPERATIONAL, _VAULTED = "OperationalStore", "VaultStore"


class _Store(msgspec.Struct, frozen=True):
    """Where a recovery point is."""

    type: str | None = None
    visible: bool | None = None
    partial: bool | None = msgspec.field(default=None, name="isPartialRP")


class _Point(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What is read of a recovery point."""

    recovery_point_time: datetime
    recovery_point_state: str | None = None
    recovery_point_data_stores_details: list[_Store] | None = None
    partial: bool | None = msgspec.field(default=None, name="isPartialRP")

    @property
    def stores(self) -> list[_Store]:
        """Where it can be seen."""
        return [store for store in self.recovery_point_data_stores_details or () if store.visible is not False]

    @property
    def is_partial(self) -> bool:
        """Whether it, or what is in any of its stores, is partial."""
        says = (self.recovery_point_state or "").lower() == "partial"
        return says or bool(self.partial) or any(store.partial for store in self.stores)


class ClusterRestores(Management):
    """Restores of clusters: `Restores` and `Validations`."""

    async def job(self, id: ResourceId) -> BackupJob:
        with translated(f"reading job {id.name}"):
            job = await job_properties(id, self._client(id).jobs.get(*_vault(str(id)), id.name))
            kind = DATA_SOURCES.get(folded(job.data_source_type or ""), ClusterItem).kind_of_all()
            return backup_job(id, job, kind=kind, item=job.backup_instance_id or "", source=job.data_source_id)

    async def item(self, job: BackupJob) -> ProtectedItem:
        return await self.item_of(job.item)

    async def item_of(self, id: str) -> ProtectedItem:
        with translated("reading the backup instance"):
            found = await self._client(ResourceId(id)).backup_instances.get(*_instance(id))
            instance = properties_of(found)
            source = instance.data_source_info
            kind = DATA_SOURCES.get(folded(source.datasource_type or ""))
            if kind is None:
                raise PermanentError("UnknownDatasource", f"a {source.datasource_type} can't be verified")
            return kind(
                id=id,
                source_id=source.resource_id,
                location=source.resource_location or "",
                policy=instance.policy_info.policy_id or "",
                **_chosen(instance),
            )

    async def points(self, item: ProtectedItem) -> list[RecoveryPoint]:
        """The instance's recovery points; those that are neither in the operational tier nor in the vault tier count as
        incomplete.
        """
        listed = self._client(ResourceId(item.id)).recovery_points.list(*_instance(item.id), **LISTED)
        with translated("listing recovery points"):
            return [_point(found) async for found in listed]

    async def restores(self, item: ProtectedItem, since: datetime) -> list[RestoreJob]:
        """The instance's restore jobs that started since; the service lists all jobs of the vault, and none runs in a
        vault that is gone. A list doesn't tell what a job restores to where: each is read.
        """
        with translated("listing jobs"):
            jobs = (
                await unless_absent(_all(self._client(ResourceId(item.id)).jobs.list(*_vault(item.id), **LISTED))) or []
            )
            restores = [_restore_job(job) for job in jobs if _is_restore_of(job, item)]
        return [await self.restore_job(item, job.id) for job in restores if job.started >= since]

    async def validate(self, plan: RestorePlan) -> str:
        accepted = AnswerSeen()
        with translated("validating the restore"):
            await self._client(ResourceId(plan.item.id)).backup_instances.begin_validate_for_restore(
                *_instance(plan.item.id),
                models.ValidateRestoreRequestObject(restore_request_object=_request(plan)),
                polling=False,
                raw_response_hook=accepted,
            )
            return accepted.required

    async def require_validated(self, item: ProtectedItem, operation: str) -> None:
        with translated("reading the restore's validation"):
            found = await self._operation(item, operation)
            require_passed(plain(found.status), [found.error] if found.error else [])

    async def send(self, plan: RestorePlan) -> str:
        accepted = AnswerSeen()
        with translated("sending the restore"):
            await self._client(ResourceId(plan.item.id)).backup_instances.begin_trigger_restore(
                *_instance(plan.item.id),
                _request(plan),
                polling=False,
                raw_response_hook=accepted,
            )
            return accepted.operation

    async def job_of(self, item: ProtectedItem, operation: str) -> str:
        with translated("reading the restore's operation"):
            found = await self._operation(item, operation)
            return job_of_operation(plain(found.status), found.error, found.properties)

    async def restore_job(self, item: ProtectedItem, name: str) -> RestoreJob:
        with translated(f"reading job {name}"):
            return _restore_job(await self._client(ResourceId(item.id)).jobs.get(*_vault(item.id), name))

    async def _operation(self, item: ProtectedItem, operation: str) -> models.OperationResource:
        statuses = self._client(ResourceId(item.id)).operation_status_backup_vault_context
        return await statuses.get(*_vault(item.id), operation)

    def _client(self, id: ResourceId) -> DataProtectionMgmtClient:
        return self.client(DataProtectionMgmtClient, id.subscription)


def _vault(id: str) -> tuple[str, str]:
    """Group and name of the vault."""
    vault = vault_of(ResourceId(id))
    return vault.group, vault.name


def _instance(id: str) -> tuple[str, str, str]:
    """Group and name of the vault, and the instance's own name."""
    return *_vault(id), ResourceId(id).name


async def _all[T](pages: AsyncIterable[T]) -> list[T]:
    return [each async for each in pages]


def _chosen(instance: models.BackupInstance) -> dict[str, Any]:
    """What is chosen of a cluster, as its item has it; of no other data source is anything chosen."""
    given = instance.policy_info.policy_parameters
    for chosen in (given and given.backup_datasource_parameters_list) or ():
        if isinstance(chosen, models.KubernetesClusterBackupDatasourceParameters):
            held = BackupFilter(
                included=tuple(chosen.included_resource_types or ()),
                excluded=tuple(chosen.excluded_resource_types or ()),
                labels=tuple(chosen.label_selectors or ()),
            )
            included, excluded = chosen.included_namespaces or (), chosen.excluded_namespaces or ()
            return {"included": tuple(included), "excluded": tuple(excluded), "filter": held}
    return {}


def _is_restore_of(found: models.AzureBackupJobResource, item: ProtectedItem) -> bool:
    job = properties_of(found)
    return str(job.operation).lower() == "restore" and same(str(job.backup_instance_id), item.id)


def _point(found: models.AzureBackupRecoveryPointResource) -> RecoveryPoint:
    point = msgspec.convert(dict(properties_of(found).items()), _Point)  # the SDK doesn't know isPartialRP
    stores = {store.type for store in point.stores}
    whole = (point.recovery_point_state or "").lower() == "completed" and not point.is_partial
    return RecoveryPoint(
        id=found.name or "",
        time=point.recovery_point_time,
        complete=whole and bool(stores & {_OPERATIONAL, _VAULTED}),
        partial=point.is_partial,
        vaulted=_VAULTED in stores and _OPERATIONAL not in stores,
    )


def _restore_job(found: models.AzureBackupJobResource) -> RestoreJob:
    job = properties_of(found)
    reported = msgspec.convert(job, ReportedJob)
    extended = job.extended_info
    details = extended.warning_details if extended else None
    restored = extended.source_recover_point if extended else None
    return RestoreJob(
        id=found.name or "",
        status=reported.status,
        started=reported.start_time,
        ended=reported.end_time,
        target=(extended and extended.recovery_destination) or "",
        point=(restored and restored.recovery_point_id) or "",
        warnings=tuple(_warned(w) for w in details or ()),
        errors=tuple(shown(f"{e.code}: {e.message}") for e in job.error_details or ()),
    )


def _warned(detail: models.UserFacingWarningDetail) -> JobWarning:
    text = f"{detail.resource_name}: {detail.warning.message}" if detail.resource_name else detail.warning.message
    return JobWarning(code=detail.warning.code or "", text=text or "")


def _request(plan: RestorePlan) -> models.AzureBackupRecoveryPointBasedRestoreRequest:
    target = data_source(plan.target_id, plan.item.location)
    criteria: dict[str, Any] = {
        "include_cluster_scope_resources": False,
        "included_namespaces": list(plan.isolated),
        "namespace_mappings": plan.isolated,
        "included_resource_types": list(RESTORED),
        "persistent_volume_restore_mode": "RestoreWithVolumeData",
        "conflict_policy": "Skip",
    }
    restore_criteria: models.ItemLevelRestoreCriteria = models.KubernetesClusterRestoreCriteria(**criteria)
    if plan.staging_group:
        restore_criteria = models.KubernetesClusterVaultTierRestoreCriteria(
            **criteria,
            staging_resource_group_id=plan.staging_group,
            staging_storage_account_id=str(ResourceId(plan.staging_group).child(ACCOUNTS, plan.staging)),
        )
    return models.AzureBackupRecoveryPointBasedRestoreRequest(
        recovery_point_id=plan.point.id,
        source_data_store_type=_VAULTED if plan.staging_group else _OPERATIONAL,
        restore_target_info=models.ItemLevelRestoreTargetInfo(
            recovery_option="FailIfExists",
            restore_location=plan.item.location,
            datasource_info=models.Datasource({**target, "objectType": "Datasource"}),
            datasource_set_info=models.DatasourceSet({**target, "objectType": "DatasourceSet"}),
            restore_criteria=[restore_criteria],
        ),
    )
