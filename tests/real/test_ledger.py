"""The ledger's contract over Azurite, with a token in place of an account key, as on Azure."""

import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest

from local.cloud.world import TENANT, World
from shared.domain.errors import TemporaryError
from tests.contracts.ledger import LedgerContract, Writers
from tests.real.azurite import Azurite, azurite
from tests.worlds.sdk import AsyncCredential

SCOPE = "https://storage.azure.com/.default"


@pytest.fixture(scope="module")
async def storage(anyio_backend: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Azurite]:
    async with azurite(tmp_path_factory.mktemp("azurite")) as storage:
        yield storage


def credential(world: World, **claims: Any) -> AsyncCredential:
    issuer = f"https://sts.windows.net/{TENANT}/"  # the one that Azurite knows; Azure takes both
    return AsyncCredential(world, world.entra.add("app"), **{"iss": issuer, **claims})


@pytest.fixture
async def container(world: World, storage: Azurite) -> str:
    name = f"ledger-{uuid.uuid4().hex[:8]}"
    await storage.create_container(name, (await credential(world).get_token(SCOPE)).token)
    return name


class TestInAzurite(LedgerContract):
    @pytest.fixture
    def writers(self, world: World, storage: Azurite, container: str) -> Writers:
        one, two = (storage.ledger(container, credential(world)) for _ in range(2))
        return one, two


async def test_a_token_for_something_else_is_a_failure_and_no_absent_document(
    world: World, storage: Azurite, container: str
) -> None:
    ledger = storage.ledger(container, credential(world, aud="https://vault.azure.net"))
    with pytest.raises(TemporaryError, match="LedgerUnavailable"):
        await ledger.read("a")
    with pytest.raises(TemporaryError, match="LedgerUnavailable"):
        await ledger.create("a", b"")


async def test_a_deleted_container_accepts_no_document(world: World, storage: Azurite) -> None:
    ledger = storage.ledger("nowhere", credential(world))
    with pytest.raises(TemporaryError, match="LedgerUnavailable"):
        await ledger.create("a", b"")
    with pytest.raises(TemporaryError, match="LedgerUnavailable"):
        await ledger.update("a", b"", seen=b"1")
    with pytest.raises(TemporaryError, match="LedgerUnavailable"):
        await ledger.read("a")
    with pytest.raises(TemporaryError, match="LedgerUnavailable"):
        await ledger.list("a/")


async def test_a_storage_that_does_not_answer_is_worth_another_try(world: World, storage: Azurite) -> None:
    ledger = Azurite(url="https://127.0.0.1:1/devstoreaccount1", authority=storage.authority).ledger(
        "ledger", credential(world)
    )
    with pytest.raises(TemporaryError, match="LedgerUnavailable"):
        await ledger.read("a")
