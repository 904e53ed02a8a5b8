"""Deployments at a subscription's scope, as Resource Manager makes them of templates of literals.

Rules:
- A template holds literals, with the ids of its resources in `metadata`, and the ids in Entra of the identities that
  they are or get: evaluating templates isn't simulated. The name of a deployment belongs to one region.
- What can be known before is refused before: a provider that isn't registered (MissingSubscriptionRegistration), an
  event subscription of a function that isn't listed, a metric alert with an action group of another subscription.
- Resources are made in the template's order up to the first that is refused; what was made stays. The names of outputs
  come back in camel case.
- A locked immutability policy takes no PUT, whatever it says. A source has one system topic of a kind at most.
- The name of a deleted key vault is taken: the vault can be recovered, and only such a one can.
- An event subscription is refused until its topic's identity may put dead letters down: roles act late.
"""

import json
import string
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any

from local.cloud.arm import Resource, error
from local.cloud.entra import Principal
from local.cloud.wire import CloudRequest, Reply, Route

if TYPE_CHECKING:
    from local.cloud.world import World

_DEPLOYMENT = "/subscriptions/{subscription}/providers/Microsoft.Resources/deployments/{name}"
_BLOB_DATA_CONTRIBUTOR = "ba92f5b4-2d11-453d-a403-e96b0029c9fe"
_SYSTEM_TOPICS = "Microsoft.EventGrid/systemTopics"
type _Make = Callable[[str, Resource, str], Reply | None]


class Deployments:
    """`made` by name. `listed` gives the functions that event subscriptions can point at."""

    def __init__(self, world: "World", listed: Callable[[], Collection[str]]) -> None:
        self._world, self._listed = world, listed
        self.made: dict[str, Resource] = {}
        self.deleted_vaults: list[Resource] = []
        self._special: dict[str, _Make] = {
            "immutabilityPolicies": self._policy,
            "roleAssignments": self._assignment,
            "systemTopics": self._system_topic,
            "userAssignedIdentities": self._identity,
            "vaults": self._vault,
            "eventSubscriptions": self._event_subscription,
        }
        self.routes = [
            Route("POST", _DEPLOYMENT + "/validate", self._validate),
            Route("PUT", _DEPLOYMENT, self._deploy),
            Route("GET", _DEPLOYMENT, self._get),
            Route("DELETE", _DEPLOYMENT, self._forget),
            Route("GET", _DEPLOYMENT.removesuffix("{name}"), self._list),
        ]
        world.arm.listeners.append(self._gone)

    def _validate(self, call: CloudRequest) -> Reply:
        return self._refusal(call) or Reply(body=_body(call))

    def _get(self, call: CloudRequest) -> Reply:
        found = self.made.get(call.params["name"])
        return Reply(body=found) if found else error(404, "DeploymentNotFound", "Deployment could not be found.")

    def _list(self, call: CloudRequest) -> Reply:
        return Reply(body={"value": [each for each in self.made.values() if each["id"].startswith(call.path)]})

    def _forget(self, call: CloudRequest) -> Reply:
        return Reply(status=202 if self.made.pop(call.params["name"], None) else 204)

    def _deploy(self, call: CloudRequest) -> Reply:
        refused = self._refusal(call)
        if refused:
            return refused
        template, by = _template(call), self._world.entra.caller(call, audience="https://management.azure.com")
        assert by, "the guard lets nobody else through"
        for id, resource in zip(template["metadata"]["ids"], template["resources"], strict=True):
            known = template["metadata"]["identities"].get(id, {})
            where = "identity" if "identity" in resource else "properties"
            refused = self._make(id, {**resource, where: {**resource.get(where, {}), **known}}, by.object_id)
            if refused:
                return refused
        self.made[call.params["name"]] = _body(call)
        return Reply(status=201, body=self.made[call.params["name"]])

    def _refusal(self, call: CloudRequest) -> Reply | None:
        resources, ids = _template(call)["resources"], _template(call)["metadata"]["ids"]
        former = self.made.get(call.params["name"], {}).get("location")
        if former not in (None, _request(call)["location"]):
            text = f"The deployment '{call.params['name']}' already exists in location '{former}'."
            return error(409, "InvalidDeploymentLocation", text)
        for id, resource in zip(ids, resources, strict=True):
            namespace = resource["type"].partition("/")[0]
            if self._world.providers.states.get((id.split("/")[2].lower(), namespace.lower())):
                text = f"The subscription is not registered to use namespace '{namespace}'."
                return error(409, "MissingSubscriptionRegistration", text)
        pointed_at = [_function(r) for r in resources if r["type"].endswith("/eventSubscriptions")]
        missing = [name for name in pointed_at if name not in self._listed()]
        text = f"The resource of the destination isn't there: {', '.join(missing)}"
        return error(400, "InvalidRequest", text) if missing else None

    def _make(self, id: str, resource: Resource, by: str) -> Reply | None:
        if make := self._special.get(resource["type"].rpartition("/")[2]):
            return make(id, resource, by)
        if resource["type"] == "Microsoft.Insights/metricAlerts":
            return self._alert(id, resource)
        return self._store(id, resource)

    def _store(self, id: str, resource: Resource) -> Reply | None:
        self._world.arm.store({**resource, "id": id})
        return None

    def _policy(self, id: str, resource: Resource, _: str) -> Reply | None:
        found = self._world.arm.find(id) or {}
        if found.get("properties", {}).get("state") == "Locked":
            text = "The requested operation is not allowed as the container has a locked immutability policy."
            return error(409, "ContainerImmutabilityPolicyLocked", text)
        return self._store(id, resource)

    def _assignment(self, id: str, resource: Resource, by: str) -> Reply | None:
        scope, _, name = id.rpartition("/providers/Microsoft.Authorization/roleAssignments/")
        reply = self._world.roles.assign(scope, name, resource["properties"], by=by)
        return reply if reply.status >= 400 else None

    def _system_topic(self, id: str, resource: Resource, _: str) -> Reply | None:
        source = _source(resource)
        for other in self._world.arm.of_type(_SYSTEM_TOPICS):
            if _source(other) == source and other["id"].lower() != id.lower():
                text = f"Only one system topic is allowed per source. There is one already: {other['id']}"
                return error(400, "InvalidRequest", text)
        return self._store(id, resource)

    def _event_subscription(self, id: str, resource: Resource, _: str) -> Reply | None:
        topic, _, name = id.partition("/eventSubscriptions/")
        found = self._world.arm.find(topic) or {}
        target = resource["properties"]["deadLetterWithResourceIdentity"]["deadLetterDestination"]["properties"]
        container = f"{target['resourceId']}/blobServices/default/containers/{target['blobContainerName']}"
        principal = found.get("identity", {}).get("principalId", "")
        if not self._world.roles.effective(principal, _BLOB_DATA_CONTRIBUTOR, container):
            text = (
                f"Managed Identity for {name} does not have permission to perform appropriate action on the "
                "destination resource. Visit aka.ms/egmsivalidation for more details."
            )
            return error(400, "Managed Identity Authorization Error", text)
        return self._store(id, resource)

    def _identity(self, id: str, resource: Resource, _: str) -> Reply | None:
        known, name = resource["properties"], resource["name"]
        who = Principal(object_id=known["principalId"], client_id=known["clientId"], name=name)
        self._world.entra.principals[who.client_id] = who
        return self._store(id, resource)

    def _vault(self, id: str, resource: Resource, _: str) -> Reply | None:
        deleted = [each for each in self.deleted_vaults if each["properties"]["vaultId"].lower() == id.lower()]
        if bool(deleted) != (resource["properties"].get("createMode") == "recover"):
            text = (
                "A vault with the same name already exists in deleted state." if deleted else "There is no such vault."
            )
            return error(409, "ConflictError", text)
        self.deleted_vaults = [each for each in self.deleted_vaults if each not in deleted]
        return self._store(id, resource)

    def _gone(self, id: str, resource: Resource | None) -> None:
        """What Azure keeps of a resource that is removed, and what Entra doesn't keep."""
        was = self._world.arm.find(id)
        if resource or not was:
            return
        if was["type"] == "Microsoft.KeyVault/vaults":
            deleted = {"vaultId": was["id"], "location": was["location"], "purgeProtectionEnabled": True}
            self.deleted_vaults.append({"name": was["name"], "properties": deleted})
        if was["type"] == "Microsoft.ManagedIdentity/userAssignedIdentities":
            self._world.entra.principals.pop(was["properties"]["clientId"], None)

    def _alert(self, id: str, resource: Resource) -> Reply | None:
        groups = [each["actionGroupId"] for each in resource["properties"]["actions"]]
        if any(group.split("/")[2] != id.split("/")[2] for group in groups):
            text = "The action group must be in the subscription of the alert rule."
            return error(400, "BadRequest", text)
        return self._store(id, resource)


def _source(topic: Resource) -> tuple[str, str]:
    """What sends a system topic's events, and of what kind they are."""
    return topic["properties"]["source"].lower(), topic["properties"]["topicType"].lower()


def _request(call: CloudRequest) -> Resource:
    """A request; az puts the template's text in as it stands, under a name without quotes."""
    body: Resource = json.loads(call.content.replace(b", template:", b', "template":', 1))
    return body


def _template(call: CloudRequest) -> Resource:
    template: Resource = _request(call)["properties"]["template"]
    return template


def _body(call: CloudRequest) -> Resource:
    outputs = {_camel(name): value for name, value in _template(call).get("outputs", {}).items()}
    properties = {"provisioningState": "Succeeded", "outputs": outputs, "mode": "Incremental"}
    location = _request(call)["location"]
    return {"id": call.path, "name": call.params["name"], "location": location, "properties": properties}


def _camel(name: str) -> str:
    """A name of an output as Resource Manager gives it back: azurE_RESOURCE_GROUP."""
    run = len(name) - len(name.lstrip(string.ascii_uppercase))
    return name[: max(run - 1, 1)].lower() + name[max(run - 1, 1) :]


def _function(subscription: Resource) -> str:
    named: dict[str, Any] = subscription["properties"]["destination"]["properties"]
    return str(named["resourceId"].rpartition("/")[2])
