"""Backup vaults (Azure Data Protection): the vault itself, its policy, validations and the backup instance.

A PUT is sent once and not followed: its outcome is what a later GET shows. A validation has nothing but its operation,
of which only the id is kept; the signed address that the service gives isn't.
"""

from typing import TYPE_CHECKING, Any

from shared.adapters.azure import Management, plain, translated, unless_absent
from shared.domain.vault import POLICY, Protection
from shared.domain.vault_findings import RETENTION_DAYS, Found, FoundInstance, FoundOperation, FoundVault, Validation
from shared.settings import Settings

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential
    from azure.mgmt.dataprotection.aio import DataProtectionMgmtClient
    from azure.mgmt.dataprotection.models import BackupInstance, BackupPolicy, BackupVaultResource

_AKS = "Microsoft.ContainerService/managedClusters"
_DAILY = "R/2024-01-01T02:00:00+00:00/P1D"


class BackupVaults:
    """Reads give None for what isn't there. `options` go to the SDK's clients."""

    def __init__(self, settings: Settings, credential: "AsyncTokenCredential", **options: Any) -> None:
        self._management = Management(settings, credential, **options)

    async def vault(self, wanted: Protection) -> FoundVault | None:
        """The cluster's Backup vault."""
        with translated(f"reading Backup vault {wanted.vault}"):
            found = await unless_absent(self._client(wanted).backup_vaults.get(wanted.group, wanted.vault))
        return _vault(found) if found else None

    async def create_vault(self, wanted: Protection) -> None:
        """Ask for the vault with everything that can't be changed or should not be weaker."""
        from azure.mgmt.dataprotection import models

        security = models.SecuritySettings(
            soft_delete_settings=models.SoftDeleteSettings(state="On", retention_duration_in_days=RETENTION_DAYS),
            immutability_settings=models.ImmutabilitySettings(state="Unlocked"),
        )
        features = models.FeatureSettings(
            cross_region_restore_settings=models.CrossRegionRestoreSettings(state="Disabled")
        )
        body = models.BackupVaultResource(
            location=wanted.location,
            identity=models.DppIdentityDetails(type="SystemAssigned"),
            properties=models.BackupVault(
                storage_settings=[models.StorageSetting(datastore_type="VaultStore", type="GeoRedundant")],
                security_settings=security,
                feature_settings=features,
            ),
        )
        with translated(f"creating Backup vault {wanted.vault}"):
            await self._client(wanted).backup_vaults.begin_create_or_update(
                wanted.group, wanted.vault, body, polling=False
            )

    async def policy(self, wanted: Protection) -> Found | None:
        """The vault's backup policy."""
        with translated(f"reading the policy of Backup vault {wanted.vault}"):
            found = await unless_absent(self._client(wanted).backup_policies.get(wanted.group, wanted.vault, POLICY))
        return Found(state="Succeeded") if found else None

    async def create_policy(self, wanted: Protection) -> None:
        """Make the policy: daily, kept for seven days beside the cluster."""
        from azure.mgmt.dataprotection.models import BaseBackupPolicyResource

        with translated(f"creating the policy of Backup vault {wanted.vault}"):
            await self._client(wanted).backup_policies.create_or_update(
                wanted.group, wanted.vault, POLICY, BaseBackupPolicyResource(properties=_policy())
            )

    async def vaults_holding(self, wanted: Protection) -> list[str]:
        """The ids of the vaults that hold a backup instance of the cluster."""
        client = self._client(wanted)
        with translated(f"looking for backup instances of cluster {wanted.cluster}"):
            found = [i async for i in client.backup_instances_extension_routing.list(wanted.cluster_id)]
        policies = [i.properties.policy_info.policy_id for i in found if i.properties]
        return ["/".join(policy.split("/")[:9]) for policy in policies]

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
        return Validation(wanted=wanted, operation=sent[-1].partition("?")[0].rpartition("/")[2])

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
        if found is None or found.properties is None:
            return None
        held = found.properties
        error = held.protection_error_details
        return FoundInstance(
            state=plain(held.provisioning_state),
            protection=plain(held.current_protection_state),
            words=f"{error.code}: {error.message}" if error else "",
        )

    async def create_instance(self, wanted: Protection) -> None:
        """Ask for the backup instance."""
        from azure.mgmt.dataprotection.models import BackupInstanceResource

        with translated(f"protecting cluster {wanted.cluster}"):
            await self._client(wanted).backup_instances.begin_create_or_update(
                wanted.group,
                wanted.vault,
                wanted.instance,
                BackupInstanceResource(properties=_instance(wanted)),
                polling=False,
            )

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


def _policy() -> "BackupPolicy":
    from azure.mgmt.dataprotection import models

    store = models.DataStoreInfoBase(data_store_type="OperationalStore", object_type="DataStoreInfoBase")
    default = models.TaggingCriteria(
        is_default=True, tagging_priority=99, tag_info=models.RetentionTag(tag_name="Default")
    )
    daily = models.AzureBackupRule(
        name="BackupDaily",
        backup_parameters=models.AzureBackupParams(backup_type="Incremental"),
        data_store=store,
        trigger=models.ScheduleBasedTriggerContext(
            schedule=models.BackupSchedule(repeating_time_intervals=[_DAILY], time_zone="UTC"),
            tagging_criteria=[default],
        ),
    )
    week = models.SourceLifeCycle(
        delete_after=models.AbsoluteDeleteOption(duration="P7D"),
        source_data_store=store,
        target_data_store_copy_settings=[],
    )
    kept = models.AzureRetentionRule(name="Default", is_default=True, lifecycles=[week])
    return models.BackupPolicy(datasource_types=[_AKS], policy_rules=[daily, kept])


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
