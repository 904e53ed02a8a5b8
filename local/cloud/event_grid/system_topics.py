"""Event Grid's system topics as resources: where Azure itself publishes, and who has subscribed.

Their event subscriptions are those of the topic of the same name, under which events are published here, and those that
deployments have made, which get no events.
"""

from collections.abc import Callable

from local.cloud.arm import SUBSCRIPTION, Arm, Resource, not_found
from local.cloud.event_grid.delivery import Subscription
from local.cloud.event_grid.topics import EventGrid
from local.cloud.wire import CloudRequest, Reply, Route

TYPE = "Microsoft.EventGrid/systemTopics"
_GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-events"


class SystemTopics:
    """`add` makes one; a source has one of a kind at most.

    `named` gives the name that a subscription has as a resource, which must not hold underscores.
    """

    def __init__(self, arm: Arm, topics: EventGrid) -> None:
        self._arm, self._topics = arm, topics
        self.named: Callable[[str], str] = lambda name: name.replace("_", "-")
        one = "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.EventGrid/systemTopics/{topic}"
        routes = [
            Route("GET", f"/subscriptions/{{subscription}}/providers/{TYPE}", arm.list_of(TYPE)),
            Route("GET", f"{one}/eventSubscriptions", self._subscriptions),
        ]
        arm.wire.mount(routes, guard=arm.guard)

    def add(self, name: str, source: str, kind: str) -> Resource:
        """The system topic of a source (a resource id), of a kind as Event Grid names it."""
        properties = {"source": source, "topicType": kind, "provisioningState": "Succeeded"}
        id = f"{_GROUP}/providers/{TYPE}/{name}"
        topic = {"id": id, "name": name, "type": TYPE, "location": "global", "properties": properties}
        return self._arm.store(topic)

    def _subscriptions(self, call: CloudRequest) -> Reply:
        topic = self._arm.find(call.path.removesuffix("/eventSubscriptions"))
        if topic is None:
            return not_found(call)
        found = self._topics.topic(topic["name"]).subscriptions.values()
        deployed = self._arm.of_type(f"{TYPE}/eventSubscriptions", under=f"{call.path}/")
        return Reply(body={"value": [*(_shown(topic, self.named(each.name), each) for each in found), *deployed]})


def _shown(topic: Resource, name: str, subscription: Subscription) -> Resource:
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
