"""The app in worlds with backups to verify."""

from collections.abc import AsyncIterator

import pytest

from local import scenario
from local.stage import RunningApp
from tests.worlds.app import NO_TRUST, open_app
from tests.worlds.verifications import prepare, seed


@pytest.fixture
async def stage() -> AsyncIterator[RunningApp]:
    """The app in a world with a meshed cluster and a share, both protected."""
    async with open_app(seed=seed, settings=NO_TRUST) as stage:
        await prepare(stage)
        yield stage


@pytest.fixture
async def calm() -> AsyncIterator[RunningApp]:
    """The same without the cluster: time passes faster."""
    async with open_app(seed=scenario.seed_share, settings=NO_TRUST) as stage:
        await prepare(stage)
        yield stage


@pytest.fixture
def place(kind: str, request: pytest.FixtureRequest) -> RunningApp:
    """The world for a test of this kind of item."""
    stage: RunningApp = request.getfixturevalue("calm" if kind == "share" else "stage")
    return stage
