"""Recovery Services vaults as restores of virtual machines' disks need them.

The SDK looks for an item's class one level deep and finds none for a machine's: what it doesn't know is read by name.
"""

from collections.abc import Sequence
from typing import ClassVar

import msgspec
from azure.mgmt.recoveryservicesbackup import models

from shared.adapters.azure.common import ACCOUNTS, AnswerSeen, plain, properties_of, translated
from shared.adapters.backup.recovery_services_restores import RecoveryServicesRestores
from shared.adapters.backup.restores import BackupFault, require_passed
from shared.adapters.backup.source_backups import vault_names
from shared.domain.resource_id import ResourceId, same
from shared.domain.restores.items import MANAGEMENT, MachineItem
from shared.domain.restores.verification import BackupJob, RestoreJob, RestorePlan


def _faults(info: models.OperationStatusExtendedInfo | None) -> Sequence[BackupFault]:
    if not isinstance(info, models.OperationStatusValidateOperationExtendedInfo):
        return ()
    response = info.validate_operation_response
    return (response and response.validation_results) or ()


class MachineRestores(RecoveryServicesRestores[MachineItem]):
    """Restores of machines' disks, which can be validated."""

    management: ClassVar[str] = MANAGEMENT["machine"]

    async def validate(self, plan: RestorePlan) -> str:
        accepted = AnswerSeen()
        asked = models.ValidateIaasVMRestoreOperationRequest(restore_request=self._request(plan).properties)
        with translated("validating the restore"):
            await self._client(plan.item.id).validate_operation.begin_trigger(
                **vault_names(plan.item.id),
                parameters=models.ValidateOperationRequestResource(
                    id=str(ResourceId(plan.item.id).child("recoveryPoints", plan.point.id)), properties=asked
                ),
                polling=False,
                raw_response_hook=accepted,
            )
            return accepted.required

    async def require_validated(self, item: MachineItem, operation: str) -> None:
        statuses = self._client(item.id).validate_operation_statuses
        with translated("reading the restore's validation"):
            found = await statuses.get(**vault_names(item.id), operation_id=operation)
            faults = [*_faults(found.properties), *([found.error] if found.error else [])]
            require_passed(plain(found.status), faults)

    def _item_of(self, found: models.ProtectedItemResource) -> MachineItem:
        held = properties_of(found)
        chosen = (held.get("extendedProperties") or {}).get("diskExclusionProperties") or {}
        luns = tuple(str(lun) for lun in chosen.get("diskLunList") or ())
        included, excluded = (luns, ()) if chosen.get("isInclusionList") else ((), luns)
        return MachineItem(
            id=found.id or "",
            source_id=held.source_resource_id or "",
            policy=held.policy_id or "",
            included=included,
            excluded=excluded,
        )

    def _is_about(self, job: BackupJob, found: models.ProtectedItemResource) -> bool:
        return same(str(properties_of(found).get("containerName")), job.source)

    def _is_of(self, item: MachineItem, found: models.JobResource) -> bool:
        return same(ResourceId(item.id).name, f"vm;{properties_of(found).get('containerName')}")

    def _with_details(self, job: RestoreJob, bag: dict[str, str]) -> RestoreJob:
        target, staging = bag.get("Target resource group", ""), bag.get("Config Blob Container Name", "")
        return msgspec.structs.replace(job, target=target, staging=staging)

    def _request(self, plan: RestorePlan) -> models.RestoreRequestResource:
        return models.RestoreRequestResource(
            properties=models.IaasVMRestoreRequest(
                recovery_point_id=plan.point.id,
                recovery_type="RestoreDisks",
                source_resource_id=plan.item.source_id,
                storage_account_id=str(ResourceId(plan.target_id).child(ACCOUNTS, plan.staging)),
                region=plan.item.location,
                create_new_cloud_service=False,
                original_storage_account_option=False,
                encryption_details=models.EncryptionDetails(encryption_enabled=False),
                restore_with_managed_disks=True,
                target_resource_group_id=plan.target_id,
            )
        )
