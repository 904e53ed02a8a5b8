"""Whatever Azure's servers answer is read in bounds, and makes no request go elsewhere."""

import ast
import asyncio
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from msgspec.structs import replace

from local.cloud.arm import SUBSCRIPTION
from local.cloud.clock import Clock
from local.cloud.wire import InjectedFault, Reply
from local.cloud.world import World
from local.scenario import KEY_VAULT, OLD_ROOT, seed_trust
from shared.adapters.azure.clusters import Clusters
from shared.adapters.azure.file_shares import FileShares
from shared.adapters.azure.inventory import Inventory
from shared.adapters.azure.key_vault import KeyVault
from shared.adapters.azure.outlet import AnswerBounds
from shared.domain.errors import PermanentError, TemporaryError
from shared.domain.restores.items import ShareItem
from tests.worlds import sdk
from tests.worlds.settings import settings

BOUNDS = AnswerBounds(answer=100_000, act=300_000, requests=20, call=0.5, visit=2.0)
ELSEWHERE = ("https://127.0.0.1:1/subscriptions/{subscription}/x", "{world}/subscriptions/2{subscription}/x")


class ListedClient(NamedTuple):
    """A client that lists something of Azure's."""

    make: Callable[..., Any]  # the adapter, of settings and options
    ask: Callable[[World, Any], Awaitable[object]]
    path: str  # of the request, as the wire's faults know it
    page: Callable[[str, int], dict[str, Any]]  # a page that says that others follow, by the server and a number


def item(world: World) -> ShareItem:
    return ShareItem(id="i", source_id=world.file_shares.account("stcontoso")["id"], share="orders")


ASKED = {
    "Resource Manager": ListedClient(
        Clusters,
        lambda _, clusters: clusters.list(),
        "GET .*/managedClusters",
        lambda server, page: {"value": [], "nextLink": f"{server}/subscriptions/{SUBSCRIPTION}/managedClusters?{page}"},
    ),
    "Key Vault": ListedClient(
        KeyVault,
        lambda _, vault: vault.certificates(),
        "GET .*/certificates",
        lambda server, page: {"value": [], "nextLink": f"{server}/vaults/{KEY_VAULT}/certificates?{page}"},
    ),
    "Resource Graph": ListedClient(
        Inventory,
        lambda world, inventory: inventory.jobs(world.clock.now()),
        "POST .*/Microsoft.ResourceGraph/",
        lambda _, page: {
            "data": [],
            "count": 0,
            "totalRecords": 0,
            "resultTruncated": "false",
            "$skipToken": str(page),
        },
    ),
    "Azure Files": ListedClient(
        FileShares, lambda world, shares: shares.contents(item(world)), "GET /files/", lambda _, page: {"page": page}
    ),
}
each_client = pytest.mark.parametrize("asked", ASKED.values(), ids=ASKED)
each_that_lists = pytest.mark.parametrize("asked", list(ASKED.values())[:3], ids=list(ASKED)[:3])


@pytest.fixture
async def world(clock: Clock) -> AsyncIterator[World]:
    """One that the judge of the simulated Azure doesn't see: Azure never answers so."""
    world = World(clock)
    await world.start()
    seed_trust(world, 1)
    world.file_shares.create("stcontoso", "orders")
    yield world
    await sdk.close(world)
    await world.stop()


def adapter(world: World, asked: ListedClient, **options: Any) -> Any:
    here = replace(
        settings(world),
        key_vault_url=f"{world.wire.url}/vaults/{KEY_VAULT}",
        file_url=f"{world.wire.url}/files/{{account}}",
        verify_key_vault_domain=False,
    )
    return asked.make(here, **sdk.aio(world, world.entra.add("reader")), **{"bounds": BOUNDS} | options)


def answers(world: World, asked: ListedClient, reply: Reply, then: Callable[[], object] = lambda: None) -> None:
    """From now on, the server answers so."""
    world.wire.inject(InjectedFault(on=asked.path, kind="answer", times=10_000, reply=reply, then=then))


@each_client
async def test_an_answer_that_is_too_large_is_left_unread(world: World, asked: ListedClient) -> None:
    sent = count()

    async def endless() -> AsyncIterator[bytes]:
        while True:
            next(sent)
            yield b" " * 50_000

    answers(world, asked, Reply(stream=endless()))
    with pytest.raises(PermanentError, match=r"AnswerUnreadable: .+: the answer has more than 100000 bytes"):
        await asked.ask(world, adapter(world, asked))
    assert next(sent) < 1_000


@each_client
async def test_an_answer_of_which_a_byte_comes_now_and_then_is_given_up(world: World, asked: ListedClient) -> None:
    async def trickling() -> AsyncIterator[bytes]:
        while True:
            yield b" "
            await asyncio.sleep(0.05)

    answers(world, asked, Reply(stream=trickling()))
    with pytest.raises(TemporaryError, match="Unreachable"):
        await asked.ask(world, adapter(world, asked))


@each_client
async def test_an_answer_that_a_few_bytes_make_large_is_refused(world: World, asked: ListedClient) -> None:
    bomb = gzip.compress(b" " * 50_000_000)
    answers(world, asked, Reply(content=bomb, headers={"Content-Encoding": "gzip"}))
    with pytest.raises(PermanentError, match=r"AnswerUnreadable: .*encoded"):
        await asked.ask(world, adapter(world, asked, bounds=AnswerBounds()))


@each_that_lists
async def test_a_list_that_never_ends_does(world: World, asked: ListedClient) -> None:
    pages, body = count(), asked.page(world.wire.url, 0)
    answers(world, asked, Reply(body=body), then=lambda: body.update(asked.page(world.wire.url, next(pages))))
    with pytest.raises(PermanentError, match=r"AnswerUnreadable: .+: more than 20 requests"):
        await asked.ask(world, adapter(world, asked))
    assert next(pages) == BOUNDS.requests


@each_that_lists
async def test_pages_that_are_large_together_are_too_large(world: World, asked: ListedClient) -> None:
    pages, body = count(), asked.page(world.wire.url, 0) | {"padding": "x" * 90_000}
    answers(world, asked, Reply(body=body), then=lambda: body.update(asked.page(world.wire.url, next(pages))))
    with pytest.raises(PermanentError, match=r"AnswerUnreadable: .+: the answers have more than 300000 bytes"):
        await asked.ask(world, adapter(world, asked))


@each_client
@pytest.mark.parametrize("where", ELSEWHERE)
async def test_no_redirect_is_followed(world: World, asked: ListedClient, where: str) -> None:
    elsewhere = where.format(world=world.wire.url, subscription=SUBSCRIPTION)
    for status in (301, 302, 307, 308):
        answers(world, asked, Reply(status=status, headers={"Location": elsewhere}, body={}))
        with pytest.raises(PermanentError):
            await asked.ask(world, adapter(world, asked))
        world.wire.faults.clear()
    assert not [e for e in world.wire.exchanges if e.url.endswith("/x")]


@pytest.mark.parametrize("where", ELSEWHERE)
@pytest.mark.parametrize(
    "asked", [ASKED["Resource Manager"], ASKED["Key Vault"]], ids=["Resource Manager", "Key Vault"]
)
async def test_no_next_page_elsewhere_is_asked_for(world: World, asked: ListedClient, where: str) -> None:
    elsewhere = where.format(world=world.wire.url, subscription=SUBSCRIPTION)
    answers(world, asked, Reply(body={"value": [], "nextLink": elsewhere}))
    with pytest.raises(PermanentError, match="OutsideFleet"):
        await asked.ask(world, adapter(world, asked))
    assert not [e for e in world.wire.exchanges if e.url.endswith("/x")]


async def test_nothing_is_signed_by_a_key_elsewhere(world: World) -> None:
    root = world.key_vaults.vaults[KEY_VAULT].certificate(OLD_ROOT).current
    vault: KeyVault = adapter(world, ASKED["Key Vault"])
    read = await vault.certificate(OLD_ROOT, root.id)
    body = {"id": f"{world.wire.url}/certificates/{OLD_ROOT}/{root.id}", "kid": "https://127.0.0.1:1/keys/k/1"}
    world.wire.inject(
        InjectedFault(on=f"GET .*/certificates/{OLD_ROOT}/", kind="answer", times=9, reply=Reply(body=body))
    )
    with pytest.raises(PermanentError, match="OutsideFleet"):
        await vault.require_signing_key(OLD_ROOT, root.id, read)


def clients_made(code: str) -> Iterator[ast.Call]:
    """Where a module makes a client of an SDK of Azure's."""
    tree = ast.parse(code)
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    names = {name.name for node in imports if (node.module or "").startswith("azure.") for name in node.names}
    for node in ast.walk(tree):
        called = node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""
        if called == "sdk" or (called in names and called.endswith("Client")):
            assert isinstance(node, ast.Call)
            yield node


def test_each_client_of_an_sdk_sends_through_an_outlet() -> None:
    made = [(path, call) for path in Path("shared").rglob("*.py") for call in clients_made(path.read_text())]
    assert len({path for path, _ in made}) >= len(ASKED)
    for path, call in made:
        given = [word.value for word in call.keywords if word.arg is None]
        assert [ast.unparse(value.func) for value in given if isinstance(value, ast.Call)] == ["through"], (
            path,
            call.lineno,
        )
