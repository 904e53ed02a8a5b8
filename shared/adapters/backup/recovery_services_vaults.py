"""Recovery Services vaults, which keep the backups of data sources: their policies, and what they protect."""

from datetime import datetime, timedelta

from azure.mgmt.recoveryservices import models
from azure.mgmt.recoveryservices.aio import RecoveryServicesClient
from azure.mgmt.recoveryservices.aio.operations import VaultsOperations
from azure.mgmt.recoveryservicesbackup import models as backup_models
from azure.mgmt.recoveryservicesbackup.aio import RecoveryServicesBackupClient

from shared.adapters.azure.common import LISTED, plain, properties_of, translated
from shared.adapters.backup.source_backups import FABRIC, item_names, vault_keywords
from shared.adapters.backup.vaults import Vaults, word
from shared.domain.vaults.findings import FoundVault
from shared.domain.vaults.policy import Redundancy
from shared.domain.vaults.protection import CLUSTER_TAG, Protection, VaultRequirements
from shared.domain.vaults.source import FoundItem, VaultService
from shared.domain.vaults.strength import IMMUTABILITY, REDUNDANCY

STORAGE_ACCOUNTS = "backupManagementType eq 'AzureStorage'"  # a filter of lists
_GUARD = {"resource_guard_proxy_name": "VaultProxy"}  # the name that the portal and Azure's CLI use
_NEW = "Unlocked"  # Azure refuses to make a vault that is locked from the start
_SOFT_DELETE = {"Disabled": "Off", "Enabled": "On", "AlwaysON": "AlwaysOn"}
_SOFT_DELETE_STATE = {setting: state for state, setting in _SOFT_DELETE.items()}


class RecoveryServicesVaults(Vaults):
    """The vaults of Azure Recovery Services."""

    service = VaultService.RECOVERY_SERVICES

    async def accounts(self, protection: Protection) -> dict[str, str]:
        """The registrations of storage accounts, by the names of their containers."""
        containers = self._client(protection).backup_protection_containers
        with translated(f"listing the storage accounts of {self._requirements(protection).label}"):
            listed = containers.list(**vault_keywords(protection), filter=STORAGE_ACCOUNTS, **LISTED)
            return {c.name or "": properties_of(c).registration_status or "" async for c in listed}

    async def unregister(self, protection: Protection, container: str) -> None:
        """Ask for the end of a storage account's registration, and of its lock."""
        containers = self._client(protection).protection_containers
        with translated(f"unregistering {container}"):
            await containers.unregister(**vault_keywords(protection), fabric_name=FABRIC, container_name=container)

    async def items(self, protection: Protection) -> list[FoundItem]:
        listed = self._client(protection).backup_protected_items.list(**vault_keywords(protection), **LISTED)
        with translated(f"listing what {self._requirements(protection).label} protects"):
            return [_item(found) async for found in listed]

    def _client(self, protection: Protection) -> RecoveryServicesBackupClient:
        return self.client(RecoveryServicesBackupClient, protection.subscription)

    def _vaults(self, protection: Protection) -> VaultsOperations:
        return self.client(RecoveryServicesClient, protection.subscription).vaults

    def _new(self, protection: Protection, vault: VaultRequirements, redundancy: Redundancy) -> models.Vault:
        storage = models.VaultPropertiesRedundancySettings(
            standard_tier_storage_redundancy=redundancy, cross_region_restore="Disabled"
        )
        return models.Vault(
            location=protection.location,
            tags=self.merged_tags(protection.tags),
            sku=models.Sku(name="RS0", tier="Standard"),
            identity=models.IdentityData(type="SystemAssigned"),
            properties=models.VaultProperties(
                redundancy_settings=storage,
                security_settings=_security(vault.terms.soft_delete, vault.terms.soft_delete_days, _NEW),
                public_network_access=_public(vault.terms.public_network),
            ),
        )

    def _hardened(self, better: FoundVault) -> models.PatchVault:
        security = _security(better.soft_delete, better.soft_delete_days, better.immutability, better.immutable_days)
        return models.PatchVault(
            properties=models.VaultProperties(security_settings=security, public_network_access=_public(better.public))
        )

    def _found(self, found: models.Vault) -> FoundVault:
        properties = properties_of(found)
        security = properties.security_settings
        soft_delete = security.soft_delete_settings if security else None
        immutability = security.immutability_settings if security else None
        redundancy = properties.redundancy_settings
        return FoundVault(
            state=plain(properties.provisioning_state),
            principal=(found.identity and found.identity.principal_id) or "",
            soft_delete=_soft_delete(plain(soft_delete and soft_delete.soft_delete_state)),
            soft_delete_days=(soft_delete and soft_delete.soft_delete_retention_period_in_days) or 0,
            immutability=word(IMMUTABILITY, plain(immutability and immutability.state)),
            immutable_days=_immutable_days(immutability),
            redundancy=word(REDUNDANCY, plain(redundancy and redundancy.standard_tier_storage_redundancy)),
            public=_is_public(plain(properties.public_network_access)),
            cluster=(found.tags or {}).get(CLUSTER_TAG, ""),
        )

    async def _read_guard(self, protection: Protection) -> backup_models.ResourceGuardProxyBaseResource:
        return await self._client(protection).resource_guard_proxy.get(**vault_keywords(protection), **_GUARD)

    async def _write_guard(self, protection: Protection) -> None:
        proxy = backup_models.ResourceGuardProxyBase(resource_guard_resource_id=protection.terms.guard)
        await self._client(protection).resource_guard_proxy.put(
            **vault_keywords(protection),
            **_GUARD,
            parameters=backup_models.ResourceGuardProxyBaseResource(properties=proxy),
        )

    async def _read_policy(self, protection: Protection, name: str) -> backup_models.ProtectionPolicyResource:
        return await self._client(protection).protection_policies.get(**vault_keywords(protection), policy_name=name)

    async def _write_policy(self, protection: Protection, name: str, policy: backup_models.ProtectionPolicy) -> None:
        body = backup_models.ProtectionPolicyResource(properties=policy)
        await self._client(protection).protection_policies.create_or_update(
            **vault_keywords(protection), policy_name=name, parameters=body
        )

    async def _read_creation(self, protection: Protection, operation: str) -> models.OperationResource:
        services = self.client(RecoveryServicesClient, protection.subscription)
        return await services.get_operation_status(protection.group, protection.recovery_services_vault, operation)

    async def _read_operation(self, protection: Protection, operation: str) -> backup_models.OperationStatus:
        statuses = self._client(protection).backup_operation_statuses
        return await statuses.get(**vault_keywords(protection), operation_id=operation)

    async def _delete_item(self, protection: Protection, item: FoundItem) -> None:
        await self._client(protection).protected_items.delete(**item_names(item.id))


def _item(found: backup_models.ProtectedItemResource) -> FoundItem:
    properties = properties_of(found)
    return FoundItem(
        id=found.id or "",
        source_id=properties.source_resource_id or "",
        name=properties.get("friendlyName") or "",
        state=str(properties.get("protectionState") or ""),
        policy=properties.policy_id or "",
        deleted=bool(properties.is_scheduled_for_deferred_delete),
        until=_until(properties),
    )


def _until(properties: backup_models.ProtectedItem) -> datetime | None:
    deleted, days = properties.deferred_delete_time_in_utc, properties.get("softDeleteRetentionPeriod")
    return deleted + timedelta(days=days) if deleted and days else None


def _soft_delete(state: str) -> str:
    """In the words of Backup vaults; one that isn't known stays as it is."""
    known = word(_SOFT_DELETE, state)
    return _SOFT_DELETE.get(known, known)


def _public(allowed: bool | None) -> str | None:
    return None if allowed is None else "Enabled" if allowed else "Disabled"


def _is_public(access: str) -> bool | None:
    return {"": True, "enabled": True, "disabled": False}.get(access.lower())


def _immutable_days(settings: models.ImmutabilitySettings | None) -> int:
    configuration = settings.configuration if settings else None
    return (configuration and configuration.duration_in_days) or 0


def _security(soft_delete: str, days: float, immutability: str, immutable_days: int = 0) -> models.SecuritySettings:
    """Since API 2026-05-01, Azure refuses an immutability that doesn't say how long it lasts."""
    as_per_policy = models.ImmutabilityConfiguration(type="AsPerPolicy")
    time_based = models.ImmutabilityConfiguration(type="TimeBased", duration_in_days=immutable_days)
    return models.SecuritySettings(
        soft_delete_settings=models.SoftDeleteSettings(
            soft_delete_state=_SOFT_DELETE_STATE[soft_delete], soft_delete_retention_period_in_days=int(days)
        ),
        immutability_settings=models.ImmutabilitySettings(
            state=immutability, configuration=time_based if immutable_days else as_per_policy
        ),
    )
