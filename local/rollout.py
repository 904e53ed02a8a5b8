"""What a rollout asks Azure for besides resources themselves: subscriptions, deployments, the function app and its SCM.

Rules:
- A template holds literals, with the ids of its resources in `metadata`: evaluating templates isn't simulated.
- A deployment needs the resource providers of its resources (MissingSubscriptionRegistration), and an event
  subscription a function that is listed. Functions are listed once the code is there and a sync was asked for.
- An upload goes to One Deploy (`/api/publish`) with Resource Manager's token; a remote build would take other versions.
"""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from local.cloud.arm import SUBSCRIPTION, Resource, error, not_found
from local.cloud.entra import TENANT
from local.cloud.wire import Call, Reply, Route

if TYPE_CHECKING:
    from local.cloud.world import World

_DEPLOYMENT = "/subscriptions/{subscription}/providers/Microsoft.Resources/deployments/{name}"
_ETAG = '"8dc1f2a3b4c5d6e"'
_SITE = "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Web/sites/{site}"
_PLAN = "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Web/serverfarms/{plan}"
_ACCOUNTS = "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Storage/storageAccounts"
_POLICY = _ACCOUNTS + "/{account}/blobServices/default/containers/{container}/immutabilityPolicies/default"


class Rollout:
    """`functions` are the names and triggers of the app that is uploaded; `uploads` has each upload's query."""

    def __init__(self, world: "World", functions: dict[str, str]) -> None:
        self.world, self.functions = world, functions
        self.deployments: dict[str, Resource] = {}
        self.uploads: list[dict[str, str]] = []
        self.synced = False
        routes = [
            Route("GET", "/subscriptions", lambda _: Reply(body={"value": [_subscription()]})),
            Route("GET", "/subscriptions/{subscription}", lambda _: Reply(body=_subscription())),
            Route(
                "GET", "/tenants", lambda _: Reply(body={"value": [{"id": f"/tenants/{TENANT}", "tenantId": TENANT}]})
            ),
            Route("POST", _DEPLOYMENT + "/validate", self._validate),
            Route("PUT", _DEPLOYMENT, self._deploy),
            Route("GET", _DEPLOYMENT, self._deployment),
            Route("GET", _SITE, self._get),
            Route("GET", _PLAN, self._get),
            Route("PUT", _SITE, self._put),
            Route("GET", _SITE + "/functions", self._list),
            Route("POST", _SITE + "/host/default/sync", self._sync),
            Route("GET", _ACCOUNTS, self._accounts),
            Route("GET", _POLICY, self._policy),
            Route("POST", _POLICY + "/lock", self._lock),
        ]
        world.wire.mount(routes, guard=self._authenticated)
        world.wire.mount([Route("GET", "/metadata/endpoints", self._endpoints)])
        scm = [Route("POST", "/scm/api/publish", self._publish), Route("GET", "/scm/api/deployments/latest", _deployed)]
        world.wire.mount(scm, guard=self._authenticated)

    def _endpoints(self, _: Call) -> Reply:
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

    def _authenticated(self, call: Call) -> Reply | None:
        if self.world.entra.caller(call, audience="https://management.azure.com"):
            return None
        return error(401, "AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing.")

    def _validate(self, call: Call) -> Reply:
        return self._refusal(call) or Reply(body=self._body(call, "Succeeded"))

    def _deploy(self, call: Call) -> Reply:
        refused = self._refusal(call)
        if refused:
            return refused
        template = _template(call)
        for id, resource in zip(template["metadata"]["ids"], template["resources"], strict=True):
            self._make(id, resource)
        self.deployments[call.params["name"]] = self._body(call, "Succeeded")
        return Reply(status=201, body=self.deployments[call.params["name"]])

    def _refusal(self, call: Call) -> Reply | None:
        template = _template(call)
        for resource in template["resources"]:
            namespace = resource["type"].partition("/")[0]
            if self.world.providers.states.get((call.params["subscription"].lower(), namespace.lower())):
                text = f"The subscription is not registered to use namespace '{namespace}'."
                return error(409, "MissingSubscriptionRegistration", text)
        wanted = [_function(r) for r in template["resources"] if r["type"].endswith("/eventSubscriptions")]
        missing = [name for name in wanted if name not in self._listed()]
        text = f"The resource of the destination isn't there: {', '.join(missing)}"
        return error(400, "InvalidRequest", text) if missing else None

    def _make(self, id: str, resource: Resource) -> None:
        known = self.world.arm.find(id) or {}
        locked = known.get("properties", {}).get("state") == "Locked"
        self.world.arm.store({**resource, "id": id, **({"properties": known["properties"]} if locked else {})})

    def _body(self, call: Call, state: str) -> Resource:
        outputs = _template(call).get("outputs", {})
        properties = {"provisioningState": state, "outputs": outputs, "mode": "Incremental"}
        return {"id": call.path, "name": call.params["name"], "properties": properties}

    def _deployment(self, call: Call) -> Reply:
        found = self.deployments.get(call.params["name"])
        return Reply(body=found) if found else error(404, "DeploymentNotFound", "Deployment could not be found.")

    def _get(self, call: Call) -> Reply:
        found = self.world.arm.find(call.path)
        if found and found["type"] == "Microsoft.Web/sites":
            host = self.world.wire.url.removeprefix("https://")
            found["properties"] |= {
                "sku": "FlexConsumption",
                "hostNameSslStates": [{"name": f"{host}/scm", "hostType": "Repository", "sslState": "Disabled"}],
            }
        return Reply(body=found) if found else not_found(call)

    def _put(self, call: Call) -> Reply:
        found = self.world.arm.find(call.path)
        if found is None:
            return not_found(call)
        return Reply(body=self.world.arm.store(found | {"properties": found["properties"] | call.body["properties"]}))

    def _listed(self) -> dict[str, str]:
        return self.functions if self.uploads and self.synced else {}

    def _list(self, call: Call) -> Reply:
        found = [_listed_function(call.path, name, trigger) for name, trigger in self._listed().items()]
        return Reply(body={"value": found})

    def _sync(self, call: Call) -> Reply:  # noqa: ARG002
        self.synced = bool(self.uploads)
        return Reply(status=204)

    def _accounts(self, call: Call) -> Reply:
        return Reply(body={"value": list(self.world.arm.of_type("Microsoft.Storage/storageAccounts", under=call.path))})

    def _policy(self, call: Call) -> Reply:
        found = self.world.arm.find(call.path)
        if found is None:
            return not_found(call)
        return Reply(body={**found, "etag": _ETAG, "properties": {"state": "Unlocked", **found["properties"]}})

    def _lock(self, call: Call) -> Reply:
        found = self.world.arm.find(call.path.rpartition("/")[0])
        if found is None:
            return not_found(call)
        if call.headers.get("if-match") != _ETAG:
            return error(
                412, "PreconditionFailed", "The condition specified using HTTP conditional header(s) is not met."
            )
        found["properties"]["state"] = "Locked"
        return Reply(body=found)

    def _publish(self, call: Call) -> Reply:
        self.uploads.append(call.query)
        self.synced = False
        return Reply(status=202, body="1")


def _template(call: Call) -> Resource:
    """The template of a request; az puts its text in as it stands, under a name without quotes."""
    body = json.loads(call.content.replace(b", template:", b', "template":', 1))
    template: Resource = body["properties"]["template"]
    return template


def _function(subscription: Resource) -> str:
    return str(subscription["properties"]["destination"]["properties"]["resourceId"].rpartition("/")[2])


def _listed_function(functions: str, name: str, trigger: str) -> dict[str, Any]:
    config: dict[str, Sequence[dict[str, str]]] = {"bindings": [{"type": trigger, "name": "x"}]}
    site = functions.split("/")[-2]
    return {"id": f"{functions}/{name}", "name": f"{site}/{name}", "properties": {"name": name, "config": config}}


def _deployed(_: Call) -> Reply:
    return Reply(body={"status": 4, "complete": True, "id": "1"})


def _subscription() -> Resource:
    return {
        "id": f"/subscriptions/{SUBSCRIPTION}",
        "subscriptionId": SUBSCRIPTION,
        "tenantId": TENANT,
        "displayName": "Contoso",
        "state": "Enabled",
        "subscriptionPolicies": {},
    }
