"""Shares of Azure Files in a Recovery Services vault: from the registered storage account to the protected item.

Names of items are never built: they are hashes, found by the share's name, and casing isn't stable.
"""

from http import HTTPStatus

from azure.core.exceptions import HttpResponseError
from azure.mgmt.recoveryservicesbackup import models
from azure.mgmt.storage.aio import StorageManagementClient

from shared.adapters.azure.common import LISTED, AnswerSeen, properties_of, read, translated, unless_absent
from shared.adapters.backup.recovery_services_vaults import STORAGE_ACCOUNTS
from shared.adapters.backup.source_backups import (
    FABRIC,
    START,
    RecoveryServicesBackups,
    every_few_hours,
    hours_between,
    item_names,
    owner_of,
    retention,
    vault_keywords,
)
from shared.adapters.backup.vaults import operation_found
from shared.domain.errors import NotConverged
from shared.domain.operations import FoundOperation
from shared.domain.resource_id import ResourceId, name_of, same
from shared.domain.states import REGISTRATION
from shared.domain.vaults.policy import ProtectPolicy
from shared.domain.vaults.protection import Protection, SourceOperation
from shared.domain.vaults.source import FoundItem, Source, SourceOwner, VaultService

_SHARES = "workloadType eq 'AzureFileShare'"


class ShareBackups(RecoveryServicesBackups):
    """Backups of file shares."""

    async def owner(self, source: Source) -> SourceOwner | None:
        account = ResourceId(source.source_id)
        reading = self._storage(account.subscription).storage_accounts.get_properties(account.group, account.name)
        return await read(f"storage account {account.name}", reading, owner_of)

    async def holder(self, protection: Protection, source: Source) -> str | None:
        shares, account = self._storage(protection.subscription).file_shares, name_of(source.source_id)
        with translated(f"looking for {source.label}"):
            if not await unless_absent(shares.get(source.group, account, source.name)):
                return None
        return await self._vault_of(protection, source, "AzureFileShare", source.name)

    def _storage(self, subscription: str) -> StorageManagementClient:
        return self.client(StorageManagementClient, subscription)

    async def registered(self, protection: Protection, share: Source) -> bool:
        """Whether the share's account is registered with the cluster's vault."""
        containers = self._client(protection).protection_containers
        label = f"the registration of {name_of(share.source_id)}"
        status = await read(label, containers.get(**_account(protection, share)), _status)
        if status is None:
            return False
        meaning = REGISTRATION.require_known(label, status)
        if meaning == "pending":
            raise NotConverged("UnderWay", f"{label} is {status}")
        return meaning == "good"

    async def register(self, protection: Protection, share: Source) -> str:
        """Ask for the registration of the share's account by the vault's identity; the operation."""
        container = models.AzureStorageContainer(
            backup_management_type="AzureStorage",
            source_resource_id=share.source_id,
            acquire_storage_account_lock="Acquire",
            access_type="IdentityBased",
            identity_info=models.IdentityInfo(is_system_assigned_identity=True),
        )
        sent = AnswerSeen()
        with translated(f"registering storage account {name_of(share.source_id)}"):
            await self._client(protection).protection_containers.begin_register(
                **_account(protection, share),
                parameters=models.ProtectionContainerResource(properties=container),
                polling=False,
                raw_response_hook=sent,
            )
            return sent.outstanding

    async def inquire(self, protection: Protection, share: Source) -> str:
        """Ask the vault to look which shares the account has; the operation."""
        sent = AnswerSeen()
        with translated(f"discovering the file shares of {name_of(share.source_id)}"):
            await self._client(protection).protection_containers.inquire(
                **_account(protection, share),
                filter=_SHARES,
                raw_response_hook=sent,
            )
            return sent.outstanding

    async def operation(self, asked: SourceOperation) -> FoundOperation:
        """How an operation on the share's account stands."""
        sent = AnswerSeen()
        results = self._client(asked.protection).protection_container_operation_results
        with translated(f"following an operation on {name_of(asked.source.source_id)}"):
            try:
                found = await results.get(
                    **_account(asked.protection, asked.source), operation_id=asked.operation, raw_response_hook=sent
                )
            except HttpResponseError as error:
                if error.status_code != HTTPStatus.BAD_REQUEST:
                    raise
                return operation_found("Failed", error.error)
            return FoundOperation(state=_ended_as(sent.status, found))

    async def protect(self, protection: Protection, source: Source, item: FoundItem | None) -> str:
        """Raises NotConverged as long as the vault's inquiry hasn't found the share."""
        id = item.id if item else await self._protectable(protection, source)
        if not id:
            label = protection.requirements(VaultService.RECOVERY_SERVICES).label
            raise NotConverged("ShareNotFound", f"{label} hasn't found {source.label} yet")
        policy = protection.source_policy_id(source)
        protected = models.AzureFileshareProtectedItem(policy_id=policy, source_resource_id=source.source_id)
        return await self._put(protection, source, item_names(id), protected)

    async def _protectable(self, protection: Protection, share: Source) -> str:
        """The id of what the vault's inquiry has found of the share, empty if it hasn't found it."""
        listed = self._client(protection).backup_protectable_items.list(
            **vault_keywords(protection), filter=f"{STORAGE_ACCOUNTS} and {_SHARES}", **LISTED
        )
        with translated(f"listing the file shares that {protection.recovery_services_vault} can protect"):
            found = [item async for item in listed]
            named = (item for item in found if properties_of(item).friendly_name == share.name)
            of_account = (
                i for i in named if same(properties_of(i).get("parentContainerFabricId") or "", share.source_id)
            )
            return next((str(item.id) for item in of_account), "")

    def policy(self, terms: ProtectPolicy) -> models.AzureFileShareProtectionPolicy:
        """Backups of shares are snapshots beside them."""
        hours = hours_between(terms)
        schedule = models.SimpleSchedulePolicy(schedule_run_frequency="Daily", schedule_run_times=[START])
        if hours < 24:
            schedule = models.SimpleSchedulePolicy(
                schedule_run_frequency="Hourly", hourly_schedule=every_few_hours(hours)
            )
        return models.AzureFileShareProtectionPolicy(
            work_load_type="AzureFileShare",
            schedule_policy=schedule,
            retention_policy=retention(terms),
            time_zone="UTC",
        )


def _status(found: models.ProtectionContainerResource) -> str:
    return properties_of(found).registration_status or ""


def _ended_as(status: int, found: models.ProtectionContainerResource | None) -> str:
    """How an operation stands: 202 goes on, 204 has ended, and 200 has what became of the registration."""
    if status == HTTPStatus.ACCEPTED:
        return "InProgress"
    if status == HTTPStatus.NO_CONTENT:
        return "Succeeded"
    registration = _status(found) if found is not None else ""
    known = {"good": "Succeeded", "bad": "Failed", "pending": "InProgress"}
    return known.get(REGISTRATION.meaning(registration), registration)


def _account(protection: Protection, share: Source) -> dict[str, str]:
    """The share's account, as the SDK's operations want it named."""
    container = f"StorageContainer;Storage;{share.group};{name_of(share.source_id)}"
    return {**vault_keywords(protection), "fabric_name": FABRIC, "container_name": container}
