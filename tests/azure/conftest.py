"""The simulated cloud as the real `az` sees it: a cloud of its own, a deployer who is logged in, the app behind it."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest

from local import scenario
from local.cloud.arm import SUBSCRIPTION
from local.cloud.graph import Graph
from local.rollout import Rollout
from local.stage import open_stage
from tests.azure.deployer import AZ, SPEED, Deployer, environment, register
from tests.worlds.app import NO_WATCH
from tests.worlds.deployments import OTHER

OWNER = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"


@pytest.fixture
async def deployer(tmp_path: Path) -> AsyncIterator[Deployer]:
    if not (AZ / "az").is_file():
        pytest.skip("there is no az: make test-azure installs it")
    seed = partial(scenario.seed_trust, clusters=1)
    async with open_stage(seed=seed, settings=NO_WATCH) as stage:
        world = stage.world
        owner = world.entra.named("operator")
        world.permissions.definitions[OWNER] = ["*"]
        for subscription in (SUBSCRIPTION, OTHER):
            world.permissions.granted.add((owner.object_id, OWNER, f"/subscriptions/{subscription}"))
        found = Deployer(
            stage,
            Rollout(world, stage.host.functions, (SUBSCRIPTION, OTHER)),
            Graph(world.wire, world.entra),
            environment(stage, tmp_path),
        )
        flowing = asyncio.create_task(world.clock.flow(SPEED))
        try:
            await register(found)
            yield found
        finally:
            flowing.cancel()
