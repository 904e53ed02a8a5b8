"""A cluster under AKS backup, as `az dataprotection enable-backup` leaves it; scenarios can begin with it."""

from typing import Any

from local.cloud.arm import SUBSCRIPTION, Arm, Resource
from local.cloud.backup import readiness as needed
from local.cloud.resources.resource_groups import ResourceGroups
from local.cloud.resources.roles import Roles

POLICY: dict[str, Any] = {
    "policyRules": [
        {
            "backupParameters": {"backupType": "Incremental", "objectType": "AzureBackupParams"},
            "trigger": {
                "schedule": {"repeatingTimeIntervals": ["R/2024-01-01T00:00:00+00:00/P1D"], "timeZone": "UTC"},
                "taggingCriteria": [
                    {"tagInfo": {"tagName": "Default", "id": "Default_"}, "taggingPriority": 99, "isDefault": True}
                ],
                "objectType": "ScheduleBasedTriggerContext",
            },
            "dataStore": {"dataStoreType": "OperationalStore", "objectType": "DataStoreInfoBase"},
            "name": "BackupDaily",
            "objectType": "AzureBackupRule",
        },
        {
            "lifecycles": [
                {
                    "deleteAfter": {"objectType": "AbsoluteDeleteOption", "duration": "P7D"},
                    "sourceDataStore": {"dataStoreType": "OperationalStore", "objectType": "DataStoreInfoBase"},
                }
            ],
            "isDefault": True,
            "name": "Default",
            "objectType": "AzureRetentionRule",
        },
    ],
    "datasourceTypes": ["Microsoft.ContainerService/managedClusters"],
    "objectType": "BackupPolicy",
}


class Seed:
    """Makes everything exist at once."""

    def __init__(self, arm: Arm, groups: ResourceGroups, roles: Roles) -> None:
        self._arm, self._groups, self._roles = arm, groups, roles

    def grant_all(self, vault: Resource, cluster: Resource, *, group: str) -> str:
        """Everything a cluster needs to be protected by `vault`, with effect now; returns the snapshot group's id."""
        snapshots = self._groups.add(group)["id"]
        account = f"st{cluster['name'].replace('-', '')}"[:24]
        extension = self._extension(cluster, group, account)
        self._trusted_access(vault, cluster)
        scope = f"{snapshots}/providers/Microsoft.Storage/storageAccounts/{account}"
        identity, vaults = cluster["identity"]["principalId"], vault["identity"]["principalId"]
        grants = [
            (identity, needed.CONTRIBUTOR, snapshots),
            (extension["properties"]["aksAssignedIdentity"]["principalId"], needed.BLOB_DATA_CONTRIBUTOR, scope),
            (vaults, needed.READER, cluster["id"]),
            (vaults, needed.READER, snapshots),
            (vaults, needed.DISK_SNAPSHOT_CONTRIBUTOR, snapshots),
            (vaults, needed.BLOB_DATA_READER, scope),
        ]
        for grant in grants:
            self._roles.grant(*grant)
        return str(snapshots)

    def _extension(self, cluster: Resource, group: str, account: str) -> Resource:
        at = "configuration.backupStorageLocation"
        settings = {
            f"{at}.bucket": cluster["name"],
            f"{at}.config.storageAccount": account,
            f"{at}.config.resourceGroup": group,
            f"{at}.config.subscriptionId": SUBSCRIPTION,
        }
        return self._arm.store(
            {
                "id": f"{cluster['id']}/providers/Microsoft.KubernetesConfiguration/extensions/azure-aks-backup",
                "name": "azure-aks-backup",
                "type": "Microsoft.KubernetesConfiguration/extensions",
                "properties": {
                    "extensionType": needed.EXTENSION_TYPE,
                    "provisioningState": "Succeeded",
                    "configurationSettings": settings,
                    "aksAssignedIdentity": self._arm.system_identity(f"ext-{cluster['name']}"),
                },
            }
        )

    def _trusted_access(self, vault: Resource, cluster: Resource) -> None:
        name = f"tarb-{cluster['name']}"[:24]
        self._arm.store(
            {
                "id": f"{cluster['id']}/trustedAccessRoleBindings/{name}",
                "name": name,
                "type": "Microsoft.ContainerService/managedClusters/trustedAccessRoleBindings",
                "properties": {
                    "provisioningState": "Succeeded",
                    "sourceResourceId": vault["id"],
                    "roles": [needed.OPERATOR_ROLE],
                },
            }
        )


def instance_properties(cluster: Resource, vault: Resource, snapshots: str) -> dict[str, Any]:
    """What the PUT of a backup instance carries."""
    source = {
        "resourceID": cluster["id"],
        "resourceUri": cluster["id"],
        "datasourceType": "Microsoft.ContainerService/managedClusters",
        "resourceName": cluster["name"],
        "resourceType": "Microsoft.ContainerService/managedclusters",
        "resourceLocation": cluster["location"],
    }
    store = {
        "dataStoreType": "OperationalStore",
        "objectType": "AzureOperationalStoreParameters",
        "resourceGroupId": snapshots,
    }
    chosen = {
        "objectType": "KubernetesClusterBackupDatasourceParameters",
        "includeClusterScopeResources": True,
        "snapshotVolumes": True,
    }
    return {
        "friendlyName": cluster["name"],
        "dataSourceInfo": {**source, "objectType": "Datasource"},
        "dataSourceSetInfo": {**source, "objectType": "DatasourceSet"},
        "policyInfo": {
            "policyId": f"{vault['id']}/backupPolicies/aks-daily",
            "policyParameters": {
                "dataStoreParametersList": [store],
                "backupDatasourceParametersList": [chosen],
            },
        },
        "objectType": "BackupInstance",
    }
