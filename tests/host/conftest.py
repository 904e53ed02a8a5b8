"""Hosts of sample apps on the virtual clock of the test."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import aiohttp
import pytest

from local.clock import Clock
from local.host.host import FunctionsHost

APPS = Path(__file__).parent / "apps"
StartHost = Callable[[str], Awaitable[FunctionsHost]]


@pytest.fixture
async def start_host(clock: Clock) -> AsyncIterator[StartHost]:
    hosts: list[FunctionsHost] = []

    async def start(app: str) -> FunctionsHost:
        host = FunctionsHost(APPS / app, {"GREETING": "good day"}, clock)
        hosts.append(host)
        await host.start()
        return host

    yield start
    for host in hosts:
        await host.stop()


@pytest.fixture
async def host(start_host: StartHost) -> FunctionsHost:
    return await start_host("sample")


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session
