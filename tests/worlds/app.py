"""The app in a simulated cloud, as tests open it: its workers are forked, where that works; `make run`'s start cold."""

import sys
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import aiohttp

from local import scenario, stage
from local.cloud.world import World
from local.host.placeholder import Placeholder
from local.host.process import started
from local.stage import RunningApp
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


def open_app(
    *, seed: Callable[[World], None] = scenario.seed, start: float = START, **options: Any
) -> AbstractAsyncContextManager[RunningApp]:
    """`local.stage.open_stage`, with meshes that talk every five minutes, as tests run through days."""

    def seldom(world: World) -> None:
        world.linkerd.traffic_every = 300
        seed(world)

    return stage.open_stage(seed=seldom, start=start, launch=_launch, **options)


async def call(stage: RunningApp, method: str, route: str, body: Any = None) -> tuple[int, Any]:
    """The status and the body of what an operator's request gets."""
    headers = {"Authorization": f"Bearer {stage.token()}"}
    url = f"{stage.host.url}/api/{route}"
    async with aiohttp.ClientSession() as http, http.request(method, url, headers=headers, json=body) as answer:
        return answer.status, await answer.json()
