"""The stage as tests of flows open it: its workers are forked, where that works; those of `make run` start cold."""

import sys
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

from local import scenario, stage
from local.cloud.world import World
from local.host.placeholder import Placeholder
from local.host.process import started
from local.stage import Stage

_launch = Placeholder().launch if sys.platform == "linux" else started


def open_stage(*, seed: Callable[[World], None] = scenario.seed, **options: Any) -> AbstractAsyncContextManager[Stage]:
    """`local.stage.open_stage`, with meshes that talk every five minutes, as tests run through days."""

    def seldom(world: World) -> None:
        world.linkerd.traffic_every = 300
        seed(world)

    return stage.open_stage(seed=seldom, launch=_launch, **options)
