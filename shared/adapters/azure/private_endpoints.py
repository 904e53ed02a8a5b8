"""The private endpoint by which a cluster reaches the storage account of its backups, and its DNS record.

They are written as generic resources: the network SDK would be the largest package of the app, for two requests.
"""

from collections.abc import Mapping

from azure.mgmt.resource.resources.aio import ResourceManagementClient
from azure.mgmt.resource.resources.aio.operations import ResourcesOperations
from azure.mgmt.resource.resources.models import GenericResource

from shared.adapters.azure.common import Management, properties_of, read, translated
from shared.domain.resource_id import ResourceId
from shared.domain.vaults.findings import Found
from shared.domain.vaults.protection import Protection

_API = "2024-05-01"


class PrivateEndpoints(Management):
    """Reads give None for what isn't there."""

    async def endpoint(self, protection: Protection) -> Found | None:
        """The endpoint."""
        return await self._read(protection, protection.endpoint_id)

    async def create_endpoint(self, protection: Protection) -> None:
        """Ask for the endpoint, in the subnet of the policy document."""
        link = {"privateLinkServiceId": protection.account_id, "groupIds": ["blob"]}
        properties = {
            "subnet": {"id": protection.terms.subnet},
            "privateLinkServiceConnections": [{"name": protection.account, "properties": link}],
        }
        await self._write(protection, protection.endpoint_id, properties, location=protection.location)

    async def record(self, protection: Protection) -> Found | None:
        """The group of the endpoint's DNS records."""
        return await self._read(protection, _record(protection))

    async def create_record(self, protection: Protection) -> None:
        """Let the endpoint's record stand in the zone of the policy document."""
        zone = {"name": "blob", "properties": {"privateDnsZoneId": protection.terms.dns_zone}}
        properties = {"privateDnsZoneConfigs": [zone]}
        await self._write(protection, _record(protection), properties)

    async def delete_endpoint(self, protection: Protection) -> None:
        """Delete the endpoint, and its records with it."""
        with translated(f"deleting the private endpoint of storage account {protection.account}"):
            await self._resources(protection).begin_delete_by_id(
                protection.endpoint_id, api_version=_API, polling=False
            )

    async def _read(self, protection: Protection, id: str) -> Found | None:
        return await read(
            f"the private endpoint of storage account {protection.account}",
            self._resources(protection).get_by_id(id, api_version=_API),
            lambda found: Found(state=properties_of(found)["provisioningState"]),
        )

    async def _write(
        self, protection: Protection, id: str, properties: Mapping[str, object], *, location: str | None = None
    ) -> None:
        tags = self.merged_tags() if location else None  # what has no region has no tags
        body = GenericResource(properties=properties, location=location, tags=tags)
        with translated(f"creating the private endpoint of storage account {protection.account}"):
            await self._resources(protection).begin_create_or_update_by_id(id, body, api_version=_API, polling=False)

    def _resources(self, protection: Protection) -> ResourcesOperations:
        return self.client(ResourceManagementClient, protection.subscription).resources


def _record(protection: Protection) -> str:
    return str(ResourceId(protection.endpoint_id).child("privateDnsZoneGroups", "default"))
