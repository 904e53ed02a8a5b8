"""What the self-test asks of subscriptions, asked of the simulated Resource Manager."""

from local.cloud.event_grid.system_topics import TYPE
from local.cloud.world import World
from shared.adapters.azure.probes import Subscriptions
from tests.worlds import sdk
from tests.worlds.settings import settings

SUBSCRIPTION = "11111111-1111-4111-8111-111111111111"


async def test_a_topic_whose_id_nobody_can_read_hides_no_other(world: World) -> None:
    at = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{{}}/providers/{TYPE}/t"
    for group in ("gr\u00fcn", "rg-events"):
        told = {"source": f"/of/{group}", "topicType": "Microsoft.Resources.Subscriptions"}
        topic = {"name": "t", "type": TYPE, "properties": told}
        world.arm.store({**topic, "id": at.format(group)})
        world.resource_groups.add(group)
    probes = Subscriptions(settings(world), **sdk.aio(world, world.entra.add("provisioner")))
    found = await probes.system_topics(SUBSCRIPTION)
    assert {topic.source: topic.states for topic in found} == {"/of/gr\u00fcn": {}, "/of/rg-events": {}}
