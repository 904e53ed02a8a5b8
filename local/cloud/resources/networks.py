"""Subnets, and the private endpoints that stand in them (Microsoft.Network).

Rules (Azure Private Link docs; shaped after the API's reference, no specification was at hand):
- An endpoint is Updating for a moment; then its target shows an approved connection.
- Whoever makes one may join the subnet, and approve the connection at the target; for its DNS record join the zone.
"""

from typing import TYPE_CHECKING

from local.cloud.arm import REGION, Resource, error, not_found
from local.cloud.wire import Call, Reply, Route

if TYPE_CHECKING:
    from local.cloud.world import World

ENDPOINT_SECONDS = 20.0
ENDPOINTS = "Microsoft.Network/privateEndpoints"
ZONE_GROUPS = f"{ENDPOINTS}/privateDnsZoneGroups"
_ONE = f"/subscriptions/{{subscription}}/resourceGroups/{{group}}/providers/{ENDPOINTS}/{{endpoint}}"
_ZONES = f"{_ONE}/privateDnsZoneGroups/{{name}}"
_APPROVAL = "Microsoft.Storage/storageAccounts/PrivateEndpointConnectionsApproval/action"


class Networks:
    def __init__(self, world: "World") -> None:
        self.world = world
        routes = [
            Route("PUT", _ONE, self._put),
            Route("GET", _ONE, self._get),
            Route("DELETE", _ONE, self._delete),
            Route("PUT", _ZONES, self._put_zones),
            Route("GET", _ZONES, self._get),
        ]
        world.wire.mount(routes, guard=world.resource_groups.guard)

    def add_subnet(self, name: str) -> Resource:
        """Make a subnet of the hub's network exist."""
        group = self.world.resource_groups.add("rg-hub")["id"]
        id = f"{group}/providers/Microsoft.Network/virtualNetworks/hub/subnets/{name}"
        return self.world.arm.store({"id": id, "name": name, "type": "Microsoft.Network/virtualNetworks/subnets"})

    def add_zone(self, name: str) -> Resource:
        """Make a private DNS zone exist."""
        id = f"{self.world.resource_groups.add('rg-hub')['id']}/providers/Microsoft.Network/privateDnsZones/{name}"
        return self.world.arm.store({"id": id, "name": name, "type": "Microsoft.Network/privateDnsZones"})

    def _put(self, call: Call) -> Reply:
        sent = call.body["properties"]
        (link,) = sent["privateLinkServiceConnections"]
        subnet, target = sent["subnet"]["id"], link["properties"]["privateLinkServiceId"]
        refused = self._refused(call, subnet, "Microsoft.Network/virtualNetworks/subnets/join/action")
        refused = refused or self._refused(call, target, _APPROVAL)
        if refused:
            return refused
        existing = self.world.arm.find(call.path)
        endpoint = {
            "id": call.path,
            "name": call.params["endpoint"],
            "type": ENDPOINTS,
            "location": call.body.get("location") or REGION,
            "properties": {**sent, "provisioningState": "Updating"},
        }
        self.world.arm.store(endpoint)
        self.world.clock.after(ENDPOINT_SECONDS, lambda: self._connected(endpoint, target))
        return Reply(status=200 if existing else 201, body=endpoint)

    def _connected(self, endpoint: Resource, target: str) -> None:
        endpoint["properties"]["provisioningState"] = "Succeeded"
        self.world.arm.store(endpoint)
        if account := self.world.arm.find(target):
            state = {"privateLinkServiceConnectionState": {"status": "Approved"}}
            connection = {"properties": {"privateEndpoint": {"id": endpoint["id"]}, **state}}
            account["properties"]["privateEndpointConnections"] = [connection]
            self.world.arm.store(account)

    def _put_zones(self, call: Call) -> Reply:
        if self.world.arm.find(call.path.partition("/privateDnsZoneGroups/")[0]) is None:
            return not_found(call)
        for zone in call.body["properties"]["privateDnsZoneConfigs"]:
            id = zone["properties"]["privateDnsZoneId"]
            if refused := self._refused(call, id, "Microsoft.Network/privateDnsZones/join/action"):
                return refused
        properties = {**call.body["properties"], "provisioningState": "Succeeded"}
        row = {"id": call.path, "name": call.params["name"], "type": ZONE_GROUPS, "properties": properties}
        return Reply(status=201, body=self.world.arm.store(row))

    def _refused(self, call: Call, linked: str, action: str) -> Reply | None:
        caller = self.world.entra.caller(call, audience="https://management.azure.com")
        if self.world.arm.find(linked) is None:
            return error(400, "InvalidResourceReference", f"Resource {linked} referenced by the request wasn't found.")
        if caller is None or not self.world.permissions.allows(caller, action, linked):
            return error(403, "LinkedAuthorizationFailed", f"The client may not perform {action} on {linked}.")
        return None

    def _get(self, call: Call) -> Reply:
        found = self.world.arm.find(call.path)
        return Reply(body=found) if found else not_found(call)

    def _delete(self, call: Call) -> Reply:
        for zones in self.world.arm.of_type(ZONE_GROUPS, f"{call.path}/"):
            self.world.arm.remove(zones["id"])
        return Reply(status=200 if self.world.arm.remove(call.path) else 204)
