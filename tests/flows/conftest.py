"""The app on the real runtime and durable engine, in the simulated cloud as the scenario seeds it."""

from collections.abc import AsyncIterator

import pytest

from local.stage import Stage, open_stage
from tests.conformance import conforms
from tests.conftest import START


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    unswept = {"AzureWebJobs.expiry_sweep.Disabled": "true"}  # it would rotate the root that is due from the start
    async with open_stage(start=START, settings=unswept) as stage:
        yield stage
        conforms(stage.world.wire.exchanges)
