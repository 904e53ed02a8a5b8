"""Backup vaults (Azure Data Protection): the vault itself, its policy, validations and the backup instance.

A PUT is sent once and not followed: its outcome is what a later GET shows. A validation has nothing but its operation,
of which only the id is kept; the signed address that the service gives isn't.
"""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from shared.adapters.azure.common import Management, last_segment, plain, translated, unless_absent
from shared.domain.vaults.findings import Found, FoundInstance, FoundOperation, FoundVault, SoftDeleted, Validation
from shared.domain.vaults.policy import ProtectPolicy, Redundancy
from shared.domain.vaults.protection import Protection
from shared.domain.vaults.release import TaggedVault
from shared.settings import Settings

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential
    from azure.mgmt.dataprotection.aio import DataProtectionMgmtClient
    from azure.mgmt.dataprotection.models import (
        BackupInstance,
        BackupInstanceResource,
        BackupPolicy,
        BackupVaultResource,
        DeletedBackupInstanceResource,
        SecuritySettings,
    )

_AKS = "Microsoft.ContainerService/managedClusters"
_START = "2024-01-01T02:00:00+00:00"


class BackupVaults:
    """Reads give None for what isn't there. `options` go to the SDK's clients."""

    def __init__(self, settings: Settings, credential: "AsyncTokenCredential", **options: Any) -> None:
        self._management = Management(settings, credential, **options)

    async def vault(self, wanted: Protection) -> FoundVault | None:
        """The cluster's Backup vault."""
        with translated(f"reading Backup vault {wanted.vault}"):
            found = await unless_absent(self._client(wanted).backup_vaults.get(wanted.group, wanted.vault))
        return _vault(found) if found else None

    async def create_vault(self, wanted: Protection, redundancy: Redundancy) -> None:
        """Ask for the vault with everything that can't be changed or should not be weaker."""
        from azure.mgmt.dataprotection import models

        terms = wanted.terms
        features = models.FeatureSettings(
            cross_region_restore_settings=models.CrossRegionRestoreSettings(state="Disabled")
        )
        body = models.BackupVaultResource(
            location=wanted.location,
            tags=self._management.tagged(wanted.tags),
            identity=models.DppIdentityDetails(type="SystemAssigned"),
            properties=models.BackupVault(
                storage_settings=[models.StorageSetting(datastore_type="VaultStore", type=redundancy)],
                security_settings=_security(terms.soft_delete, terms.soft_delete_days, wanted.bar.immutability),
                feature_settings=features,
            ),
        )
        with translated(f"creating Backup vault {wanted.vault}"):
            await self._client(wanted).backup_vaults.begin_create_or_update(
                wanted.group, wanted.vault, body, polling=False
            )

    async def harden_vault(self, wanted: Protection, better: FoundVault) -> None:
        """Ask for the security settings of this better vault."""
        from azure.mgmt.dataprotection.models import PatchBackupVaultInput, PatchResourceRequestInput

        security = _security(better.soft_delete, better.soft_delete_days, better.immutability)
        body = PatchResourceRequestInput(properties=PatchBackupVaultInput(security_settings=security))
        with translated(f"hardening Backup vault {wanted.vault}"):
            await self._client(wanted).backup_vaults.begin_update(wanted.group, wanted.vault, body, polling=False)

    async def tagged(self, subscription: str, group: str) -> list[TaggedVault]:
        """The vaults of a resource group, with their tags; none if there is no such group."""
        from azure.core.exceptions import ResourceNotFoundError
        from azure.mgmt.dataprotection.aio import DataProtectionMgmtClient

        vaults = self._management.client(DataProtectionMgmtClient, subscription).backup_vaults
        with translated(f"listing the Backup vaults of resource group {group}"):
            try:
                found = [vault async for vault in vaults.get_in_resource_group(group)]
            except ResourceNotFoundError:
                return []
        return [TaggedVault(id=v.id or "", location=v.location or "", tags=dict(v.tags or {})) for v in found]

    async def delete_vault(self, wanted: Protection) -> None:
        """Ask for the vault's deletion, which Azure refuses while something is in it."""
        with translated(f"deleting Backup vault {wanted.vault}"):
            await self._client(wanted).backup_vaults.begin_delete(wanted.group, wanted.vault, polling=False)

    async def policy(self, wanted: Protection) -> Found | None:
        """The vault's backup policy."""
        name = wanted.terms.backup_policy
        with translated(f"reading policy {name} of Backup vault {wanted.vault}"):
            found = await unless_absent(self._client(wanted).backup_policies.get(wanted.group, wanted.vault, name))
        return Found(state="Succeeded") if found else None

    async def create_policy(self, wanted: Protection) -> Found:
        """Make the policy, which keeps its backups beside the cluster."""
        from azure.mgmt.dataprotection.models import BaseBackupPolicyResource

        name = wanted.terms.backup_policy
        with translated(f"creating policy {name} of Backup vault {wanted.vault}"):
            await self._client(wanted).backup_policies.create_or_update(
                wanted.group, wanted.vault, name, BaseBackupPolicyResource(properties=_policy(wanted.terms))
            )
        return Found(state="Succeeded")

    async def holders(self, wanted: Protection) -> list[FoundInstance]:
        """The backup instances of the cluster, in whatever vault."""
        client = self._client(wanted)
        with translated(f"looking for backup instances of cluster {wanted.cluster}"):
            found = [i async for i in client.backup_instances_extension_routing.list(wanted.cluster_id)]
        return [_found(instance) for instance in found]

    async def start_validation(self, wanted: Protection) -> Validation:
        """Ask Azure Backup whether it could protect the cluster now."""
        from azure.mgmt.dataprotection.models import ValidateForBackupRequest

        sent: list[str] = []
        with translated(f"validating the backup of cluster {wanted.cluster}"):
            await self._client(wanted).backup_instances.begin_validate_for_backup(
                wanted.group,
                wanted.vault,
                ValidateForBackupRequest(backup_instance=_instance(wanted)),
                polling=False,
                raw_response_hook=lambda answer: sent.append(answer.http_response.headers["Azure-AsyncOperation"]),
            )
        return Validation(wanted=wanted, operation=last_segment(sent[-1]))

    async def operation(self, validation: Validation) -> FoundOperation:
        """The operation of a validation."""
        wanted = validation.wanted
        with translated(f"reading the validation of cluster {wanted.cluster}"):
            found = await self._client(wanted).operation_status_backup_vault_context.get(
                wanted.group, wanted.vault, validation.operation
            )
        error = found.error
        return FoundOperation(
            state=found.status or "", code=(error and error.code) or "", words=(error and error.message) or ""
        )

    async def instance(self, wanted: Protection) -> FoundInstance | None:
        """The cluster's backup instance."""
        with translated(f"reading the backup instance of cluster {wanted.cluster}"):
            found = await unless_absent(
                self._client(wanted).backup_instances.get(wanted.group, wanted.vault, wanted.instance)
            )
        return _found(found) if found else None

    async def put_instance(self, wanted: Protection) -> None:
        """Ask for the backup instance, or for the policy that it should go by."""
        from azure.mgmt.dataprotection.models import BackupInstanceResource

        with translated(f"protecting cluster {wanted.cluster}"):
            await self._client(wanted).backup_instances.begin_create_or_update(
                wanted.group,
                wanted.vault,
                wanted.instance,
                BackupInstanceResource(properties=_instance(wanted)),
                polling=False,
            )

    async def instances(self, wanted: Protection) -> list[str]:
        """The names of all backup instances in the cluster's vault."""
        with translated(f"listing the backup instances of Backup vault {wanted.vault}"):
            return [i.name or "" async for i in self._client(wanted).backup_instances.list(wanted.group, wanted.vault)]

    async def delete_instance(self, wanted: Protection, name: str) -> None:
        """Ask for the deletion of a backup instance, which the vault keeps soft-deleted."""
        with translated(f"deleting backup instance {name}"):
            await self._client(wanted).backup_instances.begin_delete(wanted.group, wanted.vault, name, polling=False)

    async def soft_deleted(self, wanted: Protection) -> list[SoftDeleted]:
        """The deleted backup instances that the vault still keeps."""
        listed = self._client(wanted).deleted_backup_instances.list(wanted.group, wanted.vault)
        with translated(f"listing what was deleted from Backup vault {wanted.vault}"):
            return [_soft_deleted(instance) async for instance in listed]

    async def close(self) -> None:
        """Close the connections."""
        await self._management.close()

    def _client(self, wanted: Protection) -> "DataProtectionMgmtClient":
        from azure.mgmt.dataprotection.aio import DataProtectionMgmtClient

        return self._management.client(DataProtectionMgmtClient, wanted.subscription)


def _vault(found: "BackupVaultResource") -> FoundVault:
    held, security = found.properties, found.properties.security_settings
    soft_delete = security.soft_delete_settings if security else None
    immutability = security.immutability_settings if security else None
    stores = [s for s in held.storage_settings or [] if s.datastore_type == "VaultStore"]
    return FoundVault(
        state=plain(held.provisioning_state),
        principal=(found.identity and found.identity.principal_id) or "",
        soft_delete=plain(soft_delete and soft_delete.state),
        soft_delete_days=(soft_delete and soft_delete.retention_duration_in_days) or 0,
        immutability=plain(immutability and immutability.state),
        redundancy=plain(stores[0].type if stores else None),
    )


def _found(instance: "BackupInstanceResource") -> FoundInstance:
    held: Any = instance.properties
    error = held.protection_error_details
    return FoundInstance(
        id=instance.id or "",
        state=plain(held.provisioning_state),
        protection=plain(held.current_protection_state),
        policy=held.policy_info.policy_id,
        words=f"{error.code}: {error.message}" if error else "",
    )


def _soft_deleted(instance: "DeletedBackupInstanceResource") -> SoftDeleted:
    info = instance.properties and instance.properties.deletion_info
    until = (info and info.scheduled_purge_time) or ""
    return SoftDeleted(name=instance.name or "", until=datetime.fromisoformat(until) if until else None)


def _security(soft_delete: str, days: float, immutability: str) -> "SecuritySettings":
    from azure.mgmt.dataprotection import models

    return models.SecuritySettings(
        soft_delete_settings=models.SoftDeleteSettings(state=soft_delete, retention_duration_in_days=days),
        immutability_settings=models.ImmutabilitySettings(state=immutability),
    )


def _policy(terms: ProtectPolicy) -> "BackupPolicy":
    from azure.mgmt.dataprotection import models

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
    stay = models.SourceLifeCycle(
        delete_after=models.AbsoluteDeleteOption(duration=f"P{terms.keep.days}D"),
        source_data_store=store,
        target_data_store_copy_settings=[],
    )
    kept = models.AzureRetentionRule(name="Default", is_default=True, lifecycles=[stay])
    return models.BackupPolicy(datasource_types=[_AKS], policy_rules=[taken, kept])


def _instance(wanted: Protection) -> "BackupInstance":
    from azure.mgmt.dataprotection import models

    source: dict[str, Any] = {
        "datasource_type": _AKS,
        "resource_type": "Microsoft.ContainerService/managedclusters",
        "resource_id": wanted.cluster_id,
        "resource_uri": wanted.cluster_id,
        "resource_name": wanted.cluster,
        "resource_location": wanted.location,
    }
    parameters = models.PolicyParameters(
        data_store_parameters_list=[
            models.AzureOperationalStoreParameters(
                data_store_type="OperationalStore", resource_group_id=wanted.snapshot_group_id
            )
        ],
        backup_datasource_parameters_list=[
            models.KubernetesClusterBackupDatasourceParameters(
                snapshot_volumes=True, include_cluster_scope_resources=True
            )
        ],
    )
    return models.BackupInstance(
        object_type="BackupInstance",
        friendly_name=f"{wanted.cluster}/{wanted.cluster}",
        data_source_info=models.Datasource(object_type="Datasource", **source),
        data_source_set_info=models.DatasourceSet(object_type="DatasourceSet", **source),
        policy_info=models.PolicyInfo(policy_id=wanted.policy_id, policy_parameters=parameters),
    )
