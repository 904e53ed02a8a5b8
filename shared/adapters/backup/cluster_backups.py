"""Clusters in Backup vaults (Azure Data Protection): validations and the backup instance.

Of an operation only the id is kept; the signed address that the service gives isn't.
"""

from azure.mgmt.dataprotection import models
from azure.mgmt.dataprotection.aio import DataProtectionMgmtClient
from azure.mgmt.dataprotection.aio.operations import BackupInstancesOperations

from shared.adapters.azure.common import LISTED, AnswerSeen, Management, plain, properties_of, read, translated
from shared.adapters.backup.backup_vaults import Client, operational_policy
from shared.adapters.backup.vaults import operation_found
from shared.domain.cluster import CLUSTERS
from shared.domain.errors import shown
from shared.domain.operations import FoundOperation
from shared.domain.resource_id import ResourceId
from shared.domain.vaults.findings import FoundInstance, Validation
from shared.domain.vaults.policy import ProtectPolicy
from shared.domain.vaults.protection import Protection


class ClusterBackups(Management):
    """Backups of clusters. Reads give None for what isn't there."""

    async def holders(self, protection: Protection) -> list[FoundInstance]:
        """The backup instances of the cluster, in whatever vault."""
        client = self._client(protection)
        with translated(f"looking for backup instances of cluster {protection.cluster}"):
            listed = client.backup_instances_extension_routing.list(protection.cluster_id, **LISTED)
            return [_found(instance) async for instance in listed]

    async def start_validation(self, protection: Protection) -> Validation:
        """Ask Azure Backup whether it could protect the cluster now."""
        accepted = AnswerSeen()
        with translated(f"validating the backup of cluster {protection.cluster}"):
            await self._instances(protection).begin_validate_for_backup(
                *_at(protection),
                models.ValidateForBackupRequest(backup_instance=_instance(protection)),
                polling=False,
                raw_response_hook=accepted,
            )
            return Validation(protection=protection, operation=accepted.required)

    async def start_sync(self, protection: Protection) -> Validation:
        """Ask Azure Backup to take up the backup instance again, whose protection is in error."""
        accepted = AnswerSeen()
        with translated(f"taking up the backup of cluster {protection.cluster} again"):
            await self._instances(protection).begin_sync_backup_instance(
                *_at(protection),
                protection.instance,
                models.SyncBackupInstanceRequest(sync_type="Default"),
                polling=False,
                raw_response_hook=accepted,
            )
            return Validation(protection=protection, operation=accepted.outstanding)

    async def instance(self, protection: Protection) -> FoundInstance | None:
        """The cluster's backup instance."""
        return await read(
            f"the backup instance of cluster {protection.cluster}",
            self._instances(protection).get(*_at(protection), protection.instance),
            _found,
        )

    async def put_instance(self, protection: Protection) -> str:
        """Ask for the backup instance, or for the policy that it should go by; the operation, empty if there is none.

        Until it has ended, a new instance can't be read, and one that is there shows its former policy.
        """
        accepted = AnswerSeen()
        with translated(f"protecting cluster {protection.cluster}"):
            await self._instances(protection).begin_create_or_update(
                *_at(protection),
                protection.instance,
                models.BackupInstanceResource(properties=_instance(protection)),
                polling=False,
                raw_response_hook=accepted,
            )
            return accepted.outstanding

    async def instance_operation(self, protection: Protection, operation: str) -> FoundOperation | None:
        """The operation of such a request; None if the vault doesn't know it any more."""
        return await read(
            f"what was asked for the backup instance of cluster {protection.cluster}",
            self._client(protection).operation_status_backup_vault_context.get(*_at(protection), operation),
            lambda found: operation_found(found.status, found.error),
        )

    def policy(self, terms: ProtectPolicy) -> models.BackupPolicy:
        """The policy for clusters, in the SDK's words."""
        return operational_policy(CLUSTERS, terms)

    def _instances(self, protection: Protection) -> BackupInstancesOperations:
        return self._client(protection).backup_instances

    def _client(self, protection: Protection) -> DataProtectionMgmtClient:
        return self.client(Client, protection.subscription)


def _at(protection: Protection) -> tuple[str, str]:
    """The cluster's vault, as the SDK's operations want it named."""
    return protection.group, protection.backup_vault


def _found(instance: models.BackupInstanceResource) -> FoundInstance:
    properties = properties_of(instance)
    error = properties.protection_error_details
    return FoundInstance(
        id=instance.id or "",
        state=plain(properties.provisioning_state),
        protection=plain(properties.current_protection_state),
        policy=properties.policy_info.policy_id,
        message=shown(f"{error.code}: {error.message}") if error else "",
    )


def _instance(protection: Protection) -> models.BackupInstance:
    source = data_source(protection.cluster_id, protection.location)
    parameters = models.PolicyParameters(
        data_store_parameters_list=[
            models.AzureOperationalStoreParameters(
                data_store_type="OperationalStore", resource_group_id=protection.snapshot_group_id
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
        friendly_name=f"{protection.cluster}/{protection.cluster}",
        data_source_info=models.Datasource({**source, "objectType": "Datasource"}),
        data_source_set_info=models.DatasourceSet({**source, "objectType": "DatasourceSet"}),
        policy_info=models.PolicyInfo(policy_id=protection.policy_id, policy_parameters=parameters),
    )


def data_source(cluster: str, location: str) -> dict[str, str]:
    """A cluster (resource id) as a data source, in the service's words; it is its own set of data sources too."""
    return {
        "datasourceType": CLUSTERS,
        "resourceType": "Microsoft.ContainerService/managedclusters",
        "resourceID": cluster,
        "resourceUri": cluster,
        "resourceName": ResourceId(cluster).name,
        "resourceLocation": location,
    }
