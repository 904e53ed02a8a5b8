"""Recovery Services vaults, which keep the backups of data sources: their policies, and what they protect."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from shared.adapters.azure.common import plain, read, translated
from shared.adapters.backup.source_backups import FABRIC, backup_client, vault_keywords
from shared.adapters.backup.vaults import Vaults, operation_found, word
from shared.domain.resource_id import ResourceId, same
from shared.domain.vaults.findings import IMMUTABILITY, REDUNDANCY, Found, FoundOperation, FoundVault
from shared.domain.vaults.policy import Redundancy
from shared.domain.vaults.protection import Protection, SourceOperation, VaultRequirements, VaultService
from shared.domain.vaults.source import FoundItem

if TYPE_CHECKING:
    from azure.mgmt.recoveryservices.aio.operations import VaultsOperations
    from azure.mgmt.recoveryservices.models import PatchVault, SecuritySettings, Vault
    from azure.mgmt.recoveryservicesbackup.aio import RecoveryServicesBackupClient
    from azure.mgmt.recoveryservicesbackup.models import ProtectionPolicy, ResourceGuardProxyBaseResource

ACCOUNTS = "backupManagementType eq 'AzureStorage'"
_GUARD = {"resource_guard_proxy_name": "VaultProxy"}  # the name that the portal and Azure's CLI use
_SOFT_DELETE = {"Disabled": "Off", "Enabled": "On", "AlwaysON": "AlwaysOn"}
_OURS_TO_THEIRS = {ours: theirs for theirs, ours in _SOFT_DELETE.items()}


class RecoveryServicesVaults(Vaults):
    """The vaults of Azure Recovery Services."""

    service = VaultService.RECOVERY_SERVICES

    async def delete_vault(self, protection: Protection) -> None:
        """Ask for the vault's deletion; before that, for the end of storage accounts' registrations and their locks."""
        containers = self._client(protection).protection_containers
        registered = await self._accounts(protection)
        for container in registered:
            with translated(f"unregistering {container}"):
                await containers.unregister(**vault_keywords(protection), fabric_name=FABRIC, container_name=container)
        if not registered:
            await super().delete_vault(protection)

    async def _accounts(self, protection: Protection) -> list[str]:
        """The containers (names) as which storage accounts are registered."""
        containers = self._client(protection).backup_protection_containers
        with translated(f"listing the storage accounts of {self._requirements(protection).label}"):
            listed = containers.list(**vault_keywords(protection), filter=ACCOUNTS)
            return [container.name or "" async for container in listed]

    async def policy(self, protection: Protection, name: str) -> Found | None:
        """A backup policy of the vault."""
        policies = self._client(protection).protection_policies
        found = await read(
            f"policy {name} of {self._requirements(protection).label}",
            policies.get(**vault_keywords(protection), policy_name=name),
        )
        return Found(state="Succeeded") if found else None

    async def create_policy(self, protection: Protection, name: str, policy: "ProtectionPolicy") -> Found:
        """Make a backup policy."""
        from azure.mgmt.recoveryservicesbackup.models import ProtectionPolicyResource

        body = ProtectionPolicyResource(properties=policy)
        with translated(f"creating policy {name} of {self._requirements(protection).label}"):
            await self._client(protection).protection_policies.create_or_update(
                **vault_keywords(protection), policy_name=name, parameters=body
            )
        return Found(state="Succeeded")

    async def items(self, protection: Protection) -> list[FoundItem]:
        """All that the vault protects."""
        listed = self._client(protection).backup_protected_items.list(**vault_keywords(protection))
        with translated(f"listing what {self._requirements(protection).label} protects"):
            return [_item(found) async for found in listed]

    async def operation(self, asked: SourceOperation) -> FoundOperation:
        """How an operation on a protected item stands."""
        statuses = self._client(asked.protection).backup_operation_statuses
        with translated(f"following the protection of {asked.source.label}"):
            found: Any = await statuses.get(**vault_keywords(asked.protection), operation_id=asked.operation)
        return operation_found(found.status, found.error)

    async def delete_item(self, protection: Protection, item: FoundItem) -> None:
        """Ask for the deletion of the item's backups, which the vault keeps soft-deleted."""
        with translated(f"deleting the backups of {item.name}"):
            await self._client(protection).protected_items.delete(
                **vault_keywords(protection), fabric_name=FABRIC, **item_keywords(item.id)
            )

    def _client(self, protection: Protection) -> "RecoveryServicesBackupClient":
        return backup_client(self, protection)

    def _vaults(self, protection: Protection) -> "VaultsOperations":
        from azure.mgmt.recoveryservices.aio import RecoveryServicesClient

        return self.client(RecoveryServicesClient, protection.subscription).vaults

    def _new(self, protection: Protection, vault: VaultRequirements, redundancy: Redundancy) -> "Vault":
        from azure.mgmt.recoveryservices import models

        storage = models.VaultPropertiesRedundancySettings(
            standard_tier_storage_redundancy=redundancy, cross_region_restore="Disabled"
        )
        return models.Vault(
            location=protection.location,
            tags=protection.tags,
            sku=models.Sku(name="RS0", tier="Standard"),
            identity=models.IdentityData(type="SystemAssigned"),
            properties=models.VaultProperties(
                redundancy_settings=storage,
                security_settings=_security(vault.terms.soft_delete, vault.terms.soft_delete_days, vault.immutability),
                public_network_access=_public(vault.terms.public_network),
            ),
        )

    def _hardened(self, better: FoundVault) -> "PatchVault":
        from azure.mgmt.recoveryservices.models import PatchVault, VaultProperties

        security = _security(better.soft_delete, better.soft_delete_days, better.immutability)
        return PatchVault(
            properties=VaultProperties(security_settings=security, public_network_access=_public(better.public))
        )

    def _found(self, found: "Vault", guard: str) -> FoundVault:
        properties: Any = found.properties
        security = properties.security_settings
        soft_delete = security.soft_delete_settings if security else None
        immutability = security.immutability_settings if security else None
        redundancy = properties.redundancy_settings
        return FoundVault(
            state=plain(properties.provisioning_state),
            principal=(found.identity and found.identity.principal_id) or "",
            soft_delete=_SOFT_DELETE.get(word(_SOFT_DELETE, plain(soft_delete and soft_delete.soft_delete_state)), ""),
            soft_delete_days=(soft_delete and soft_delete.soft_delete_retention_period_in_days) or 0,
            immutability=word(IMMUTABILITY, plain(immutability and immutability.state)),
            redundancy=word(REDUNDANCY, plain(redundancy and redundancy.standard_tier_storage_redundancy)),
            public=not same(plain(properties.public_network_access), "Disabled"),
            guard=guard,
        )

    async def _read_guard(self, protection: Protection) -> "ResourceGuardProxyBaseResource":
        return await self._client(protection).resource_guard_proxy.get(**vault_keywords(protection), **_GUARD)

    async def _write_guard(self, protection: Protection) -> None:
        from azure.mgmt.recoveryservicesbackup.models import ResourceGuardProxyBase, ResourceGuardProxyBaseResource

        proxy = ResourceGuardProxyBase(resource_guard_resource_id=protection.terms.guard)
        await self._client(protection).resource_guard_proxy.put(
            **vault_keywords(protection), **_GUARD, parameters=ResourceGuardProxyBaseResource(properties=proxy)
        )


def item_keywords(id: str) -> dict[str, str]:
    """A protected or protectable item and its container, as the SDK's operations want them named."""
    item = ResourceId(id)
    return {"container_name": item.parent.name, "protected_item_name": item.name}


def _item(found: Any) -> FoundItem:
    properties = found.properties
    return FoundItem(
        id=found.id or "",
        source_id=properties.source_resource_id or "",
        name=properties.get("friendlyName") or "",
        state=str(properties.get("protectionState") or ""),
        policy=properties.policy_id or "",
        deleted=bool(properties.is_scheduled_for_deferred_delete),
        until=_until(properties),
    )


def _until(properties: Any) -> datetime | None:
    deleted, days = properties.deferred_delete_time_in_utc, properties.get("softDeleteRetentionPeriod")
    return deleted + timedelta(days=days) if deleted and days else None


def _public(allowed: bool) -> str:
    return "Enabled" if allowed else "Disabled"


def _security(soft_delete: str, days: float, immutability: str) -> "SecuritySettings":
    from azure.mgmt.recoveryservices import models

    return models.SecuritySettings(
        soft_delete_settings=models.SoftDeleteSettings(
            soft_delete_state=_OURS_TO_THEIRS[soft_delete], soft_delete_retention_period_in_days=int(days)
        ),
        immutability_settings=models.ImmutabilitySettings(state=immutability),
    )
