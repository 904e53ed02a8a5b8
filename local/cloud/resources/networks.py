"""Subnets, and the private endpoints that stand in them (Microsoft.Network).

Rules (Azure Private Link docs; shaped after the API's reference, no specification was at hand):
- An endpoint is Updating for a moment; then its target shows an approved connection.
- Whoever makes one may join the subnet, and approve the connection at the target; for its DNS record join the zone.
"""

from local.cloud.arm import REGION, Arm, Resource, error, not_found
from local.cloud.resources.permissions import Permissions
from local.cloud.resources.resource_groups import ResourceGroups
from local.cloud.wire import CloudRequest, Reply, Route

ENDPOINT_SECONDS = 20.0
ENDPOINTS = "Microsoft.Network/privateEndpoints"
ZONE_GROUPS = f"{ENDPOINTS}/privateDnsZoneGroups"
_ONE = f"/subscriptions/{{subscription}}/resourceGroups/{{group}}/providers/{ENDPOINTS}/{{endpoint}}"
_ZONES = f"{_ONE}/privateDnsZoneGroups/{{name}}"
_APPROVAL = "Microsoft.Storage/storageAccounts/PrivateEndpointConnectionsApproval/action"


class Networks:
    def __init__(self, arm: Arm, groups: ResourceGroups, permissions: Permissions) -> None:
        self._arm, self._groups, self._permissions = arm, groups, permissions
        routes = [
            Route("PUT", _ONE, self._put),
            Route("GET", _ONE, arm.get),
            Route("DELETE", _ONE, self._delete),
            Route("PUT", _ZONES, self._put_zones),
            Route("GET", _ZONES, arm.get),
        ]
        arm.wire.mount(routes, guard=arm.guard)

    def add_subnet(self, name: str) -> Resource:
        """Make a subnet of the hub's network exist."""
        group = self._groups.add("rg-hub")["id"]
        id = f"{group}/providers/Microsoft.Network/virtualNetworks/hub/subnets/{name}"
        return self._arm.store({"id": id, "name": name, "type": "Microsoft.Network/virtualNetworks/subnets"})

    def add_zone(self, name: str) -> Resource:
        """Make a private DNS zone exist."""
        id = f"{self._groups.add('rg-hub')['id']}/providers/Microsoft.Network/privateDnsZones/{name}"
        return self._arm.store({"id": id, "name": name, "type": "Microsoft.Network/privateDnsZones"})

    def _put(self, call: CloudRequest) -> Reply:
        sent = call.body["properties"]
        (link,) = sent["privateLinkServiceConnections"]
        subnet, target = sent["subnet"]["id"], link["properties"]["privateLinkServiceId"]
        refused = self._refused(call, subnet, "Microsoft.Network/virtualNetworks/subnets/join/action")
        refused = refused or self._refused(call, target, _APPROVAL)
        if refused:
            return refused
        existing = self._arm.find(call.path)
        endpoint = {
            "id": call.path,
            "name": call.params["endpoint"],
            "type": ENDPOINTS,
            "location": call.body.get("location") or REGION,
            "properties": {**sent, "provisioningState": "Updating"},
        }
        self._arm.store(endpoint)
        self._arm.clock.after(ENDPOINT_SECONDS, lambda: self._connected(endpoint, target))
        return Reply(status=200 if existing else 201, body=endpoint)

    def _connected(self, endpoint: Resource, target: str) -> None:
        endpoint["properties"]["provisioningState"] = "Succeeded"
        self._arm.store(endpoint)
        if account := self._arm.find(target):
            state = {"privateLinkServiceConnectionState": {"status": "Approved"}}
            connection = {"properties": {"privateEndpoint": {"id": endpoint["id"]}, **state}}
            account["properties"]["privateEndpointConnections"] = [connection]
            self._arm.store(account)

    def _put_zones(self, call: CloudRequest) -> Reply:
        if self._arm.find(call.path.partition("/privateDnsZoneGroups/")[0]) is None:
            return not_found(call)
        for zone in call.body["properties"]["privateDnsZoneConfigs"]:
            id = zone["properties"]["privateDnsZoneId"]
            if refused := self._refused(call, id, "Microsoft.Network/privateDnsZones/join/action"):
                return refused
        properties = {**call.body["properties"], "provisioningState": "Succeeded"}
        row = {"id": call.path, "name": call.params["name"], "type": ZONE_GROUPS, "properties": properties}
        return Reply(status=201, body=self._arm.store(row))

    def _refused(self, call: CloudRequest, linked: str, action: str) -> Reply | None:
        caller = self._arm.caller(call)
        if self._arm.find(linked) is None:
            return error(400, "InvalidResourceReference", f"Resource {linked} referenced by the request wasn't found.")
        if caller is None or not self._permissions.allows(caller, action, linked):
            return error(403, "LinkedAuthorizationFailed", f"The client may not perform {action} on {linked}.")
        return None

    def _delete(self, call: CloudRequest) -> Reply:
        for zones in self._arm.of_type(ZONE_GROUPS, f"{call.path}/"):
            self._arm.remove(zones["id"])
        return Reply(status=200 if self._arm.remove(call.path) else 204)
