"""What a rollout asks of Azure besides resources: subscriptions, the function app, the store's immutability policy.

Rules:
- Functions are listed once the code is there and a sync was asked for.
- An upload goes to One Deploy (`/api/publish`) with Resource Manager's token; a remote build would take other versions.
- Locking a policy, and extending a locked one, needs its ETag; a locked policy is never shortened.
"""

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
_POLICY = _ACCOUNTS + "/{account}/blobServices/default/containers/{container}/immutabilityPolicies/default"


class Rollout:
    """`functions` are the names and triggers of the app that is uploaded, to `scm`.

    `deleted_vaults` keep their names until they are purged or recovered.
    """

    def __init__(self, world: "World", functions: dict[str, str]) -> None:
        self.world, self.functions = world, functions
        self.deployments = Deployments(world, self._listed)
        self.scm = OneDeploy(world.clock)
        self.deleted_vaults: list[Resource] = []
        self._synced = 0
        routes = [
            Route("GET", "/subscriptions", lambda _: Reply(body={"value": [_subscription()]})),
            Route("GET", "/subscriptions/{subscription}", lambda _: Reply(body=_subscription())),
            Route(
                "GET", "/tenants", lambda _: Reply(body={"value": [{"id": f"/tenants/{TENANT}", "tenantId": TENANT}]})
            ),
            Route("GET", _SITE, self._get),
            Route("GET", _PLAN, self._get),
            Route("GET", _SITE + "/functions", self._list),
            Route("POST", _SITE + "/host/default/sync", self._sync),
            Route("GET", _ACCOUNTS, world.arm.list_of("Microsoft.Storage/storageAccounts")),
            Route("GET", _DELETED, lambda _: Reply(body={"value": self.deleted_vaults})),
            Route("GET", _POLICY, self._policy),
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
                "hostNameSslStates": [{"name": f"{host}/scm", "hostType": "Repository", "sslState": "Disabled"}],
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

    def _policy(self, call: CloudRequest) -> Reply:
        found = self.world.arm.find(call.path)
        if found is None:
            return not_found(call)
        return Reply(body={**found, "etag": _ETAG, "properties": {"state": "Unlocked", **found["properties"]}})

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


def _subscription() -> Resource:
    return {
        "id": f"/subscriptions/{SUBSCRIPTION}",
        "subscriptionId": SUBSCRIPTION,
        "tenantId": TENANT,
        "displayName": "Contoso",
        "state": "Enabled",
        "subscriptionPolicies": {},
    }
