"""Managed clusters: the resource manager's inventory and the way to each API server."""

from typing import TYPE_CHECKING, Any

from shared.adapters.azure import NO_RETRY, translated
from shared.domain.cluster import Cluster, cluster_id
from shared.domain.errors import TemporaryError
from shared.settings import Settings

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential
    from azure.mgmt.containerservice.aio import ContainerServiceClient
    from azure.mgmt.containerservice.models import ManagedCluster


class Clusters:
    """The clusters of all configured subscriptions. `options` go to the SDK's clients."""

    def __init__(self, settings: Settings, credential: "AsyncTokenCredential", **options: Any) -> None:
        self._settings, self._credential, self._options = settings, credential, options
        self._clients: dict[str, ContainerServiceClient] = {}

    async def list(self) -> list[Cluster]:
        """Every cluster of every subscription in the settings."""
        clusters = []
        for subscription in self._settings.subscriptions:
            with translated(f"listing the clusters of subscription {subscription}"):
                clusters += [_cluster(c) async for c in self._client(subscription).managed_clusters.list()]
        return clusters

    async def get(self, resource_id: str) -> Cluster | None:
        """The cluster, None if there is no such cluster (any more)."""
        from azure.core.exceptions import ResourceNotFoundError

        ref = cluster_id(resource_id)
        with translated(f"reading cluster {ref.name}"):
            try:
                found = await self._client(ref.subscription_id).managed_clusters.get(ref.resource_group, ref.name)
            except ResourceNotFoundError:
                return None
        return _cluster(found)

    async def kubeconfig(self, resource_id: str) -> str:
        """The YAML that names the API server and its authority; it holds no credential."""
        ref = cluster_id(resource_id)
        with translated(f"reading the API server's address of cluster {ref.name}"):
            found = await self._client(ref.subscription_id).managed_clusters.list_cluster_user_credentials(
                ref.resource_group, ref.name, format="exec"
            )
        if not found.kubeconfigs or not found.kubeconfigs[0].value:
            raise TemporaryError("NoKubeconfig", f"cluster {ref.name} has no kubeconfig to give yet")
        return found.kubeconfigs[0].value.decode()

    async def close(self) -> None:
        """Close the connections."""
        for client in self._clients.values():
            await client.close()

    def _client(self, subscription: str) -> "ContainerServiceClient":
        from azure.mgmt.containerservice.aio import ContainerServiceClient

        if subscription not in self._clients:
            self._clients[subscription] = ContainerServiceClient(
                self._credential, subscription, base_url=self._settings.arm_url, **NO_RETRY, **self._options
            )
        return self._clients[subscription]


def _cluster(found: "ManagedCluster") -> Cluster:
    ref = cluster_id(found.id or "")
    properties, system = found.properties, found.system_data
    issuer = properties.oidc_issuer_profile if properties else None
    power = properties.power_state.code if properties and properties.power_state else ""
    return Cluster(
        id=found.id or "",
        name=found.name or ref.name,
        resource_group=ref.resource_group,
        subscription_id=ref.subscription_id,
        location=found.location,
        tags=dict(found.tags or {}),
        created_at=system.created_at if system else None,
        provisioning_state=(properties and properties.provisioning_state) or "",
        power_state=str(getattr(power, "value", power) or ""),  # an enum's own text is its Python name
        principal_id=_principal_id(found),
        oidc_issuer=issuer.issuer_url if issuer else None,
        node_resource_group=properties.node_resource_group if properties else None,
    )


def _principal_id(found: "ManagedCluster") -> str | None:
    if found.identity is None:
        return None
    assigned = list((found.identity.user_assigned_identities or {}).values())
    return found.identity.principal_id or (assigned[0].principal_id if assigned else None)
