"""Restores of Azure file shares from Recovery Services vaults."""

from typing import ClassVar

import msgspec
from azure.mgmt.recoveryservicesbackup import models

from shared.adapters.azure.common import properties_of
from shared.adapters.backup.recovery_services_restores import RecoveryServicesRestores
from shared.domain.resource_id import ResourceId, name_of, same
from shared.domain.restores.items import MANAGEMENT, ShareItem
from shared.domain.restores.verification import BackupJob, RestoreJob, RestorePlan


class ShareRestores(RecoveryServicesRestores[ShareItem]):
    """Restores of file shares."""

    management: ClassVar[str] = MANAGEMENT["share"]

    def _item_of(self, found: models.ProtectedItemResource) -> ShareItem:
        held = properties_of(found)
        return ShareItem(
            id=found.id or "",
            source_id=held.source_resource_id or "",
            share=held.get("friendlyName"),
            policy=held.policy_id or "",
        )

    def _is_about(self, job: BackupJob, found: models.ProtectedItemResource) -> bool:
        protected = properties_of(found)
        account = name_of(protected.source_resource_id or "")
        return bool(protected.get("friendlyName") == job.item and same(account, job.source))

    def _is_of(self, item: ShareItem, found: models.JobResource) -> bool:
        job = properties_of(found)
        of_account = same(str(job.get("storageAccountName")), ResourceId(item.source_id).name)
        return bool(of_account and job.get("entityFriendlyName") == item.share)

    def _with_details(self, job: RestoreJob, bag: dict[str, str]) -> RestoreJob:
        restored, failed, skipped = (_count(bag, kind) for kind in ("Restored", "Failed", "Skipped"))
        target = bag.get("Target File Share Name", "")
        return msgspec.structs.replace(job, target=target, restored=restored, failed=failed, skipped=skipped)

    def _request(self, plan: RestorePlan) -> models.RestoreRequestResource:
        return models.RestoreRequestResource(
            properties=models.AzureFileShareRestoreRequest(
                recovery_type="AlternateLocation",
                source_resource_id=plan.item.source_id,
                copy_options="Overwrite",
                restore_request_type="FullShareRestore",
                target_details=models.TargetAFSRestoreInfo(name=plan.target, target_resource_id=plan.item.source_id),
            )
        )


def _count(bag: dict[str, str], kind: str) -> int | None:
    text = bag.get(f"Number Of {kind} Files", "")
    return int(text) if text.isdigit() else None
