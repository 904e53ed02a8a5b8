"""Hosts of sample apps on a virtual clock.

Rules: the tests of a file share one worker and its clock, since a worker costs half a second; so each test has instance
ids of its own and measures time from where it starts.
"""

import json
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path

import aiohttp
import pytest

from local.cloud.clock import Clock
from local.host.durable import OrchestrationState
from local.host.host import FunctionsHost
from tests.worlds.host import SAMPLE, Begin, Orchestrate, StartHost, ended
from tests.worlds.times import START


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def clock() -> Clock:
    return Clock(START)


@pytest.fixture(scope="module")
async def start_host(clock: Clock) -> AsyncIterator[StartHost]:
    hosts: list[FunctionsHost] = []

    async def start(folder: Path) -> FunctionsHost:
        host = FunctionsHost(folder, {"GREETING": "good day"}, clock)
        hosts.append(host)
        await host.start()
        return host

    yield start
    for host in hosts:
        await host.stop()


@pytest.fixture(scope="module")
async def shared_host(start_host: StartHost) -> FunctionsHost:
    return await start_host(SAMPLE)


@pytest.fixture
def host(shared_host: FunctionsHost) -> Iterator[FunctionsHost]:
    yield shared_host
    shared_host.on_invocation(None)


@pytest.fixture(scope="module")
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
def begin(host: FunctionsHost, http: aiohttp.ClientSession) -> Begin:
    async def begin(name: str, instance_id: str, data: object = None) -> aiohttp.ClientResponse:
        body = None if data is None else json.dumps(data)
        return await http.post(f"{host.url}/v1/start/{name}/{instance_id}", data=body)

    return begin


@pytest.fixture
def orchestrate(host: FunctionsHost, clock: Clock, begin: Begin) -> Orchestrate:
    """Start an orchestration over HTTP and let virtual time run until it ends."""

    async def orchestrate(name: str, instance_id: str, data: object = None) -> OrchestrationState:
        response = await begin(name, instance_id, data)
        assert response.status == 202
        await clock.run_until(lambda: ended(host, instance_id), timedelta(days=30))
        instance = host.instance(instance_id)
        assert instance is not None
        return instance

    return orchestrate
