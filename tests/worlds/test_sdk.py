"""The clients of tests/worlds/sdk.py reach the world as the real services are reached."""

import asyncio

import pytest
from azure.core.exceptions import HttpResponseError
from azure.mgmt.msi import ManagedServiceIdentityClient as SyncClient
from azure.mgmt.msi.aio import ManagedServiceIdentityClient

from local.cloud.wire import InjectedFault, Reply
from local.cloud.world import SUBSCRIPTION, World
from tests.worlds import sdk


async def test_an_aio_client_spends_virtual_time_on_its_retries(world: World) -> None:
    world.wire.inject(InjectedFault(on="GET", kind="answer", reply=Reply(status=429, headers={"Retry-After": "7"})))
    before = world.clock.time()
    async with ManagedServiceIdentityClient(**sdk.arm(world, world.entra.add("caller"))) as client:
        with pytest.raises(HttpResponseError):
            await client.user_assigned_identities.get("rg", "absent")
    assert world.clock.time() == before + 7


async def test_a_sync_client_in_a_thread_spends_virtual_time_too(world: World) -> None:
    world.wire.inject(InjectedFault(on="GET", kind="answer", reply=Reply(status=429, headers={"Retry-After": "7"})))
    before = world.clock.time()
    arguments = sdk.sync(world, world.entra.add("caller"))
    client = SyncClient(**arguments, subscription_id=SUBSCRIPTION, base_url=world.wire.url)
    with client, pytest.raises(HttpResponseError):
        await asyncio.to_thread(client.user_assigned_identities.get, "rg", "absent")
    assert world.clock.time() == before + 7
