"""The app in a simulated cloud, as tests open it: its workers are forked, where that works; `make run`'s start cold."""

import sys
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

from local import scenario, stage
from local.cloud.world import World
from local.host.placeholder import Placeholder
from local.host.process import started
from local.stage import Stage
from tests.worlds.times import START

_launch = Placeholder().launch if sys.platform == "linux" else started


def open_app(
    *, seed: Callable[[World], None] = scenario.seed, start: float = START, **options: Any
) -> AbstractAsyncContextManager[Stage]:
    """`local.stage.open_stage`, with meshes that talk every five minutes, as tests run through days."""

    def seldom(world: World) -> None:
        world.linkerd.traffic_every = 300
        seed(world)

    return stage.open_stage(seed=seldom, start=start, launch=_launch, **options)
