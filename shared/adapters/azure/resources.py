"""What a cluster's protection needs around its vault: groups, storage, the cluster's extension, trusted access, roles.

A PUT is sent once and not followed: its outcome is what a later GET shows.
"""

from azure.core.exceptions import HttpResponseError
from azure.mgmt.authorization.v2022_04_01.aio import AuthorizationManagementClient
from azure.mgmt.authorization.v2022_04_01.models import RoleAssignmentCreateParameters
from azure.mgmt.containerservice.aio import ContainerServiceClient
from azure.mgmt.containerservice.models import TrustedAccessRoleBinding, TrustedAccessRoleBindingProperties
from azure.mgmt.kubernetesconfiguration.extensions.aio import KubernetesConfigurationExtensionsMgmtClient
from azure.mgmt.kubernetesconfiguration.extensions.models import Extension, ExtensionProperties, Scope, ScopeCluster
from azure.mgmt.resource.resources.aio import ResourceManagementClient
from azure.mgmt.resource.resources.models import ResourceGroup
from azure.mgmt.storage import models as storage_models
from azure.mgmt.storage.aio import StorageManagementClient

from shared.adapters.azure.common import LISTED, Management, plain, properties_of, read, translated
from shared.domain.errors import TemporaryError, service_code, shown
from shared.domain.resource_id import same
from shared.domain.vaults.findings import Found, FoundAccount, FoundExtension, FoundGroup
from shared.domain.vaults.protection import CONTAINER, EXTENSION, MARK_TAG, Grant, Protection

_OPERATOR = "Microsoft.DataProtection/backupVaults/backup-operator"
_BACKUP = "microsoft.dataprotection.kubernetes"
_LOCATION = "configuration.backupStorageLocation"
_CLUSTERS = ("Microsoft.ContainerService", "managedClusters")
# Azure Backup itself is a trusted service, and stays let in (Azure Storage docs).
_PRIVATE = storage_models.NetworkRuleSet(bypass="AzureServices", default_action="Deny")
_SUCCEEDED = Found(state="Succeeded")


class AzureResources(Management):
    """Reads give None for what isn't there."""

    async def group(self, protection: Protection, name: str) -> FoundGroup | None:
        """The resource group with this name in the cluster's subscription."""
        groups = self._resources(protection).resource_groups
        return await read(f"resource group {name}", groups.get(name), _group)

    async def create_group(self, protection: Protection, name: str, mark: str = "") -> Found:
        """Make the resource group, in the cluster's region, with this mark."""
        own = {MARK_TAG: mark} if mark else {}
        with translated(f"creating resource group {name}"):
            await self._resources(protection).resource_groups.create_or_update(
                name, ResourceGroup(location=protection.location, tags=self.merged_tags(own))
            )
        return _SUCCEEDED

    async def delete_group(self, protection: Protection, name: str) -> None:
        """Ask for the deletion of the resource group and of all that is in it."""
        with translated(f"deleting resource group {name}"):
            await self._resources(protection).resource_groups.begin_delete(name, polling=False)

    async def account(self, protection: Protection) -> FoundAccount | None:
        """The storage account of the cluster's backups."""
        return await read(
            f"storage account {protection.account}",
            self._storage(protection).storage_accounts.get_properties(protection.group, protection.account),
            lambda found: _account(found, private=bool(protection.terms.subnet)),
        )

    async def create_account(self, protection: Protection) -> None:
        """Ask for the storage account, or close what is open of it."""
        body = storage_models.StorageAccountCreateParameters(
            sku=storage_models.Sku(name="Standard_LRS"),
            kind="StorageV2",
            location=protection.location,
            tags=self.merged_tags(),
            properties=storage_models.StorageAccountPropertiesCreateParameters(
                allow_shared_key_access=False,
                allow_blob_public_access=False,
                enable_https_traffic_only=True,
                minimum_tls_version="TLS1_2",
                public_network_access="Disabled" if protection.terms.subnet else None,
                network_rule_set=_PRIVATE if protection.terms.subnet else None,
            ),
        )
        with translated(f"creating storage account {protection.account}"):
            await self._storage(protection).storage_accounts.begin_create(
                protection.group, protection.account, body, polling=False
            )

    async def delete_account(self, protection: Protection) -> None:
        """Delete the storage account."""
        with translated(f"deleting storage account {protection.account}"):
            await self._storage(protection).storage_accounts.delete(protection.group, protection.account)

    async def container(self, protection: Protection) -> Found | None:
        """The blob container of the cluster's backups."""
        return await read(
            f"the container of storage account {protection.account}",
            self._storage(protection).blob_containers.get(protection.group, protection.account, CONTAINER),
            lambda _: _SUCCEEDED,
        )

    async def create_container(self, protection: Protection) -> None:
        """Make the blob container."""
        body = storage_models.BlobContainer(
            container_properties=storage_models.ContainerProperties(public_access="None")
        )
        with translated(f"creating the container of storage account {protection.account}"):
            await self._storage(protection).blob_containers.create(
                protection.group, protection.account, CONTAINER, body
            )

    async def extension(self, protection: Protection) -> FoundExtension | None:
        """The cluster's backup extension, by whatever name; of several, one that stores to another account."""
        label = f"the extensions of cluster {protection.cluster}"
        listed = await read(label, self._listed_extensions(protection), lambda found: found) or []
        of_backup = [_extension(found) for found in listed if same(properties_of(found).extension_type or "", _BACKUP)]
        return min(of_backup, key=lambda found: same(found.account, protection.account), default=None)

    async def create_extension(self, protection: Protection, blob_url: str) -> None:
        """Ask for the backup extension, which stores to the account by its own identity (no account key)."""
        body = Extension(
            properties=ExtensionProperties(
                extension_type=_BACKUP,
                release_train="stable",
                auto_upgrade_minor_version=True,
                scope=Scope(cluster=ScopeCluster(release_namespace="dataprotection-microsoft")),
                configuration_settings={
                    f"{_LOCATION}.bucket": CONTAINER,
                    f"{_LOCATION}.config.storageAccount": protection.account,
                    f"{_LOCATION}.config.resourceGroup": protection.group,
                    f"{_LOCATION}.config.subscriptionId": protection.subscription,
                    f"{_LOCATION}.config.useAAD": "true",
                    f"{_LOCATION}.config.storageAccountURI": blob_url,
                    "credentials.tenantId": self._settings.tenant_id,
                },
            )
        )
        with translated(f"installing the backup extension of cluster {protection.cluster}"):
            await self._extensions(protection).extensions.begin_create(
                protection.cluster_group, *_CLUSTERS, protection.cluster, EXTENSION, body, polling=False
            )

    async def trusted_access(self, protection: Protection) -> Found | None:
        """The vault's access to the cluster's API server."""
        return await read(
            f"the trusted access of cluster {protection.cluster}",
            self._clusters(protection).trusted_access_role_bindings.get(
                protection.cluster_group, protection.cluster, protection.trusted_access_binding
            ),
            lambda found: Found(state=plain(properties_of(found).provisioning_state)),
        )

    async def create_trusted_access(self, protection: Protection) -> None:
        """Ask for the vault's access to the cluster's API server."""
        body = TrustedAccessRoleBinding(
            properties=TrustedAccessRoleBindingProperties(
                source_resource_id=protection.backup_vault_id, roles=[_OPERATOR]
            )
        )
        with translated(f"granting trusted access to cluster {protection.cluster}"):
            await self._clusters(protection).trusted_access_role_bindings.begin_create_or_update(
                protection.cluster_group, protection.cluster, protection.trusted_access_binding, body, polling=False
            )

    async def grant(self, grant: Grant) -> None:
        """Assign the role, which doesn't say that it acts yet; fine if the principal has it already."""
        body = RoleAssignmentCreateParameters(
            role_definition_id=grant.role_id, principal_id=grant.principal, principal_type="ServicePrincipal"
        )
        roles = self.client(AuthorizationManagementClient, grant.subscription)
        with translated(f"assigning a role on {grant.scope}"):
            try:
                await roles.role_assignments.create(grant.scope, grant.name, body)
            except HttpResponseError as error:
                code = error.error.code if error.error else None
                if code == "PrincipalNotFound":
                    raise TemporaryError(
                        service_code(code), f"identity {grant.principal} isn't known everywhere yet"
                    ) from error
                if code != "RoleAssignmentExists":
                    raise

    async def _listed_extensions(self, protection: Protection) -> list[Extension]:
        extensions, cluster = self._extensions(protection).extensions, protection.cluster
        listed = extensions.list(protection.cluster_group, *_CLUSTERS, cluster, **LISTED)
        return [each async for each in listed]

    def _resources(self, protection: Protection) -> ResourceManagementClient:
        return self.client(ResourceManagementClient, protection.subscription)

    def _storage(self, protection: Protection) -> StorageManagementClient:
        return self.client(StorageManagementClient, protection.subscription)

    def _extensions(self, protection: Protection) -> KubernetesConfigurationExtensionsMgmtClient:
        return self.client(KubernetesConfigurationExtensionsMgmtClient, protection.subscription)

    def _clusters(self, protection: Protection) -> ContainerServiceClient:
        return self.client(ContainerServiceClient, protection.subscription)


def _group(found: ResourceGroup) -> FoundGroup:
    state = plain(found.properties and found.properties.provisioning_state)
    return FoundGroup(state=state, mark=(found.tags or {}).get(MARK_TAG, ""))


def _account(found: storage_models.StorageAccount, *, private: bool) -> FoundAccount:
    closed = (
        found.allow_shared_key_access is False
        and found.allow_blob_public_access is False
        and found.enable_https_traffic_only is True
        and found.minimum_tls_version in ("TLS1_2", "TLS1_3")
        and (not private or found.public_network_access == "Disabled")
    )
    endpoints = found.primary_endpoints
    return FoundAccount(
        state=plain(found.provisioning_state), closed=closed, blob_url=(endpoints and endpoints.blob) or ""
    )


def _extension(found: Extension) -> FoundExtension:
    properties = properties_of(found)
    identity, error = properties.aks_assigned_identity, properties.error_info
    messages = [error.message if error else None, *(s.message for s in properties.statuses or [])]
    return FoundExtension(
        name=found.name or "",
        state=plain(properties.provisioning_state),
        message="; ".join(shown(text) for text in messages if text),
        principal=(identity and identity.principal_id) or "",
        account=(properties.configuration_settings or {}).get(f"{_LOCATION}.config.storageAccount", ""),
    )
