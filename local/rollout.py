"""What a rollout asks of Azure besides resources: subscriptions, the function app, the store's immutability policy.

Rules:
- Functions are listed once the code is there and a sync was asked for.
- An upload goes to One Deploy (`/api/publish`) with Resource Manager's token; a remote build would take other versions.
- Locking a policy, and extending a locked one, needs its ETag; a locked policy is never shortened.
"""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from local.cloud.arm import SUBSCRIPTION, Resource, error, not_found
from local.cloud.entra import TENANT
from local.cloud.wire import CloudRequest, Reply, Route
from local.deployments import Deployments
from local.one_deploy import OneDeploy

if TYPE_CHECKING:
    from local.cloud.world import World

_DAYS = "immutabilityPeriodSinceCreationInDays"
_ETAG = '"8dc1f2a3b4c5d6e"'
_DELETED = "/subscriptions/{subscription}/providers/Microsoft.KeyVault/deletedVaults"
_SITE = "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Web/sites/{site}"
_PLAN = "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Web/serverfarms/{plan}"
_ACCOUNTS = "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Storage/storageAccounts"
_RESOURCES = "/subscriptions/{subscription}/resources"
_AUTHORIZATION = "providers/Microsoft.Authorization"
_GROUP = "/subscriptions/{subscription}/resourceGroups/{group}"
_TOPIC = "Microsoft.EventGrid/topics"
_TOPICS = f"/subscriptions/{{subscription}}/providers/{_TOPIC}"
_LOCKS = f"/subscriptions/{{subscription}}/{_AUTHORIZATION}/locks"
_DEFINITIONS = f"/subscriptions/{{subscription}}/{_AUTHORIZATION}/roleDefinitions"
_REMOVABLE = (
    f"/{{scope:path}}/{_AUTHORIZATION}/locks/{{name}}",
    f"{_DEFINITIONS}/{{name}}",
    "/{topic:path}/eventSubscriptions/{name}",
    "/{group:path}/providers/Microsoft.Insights/metricAlerts/{name}",
    "/{group:path}/providers/Microsoft.Insights/actionGroups/{name}",
)
_POLICY = _ACCOUNTS + "/{account}/blobServices/default/containers/{container}/immutabilityPolicies/default"


class Rollout:
    """`functions` are the names and triggers of the app that is uploaded, to `scm`."""

    def __init__(
        self, world: "World", functions: dict[str, str], subscriptions: Sequence[str] = (SUBSCRIPTION,)
    ) -> None:
        self.world, self.functions, self.subscriptions = world, functions, subscriptions
        self.deployments = Deployments(world, self._listed)
        self.scm = OneDeploy(world)
        self._synced = 0
        routes = [
            Route(
                "GET",
                "/subscriptions",
                lambda _: Reply(body={"value": [_subscription(each) for each in subscriptions]}),
            ),
            Route(
                "GET",
                "/subscriptions/{subscription}",
                lambda call: Reply(body=_subscription(call.params["subscription"])),
            ),
            Route(
                "GET", "/tenants", lambda _: Reply(body={"value": [{"id": f"/tenants/{TENANT}", "tenantId": TENANT}]})
            ),
            Route("GET", _SITE, self._get),
            Route("GET", _PLAN, self._get),
            Route("GET", _SITE + "/functions", self._list),
            Route("POST", _SITE + "/host/default/sync", self._sync),
            Route("GET", _ACCOUNTS, self._accounts),
            Route("GET", _DELETED, lambda _: Reply(body={"value": self.deployments.deleted_vaults})),
            Route("GET", _RESOURCES, self._resources),
            Route("POST", _SITE + "/stop", lambda _: Reply()),
            Route("GET", _LOCKS, self._under),
            Route("GET", _TOPICS, self._under),
            Route("GET", f"{_GROUP}/providers/{_TOPIC}/{{topic}}/eventSubscriptions", self._subscribed),
            Route("GET", _DEFINITIONS, self._under),
            *(Route("DELETE", each, self._delete) for each in _REMOVABLE),
            Route("GET", _POLICY, self._policy),
            Route("DELETE", _POLICY, self._drop),
            Route("POST", _POLICY + "/lock", self._lock),
            Route("POST", _POLICY + "/extend", self._extend),
        ]
        world.wire.mount([*routes, *self.deployments.routes, *self.scm.routes], guard=self._authenticated)
        world.wire.mount([Route("GET", "/metadata/endpoints", self._endpoints)])

    def _endpoints(self, _: CloudRequest) -> Reply:
        """What `az cloud register` asks a cloud for."""
        url = self.world.wire.url
        graph = {
            "graph": f"{url}/graph/",
            "graphAudience": f"{url}/graph/",
            "microsoftGraphResourceId": f"{url}/graph/",
        }
        audiences = ["https://management.azure.com"]
        suffixes = {"storage": "core.windows.net", "keyVaultDns": "vault.azure.net"}
        body = {"name": "Simulated", "resourceManager": f"{url}/", "portal": url, "suffixes": suffixes, **graph}
        return Reply(
            body={**body, "authentication": {"loginEndpoint": url, "audiences": audiences, "tenant": "common"}}
        )

    def _authenticated(self, call: CloudRequest) -> Reply | None:
        if self.world.entra.caller(call, audience="https://management.azure.com"):
            return None
        return error(401, "AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing.")

    def _get(self, call: CloudRequest) -> Reply:
        found = self.world.arm.find(call.path)
        if found and found["type"] == "Microsoft.Web/sites":
            host = self.world.wire.url.removeprefix("https://")
            found["properties"] |= {
                "sku": "FlexConsumption",
                "hostNameSslStates": [
                    {"name": f"{host}/scm/{found['name']}", "hostType": "Repository", "sslState": "Disabled"}
                ],
            }
        return Reply(body=found) if found else not_found(call)

    def _listed(self) -> dict[str, str]:
        return self.functions if self.scm.uploads and self._synced == len(self.scm.uploads) else {}

    def _list(self, call: CloudRequest) -> Reply:
        found = [_listed_function(call.path, name, trigger) for name, trigger in self._listed().items()]
        return Reply(body={"value": found})

    def _sync(self, call: CloudRequest) -> Reply:  # noqa: ARG002
        self._synced = len(self.scm.uploads)
        return Reply(status=204)

    def _accounts(self, call: CloudRequest) -> Reply:
        return Reply(body={"value": list(self.world.arm.of_type("Microsoft.Storage/storageAccounts", under=call.path))})

    def _resources(self, call: CloudRequest) -> Reply:
        """Those of a group or of a type, and not what is within them."""
        wanted = dict(re.findall(r"(\w+) eq '([^']+)'", call.query["$filter"]))
        group, kind = wanted.get("resourceGroup", "[^/]+"), wanted.get("resourceType", "[^/]+/[^/]+")
        id = rf"/subscriptions/{call.params['subscription']}/resourcegroups/{group}/providers/{kind}/[^/]+"
        matching = re.compile(id, re.IGNORECASE).fullmatch
        return Reply(body={"value": [each for id, each in self.world.arm.resources.items() if matching(id)]})

    def _under(self, call: CloudRequest) -> Reply:
        scope, _, kind = call.path.rpartition("/providers/")
        return Reply(body={"value": list(self.world.arm.of_type(kind, under=f"{scope}/"))})

    def _subscribed(self, call: CloudRequest) -> Reply:
        kind = f"{_TOPIC}/eventSubscriptions"
        return Reply(body={"value": list(self.world.arm.of_type(kind, under=call.path.rpartition("/")[0]))})

    def _delete(self, call: CloudRequest) -> Reply:
        return Reply(status=200 if self.world.arm.remove(call.path) else 204)

    def _policy(self, call: CloudRequest) -> Reply:
        """A container that has no policy has one that keeps nothing."""
        found = self.world.arm.find(call.path)
        if found:
            return Reply(body={**found, "etag": _ETAG, "properties": {"state": "Unlocked", **found["properties"]}})
        there = self.world.arm.find(call.path.rpartition("/immutabilityPolicies/")[0])
        return Reply(body=_no_policy(call.path)) if there else not_found(call)

    def _drop(self, call: CloudRequest) -> Reply:
        found = self.world.arm.find(call.path)
        if found and found["properties"].get("state") == "Locked":
            return error(409, "ContainerImmutabilityPolicyFailure", "A locked policy can't be deleted.")
        self.world.arm.remove(call.path)
        return Reply(body=_no_policy(call.path))

    def _lock(self, call: CloudRequest) -> Reply:
        return self._change(call, {"state": "Locked"})

    def _extend(self, call: CloudRequest) -> Reply:
        found = self.world.arm.find(call.path.rpartition("/")[0])
        changes, current = call.body["properties"], found["properties"] if found else {}
        if current.get("state") != "Locked" or changes[_DAYS] < current[_DAYS]:
            return error(409, "ContainerImmutabilityPolicyFailure", "A locked policy can only be extended.")
        return self._change(call, {_DAYS: changes[_DAYS]})

    def _change(self, call: CloudRequest, change: dict[str, Any]) -> Reply:
        found = self.world.arm.find(call.path.rpartition("/")[0])
        if found is None:
            return not_found(call)
        if call.headers.get("if-match") != _ETAG:
            text = "The condition specified using HTTP conditional header(s) is not met."
            return error(412, "PreconditionFailed", text)
        found["properties"] |= change
        return Reply(body=found)


def _listed_function(functions: str, name: str, trigger: str) -> dict[str, Any]:
    config: dict[str, Sequence[dict[str, str]]] = {"bindings": [{"type": trigger, "name": "x"}]}
    site = functions.split("/")[-2]
    return {"id": f"{functions}/{name}", "name": f"{site}/{name}", "properties": {"name": name, "config": config}}


def _no_policy(path: str) -> Resource:
    return {"id": path, "name": "default", "etag": "", "properties": {"state": "Unlocked", _DAYS: 0}}


def _subscription(id: str) -> Resource:
    return {
        "id": f"/subscriptions/{id}",
        "subscriptionId": id,
        "tenantId": TENANT,
        "displayName": "Contoso",
        "state": "Enabled",
        "subscriptionPolicies": {},
    }
