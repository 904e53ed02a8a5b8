"""Managed clusters: the resource manager's inventory and the way to each API server.

Lists are read as they stand on the wire. The SDK makes some hundred objects of each cluster, which takes two
milliseconds: for a fleet of a thousand, seconds of every look at who takes part.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from azure.core.rest import HttpRequest
from azure.mgmt.containerservice.aio import ContainerServiceClient
from azure.mgmt.containerservice.models import ManagedCluster

from shared.adapters.azure.common import Management, properties_of, read, require_value, translated
from shared.domain.admission import AdmittedCluster
from shared.domain.cluster import CLUSTERS, Cluster, cluster_id
from shared.domain.errors import TemporaryError
from shared.domain.incarnation import Incarnation
from shared.domain.resource_id import parsed, subscription_scope

_API = "2026-08-01"

_KUBERNETES = "6dae42f8-4368-4678-94ff-3960e28e3630/.default"  # Azure Kubernetes Service in every tenant


class Clusters(Management):
    """The clusters of all configured subscriptions."""

    async def list(self) -> list[Cluster]:
        """Every cluster of every subscription in the settings."""
        return [c for s in self._settings.subscriptions for c in await self._listed(s)]

    async def _listed(self, subscription: str) -> Sequence[Cluster]:
        with translated(f"listing the clusters of subscription {subscription}"):
            return [c async for page in self._pages(subscription) for c in page]

    async def _pages(self, subscription: str) -> AsyncIterator[Sequence[Cluster]]:
        url = f"{subscription_scope(subscription).collection(CLUSTERS)}?api-version={_API}"
        while url:
            answer = await self._client(subscription).send_request(HttpRequest("GET", url))
            answer.raise_for_status()
            require_value(answer)
            page = answer.json()
            yield [_cluster(found, subscription) for found in page["value"]]
            if page.get("nextLink") == url:
                raise TemporaryError("PagesRepeat", f"the list of clusters of {subscription} repeats a page")
            url = page.get("nextLink")

    async def get(self, resource_id: str) -> Cluster | None:
        """The cluster, None if there is no such cluster (any more)."""
        id = cluster_id(resource_id)
        reading = self._client(id.subscription).managed_clusters.get(id.group, id.name)
        return await read(f"cluster {id.name}", reading, lambda found: _cluster(found.as_dict(), id.subscription))

    async def kubeconfig(self, cluster: AdmittedCluster) -> str:
        """The YAML that names the API server and its authority; it holds no credential."""
        id = cluster.id
        with translated(f"reading the API server's address of cluster {id.name}"):
            clusters = self._client(id.subscription).managed_clusters
            found = await clusters.list_cluster_user_credentials(id.group, id.name, format="exec")
            if not found.kubeconfigs or not found.kubeconfigs[0].value:
                raise TemporaryError("NoKubeconfig", f"cluster {id.name} has no kubeconfig to give yet")
            return found.kubeconfigs[0].value.decode()

    async def hosts(self, cluster: AdmittedCluster) -> frozenset[str]:
        """The names of the cluster's API server, public and private, as Resource Manager knows them."""
        id = cluster.id
        reading = self._client(id.subscription).managed_clusters.get(id.group, id.name)
        return await read(f"cluster {id.name}", reading, _hosts) or frozenset()

    async def token(self, cluster: AdmittedCluster) -> str:
        """A token that the API server of the cluster takes."""
        with translated(f"getting a token for cluster {cluster.id.name}"):
            return (await self._credential.get_token(_KUBERNETES)).token

    def _client(self, subscription: str) -> ContainerServiceClient:
        return self.client(ContainerServiceClient, subscription)


def _hosts(found: ManagedCluster) -> frozenset[str]:
    properties = properties_of(found)
    return frozenset(name.lower() for name in (properties.fqdn, properties.private_fqdn) if name)


def _cluster(found: Mapping[str, Any], subscription: str) -> Cluster:
    """A cluster whose id isn't of Meshward's grammar is in no group: it is listed, and every flow refuses it."""
    id, properties = parsed(found["id"]), found.get("properties") or {}
    identity = found.get("identity") or {}
    return Cluster(
        id=found["id"],
        name=found["name"],
        resource_group=id.group if id else "",
        subscription_id=subscription,
        location=found["location"],
        tags=dict(found.get("tags") or {}),
        provisioning_state=properties.get("provisioningState") or "",
        power_state=(properties.get("powerState") or {}).get("code") or "",
        principal_id=_principal_id(identity),
        oidc_issuer=(properties.get("oidcIssuerProfile") or {}).get("issuerURL"),
        node_resource_group=properties.get("nodeResourceGroup"),
        network_policy=(properties.get("networkProfile") or {}).get("networkPolicy") or "",
        incarnation=Incarnation(principal=identity.get("principalId") or "", uid=properties.get("resourceUID") or ""),
    )


def _principal_id(identity: Mapping[str, Any]) -> str | None:
    assigned = list((identity.get("userAssignedIdentities") or {}).values())
    return identity.get("principalId") or (assigned[0].get("principalId") if assigned else None)
