from datetime import timedelta

import aiohttp

from local.cloud.clock import Clock
from local.host.host import FunctionsHost
from tests.worlds.host import Begin, Orchestrate


def status_of(host: FunctionsHost, instance_id: str) -> str | None:
    instance = host.instance(instance_id)
    return instance.status if instance else None


async def test_a_hundred_activities_fan_out_and_in(orchestrate: Orchestrate) -> None:
    assert (await orchestrate("fan_out", "wide", 100)).output == 100


async def test_a_failure_keeps_its_message(orchestrate: Orchestrate) -> None:
    instance = await orchestrate("failing", "failing")
    assert instance.status == "Failed"
    assert instance.failure is not None
    assert "the disk is full" in instance.failure


async def test_a_name_that_no_function_has_fails_instead_of_waiting(orchestrate: Orchestrate) -> None:
    for name, missing in [("lonely", "'nobody'"), ("never_written", "'never_written'")]:
        failure = (await orchestrate(name, name)).failure
        assert failure is not None
        assert missing in failure


async def test_an_entity_keeps_its_state(orchestrate: Orchestrate) -> None:
    assert (await orchestrate("counting", "counting", 3)).output == 6


async def test_changes_of_status_are_told(host: FunctionsHost, orchestrate: Orchestrate) -> None:
    changes: list[tuple[str, object]] = []
    host.on_change(lambda one: changes.append((one.status, one.custom_status)) if one.id == "changes" else None)
    await orchestrate("wait", "changes", 10)
    assert changes == [("Running", "waiting"), ("Completed", "waiting")]


async def test_time_stands_still_while_work_is_in_flight(host: FunctionsHost, begin: Begin, clock: Clock) -> None:
    moments: list[float] = []
    host.on_invocation(lambda name, _moment: moments.append(clock.time()) if name == "say" else None)
    start = clock.time()
    clock.after(60, lambda: clock.spawn(begin("fan_out", "later", 50)))
    await clock.advance(timedelta(hours=1))
    assert moments == [start + 60] * 100


async def test_the_urls_of_a_check_status_response_work(
    host: FunctionsHost, http: aiohttp.ClientSession, begin: Begin, clock: Clock
) -> None:
    urls = await (await begin("approval", "asked")).json(content_type=None)
    async with http.get(urls["statusQueryGetUri"]) as response:
        assert response.status == 202
    await http.post(urls["suspendPostUri"].replace("{text}", "pause"))
    await clock.settle()
    assert status_of(host, "asked") == "Suspended"
    await http.post(urls["resumePostUri"].replace("{text}", "go"))
    await http.post(urls["sendEventPostUri"].replace("{eventName}", "approve"), json="yes")
    await clock.settle()
    async with http.get(urls["statusQueryGetUri"]) as response:
        status = await response.json()
        assert (response.status, status["runtimeStatus"], status["output"]) == (200, "Completed", "yes")
    async with http.post(urls["sendEventPostUri"].replace("{eventName}", "approve")) as response:
        assert response.status == 410
    await http.post(urls["restartPostUri"])
    await clock.settle()
    assert status_of(host, "asked") == "Running"
    async with http.post(urls["rewindPostUri"]) as response:
        assert response.status == 412
    await http.post(urls["terminatePostUri"])
    await clock.settle()
    async with http.delete(urls["purgeHistoryDeleteUri"]) as response:
        assert await response.json() == {"instancesDeleted": 1}
    async with http.get(urls["statusQueryGetUri"]) as response:
        assert response.status == 404


async def test_a_terminated_parent_ends_its_children(
    host: FunctionsHost, http: aiohttp.ClientSession, begin: Begin, clock: Clock
) -> None:
    urls = await (await begin("parent", "family", 10)).json(content_type=None)
    await clock.settle()
    await http.post(urls["terminatePostUri"].replace("{text}", "enough"))
    await clock.settle()
    family = [one for one in host.instances() if one.id.startswith("family")]
    assert [(one.status, one.output) for one in family] == [("Terminated", "enough")] * 2
