"""Shares of Azure Files in a Recovery Services vault: from the registered storage account to the protected item.

The SDK's argument order differs between its operations: everything is passed by keyword. Names of items are never
built: they are hashes, found by the share's name, and casing isn't stable. Of an operation only the id is kept.
"""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from shared.adapters.azure.common import Management, last_segment, translated, unless_absent
from shared.domain.resource_id import ResourceId, same
from shared.domain.vaults.findings import FoundOperation
from shared.domain.vaults.protection import Protection
from shared.domain.vaults.volume_plan import VolumeOperation
from shared.domain.vaults.volumes import DataSource, FoundItem, SourceCandidate

if TYPE_CHECKING:
    from azure.mgmt.recoveryservicesbackup.aio import RecoveryServicesBackupClient
    from azure.mgmt.storage.aio import StorageManagementClient

_FABRIC = "Azure"
_STORAGE = "backupManagementType eq 'AzureStorage'"
_SHARES = "workloadType eq 'AzureFileShare'"


class ShareBackups(Management):
    """Backups of file shares."""

    async def items(self, protection: Protection) -> list[FoundItem]:
        """All that the cluster's vault protects."""
        listed = self._client(protection).backup_protected_items.list(**vault_keywords(protection))
        with translated(f"listing what {protection.recovery_bar.what} protects"):
            return [_item(found) async for found in listed]

    async def candidate(self, protection: Protection, share: DataSource) -> SourceCandidate:
        """What is known of a share that the vault doesn't protect."""
        storage = self._storage(protection)
        with translated(f"looking for {share.label}"):
            account = await unless_absent(storage.storage_accounts.get_properties(share.group, share.account))
            if account is None:
                return SourceCandidate(source=share, exists=False)
            found = await unless_absent(storage.file_shares.get(share.group, share.account, share.name))
        if found is None:
            return SourceCandidate(source=share, exists=False)
        return SourceCandidate(
            source=share, exists=True, region=account.location, vault=await self._holder(protection, share)
        )

    async def _holder(self, protection: Protection, share: DataSource) -> str:
        """The vault (resource id) that the share's account is registered with, empty if there is none."""
        from azure.mgmt.recoveryservicesbackup.models import BackupStatusRequest

        asked = BackupStatusRequest(
            resource_type="AzureFileShare", resource_id=share.source_id, po_logical_name=share.name
        )
        with translated(f"asking which vault holds {share.account}"):
            found = await self._client(protection).backup_status.get(azure_region=protection.location, parameters=asked)
        return found.vault_id or ""

    async def registered(self, protection: Protection, share: DataSource) -> bool:
        """Whether the share's account is registered with the cluster's vault."""
        containers = self._client(protection).protection_containers
        with translated(f"reading the registration of {share.account}"):
            found: Any = await unless_absent(
                containers.get(**vault_keywords(protection), fabric_name=_FABRIC, container_name=_container(share))
            )
        return bool(found and found.properties and found.properties.registration_status == "Registered")

    async def register(self, protection: Protection, share: DataSource) -> str:
        """Ask for the registration of the share's account by the vault's identity; the operation."""
        from azure.mgmt.recoveryservicesbackup import models

        container = models.AzureStorageContainer(
            backup_management_type="AzureStorage",
            source_resource_id=share.source_id,
            acquire_storage_account_lock="Acquire",
            access_type="IdentityBased",
            identity_info=models.IdentityInfo(is_system_assigned_identity=True),
        )
        sent = OperationSeen()
        with translated(f"registering storage account {share.account}"):
            await self._client(protection).protection_containers.begin_register(
                **vault_keywords(protection),
                fabric_name=_FABRIC,
                container_name=_container(share),
                parameters=models.ProtectionContainerResource(properties=container),
                polling=False,
                raw_response_hook=sent,
            )
        return sent.id

    async def inquire(self, protection: Protection, share: DataSource) -> str:
        """Ask the vault to look which shares the account has; the operation."""
        sent = OperationSeen()
        with translated(f"inquiring after the shares of {share.account}"):
            await self._client(protection).protection_containers.inquire(
                **vault_keywords(protection),
                fabric_name=_FABRIC,
                container_name=_container(share),
                filter=_SHARES,
                raw_response_hook=sent,
            )
        return sent.id

    async def on_account(self, asked: VolumeOperation) -> FoundOperation:
        """How an operation on the share's account stands."""
        from azure.core.exceptions import HttpResponseError

        sent = OperationSeen()
        results = self._client(asked.protection).protection_container_operation_results
        with translated(f"following an operation on {asked.source.account}"):
            try:
                await results.get(
                    **vault_keywords(asked.protection),
                    fabric_name=_FABRIC,
                    container_name=_container(asked.source),
                    operation_id=asked.operation,
                    raw_response_hook=sent,
                )
            except HttpResponseError as error:
                if error.status_code != 400:
                    raise
                told = error.error
                return FoundOperation(
                    state="Failed", code=(told and told.code) or "", words=(told and told.message) or ""
                )
        return FoundOperation(state="InProgress" if sent.status == 202 else "Succeeded")

    async def protectable(self, protection: Protection, share: DataSource) -> str:
        """The id of what the vault's inquiry has found of the share, empty if it hasn't found it."""
        listed = self._client(protection).backup_protectable_items.list(
            **vault_keywords(protection), filter=f"{_STORAGE} and {_SHARES}"
        )
        with translated(f"listing the shares that {protection.recovery_bar.what} can protect"):
            found: list[Any] = [item async for item in listed]
        named = (item for item in found if item.properties.friendly_name == share.name)
        of_account = (i for i in named if same(i.properties.parent_container_fabric_id or "", share.source_id))
        return next((str(item.id) for item in of_account), "")

    async def protect(self, protection: Protection, share: DataSource, id: str) -> str:
        """Ask for the share's protection, or for the policy that it should go by; the operation.

        `id` is that of the protected or of the protectable item.
        """
        from azure.mgmt.recoveryservicesbackup import models

        item = models.AzureFileshareProtectedItem(
            policy_id=protection.source_policy_id("share"), source_resource_id=share.source_id
        )
        sent = OperationSeen()
        with translated(f"protecting {share.label}"):
            await self._client(protection).protected_items.begin_create_or_update(
                **vault_keywords(protection),
                fabric_name=_FABRIC,
                **_names(id),
                parameters=models.ProtectedItemResource(properties=item),
                polling=False,
                raw_response_hook=sent,
            )
        return sent.id

    async def on_item(self, asked: VolumeOperation) -> FoundOperation:
        """How an operation on a protected item stands."""
        statuses = self._client(asked.protection).backup_operation_statuses
        with translated(f"following the protection of {asked.source.label}"):
            found: Any = await statuses.get(**vault_keywords(asked.protection), operation_id=asked.operation)
        error = found.error
        return FoundOperation(
            state=found.status or "", code=(error and error.code) or "", words=(error and error.message) or ""
        )

    async def delete(self, protection: Protection, item: FoundItem) -> None:
        """Ask for the deletion of the item's backups, which the vault keeps soft-deleted."""
        with translated(f"deleting the backups of {item.name}"):
            await self._client(protection).protected_items.delete(
                **vault_keywords(protection), fabric_name=_FABRIC, **_names(item.id)
            )

    async def accounts(self, protection: Protection) -> list[str]:
        """The containers (names) as which storage accounts are registered with the cluster's vault."""
        listed = self._client(protection).backup_protection_containers.list(
            **vault_keywords(protection), filter=_STORAGE
        )
        with translated(f"listing the storage accounts of {protection.recovery_bar.what}"):
            return [container.name or "" async for container in listed]

    async def unregister(self, protection: Protection, container: str) -> None:
        """Ask for the end of a storage account's registration, which takes its lock away."""
        with translated(f"unregistering {container}"):
            await self._client(protection).protection_containers.unregister(
                **vault_keywords(protection), fabric_name=_FABRIC, container_name=container
            )

    def _client(self, protection: Protection) -> "RecoveryServicesBackupClient":
        from azure.mgmt.recoveryservicesbackup.aio import RecoveryServicesBackupClient

        return self.client(RecoveryServicesBackupClient, protection.subscription)

    def _storage(self, protection: Protection) -> "StorageManagementClient":
        from azure.mgmt.storage.aio import StorageManagementClient

        return self.client(StorageManagementClient, protection.subscription)


class OperationSeen:
    """Notes what an answer says of its operation: the status code, and the id where there is one."""

    def __init__(self) -> None:
        self.id, self.status = "", 0

    def __call__(self, answer: Any) -> None:
        self.status = answer.http_response.status_code
        self.id = last_segment(answer.http_response.headers.get("Location", ""))


def vault_keywords(protection: Protection) -> dict[str, str]:
    """The cluster's Recovery Services vault, as the SDK's operations want it named."""
    return {"vault_name": protection.recovery_vault, "resource_group_name": protection.group}


def _container(share: DataSource) -> str:
    return f"StorageContainer;Storage;{share.group};{share.account}"


def _names(id: str) -> dict[str, str]:
    """A protected or protectable item and its container, as the SDK's operations want them named."""
    item = ResourceId(id)
    return {"container_name": item.parent.name, "protected_item_name": item.name}


def _item(found: Any) -> FoundItem:
    held = found.properties
    return FoundItem(
        id=found.id or "",
        source_id=held.source_resource_id or "",
        name=held.get("friendlyName") or "",
        state=str(held.get("protectionState") or ""),
        policy=held.policy_id or "",
        deleted=bool(held.is_scheduled_for_deferred_delete),
        until=_until(held),
    )


def _until(held: Any) -> datetime | None:
    deleted, days = held.deferred_delete_time_in_utc, held.get("softDeleteRetentionPeriod")
    return deleted + timedelta(days=days) if deleted and days else None
