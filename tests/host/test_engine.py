from datetime import UTC, datetime, timedelta

import aiohttp

from local.cloud.clock import Clock
from local.host.host import FunctionsHost
from tests.worlds.host import Begin, Orchestrate


async def test_a_timer_of_ten_days_ends_at_once_in_virtual_time(orchestrate: Orchestrate, clock: Clock) -> None:
    start = clock.now()
    instance = await orchestrate("wait", "long", 10)
    assert (instance.created, instance.updated) == (start, start + timedelta(days=10))
    began, finished = (datetime.fromisoformat(one).replace(tzinfo=UTC) for one in instance.output[:2])
    assert (began, finished) == (instance.created, instance.updated)


async def test_a_child_of_ten_days_returns_to_its_parent(host: FunctionsHost, orchestrate: Orchestrate) -> None:
    instance = await orchestrate("parent", "parent", 10)
    child = host.instance("parent-child")
    assert child is not None
    assert (instance.status, instance.output) == ("Completed", child.output)
    assert child.output[2] == "parent"


async def test_a_failed_child_keeps_its_error(orchestrate: Orchestrate) -> None:
    kind, message = (await orchestrate("parent_of_failure", "sorry")).output
    assert "TaskFailedError" in kind
    assert "the disk is full" in message


async def test_each_generation_starts_afresh(orchestrate: Orchestrate, clock: Clock) -> None:
    start = clock.now()
    instance = await orchestrate("countdown", "countdown", 4)
    assert (instance.output, instance.input) == ("lift-off", 1)
    assert instance.updated - start == timedelta(hours=4)


async def test_a_timer_does_not_outlive_the_generation_that_made_it(orchestrate: Orchestrate) -> None:
    instance = await orchestrate("renew", "renewed", 1)
    assert (instance.status, instance.updated - instance.created) == ("Completed", timedelta(hours=10))


async def test_an_empty_reuse_policy_refuses_an_id_even_after_its_end(
    host: FunctionsHost, http: aiohttp.ClientSession, clock: Clock
) -> None:
    async with http.post(f"{host.url}/v1/once/same") as response:
        assert response.status == 202
    await clock.settle()
    async with http.post(f"{host.url}/v1/once/same") as response:
        assert (response.status, await response.text()) == (409, "ALREADY_EXISTS")


async def test_without_a_policy_an_ended_id_runs_again_and_a_running_one_does_not(
    begin: Begin, orchestrate: Orchestrate
) -> None:
    assert (await orchestrate("greet", "again", "first")).output == "said first"
    assert (await orchestrate("greet", "again", "second")).output == "said second"
    await begin("approval", "open")
    assert (await begin("approval", "open")).status == 500


async def test_an_id_of_more_than_a_hundred_characters_is_refused_for_a_flow_and_for_its_part(
    begin: Begin, orchestrate: Orchestrate
) -> None:
    assert (await begin("greet", "i" * 101)).status == 500
    assert (await orchestrate("greet", "i" * 100, "hello")).output == "said hello"
    assert (await orchestrate("parent", "p" * 95, 1)).status == "Failed"
