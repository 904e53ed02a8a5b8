"""What Azure Backup needs before it protects or restores an AKS cluster.

The roles are those that `az dataprotection enable-backup` assigns; the error codes are those of "Troubleshoot AKS
backup" in Microsoft's docs.
"""

from typing import Any

from local.cloud.arm import Arm, OperationFailed, Resource
from local.cloud.resources.roles import Roles
from local.cloud.vaults import principal_of

READER = "acdd72a7-3385-48ef-bd42-f606fba81ae7"
CONTRIBUTOR = "b24988ac-6180-42a0-ab88-20f7382dd24c"
DISK_SNAPSHOT_CONTRIBUTOR = "7efff54f-a5b4-42b5-a1c5-5411624893ce"
BLOB_DATA_CONTRIBUTOR = "ba92f5b4-2d11-453d-a403-e96b0029c9fe"
BLOB_DATA_READER = "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1"
EXTENSION_TYPE = "microsoft.dataprotection.kubernetes"
OPERATOR_ROLE = "Microsoft.DataProtection/backupVaults/backup-operator"


class Readiness:
    """Judges by what Resource Manager holds and which roles are effective now."""

    def __init__(self, arm: Arm, roles: Roles) -> None:
        self._arm, self._roles = arm, roles

    def require_protectable(self, vault: Resource, instance: dict[str, Any]) -> None:
        """Raises OperationFailed with the first thing that keeps `instance` (its properties) from being protected."""
        cluster, extension, account = self._require_extension(vault, cluster_id(instance))
        snapshots = snapshot_group(instance)
        self.require_roles(
            "UserErrorMissingPermissionsOnSnapshotResourceGroup",
            (_identity(cluster), CONTRIBUTOR, snapshots),
            (principal_of(vault), READER, snapshots),
            (principal_of(vault), DISK_SNAPSHOT_CONTRIBUTOR, snapshots),
        )
        principal = extension["properties"]["aksAssignedIdentity"]["principalId"]
        code = "UserErrorExtensionMSIMissingPermissionsOnBackupStorageLocation"
        self.require_roles(code, (principal, BLOB_DATA_CONTRIBUTOR, account))
        code = "UserErrorVaultMSIMissingPermissionsOnBackupStorageLocation"
        self.require_roles(code, (principal_of(vault), BLOB_DATA_READER, account))

    def require_restorable(self, vault: Resource, cluster: str, *, snapshots: str = "") -> Resource:
        """The same for restoring into the cluster with this resource id, which it returns.

        `snapshots` is the group that its volumes are made from; empty for none.
        """
        found, extension, account = self._require_extension(vault, cluster)
        if snapshots:
            code = "UserErrorMissingPermissionsOnSnapshotResourceGroup"
            self.require_roles(code, (_identity(found), CONTRIBUTOR, snapshots))
        principal = extension["properties"]["aksAssignedIdentity"]["principalId"]
        code = "UserErrorExtensionMSIMissingPermissionsOnBackupStorageLocation"
        self.require_roles(code, (principal, BLOB_DATA_CONTRIBUTOR, account))
        return found

    def _require_extension(self, vault: Resource, id: str) -> tuple[Resource, Resource, str]:
        cluster = self._arm.find(id)
        if cluster is None:
            raise OperationFailed("UserErrorKubernetesClusterNotFound", f"The cluster {id} does not exist.")
        require_running(cluster)
        self.require_roles("KubernetesBackupListExtensionsError", (principal_of(vault), READER, id))
        installed = self._arm.of_type("Microsoft.KubernetesConfiguration/extensions", under=f"{id}/")
        extension = next((e for e in installed if e["properties"]["extensionType"].lower() == EXTENSION_TYPE), None)
        if extension is None:
            raise OperationFailed(
                "UserErrorKubernetesBackupExtensionNotFoundError", "The Backup extension was not found."
            )
        if extension["properties"]["provisioningState"] != "Succeeded":
            raise OperationFailed("UserErrorKubernetesBackupExtensionHasErrors", "The Backup extension has errors.")
        self._require_trusted_access(vault, id)
        return cluster, extension, _storage_account(extension)

    def _require_trusted_access(self, vault: Resource, cluster: str) -> None:
        bindings = self._arm.of_type(
            "Microsoft.ContainerService/managedClusters/trustedAccessRoleBindings", f"{cluster}/"
        )
        for binding in bindings:
            found = binding["properties"]
            same = found["sourceResourceId"].lower() == vault["id"].lower() and OPERATOR_ROLE in found["roles"]
            if same and found.get("provisioningState") == "Succeeded":
                return
        raise OperationFailed(
            "UserErrorTrustedAccessGatewayReturnedForbidden",
            "The Trusted Access role binding is missing/has gotten removed from the cluster.",
        )

    def require_roles(self, code: str, *roles: tuple[str, str, str]) -> None:
        """Raises OperationFailed with `code` unless all of these (principal, role, scope) are effective."""
        for principal, role, scope in roles:
            if not self._roles.effective(principal, role, scope):
                raise OperationFailed(code, f"The identity {principal} lacks the role {role} on {scope}.")


def require_running(cluster: Resource) -> None:
    """Raises OperationFailed for a cluster that is stopped."""
    if cluster["properties"].get("powerState", {}).get("code") == "Stopped":
        raise OperationFailed("UserErrorKubernetesBackupClusterIsStopped", "Kubernetes cluster is in stopped state.")


def cluster_id(instance: dict[str, Any]) -> str:
    """The protected cluster's resource id; SDKs write the key in two ways."""
    source = instance["dataSourceInfo"]
    return str(source.get("resourceID") or source["resourceId"])


def snapshot_group(instance: dict[str, Any]) -> str:
    stores = instance["policyInfo"].get("policyParameters", {}).get("dataStoreParametersList") or []
    return next((str(store["resourceGroupId"]) for store in stores if store.get("resourceGroupId")), "")


def _identity(cluster: Resource) -> str:
    identity = cluster["identity"]
    assigned = list(identity.get("userAssignedIdentities", {}).values())
    return str(identity.get("principalId") or assigned[0]["principalId"])


def _storage_account(extension: Resource) -> str:
    settings = extension["properties"]["configurationSettings"]
    named = {key.rpartition(".")[2]: value for key, value in settings.items()}
    return (
        f"/subscriptions/{named['subscriptionId']}/resourceGroups/{named['resourceGroup']}"
        f"/providers/Microsoft.Storage/storageAccounts/{named['storageAccount']}"
    )
