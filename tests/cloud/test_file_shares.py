from collections.abc import AsyncIterator
from typing import Any

import pytest
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError, ResourceNotFoundError
from azure.mgmt.storage.aio import StorageManagementClient
from azure.storage.fileshare.aio import ShareClient

from local.cloud.entra import Principal
from local.cloud.resources.file_shares import DATA_ROLES
from local.cloud.world import World
from tests.worlds import sdk

ACCOUNT, SHARE = "stdata", "orders"


@pytest.fixture
def reader(world: World) -> Principal:
    """A principal that may read the share, which holds three files."""
    world.file_shares.create(ACCOUNT, SHARE)
    for path, content in {"a.txt": b"first", "deep/er/b.bin": bytes(range(256)), "deep/empty": b""}.items():
        world.file_shares.write(ACCOUNT, SHARE, path, content)
    reader = world.entra.add("reader")
    world.roles.grant(reader.object_id, DATA_ROLES[0], world.file_shares.account(ACCOUNT)["id"])
    return reader


@pytest.fixture
async def share(world: World, reader: Principal) -> AsyncIterator[ShareClient]:
    async with client(world, reader) as share:
        yield share


def client(world: World, principal: Principal, **changes: Any) -> ShareClient:
    arguments = {"token_intent": "backup", **sdk.aio(world, principal), **changes}
    return ShareClient(f"{world.wire.url}/files/{ACCOUNT}", share_name=SHARE, **arguments)


async def test_directories_and_files_are_listed_with_their_sizes(share: ShareClient) -> None:
    items: Any = share.list_directories_and_files()
    root = {i.name: None if i.is_directory else i.size async for i in items}
    deep = [i.name async for i in share.get_directory_client("deep/er").list_directories_and_files()]
    assert root == {"a.txt": 5, "deep": None}
    assert deep == ["b.bin"]


async def test_a_long_listing_comes_in_pages(world: World, share: ShareClient) -> None:
    for number in range(7):
        world.file_shares.write(ACCOUNT, SHARE, f"many/{number}", b"x")
    found = share.list_directories_and_files("many", results_per_page=3)
    assert [i.name async for i in found] == [str(n) for n in range(7)]
    assert sum("comp=list" in e.url for e in world.wire.exchanges) > 1


@pytest.mark.parametrize(
    ("path", "content"), [("a.txt", b"first"), ("deep/er/b.bin", bytes(range(256))), ("deep/empty", b"")]
)
async def test_a_file_is_downloaded_whole(share: ShareClient, path: str, content: bytes) -> None:
    stream = await share.get_file_client(path).download_file()
    assert await stream.readall() == content


async def test_an_absent_file_is_not_found(share: ShareClient) -> None:
    with pytest.raises(ResourceNotFoundError):
        await share.get_file_client("nowhere").download_file()


async def test_a_caller_without_a_data_role_reads_nothing(world: World, reader: Principal) -> None:
    async with client(world, world.entra.add("stranger")) as stranger:
        with pytest.raises(HttpResponseError) as caught:
            await stranger.get_file_client("a.txt").download_file()
    assert caught.value.status_code == 403


async def test_a_token_for_resource_manager_opens_no_file(world: World, reader: Principal) -> None:
    wrong = sdk.AsyncCredential(world, reader)
    wrong.get_token = lambda *_, **__: sdk.AsyncCredential(world, reader).get_token("https://management.azure.com")  # type: ignore[method-assign]
    async with client(world, reader, credential=wrong) as share:
        with pytest.raises(ClientAuthenticationError):
            await share.get_file_client("a.txt").download_file()


async def test_a_share_is_made_and_deleted_over_resource_manager(world: World, reader: Principal) -> None:
    where: Any = {"resource_group_name": "rg-storage", "account_name": ACCOUNT, "share_name": "scratch"}
    storage: Any
    async with StorageManagementClient(**sdk.arm(world, world.entra.add("caller"))) as storage:
        await storage.file_shares.create(**where, file_share={"properties": {"shareQuota": 1}})
        made = world.file_shares.shares(ACCOUNT)
        world.file_shares.write(ACCOUNT, "scratch", "x", b"1")
        await storage.file_shares.delete(**where)
        left = world.file_shares.shares(ACCOUNT)
        with pytest.raises(ResourceNotFoundError):
            await storage.file_shares.get(**where)
        await storage.file_shares.create(**where, file_share={})
    assert (made, left) == (["orders", "scratch"], ["orders"])
    assert world.file_shares.files(ACCOUNT, "scratch") == {}
