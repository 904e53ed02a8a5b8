import os
import signal
import socket
from datetime import timedelta
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import aiohttp
import pytest

from local.cloud.clock import Clock
from local.host.host import FunctionsHost
from local.host.process import HostFailed
from tests.worlds.host import SAMPLE, Begin, Orchestrate, StartHost, ended

HEADER = "import os\nimport azure.functions as func\napp = func.FunctionApp()\n"
QUEUE = '@app.queue_trigger("m", queue_name="q", connection="C")\ndef other(m: func.QueueMessage) -> None: ...\n'
TIMER = '@app.timer_trigger(arg_name="tick", schedule="{}")\ndef sweep(tick: func.TimerRequest{}) -> None: ...\n'


def write_app(folder: Path, source: str) -> Path:
    (folder / "function_app.py").write_text(HEADER + source)
    return folder


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (TIMER.format("0 0 * * * *", ", surplus: str"), "surplus"),
        ("import no_such_module", "no_such_module"),
        ("print('no disk', flush=True)\nos._exit(3)", "no disk"),
        (TIMER.format("now and then", ""), "sweep has no valid schedule"),
    ],
)
async def test_an_app_that_does_not_load_says_why(
    start_host: StartHost, tmp_path: Path, source: str, reason: str
) -> None:
    with pytest.raises(HostFailed, match=reason):
        await start_host(write_app(tmp_path, source))


async def test_a_folder_without_an_app_is_refused(start_host: StartHost, tmp_path: Path) -> None:
    with pytest.raises(HostFailed, match=r"function_app\.py"):
        await start_host(tmp_path)


async def test_what_the_host_can_not_serve_is_named_and_the_rest_runs(start_host: StartHost, tmp_path: Path) -> None:
    host = await start_host(write_app(tmp_path, QUEUE + TIMER.format("0 0 * * * *", "")))
    assert host.functions == {"sweep": "timerTrigger"}
    assert "other isn't served: this host has no queueTrigger" in host.log


async def test_a_fan_out_completes_though_the_worker_is_killed_in_its_midst(
    host: FunctionsHost, orchestrate: Orchestrate
) -> None:
    finished: list[str] = []
    first_worker = host.worker_pid

    def kill_at_thirty(name: str, moment: Literal["before", "after"]) -> None:
        if name == "say" and moment == "after":
            finished.append(name)
            if len(finished) == 30:
                host.kill_worker()

    host.on_invocation(kill_at_thirty)
    instance = await orchestrate("fan_out", "wide", 100)
    assert (instance.status, instance.output) == ("Completed", 100)
    assert host.worker_pid != first_worker
    assert len(finished) > 100  # what had been under way ran again


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_an_activity_whose_answer_is_lost_is_delivered_again(
    host: FunctionsHost, orchestrate: Orchestrate, moment: str
) -> None:
    seen: list[str] = []

    def lose_first(name: str, at: Literal["before", "after"]) -> bool:
        if name == "say":
            seen.append(at)
        return name == "say" and at == moment and seen.count(at) == 1

    host.on_invocation(lose_first)
    assert (await orchestrate("greet", moment, "hello")).output == "said hello"
    assert seen == {"before": ["before", "before", "after"], "after": ["before", "after"] * 2}[moment]


async def test_work_that_kills_every_worker_fails_at_last(host: FunctionsHost, orchestrate: Orchestrate) -> None:
    host.on_invocation(lambda name, moment: name == "say" and moment == "after")
    instance = await orchestrate("greet", "poison", "hello")
    assert instance.status == "Failed"
    assert instance.failure is not None
    assert "the answer of say was lost" in instance.failure


async def test_a_request_in_flight_when_its_worker_dies_is_a_502_and_the_next_is_served(
    host: FunctionsHost, http: aiohttp.ClientSession
) -> None:
    async with http.get(f"{host.url}/v1/die") as response:
        assert response.status == 502
    async with http.post(f"{host.url}/v1/hello/world") as response:
        assert response.status == 200


async def test_a_worker_killed_from_outside_is_replaced(host: FunctionsHost, begin: Begin, clock: Clock) -> None:
    await begin("wait", "long", 10)
    await clock.advance(timedelta(days=1))
    os.kill(host.worker_pid, signal.SIGKILL)
    await clock.run_until(lambda: ended(host, "long"), timedelta(days=30))


async def test_after_stop_no_process_is_left_and_the_port_is_free(start_host: StartHost) -> None:
    host = await start_host(SAMPLE)
    pid, port = host.worker_pid, urlsplit(host.url).port
    assert host.worker_rss() > 1
    await host.stop()
    await host.stop()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    with socket.create_server(("127.0.0.1", port or 0)):
        pass


async def test_stopping_in_the_midst_of_work_leaves_nothing_in_flight(
    start_host: StartHost, http: aiohttp.ClientSession, clock: Clock
) -> None:
    host = await start_host(SAMPLE)
    await http.post(f"{host.url}/v1/start/fan_out/unfinished", data="200")
    await host.stop()
    await clock.advance(timedelta(days=1))
