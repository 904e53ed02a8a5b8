"""The ledger over a folder and in memory."""

import asyncio
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

from shared.adapters.azure.ledger import Ledger
from shared.domain.errors import TemporaryError, Unreadable
from tests.contracts.ledger import LedgerContract, Writers

NOBODY: Any = None  # local stores take no credential


class TestInMemory(LedgerContract):
    @pytest.fixture
    def writers(self) -> Writers:
        ledger = Ledger("memory:///", NOBODY)
        return ledger, ledger


class TestInAFolder(LedgerContract):
    @pytest.fixture
    def writers(self, tmp_path: Path) -> Writers:
        return Ledger(tmp_path.as_uri(), NOBODY), Ledger(tmp_path.as_uri(), NOBODY)


async def test_a_store_that_fails_is_worth_another_try(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path.as_uri(), NOBODY)
    (tmp_path / "folder").write_bytes(b"a file where a folder should be")
    with pytest.raises(TemporaryError, match="LedgerUnavailable"):
        await ledger.create("folder/a", b"")


async def test_a_document_that_is_too_large_is_named_and_left_unread(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path.as_uri(), NOBODY, largest=100)
    for size in (100, 101):
        (tmp_path / f"of{size}.json").write_bytes(b"x" * size)
    assert await ledger.read("of100.json")
    with pytest.raises(Unreadable, match=r"DocumentBroken: of101\.json .* more than 100 bytes"):
        await ledger.read("of101.json")


def test_of_processes_that_saw_the_same_exactly_one_updates_the_document(tmp_path: Path) -> None:
    with ProcessPoolExecutor(4, mp_context=get_context("spawn")) as pool:
        won = list(pool.map(partial(_count_up, tmp_path.as_uri()), range(4)))
    final = asyncio.run(Ledger(tmp_path.as_uri(), NOBODY).read("counter"))
    assert final == str(sum(won)).encode() == b"200"


def _count_up(url: str, _: int) -> int:
    """How often this process has counted: fifty times, each against the others."""

    async def count() -> int:
        ledger, counted = Ledger(url, NOBODY), 0
        while counted < 50:
            seen = await ledger.read("counter")
            counted += await ledger.update("counter", str(int(seen or 0) + 1).encode(), seen=seen)
        return counted

    return asyncio.run(count())
