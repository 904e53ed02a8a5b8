"""Virtual machines in a Recovery Services vault. No container is registered: protecting a machine makes it.

A machine's names in the vault follow from its resource id (Azure Backup REST docs).
"""

from azure.mgmt.compute.aio import ComputeManagementClient
from azure.mgmt.recoveryservicesbackup import models

from shared.adapters.azure.common import read
from shared.adapters.backup.source_backups import (
    FABRIC,
    START,
    RecoveryServicesBackups,
    every_few_hours,
    hours_between,
    owner_of,
    retention,
    vault_keywords,
)
from shared.domain.resource_id import ResourceId
from shared.domain.vaults.policy import ProtectPolicy
from shared.domain.vaults.protection import Protection
from shared.domain.vaults.source import FoundItem, Source, SourceOwner


class MachineBackups(RecoveryServicesBackups):
    """Backups of virtual machines."""

    async def owner(self, source: Source) -> SourceOwner | None:
        machines = self.client(ComputeManagementClient, ResourceId(source.source_id).subscription).virtual_machines
        return await read(source.label, machines.get(source.group, source.name), owner_of)

    async def holder(self, protection: Protection, source: Source) -> str | None:
        return await self._vault_of(protection, source, "VM")

    async def protect(self, protection: Protection, source: Source, _: FoundItem | None) -> str:
        name = f"iaasvmcontainerv2;{source.group};{source.name}"
        return await self._put(
            protection,
            source,
            {
                **vault_keywords(protection),
                "fabric_name": FABRIC,
                "container_name": f"iaasvmcontainer;{name}",
                "protected_item_name": f"vm;{name}",
            },
            models.AzureIaaSComputeVMProtectedItem(
                policy_id=protection.source_policy_id(source), source_resource_id=source.source_id
            ),
        )

    def policy(self, terms: ProtectPolicy) -> models.AzureIaaSVMProtectionPolicy:
        """An enhanced policy, which alone offers several backups a day; they go to the vault."""
        hours, daily = hours_between(terms), models.DailySchedule(schedule_run_times=[START])
        schedule = models.SimpleSchedulePolicyV2(schedule_run_frequency="Daily", daily_schedule=daily)
        if hours < 24:
            schedule = models.SimpleSchedulePolicyV2(
                schedule_run_frequency="Hourly", hourly_schedule=every_few_hours(hours)
            )
        return models.AzureIaaSVMProtectionPolicy(
            policy_type="V2", schedule_policy=schedule, retention_policy=retention(terms), time_zone="UTC"
        )
