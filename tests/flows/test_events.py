"""Each trigger takes its event in either schema of Event Grid, and in the odd forms that were seen of it."""

from collections.abc import AsyncIterator, Callable
from datetime import timedelta

import pytest

from local import scenario
from local.cloud.event_grid.topics import EventGrid
from local.cloud.world import World
from local.stage import RunningApp
from tests.worlds.app import open_app

SOON = timedelta(hours=1)
SCHEMAS = ["EventGridSchema", "CloudEventSchemaV1_0"]


@pytest.fixture
async def stage() -> AsyncIterator[RunningApp]:
    def seed(world: World) -> None:
        scenario.seed_trust(world, 1)
        world.aks.add(scenario.NEW_CLUSTER, tags={"meshward:protect": "true"})

    async with open_app(seed=seed) as stage:
        yield stage


async def subscribe_in(stage: RunningApp, topic: str, function: str, schema: str) -> None:
    """Let the trigger get its events in this schema alone."""
    grid, url = stage.world.event_grid, stage.host.url
    grid.topic(topic).subscriptions.clear()
    endpoint = f"{url}/runtime/webhooks/eventgrid?functionName={function}"
    await grid.subscribe(function, topic=topic, endpoint=endpoint, schema=schema)


def started(stage: RunningApp, flow: str) -> Callable[[], bool]:
    return lambda: [i.name for i in stage.host.instances()][:1] == [flow]  # others are parts of it


@pytest.mark.parametrize("schema", SCHEMAS)
@pytest.mark.parametrize("as_sampled", [False, True], ids=["plain", "quoted times, a blank in a key"])
async def test_a_certificate_near_its_expiry_starts_its_rotation(
    stage: RunningApp, schema: str, as_sampled: bool
) -> None:
    vault = stage.world.key_vaults.vaults[scenario.KEY_VAULT]
    vault.events_as_sampled = as_sampled
    await subscribe_in(stage, scenario.KEY_VAULT_TOPIC, "on_certificate_event", schema)
    vault.announce_near_expiry(scenario.OLD_ROOT)
    await stage.run(started(stage, "rotate_trust_root"), SOON)


@pytest.mark.parametrize("schema", SCHEMAS)
async def test_a_cluster_that_is_written_starts_its_protection(stage: RunningApp, schema: str) -> None:
    await subscribe_in(stage, EventGrid.SUBSCRIPTION, "on_cluster_event", schema)
    stage.world.aks.announce(next(r for r in stage.world.arm.resources.values() if r["name"] == scenario.NEW_CLUSTER))
    await stage.run(started(stage, "protect_cluster"), SOON)
