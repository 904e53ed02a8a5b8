"""Backup jobs, asked of the simulated Resource Graph, and events sent to the simulated Event Grid."""

from datetime import timedelta

import pytest

from local.cloud.wire import InjectedFault
from local.cloud.world import World
from shared.adapters.azure.events import Events
from shared.adapters.azure.inventory import Inventory
from shared.domain.errors import PermanentError, TemporaryError
from shared.domain.resource_id import ResourceId
from tests.worlds import sdk
from tests.worlds.settings import settings

HOUR = timedelta(hours=1)
OTHER = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
async def inventory(world: World) -> Inventory:
    world.aks.add("aks-east")
    world.backup_vaults.protect("aks-east")
    return Inventory(settings(world), **sdk.aio(world, world.entra.add("verifier")))


async def test_backup_jobs_that_are_open_or_ended_since_are_found_whatever_their_status(
    world: World, inventory: Inventory
) -> None:
    await inventory.jobs(world.clock.now())
    world.backup_vaults.complete_backup("aks-east")
    await world.clock.advance(2 * HOUR)
    made = [world.backup_vaults.complete_backup("aks-east", status=s) for s in ("Completed", "Failed")]
    running = world.backup_vaults.complete_backup("aks-east", seconds=7200)
    restore = {"operation": "Restore", "operationCategory": "Restore"}
    world.arm.store({**made[0], "id": f"{running['id']}-r", "properties": {**made[0]["properties"], **restore}})
    await world.clock.advance(HOUR)
    found = await inventory.jobs(world.clock.now() - 2 * HOUR)
    assert {job.id: (job.operation, job.status, job.ended is None) for job in found} == {
        made[0]["id"]: ("Backup", "Completed", False),
        made[1]["id"]: ("Backup", "Failed", False),
        running["id"]: ("Backup", "InProgress", True),
    }


async def test_a_job_is_found_only_when_resource_graph_has_heard_of_it(world: World, inventory: Inventory) -> None:
    world.backup_vaults.complete_backup("aks-east")
    since = world.clock.now() - HOUR
    await inventory.jobs(since)
    await world.clock.advance(timedelta(minutes=5))
    assert len(await inventory.jobs(since)) == 1


async def test_one_job_is_found_by_its_vault_and_name(world: World, inventory: Inventory) -> None:
    made = world.backup_vaults.complete_backup("aks-east")
    vault = ResourceId(made["id"]).parent
    await inventory.job(vault, made["name"])
    await world.clock.advance(timedelta(minutes=5))
    found = await inventory.job(ResourceId(vault.text.upper()), made["name"])
    assert found is not None
    assert (found.id, found.status) == (made["id"], "Completed")
    assert await inventory.job(vault, "absent") is None


@pytest.mark.parametrize("started", [None, "", "soon"])
async def test_a_job_that_doesn_t_say_when_it_began_hides_no_other(
    world: World, inventory: Inventory, started: str | None
) -> None:
    made = world.backup_vaults.complete_backup("aks-east", seconds=7200)
    odd = {**made["properties"], "startTime": started, "endTime": None, "status": "InProgress"}
    world.arm.store({**made, "id": made["id"].replace(made["name"], OTHER), "properties": odd})
    await inventory.jobs(world.clock.now())
    await world.clock.advance(timedelta(minutes=5))
    assert [job.id for job in await inventory.jobs(world.clock.now() - HOUR)] == [made["id"]]


async def test_a_job_that_is_being_cancelled_has_not_ended(world: World, inventory: Inventory) -> None:
    made = world.backup_vaults.complete_backup("aks-east", seconds=7200)
    await world.clock.advance(timedelta(minutes=5))
    world.arm.store({**made, "properties": {**made["properties"], "status": "Cancelling", "endTime": None}})
    vault = ResourceId(made["id"]).parent
    await inventory.job(vault, made["name"])
    await world.clock.advance(timedelta(minutes=5))
    found = await inventory.job(vault, made["name"])
    assert found is not None
    assert (found.status, found.ended) == ("Cancelling", None)


async def test_no_name_of_a_job_becomes_part_of_the_query(world: World, inventory: Inventory) -> None:
    vault = ResourceId(world.backup_vaults.complete_backup("aks-east")["id"]).parent
    for name in ("x' or '1' == '1", "x'\n| union AuthorizationResources //", "..", ""):
        with pytest.raises(PermanentError, match="NotAResourceId"):
            await inventory.job(vault, name)


async def test_all_pages_are_read(world: World, inventory: Inventory) -> None:
    since = world.clock.now() - HOUR
    for _ in range(1_100):
        world.backup_vaults.complete_backup("aks-east")
    await inventory.jobs(since)
    await world.clock.advance(timedelta(minutes=5))
    assert len({job.id for job in await inventory.jobs(since)}) == 1_100


async def test_an_event_reaches_the_topic_as_it_was_given(world: World) -> None:
    events = Events(f"{world.wire.url}/topics/meshward/api/events", **sdk.aio(world, world.entra.add("verifier")))
    world.event_grid.topic("meshward")
    fact = {"jobId": "/v/backupJobs/1", "status": "Completed"}
    await events.publish(
        id="1:Completed", type="T", source="/v", subject="/v/backupJobs/1", time=world.clock.now(), data=fact
    )
    (sent,) = [e for e in world.wire.exchanges if "/topics/" in e.url]
    assert sent.status == 200
    assert b'"id":"1:Completed"' in sent.request.replace(b" ", b"")


async def test_a_refused_event_is_worth_another_try_and_isn_t_sent_twice(world: World) -> None:
    events = Events(f"{world.wire.url}/topics/meshward/api/events", **sdk.aio(world, world.entra.add("verifier")))
    world.event_grid.topic("meshward")
    world.wire.inject(InjectedFault(on="POST /topics/", kind="answer"))
    with pytest.raises(TemporaryError):
        await events.publish(id="1", type="T", source="/v", subject="s", time=world.clock.now(), data={})
    assert len([e for e in world.wire.exchanges if "/topics/" in e.url]) == 1


@pytest.mark.parametrize("ended", [None, "2027-01-15T08:00:00Z"])
async def test_a_job_in_a_state_that_nobody_knows_is_found_and_counts_as_open(
    world: World, inventory: Inventory, ended: str | None
) -> None:
    made = world.backup_vaults.complete_backup("aks-east", seconds=7200)
    world.arm.store({**made, "properties": {**made["properties"], "status": "Dreaming", "endTime": ended}})
    await inventory.jobs(world.clock.now())
    await world.clock.advance(timedelta(minutes=5))
    (found,) = await inventory.jobs(world.clock.now() - 10_000 * HOUR)
    assert (found.status, found.ended) == ("Dreaming", None)
