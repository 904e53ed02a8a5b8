"""Workers forked from a placeholder are as good as those that start cold."""

import json
import os
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import aiohttp
import pytest

from local.cloud.clock import Clock
from local.host.host import FunctionsHost
from local.host.placeholder import Placeholder
from local.host.process import HostFailed
from tests.worlds.host import SAMPLE, ended

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="workers are forked on Linux only")
TELLING = """
import json, os, sys, threading, time
import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)

@app.route("report")
async def report(req: func.HttpRequest) -> str:
    own = [name for name in sys.modules if name.partition(".")[0] in ("functions", "shared", "function_app")]
    report = {"environ": dict(os.environ), "own": own, "threads": threading.active_count(), "time": time.time()}
    return json.dumps(report)
"""


@pytest.fixture(scope="module")
async def placeholder() -> AsyncIterator[Placeholder]:
    placeholder = Placeholder()
    yield placeholder
    placeholder.close()


async def test_it_has_the_environment_that_it_is_given_and_no_part_of_another_app(
    placeholder: Placeholder, http: aiohttp.ClientSession, clock: Clock, tmp_path: Path
) -> None:
    (tmp_path / "function_app.py").write_text(TELLING)
    host = FunctionsHost(tmp_path, {"GREETING": "good day"}, clock, launch=placeholder.launch)
    await host.start()
    try:
        async with http.get(f"{host.url}/api/report") as response:
            report = json.loads(await response.text())
    finally:
        await host.stop()
    assert report["environ"].items() >= {"GREETING": "good day"}.items()
    assert "PATH" not in report["environ"]
    assert report["own"] == ["function_app"]
    assert report["threads"] == 1
    assert report["time"] == clock.time()


async def test_killed_from_outside_it_is_replaced_and_what_it_did_goes_on(
    placeholder: Placeholder, http: aiohttp.ClientSession, clock: Clock
) -> None:
    host = FunctionsHost(SAMPLE, {"GREETING": "good day"}, clock, launch=placeholder.launch)
    await host.start()
    try:
        first = host.worker_pid
        await http.post(f"{host.url}/v1/start/wait/forked", data="10")
        await clock.advance(timedelta(days=1))
        os.kill(first, 9)
        await clock.run_until(lambda: ended(host, "forked"), timedelta(days=30))
        assert host.worker_pid != first
    finally:
        await host.stop()
    for pid in (first, host.worker_pid):
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


async def test_one_that_dies_while_it_loads_says_why(placeholder: Placeholder, clock: Clock, tmp_path: Path) -> None:
    (tmp_path / "function_app.py").write_text("import os\nprint('no disk', flush=True)\nos._exit(3)")
    host = FunctionsHost(tmp_path, {}, clock, launch=placeholder.launch)
    with pytest.raises(HostFailed, match="no disk"):
        await host.start()
