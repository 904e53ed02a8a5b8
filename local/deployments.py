"""Deployments at a subscription's scope, as Resource Manager makes them of templates of literals.

Rules:
- A template holds literals, with the ids of its resources in `metadata`, and the principals of the identities that
  they are to have: evaluating templates isn't simulated.
- What can be checked beforehand is refused beforehand: a provider that isn't registered
  (MissingSubscriptionRegistration), an event subscription of a function that isn't listed, a metric alert with an
  action group of another subscription.
- Resources are made in the template's order up to the first that is refused; what was made stays.
- A locked immutability policy takes no PUT, whatever it says. A source has one system topic at most.
- An event subscription is refused until its topic's identity may write dead letters: roles take effect late.
"""

import json
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any

from local.cloud.arm import Resource, error
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
        self._makers: dict[str, _Make] = {
            "immutabilityPolicies": self._policy,
            "roleAssignments": self._assignment,
            "systemTopics": self._system_topic,
            "eventSubscriptions": self._event_subscription,
        }
        self.routes = [
            Route("POST", _DEPLOYMENT + "/validate", self._validate),
            Route("PUT", _DEPLOYMENT, self._deploy),
            Route("GET", _DEPLOYMENT, self._get),
        ]

    def _validate(self, call: CloudRequest) -> Reply:
        return self._refusal(call) or Reply(body=_body(call))

    def _get(self, call: CloudRequest) -> Reply:
        found = self.made.get(call.params["name"])
        return Reply(body=found) if found else error(404, "DeploymentNotFound", "Deployment could not be found.")

    def _deploy(self, call: CloudRequest) -> Reply:
        refused = self._refusal(call)
        if refused:
            return refused
        template, by = _template(call), self._world.entra.caller(call, audience="https://management.azure.com")
        assert by, "the guard lets nobody else through"
        for id, resource in zip(template["metadata"]["ids"], template["resources"], strict=True):
            principal = template["metadata"].get("principals", {}).get(id)
            identity = {"identity": {**resource["identity"], "principalId": principal}} if principal else {}
            refused = self._make(id, {**resource, **identity}, by.object_id)
            if refused:
                return refused
        self.made[call.params["name"]] = _body(call)
        return Reply(status=201, body=self.made[call.params["name"]])

    def _refusal(self, call: CloudRequest) -> Reply | None:
        resources = _template(call)["resources"]
        for resource in resources:
            namespace = resource["type"].partition("/")[0]
            if self._world.providers.states.get((call.params["subscription"].lower(), namespace.lower())):
                text = f"The subscription is not registered to use namespace '{namespace}'."
                return error(409, "MissingSubscriptionRegistration", text)
        pointed_at = [_function(r) for r in resources if r["type"].endswith("/eventSubscriptions")]
        missing = [name for name in pointed_at if name not in self._listed()]
        text = f"The resource of the destination isn't there: {', '.join(missing)}"
        return error(400, "InvalidRequest", text) if missing else None

    def _make(self, id: str, resource: Resource, by: str) -> Reply | None:
        if make := self._makers.get(resource["type"].rpartition("/")[2]):
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
        source = resource["properties"]["source"].lower()
        for other in self._world.arm.of_type(_SYSTEM_TOPICS):
            if other["properties"]["source"].lower() == source and other["id"].lower() != id.lower():
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

    def _alert(self, id: str, resource: Resource) -> Reply | None:
        groups = [each["actionGroupId"] for each in resource["properties"]["actions"]]
        if any(group.split("/")[2] != id.split("/")[2] for group in groups):
            text = "The action group must be in the subscription of the alert rule."
            return error(400, "BadRequest", text)
        return self._store(id, resource)


def _template(call: CloudRequest) -> Resource:
    """The template of a request; az puts its text in as it stands, under a name without quotes."""
    body = json.loads(call.content.replace(b", template:", b', "template":', 1))
    template: Resource = body["properties"]["template"]
    return template


def _body(call: CloudRequest) -> Resource:
    outputs = _template(call).get("outputs", {})
    properties = {"provisioningState": "Succeeded", "outputs": outputs, "mode": "Incremental"}
    return {"id": call.path, "name": call.params["name"], "properties": properties}


def _function(subscription: Resource) -> str:
    named: dict[str, Any] = subscription["properties"]["destination"]["properties"]
    return str(named["resourceId"].rpartition("/")[2])
