"""The app on the real runtime and durable engine, in the simulated cloud as the scenario seeds it."""

from collections.abc import AsyncIterator

import pytest

from local.stage import RunningApp
from tests.worlds.app import NO_TRUST, open_app


@pytest.fixture
async def stage() -> AsyncIterator[RunningApp]:
    async with open_app(settings=NO_TRUST) as stage:  # else the root that is due is rotated meanwhile
        yield stage
