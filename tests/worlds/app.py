"""The app in a simulated cloud, as tests open it: its workers are forked, where that works; `make run`'s start cold."""

import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from local import scenario, stage
from local.cloud.world import World
from local.host.placeholder import Placeholder
from local.host.process import started
from local.stage import APP, RunningApp
from tests.oracle.conformance import conforms
from tests.worlds.times import START

_launch = Placeholder().launch if sys.platform == "linux" else started
NO_WATCH = {  # they have nothing to see in the days that a rotation takes
    "AzureWebJobs.backup_watch.Disabled": "true",
    "AzureWebJobs.issuer_sweep.Disabled": "true",
    "AzureWebJobs.expiry_sweep.Disabled": "true",
}
NO_TRUST = {  # timers with nothing to see where no trust domain is
    "AzureWebJobs.expiry_sweep.Disabled": "true",
    "AzureWebJobs.issuer_sweep.Disabled": "true",
}


@asynccontextmanager
async def open_app(
    *,
    seed: Callable[[World], None] = scenario.seed,
    start: float = START,
    app: Path = APP,
    judged: bool = True,
    **options: Any,
) -> AsyncIterator[RunningApp]:
    """`local.stage.open_stage`, with meshes that talk every five minutes, as tests run through days.

    What was exchanged is judged at the end, unless the app is a mutant, or answers are ordered that Azure never gives.
    """

    def seldom(world: World) -> None:
        world.linkerd.traffic_every = 300
        seed(world)

    async with stage.open_stage(seed=seldom, start=start, launch=_launch, app=app, **options) as opened:
        yield opened
        if judged and app == APP:
            conforms(opened.world.wire.exchanges)


async def call(stage: RunningApp, method: str, route: str, body: Any = None) -> tuple[int, Any]:
    """The status and the body of what an operator's request gets."""
    headers = {"Authorization": f"Bearer {stage.token()}"}
    url = f"{stage.host.url}/api/{route}"
    async with aiohttp.ClientSession() as http, http.request(method, url, headers=headers, json=body) as answer:
        return answer.status, await answer.json()
