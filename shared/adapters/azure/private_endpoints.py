"""The private endpoint by which a cluster reaches the storage account of its backups, and its DNS record.

They are written as generic resources: the network SDK would be the largest package of the app, for two requests.
"""

from typing import TYPE_CHECKING, Any

from shared.adapters.azure.common import Management, translated, unless_absent
from shared.domain.resource_id import ResourceId
from shared.domain.vaults.findings import Found
from shared.domain.vaults.protection import Protection

if TYPE_CHECKING:
    from azure.mgmt.resource.resources.aio.operations import ResourcesOperations

_API = "2024-05-01"


class PrivateEndpoints(Management):
    """Reads give None for what isn't there."""

    async def endpoint(self, wanted: Protection) -> Found | None:
        """The endpoint."""
        return await self._read(wanted, wanted.endpoint_id)

    async def create_endpoint(self, wanted: Protection) -> None:
        """Ask for the endpoint, in the subnet of the policy document."""
        link = {"privateLinkServiceId": wanted.account_id, "groupIds": ["blob"]}
        properties = {
            "subnet": {"id": wanted.terms.subnet},
            "privateLinkServiceConnections": [{"name": wanted.account, "properties": link}],
        }
        await self._write(wanted, wanted.endpoint_id, properties, location=wanted.location)

    async def record(self, wanted: Protection) -> Found | None:
        """The group of the endpoint's DNS records."""
        return await self._read(wanted, _record(wanted))

    async def create_record(self, wanted: Protection) -> None:
        """Let the endpoint's record stand in the zone of the policy document."""
        zone = {"name": "blob", "properties": {"privateDnsZoneId": wanted.terms.dns_zone}}
        properties = {"privateDnsZoneConfigs": [zone]}
        await self._write(wanted, _record(wanted), properties)

    async def delete_endpoint(self, wanted: Protection) -> None:
        """Delete the endpoint, and its records with it."""
        with translated(f"deleting the private endpoint of storage account {wanted.account}"):
            await self._resources(wanted).begin_delete_by_id(wanted.endpoint_id, api_version=_API, polling=False)

    async def _read(self, wanted: Protection, id: str) -> Found | None:
        with translated(f"reading the private endpoint of storage account {wanted.account}"):
            found: Any = await unless_absent(self._resources(wanted).get_by_id(id, api_version=_API))
        return Found(state=found.properties["provisioningState"]) if found else None

    async def _write(
        self, wanted: Protection, id: str, properties: dict[str, Any], *, location: str | None = None
    ) -> None:
        from azure.mgmt.resource.resources.models import GenericResource

        tags = self.tagged() if location else None  # what has no region has no tags
        body = GenericResource(properties=properties, location=location, tags=tags)
        with translated(f"making the private endpoint of storage account {wanted.account}"):
            await self._resources(wanted).begin_create_or_update_by_id(id, body, api_version=_API, polling=False)

    def _resources(self, wanted: Protection) -> "ResourcesOperations":
        from azure.mgmt.resource.resources.aio import ResourceManagementClient

        return self.client(ResourceManagementClient, wanted.subscription).resources


def _record(wanted: Protection) -> str:
    return str(ResourceId(wanted.endpoint_id).child("privateDnsZoneGroups", "default"))
