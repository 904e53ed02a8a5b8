"""Fixtures that every test may use: a virtual clock and a simulated world on loopback."""

import os
from collections.abc import AsyncIterator
from itertools import zip_longest

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(  # no property is about how fast a machine is; in CI every run takes the same examples
    "steady", deadline=None, derandomize="CI" in os.environ, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("steady")
pytest.register_assert_rewrite("tests.contracts", "tests.worlds")  # before any of them is imported

from local.cloud.clock import Clock
from local.cloud.world import World
from tests.oracle.conformance import JudgeMissing, Oracle, conforms, open_oracle
from tests.oracle.review import Review
from tests.worlds.times import START

_LONGEST = (
    "tests/real/test_rotation.py::test_api_servers_that_are_killed",
    "tests/real/test_r",
    "tests/local/",
    "tests/flows/",
)


def pytest_xdist_auto_num_workers() -> int:
    """One more than there are processors: a flow's test often waits for the app's process, which is another."""
    return (os.process_cpu_count() or 1) + 1


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Review())


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long tests come first, each followed by a short one: a process takes two at a time, and shares neither."""
    items.sort(key=lambda item: [not item.nodeid.startswith(start) for start in _LONGEST])
    long = sum(item.nodeid.startswith(_LONGEST) for item in items)
    items[:] = [item for pair in zip_longest(items[:long], items[long:]) for item in pair if item]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def clock() -> Clock:
    return Clock(START)


@pytest.fixture
async def world(clock: Clock) -> AsyncIterator[World]:
    world = World(clock)
    await world.start()
    yield world
    await world.stop()
    conforms(world.wire.exchanges)


@pytest.fixture(scope="session")
def oracle() -> Oracle:
    """The judge, or a skip that says what is missing."""
    try:
        return open_oracle()
    except JudgeMissing as missing:
        pytest.skip(str(missing))
