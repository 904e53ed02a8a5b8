"""Event Grid's system topics as resources: where Azure itself publishes, and who has subscribed.

Their event subscriptions are those of the topic of the same name, under which events are published here.
"""

from typing import TYPE_CHECKING

from local.cloud.arm import SUBSCRIPTION, Resource, not_found
from local.cloud.wire import Call, Reply, Route

if TYPE_CHECKING:
    from local.cloud.event_grid.delivery import Subscription
    from local.cloud.world import World

TYPE = "Microsoft.EventGrid/systemTopics"
_GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-events"


class SystemTopics:
    """`add` makes one; a source has one at most."""

    def __init__(self, world: "World") -> None:
        self.world = world
        one = "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.EventGrid/systemTopics/{topic}"
        routes = [
            Route("GET", f"/subscriptions/{{subscription}}/providers/{TYPE}", self._list),
            Route("GET", f"{one}/eventSubscriptions", self._subscriptions),
        ]
        world.wire.mount(routes, guard=world.arm.guard)

    def add(self, name: str, source: str, kind: str) -> Resource:
        """The system topic of a source (a resource id), of a kind as Event Grid names it."""
        properties = {"source": source, "topicType": kind, "provisioningState": "Succeeded"}
        id = f"{_GROUP}/providers/{TYPE}/{name}"
        topic = {"id": id, "name": name, "type": TYPE, "location": "global", "properties": properties}
        return self.world.arm.store(topic)

    def _list(self, call: Call) -> Reply:
        under = f"/subscriptions/{call.params['subscription']}/"
        return Reply(body={"value": [t for t in self.world.arm.of_type(TYPE) if t["id"].startswith(under)]})

    def _subscriptions(self, call: Call) -> Reply:
        topic = self.world.arm.find(call.path.removesuffix("/eventSubscriptions"))
        if topic is None:
            return not_found(call)
        found = self.world.event_grid.topic(topic["name"]).subscriptions.values()
        return Reply(body={"value": [_shown(topic, each) for each in found]})


def _shown(topic: Resource, subscription: "Subscription") -> Resource:
    """As infra/modules/systemEvents.bicep names it."""
    name = f"meshward-{subscription.name.replace('_', '-')}"
    return {
        "id": f"{topic['id']}/eventSubscriptions/{name}",
        "name": name,
        "type": f"{TYPE}/eventSubscriptions",
        "properties": {
            "provisioningState": "Succeeded",
            "eventDeliverySchema": subscription.schema,
            "destination": {"endpointType": "WebHook", "properties": {"endpointBaseUrl": subscription.endpoint}},
        },
    }
