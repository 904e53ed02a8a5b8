"""Managed clusters: the resource manager's inventory and the way to each API server."""

from typing import TYPE_CHECKING, Any

from shared.adapters.azure import Management, plain, translated, unless_absent
from shared.domain.cluster import Cluster, cluster_id
from shared.domain.errors import TemporaryError
from shared.settings import Settings

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential
    from azure.mgmt.containerservice.aio.operations import ManagedClustersOperations
    from azure.mgmt.containerservice.models import ManagedCluster


class Clusters:
    """The clusters of all configured subscriptions. `options` go to the SDK's clients."""

    def __init__(self, settings: Settings, credential: "AsyncTokenCredential", **options: Any) -> None:
        self._subscriptions = settings.subscriptions
        self._management = Management(settings, credential, **options)

    async def list(self) -> list[Cluster]:
        """Every cluster of every subscription in the settings."""
        clusters = []
        for subscription in self._subscriptions:
            with translated(f"listing the clusters of subscription {subscription}"):
                clusters += [_cluster(c) async for c in self._managed(subscription).list()]
        return clusters

    async def get(self, resource_id: str) -> Cluster | None:
        """The cluster, None if there is no such cluster (any more)."""
        ref = cluster_id(resource_id)
        with translated(f"reading cluster {ref.name}"):
            found = await unless_absent(self._managed(ref.subscription_id).get(ref.resource_group, ref.name))
        return _cluster(found) if found else None

    async def kubeconfig(self, resource_id: str) -> str:
        """The YAML that names the API server and its authority; it holds no credential."""
        ref = cluster_id(resource_id)
        with translated(f"reading the API server's address of cluster {ref.name}"):
            found = await self._managed(ref.subscription_id).list_cluster_user_credentials(
                ref.resource_group, ref.name, format="exec"
            )
        if not found.kubeconfigs or not found.kubeconfigs[0].value:
            raise TemporaryError("NoKubeconfig", f"cluster {ref.name} has no kubeconfig to give yet")
        return found.kubeconfigs[0].value.decode()

    async def close(self) -> None:
        """Close the connections."""
        await self._management.close()

    def _managed(self, subscription: str) -> "ManagedClustersOperations":
        from azure.mgmt.containerservice.aio import ContainerServiceClient

        return self._management.client(ContainerServiceClient, subscription).managed_clusters


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
        power_state=plain(power),
        principal_id=_principal_id(found),
        oidc_issuer=issuer.issuer_url if issuer else None,
        node_resource_group=properties.node_resource_group if properties else None,
    )


def _principal_id(found: "ManagedCluster") -> str | None:
    if found.identity is None:
        return None
    assigned = list((found.identity.user_assigned_identities or {}).values())
    return found.identity.principal_id or (assigned[0].principal_id if assigned else None)
