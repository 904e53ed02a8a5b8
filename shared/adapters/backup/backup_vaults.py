"""Backup vaults (Azure Data Protection), which keep the backups of clusters: their policies, and what they protect."""

from collections.abc import AsyncIterable
from datetime import datetime, timedelta
from functools import partial

import msgspec
from azure.core.rest import HttpRequest
from azure.mgmt.dataprotection import models
from azure.mgmt.dataprotection.aio import DataProtectionMgmtClient
from azure.mgmt.dataprotection.aio.operations import BackupVaultsOperations

from shared.adapters.azure.common import LISTED, AnswerSeen, plain, properties_of, translated, unless_absent
from shared.adapters.backup.vaults import Vaults, word
from shared.domain.vaults.findings import FoundVault
from shared.domain.vaults.policy import ProtectPolicy, Redundancy
from shared.domain.vaults.protection import CLUSTER_TAG, Protection, VaultRequirements
from shared.domain.vaults.source import FoundItem, VaultService
from shared.domain.vaults.strength import IMMUTABILITY, REDUNDANCY, SOFT_DELETE
from shared.domain.vaults.tagged import TaggedVault

_GUARD = "DppResourceGuardProxy"  # the name that the portal and Azure's CLI use
# Later versions take no vault whose soft delete isn't AlwaysOn, which can't be undone, nor instances of one.
_API = "2025-07-01"
Client = partial(DataProtectionMgmtClient, api_version=_API)
_START = "2024-01-01T02:00:00+00:00"


class BackupVaults(Vaults):
    """The vaults of Azure Data Protection."""

    service = VaultService.BACKUP

    async def tagged(self, subscription: str, group: str) -> list[TaggedVault]:
        """The vaults of a resource group, with their tags; none if there is no such group."""
        vaults = self.client(Client, subscription).backup_vaults
        with translated(f"listing the Backup vaults of resource group {group}"):
            found = await unless_absent(_all(vaults.get_in_resource_group(group, **LISTED))) or []
            return [_tagged(vault) for vault in found]

    async def items(self, protection: Protection) -> list[FoundItem]:
        listed = self._client(protection).backup_instances.list(*_at(protection), **LISTED)
        with translated(f"listing the backup instances of Backup vault {protection.backup_vault}"):
            live = [_item(instance) async for instance in listed]
        return [*live, *await self.deleted_items(protection)]

    async def deleted_items(self, protection: Protection) -> list[FoundItem]:
        """What is deleted, and can still be brought back."""
        listed = self._client(protection).deleted_backup_instances.list(*_at(protection), **LISTED)
        with translated(f"listing what was deleted from Backup vault {protection.backup_vault}"):
            return [_deleted_item(instance) async for instance in listed]

    def _client(self, protection: Protection) -> DataProtectionMgmtClient:
        return self.client(Client, protection.subscription)

    def _vaults(self, protection: Protection) -> BackupVaultsOperations:
        return self._client(protection).backup_vaults

    async def _put(self, protection: Protection, body: models.BackupVaultResource, accepted: AnswerSeen) -> None:
        """The SDK's own method refuses this version for the sake of a header that isn't sent (its issue 45165)."""
        request = HttpRequest("PUT", f"{protection.backup_vault_id}?api-version={_API}", json=body.as_dict())
        answer = await self._client(protection).send_request(request, raw_response_hook=accepted)
        answer.raise_for_status()

    def _new(
        self, protection: Protection, vault: VaultRequirements, redundancy: Redundancy
    ) -> models.BackupVaultResource:
        features = models.FeatureSettings(
            cross_region_restore_settings=models.CrossRegionRestoreSettings(state="Disabled")
        )
        return models.BackupVaultResource(
            location=protection.location,
            tags=self.merged_tags(protection.tags),
            identity=models.DppIdentityDetails(type="SystemAssigned"),
            properties=models.BackupVault(
                storage_settings=[models.StorageSetting(datastore_type="VaultStore", type=redundancy)],
                security_settings=_security(vault.terms.soft_delete, vault.terms.soft_delete_days, vault.immutability),
                feature_settings=features,
            ),
        )

    def _hardened(self, better: FoundVault) -> models.PatchResourceRequestInput:
        security = _security(better.soft_delete, better.soft_delete_days, better.immutability)
        return models.PatchResourceRequestInput(properties=models.PatchBackupVaultInput(security_settings=security))

    def _found(self, found: models.BackupVaultResource) -> FoundVault:
        properties = properties_of(found)
        security = properties.security_settings
        soft_delete = security.soft_delete_settings if security else None
        immutability = security.immutability_settings if security else None
        stores = [s for s in properties.storage_settings or [] if s.datastore_type == "VaultStore"]
        return FoundVault(
            state=plain(properties.provisioning_state),
            principal=(found.identity and found.identity.principal_id) or "",
            soft_delete=word(SOFT_DELETE, plain(soft_delete and soft_delete.state)),
            soft_delete_days=(soft_delete and soft_delete.retention_duration_in_days) or 0,
            immutability=word(IMMUTABILITY, plain(immutability and immutability.state)),
            redundancy=word(REDUNDANCY, plain(stores[0].type if stores else None)),
            cluster=(found.tags or {}).get(CLUSTER_TAG, ""),
        )

    async def _read_guard(self, protection: Protection) -> models.ResourceGuardProxyBaseResource:
        proxies = self._client(protection).dpp_resource_guard_proxy
        return await proxies.get(*_at(protection), _GUARD)

    async def _write_guard(self, protection: Protection) -> None:
        proxy = models.ResourceGuardProxyBase(resource_guard_resource_id=protection.terms.guard)
        await self._client(protection).dpp_resource_guard_proxy.create_or_update(
            *_at(protection), _GUARD, models.ResourceGuardProxyBaseResource(properties=proxy)
        )

    async def _read_policy(self, protection: Protection, name: str) -> models.BaseBackupPolicyResource:
        return await self._client(protection).backup_policies.get(*_at(protection), name)

    async def _write_policy(self, protection: Protection, name: str, policy: models.BackupPolicy) -> None:
        body = models.BaseBackupPolicyResource(properties=policy)
        await self._client(protection).backup_policies.create_or_update(*_at(protection), name, body)

    async def _read_creation(self, protection: Protection, operation: str) -> models.OperationResource:
        return await self._read_operation(protection, operation)

    async def _read_operation(self, protection: Protection, operation: str) -> models.OperationResource:
        statuses = self._client(protection).operation_status_backup_vault_context
        return await statuses.get(*_at(protection), operation)

    async def _delete_item(self, protection: Protection, item: FoundItem) -> None:
        await self._client(protection).backup_instances.begin_delete(*_at(protection), item.name, polling=False)


def _at(protection: Protection) -> tuple[str, str]:
    """The cluster's vault, as the SDK's operations want it named."""
    return protection.group, protection.backup_vault


def _item(found: models.BackupInstanceResource | models.DeletedBackupInstanceResource) -> FoundItem:
    instance = properties_of(found)
    return FoundItem(
        id=found.id or "",
        source_id=instance.data_source_info.resource_id or "",
        name=found.name or "",
        state=plain(instance.current_protection_state),
        policy=instance.policy_info.policy_id or "",
        deleted=False,
    )


def _deleted_item(found: models.DeletedBackupInstanceResource) -> FoundItem:
    info = found.properties and found.properties.deletion_info
    until = (info and info.scheduled_purge_time) or ""
    return msgspec.structs.replace(_item(found), deleted=True, until=datetime.fromisoformat(until) if until else None)


async def _all[T](pages: AsyncIterable[T]) -> list[T]:
    return [each async for each in pages]


def _tagged(vault: models.BackupVaultResource) -> TaggedVault:
    return TaggedVault(id=vault.id or "", location=vault.location or "", tags=dict(vault.tags or {}))


def _security(soft_delete: str, days: float, immutability: str) -> models.SecuritySettings:
    return models.SecuritySettings(
        soft_delete_settings=models.SoftDeleteSettings(state=soft_delete, retention_duration_in_days=days),
        immutability_settings=models.ImmutabilitySettings(state=immutability),
    )


def operational_policy(source: str, terms: ProtectPolicy) -> models.BackupPolicy:
    """The policy for data sources of this type, which keeps their backups beside them."""
    store = models.DataStoreInfoBase(data_store_type="OperationalStore", object_type="DataStoreInfoBase")
    default = models.TaggingCriteria(
        is_default=True, tagging_priority=99, tag_info=models.RetentionTag(tag_name="Default")
    )
    hours = terms.backup_every // timedelta(hours=1)
    every = "P1D" if hours == 24 else f"PT{hours}H"
    taken = models.AzureBackupRule(
        name="BackupDaily" if hours == 24 else "BackupHourly",
        backup_parameters=models.AzureBackupParams(backup_type="Incremental"),
        data_store=store,
        trigger=models.ScheduleBasedTriggerContext(
            schedule=models.BackupSchedule(repeating_time_intervals=[f"R/{_START}/{every}"], time_zone="UTC"),
            tagging_criteria=[default],
        ),
    )
    lifecycle = models.SourceLifeCycle(
        delete_after=models.AbsoluteDeleteOption(duration=f"P{terms.keep.days}D"),
        source_data_store=store,
        target_data_store_copy_settings=[],
    )
    retention = models.AzureRetentionRule(name="Default", is_default=True, lifecycles=[lifecycle])
    return models.BackupPolicy(datasource_types=[source], policy_rules=[taken, retention])
