"""Storage accounts are made in their own time under names that are unique in all of Azure; containers at once."""

from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.mgmt.storage.aio import StorageManagementClient
from azure.mgmt.storage.models import (
    BlobContainer,
    Sku,
    StorageAccountCheckNameAvailabilityParameters,
    StorageAccountCreateParameters,
    StorageAccountPropertiesCreateParameters,
    StorageAccountUpdateParameters,
)

from local.cloud.world import REGION, SUBSCRIPTION, World
from tests.worlds import sdk


@pytest.fixture
def world(world: World) -> World:
    world.resource_groups.add("rg-a")
    world.resource_groups.add("rg-b")
    return world


def _client(world: World) -> StorageManagementClient:
    return StorageManagementClient(**sdk.arm(world, world.entra.add("caller")))


def _account(**tags: str) -> StorageAccountCreateParameters:
    return StorageAccountCreateParameters(
        sku=Sku(name="Standard_LRS"),
        kind="StorageV2",
        location=REGION,
        tags=tags,
        properties=StorageAccountPropertiesCreateParameters(allow_shared_key_access=False),
    )


async def _make(client: StorageManagementClient, name: str, group: str = "rg-a", **tags: str) -> Any:
    return await (await client.storage_accounts.begin_create(group, name, _account(**tags))).result()


async def test_an_account_appears_when_its_creation_is_done(world: World) -> None:
    async with _client(world) as client:
        poller = await client.storage_accounts.begin_create("rg-a", "backups1", _account(a="1"))
        with pytest.raises(ResourceNotFoundError):
            await client.storage_accounts.get_properties("rg-a", "backups1")
        with pytest.raises(ResourceExistsError, match="exclusive access"):
            await client.storage_accounts.begin_create("rg-a", "backups1", _account(a="1"))
        made: Any = await poller.result()
        assert made.properties.allow_shared_key_access is False
        assert made.properties.primary_endpoints.blob == "https://backups1.blob.core.windows.net/"
        assert made.sku.tier == "Standard"
        assert [a.name async for a in client.storage_accounts.list()] == ["backups1"]


async def test_an_account_is_updated_at_once_and_keeps_what_is_not_named(world: World) -> None:
    async with _client(world) as client:
        await _make(client, "backups1", a="1")
        written = await _make(client, "backups1", a="2")
        patched = await client.storage_accounts.update(
            "rg-a", "backups1", StorageAccountUpdateParameters(tags={"b": "3"})
        )
    assert written.tags == {"a": "2"}
    assert patched.tags == {"b": "3"}
    assert patched.properties
    assert patched.properties.allow_shared_key_access is False


async def test_names_are_checked_and_taken_once(world: World) -> None:
    world.storage.taken.add("somebodys")
    async with _client(world) as client:
        await _make(client, "backups1")
        for name, group in (("somebodys", "rg-a"), ("backups1", "rg-b")):
            with pytest.raises(ResourceExistsError, match="already taken"):
                await _make(client, name, group)
        availability = [
            await client.storage_accounts.check_name_availability(
                StorageAccountCheckNameAvailabilityParameters(name=name)
            )
            for name in ("free1", "backups1", "ab")
        ]
    async with sdk.Raw(world, world.entra.add("caller")) as raw:
        group = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-a"
        path = f"{group}/providers/Microsoft.Storage/storageAccounts/Not-A-Name?api-version=2023-05-01"
        refused = await raw.call("PUT", path, {"location": REGION})
    assert [(a.name_available, a.reason) for a in availability] == [
        (True, None),
        (False, "AlreadyExists"),
        (False, "AccountNameInvalid"),
    ]
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "AccountNameInvalid")


async def test_containers_come_and_go_with_their_account(world: World) -> None:
    async with _client(world) as client:
        with pytest.raises(ResourceNotFoundError):
            await client.blob_containers.create("rg-a", "backups1", "alpha", BlobContainer())
        await _make(client, "backups1")
        for _ in range(2):
            await client.blob_containers.create("rg-a", "backups1", "alpha", BlobContainer())
        assert (await client.blob_containers.get("rg-a", "backups1", "alpha")).name == "alpha"
        assert [c.name async for c in client.blob_containers.list("rg-a", "backups1")] == ["alpha"]
        await client.storage_accounts.delete("rg-a", "backups1")
        with pytest.raises(HttpResponseError):
            await client.blob_containers.get("rg-a", "backups1", "alpha")
    assert not list(world.arm.of_type("Microsoft.Storage/storageAccounts/blobServices/containers"))
