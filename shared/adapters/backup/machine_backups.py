"""Virtual machines in a Recovery Services vault. No container is registered: protecting a machine makes it.

A machine's names in the vault follow from its resource id (Azure Backup REST docs). Of an operation only the id is
kept; how it stands, `ShareBackups.on_item` tells for items of both kinds.
"""

from typing import TYPE_CHECKING

from shared.adapters.azure.common import Management, translated, unless_absent
from shared.adapters.backup.share_backups import OperationSeen, vault_keywords
from shared.domain.vaults.protection import Protection
from shared.domain.vaults.volumes import DataSource, SourceCandidate

if TYPE_CHECKING:
    from azure.mgmt.compute.aio import ComputeManagementClient
    from azure.mgmt.recoveryservicesbackup.aio import RecoveryServicesBackupClient


class MachineBackups(Management):
    """Backups of virtual machines."""

    async def candidate(self, protection: Protection, machine: DataSource) -> SourceCandidate:
        """What is known of a machine that the vault doesn't protect."""
        with translated(f"looking for {machine.label}"):
            found = await unless_absent(self._machines(protection).virtual_machines.get(machine.group, machine.name))
        if found is None:
            return SourceCandidate(source=machine, exists=False)
        holder = await self._holder(protection, machine)
        return SourceCandidate(source=machine, exists=True, region=found.location, vault=holder)

    async def _holder(self, protection: Protection, machine: DataSource) -> str:
        """The vault (resource id) that protects the machine, empty if none does."""
        from azure.mgmt.recoveryservicesbackup.models import BackupStatusRequest

        asked = BackupStatusRequest(resource_type="VM", resource_id=machine.source_id)
        with translated(f"asking which vault holds {machine.label}"):
            found = await self._client(protection).backup_status.get(azure_region=protection.location, parameters=asked)
        return found.vault_id or ""

    async def protect(self, protection: Protection, machine: DataSource) -> str:
        """Ask for the machine's protection, or for the policy that it should go by; the operation."""
        from azure.mgmt.recoveryservicesbackup import models

        item = models.AzureIaaSComputeVMProtectedItem(
            policy_id=protection.source_policy_id("machine"), source_resource_id=machine.source_id
        )
        name, sent = f"iaasvmcontainerv2;{machine.group};{machine.name}", OperationSeen()
        with translated(f"protecting {machine.label}"):
            await self._client(protection).protected_items.begin_create_or_update(
                **vault_keywords(protection),
                fabric_name="Azure",
                container_name=f"iaasvmcontainer;{name}",
                protected_item_name=f"vm;{name}",
                parameters=models.ProtectedItemResource(properties=item),
                polling=False,
                raw_response_hook=sent,
            )
        return sent.id

    def _client(self, protection: Protection) -> "RecoveryServicesBackupClient":
        from azure.mgmt.recoveryservicesbackup.aio import RecoveryServicesBackupClient

        return self.client(RecoveryServicesBackupClient, protection.subscription)

    def _machines(self, protection: Protection) -> "ComputeManagementClient":
        from azure.mgmt.compute.aio import ComputeManagementClient

        return self.client(ComputeManagementClient, protection.subscription)
