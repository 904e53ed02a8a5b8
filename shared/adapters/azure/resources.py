"""What a cluster's protection needs around its vault: groups, storage, the cluster's extension, trusted access, roles.

A PUT is sent once and not followed: its outcome is what a later GET shows.
"""

from typing import TYPE_CHECKING, Any

from shared.adapters.azure.common import Management, plain, translated, unless_absent
from shared.domain.errors import TemporaryError, service_code
from shared.domain.vaults.findings import Found, FoundAccount, FoundExtension
from shared.domain.vaults.protection import CONTAINER, EXTENSION, Grant, Protection
from shared.settings import Settings

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential
    from azure.mgmt.authorization.v2022_04_01.aio import AuthorizationManagementClient
    from azure.mgmt.containerservice.aio import ContainerServiceClient
    from azure.mgmt.kubernetesconfiguration.extensions.aio import KubernetesConfigurationExtensionsMgmtClient
    from azure.mgmt.resource.resources.aio import ResourceManagementClient
    from azure.mgmt.storage.aio import StorageManagementClient

_OPERATOR = "Microsoft.DataProtection/backupVaults/backup-operator"
_LOCATION = "configuration.backupStorageLocation"
_CLUSTERS = ("Microsoft.ContainerService", "managedClusters")
# Azure Backup itself is a trusted service, and stays let in (Azure Storage docs).
_PRIVATE: dict[str, Any] = {
    "public_network_access": "Disabled",
    "network_rule_set": {"bypass": "AzureServices", "defaultAction": "Deny"},
}
_SUCCEEDED = Found(state="Succeeded")


class AzureResources:
    """Reads give None for what isn't there. `options` go to the SDK's clients."""

    def __init__(self, settings: Settings, credential: "AsyncTokenCredential", **options: Any) -> None:
        self._settings = settings
        self._management = Management(settings, credential, **options)

    async def group(self, wanted: Protection, name: str) -> Found | None:
        """The resource group with this name in the cluster's subscription."""
        with translated(f"reading resource group {name}"):
            found = await unless_absent(self._resources(wanted).resource_groups.get(name))
        return Found(state=plain(found.properties and found.properties.provisioning_state)) if found else None

    async def create_group(self, wanted: Protection, name: str) -> Found:
        """Make the resource group, in the cluster's region."""
        from azure.mgmt.resource.resources.models import ResourceGroup

        with translated(f"creating resource group {name}"):
            await self._resources(wanted).resource_groups.create_or_update(
                name, ResourceGroup(location=wanted.location, tags=self._management.tagged())
            )
        return _SUCCEEDED

    async def delete_group(self, wanted: Protection, name: str) -> None:
        """Ask for the deletion of the resource group and of all that is in it."""
        with translated(f"deleting resource group {name}"):
            await self._resources(wanted).resource_groups.begin_delete(name, polling=False)

    async def account(self, wanted: Protection) -> FoundAccount | None:
        """The storage account of the cluster's backups."""
        with translated(f"reading storage account {wanted.account}"):
            found = await unless_absent(
                self._storage(wanted).storage_accounts.get_properties(wanted.group, wanted.account)
            )
        if found is None:
            return None
        closed = (
            found.allow_shared_key_access is False
            and found.allow_blob_public_access is False
            and found.enable_https_traffic_only is True
            and found.minimum_tls_version in ("TLS1_2", "TLS1_3")
            and (not wanted.terms.subnet or found.public_network_access == "Disabled")
        )
        endpoints = found.primary_endpoints
        return FoundAccount(
            state=plain(found.provisioning_state), closed=closed, blob_url=(endpoints and endpoints.blob) or ""
        )

    async def create_account(self, wanted: Protection) -> None:
        """Ask for the storage account, or close what is open of it."""
        from azure.mgmt.storage.models import (
            Sku,
            StorageAccountCreateParameters,
            StorageAccountPropertiesCreateParameters,
        )

        body = StorageAccountCreateParameters(
            sku=Sku(name="Standard_LRS"),
            kind="StorageV2",
            location=wanted.location,
            tags=self._management.tagged(),
            properties=StorageAccountPropertiesCreateParameters(
                allow_shared_key_access=False,
                allow_blob_public_access=False,
                enable_https_traffic_only=True,
                minimum_tls_version="TLS1_2",
                **(_PRIVATE if wanted.terms.subnet else {}),
            ),
        )
        with translated(f"creating storage account {wanted.account}"):
            await self._storage(wanted).storage_accounts.begin_create(wanted.group, wanted.account, body, polling=False)

    async def delete_account(self, wanted: Protection) -> None:
        """Delete the storage account."""
        with translated(f"deleting storage account {wanted.account}"):
            await self._storage(wanted).storage_accounts.delete(wanted.group, wanted.account)

    async def container(self, wanted: Protection) -> Found | None:
        """The blob container of the cluster's backups."""
        with translated(f"reading the container of storage account {wanted.account}"):
            found = await unless_absent(
                self._storage(wanted).blob_containers.get(wanted.group, wanted.account, CONTAINER)
            )
        return _SUCCEEDED if found else None

    async def create_container(self, wanted: Protection) -> None:
        """Make the blob container."""
        from azure.mgmt.storage.models import BlobContainer, ContainerProperties

        body = BlobContainer(container_properties=ContainerProperties(public_access="None"))
        with translated(f"creating the container of storage account {wanted.account}"):
            await self._storage(wanted).blob_containers.create(wanted.group, wanted.account, CONTAINER, body)

    async def extension(self, wanted: Protection) -> FoundExtension | None:
        """The cluster's backup extension."""
        with translated(f"reading the backup extension of cluster {wanted.cluster}"):
            found = await unless_absent(
                self._extensions(wanted).extensions.get(wanted.cluster_group, *_CLUSTERS, wanted.cluster, EXTENSION)
            )
        if found is None or found.properties is None:
            return None
        held, identity = found.properties, found.properties.aks_assigned_identity
        said = [held.error_info.message if held.error_info else None, *(s.message for s in held.statuses or [])]
        return FoundExtension(
            state=plain(held.provisioning_state),
            words="; ".join(text for text in said if text),
            principal=(identity and identity.principal_id) or "",
            account=(held.configuration_settings or {}).get(f"{_LOCATION}.config.storageAccount", ""),
        )

    async def create_extension(self, wanted: Protection, blob_url: str) -> None:
        """Ask for the backup extension, which stores to the account by its own identity (no account key)."""
        from azure.mgmt.kubernetesconfiguration.extensions.models import (
            Extension,
            ExtensionProperties,
            Scope,
            ScopeCluster,
        )

        body = Extension(
            properties=ExtensionProperties(
                extension_type="microsoft.dataprotection.kubernetes",
                release_train="stable",
                auto_upgrade_minor_version=True,
                scope=Scope(cluster=ScopeCluster(release_namespace="dataprotection-microsoft")),
                configuration_settings={
                    f"{_LOCATION}.bucket": CONTAINER,
                    f"{_LOCATION}.config.storageAccount": wanted.account,
                    f"{_LOCATION}.config.resourceGroup": wanted.group,
                    f"{_LOCATION}.config.subscriptionId": wanted.subscription,
                    f"{_LOCATION}.config.useAAD": "true",
                    f"{_LOCATION}.config.storageAccountURI": blob_url,
                    "credentials.tenantId": self._settings.tenant_id,
                },
            )
        )
        with translated(f"installing the backup extension of cluster {wanted.cluster}"):
            await self._extensions(wanted).extensions.begin_create(
                wanted.cluster_group, *_CLUSTERS, wanted.cluster, EXTENSION, body, polling=False
            )

    async def trusted_access(self, wanted: Protection) -> Found | None:
        """The vault's access to the cluster's API server."""
        with translated(f"reading the trusted access of cluster {wanted.cluster}"):
            found = await unless_absent(
                self._clusters(wanted).trusted_access_role_bindings.get(
                    wanted.cluster_group, wanted.cluster, wanted.binding
                )
            )
        return Found(state=plain(found.properties.provisioning_state)) if found else None

    async def create_trusted_access(self, wanted: Protection) -> None:
        """Ask for the vault's access to the cluster's API server."""
        from azure.mgmt.containerservice.models import TrustedAccessRoleBinding, TrustedAccessRoleBindingProperties

        body = TrustedAccessRoleBinding(
            properties=TrustedAccessRoleBindingProperties(source_resource_id=wanted.vault_id, roles=[_OPERATOR])
        )
        with translated(f"granting trusted access to cluster {wanted.cluster}"):
            await self._clusters(wanted).trusted_access_role_bindings.begin_create_or_update(
                wanted.cluster_group, wanted.cluster, wanted.binding, body, polling=False
            )

    async def grant(self, grant: Grant) -> None:
        """Assign the role, which doesn't say that it acts yet; fine if the principal has it already."""
        from azure.core.exceptions import HttpResponseError
        from azure.mgmt.authorization.v2022_04_01.models import RoleAssignmentCreateParameters

        body = RoleAssignmentCreateParameters(
            role_definition_id=grant.role_id, principal_id=grant.principal, principal_type="ServicePrincipal"
        )
        with translated(f"assigning a role on {grant.scope}"):
            try:
                await self._roles(grant).role_assignments.create(grant.scope, grant.name, body)
            except HttpResponseError as error:
                code = error.error.code if error.error else None
                if code == "PrincipalNotFound":
                    raise TemporaryError(
                        service_code(code), f"identity {grant.principal} isn't known everywhere yet"
                    ) from error
                if code != "RoleAssignmentExists":
                    raise

    async def close(self) -> None:
        """Close the connections."""
        await self._management.close()

    def _resources(self, wanted: Protection) -> "ResourceManagementClient":
        from azure.mgmt.resource.resources.aio import ResourceManagementClient

        return self._management.client(ResourceManagementClient, wanted.subscription)

    def _storage(self, wanted: Protection) -> "StorageManagementClient":
        from azure.mgmt.storage.aio import StorageManagementClient

        return self._management.client(StorageManagementClient, wanted.subscription)

    def _extensions(self, wanted: Protection) -> "KubernetesConfigurationExtensionsMgmtClient":
        from azure.mgmt.kubernetesconfiguration.extensions.aio import KubernetesConfigurationExtensionsMgmtClient

        return self._management.client(KubernetesConfigurationExtensionsMgmtClient, wanted.subscription)

    def _clusters(self, wanted: Protection) -> "ContainerServiceClient":
        from azure.mgmt.containerservice.aio import ContainerServiceClient

        return self._management.client(ContainerServiceClient, wanted.subscription)

    def _roles(self, grant: Grant) -> "AuthorizationManagementClient":
        from azure.mgmt.authorization.v2022_04_01.aio import AuthorizationManagementClient

        return self._management.client(AuthorizationManagementClient, grant.subscription)
