"""Hosts of sample apps on the virtual clock of the test."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import aiohttp
import pytest

from local.clock import Clock
from local.host.durable import Instance
from local.host.host import FunctionsHost

StartHost = Callable[[Path], Awaitable[FunctionsHost]]
Begin = Callable[..., Awaitable[aiohttp.ClientResponse]]
Orchestrate = Callable[..., Awaitable[Instance]]


@pytest.fixture
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


@pytest.fixture
async def host(start_host: StartHost) -> FunctionsHost:
    return await start_host(Path(__file__).parent / "apps" / "sample")


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
def begin(host: FunctionsHost, http: aiohttp.ClientSession) -> Begin:
    async def begin(name: str, instance_id: str = "one", data: object = None) -> aiohttp.ClientResponse:
        body = None if data is None else json.dumps(data)
        return await http.post(f"{host.url}/v1/start/{name}/{instance_id}", data=body)

    return begin


@pytest.fixture
def orchestrate(host: FunctionsHost, clock: Clock, begin: Begin) -> Orchestrate:
    """Start an orchestration over HTTP and let virtual time run until it ends."""

    async def orchestrate(name: str, instance_id: str = "one", data: object = None) -> Instance:
        response = await begin(name, instance_id, data)
        assert response.status == 202
        await clock.run_until(lambda: ended(host, instance_id), timedelta(days=30))
        instance = host.instance(instance_id)
        assert instance is not None
        return instance

    return orchestrate


def ended(host: FunctionsHost, instance_id: str) -> bool:
    instance = host.instance(instance_id)
    return instance is not None and instance.ended
