"""The ledger over a folder and in memory."""

from pathlib import Path
from typing import Any

import pytest

from shared.adapters.ledger import Ledger
from shared.domain.errors import TemporaryError

NOBODY: Any = None  # local stores take no credential


@pytest.fixture(params=["memory:///", "file://"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Ledger:
    return Ledger(tmp_path.as_uri() if request.param == "file://" else request.param, NOBODY)


async def test_a_document_is_written_once_and_stays(ledger: Ledger) -> None:
    assert await ledger.create("verdicts/a.json", b"first")
    assert not await ledger.create("verdicts/a.json", b"second")
    assert await ledger.read("verdicts/a.json") == b"first"


async def test_a_document_that_may_change_is_replaced(ledger: Ledger) -> None:
    await ledger.replace("watermark", b"1")
    await ledger.replace("watermark", b"2")
    assert await ledger.read("watermark") == b"2"


async def test_an_absent_document_is_none_and_an_absent_folder_empty(ledger: Ledger) -> None:
    assert await ledger.read("nothing") is None
    assert await ledger.list("nothing/") == []


async def test_rows_are_listed_in_order_from_a_key_on(ledger: Ledger) -> None:
    for row in ("2027-01-16/b:Failed", "2027-01-14/a:Completed", "2027-01-15/c:Completed"):
        await ledger.create(f"backups/{row}", b"")
    await ledger.create("backups-of-others/2027-01-17", b"")
    assert await ledger.list("backups/", after="backups/2027-01-15") == [
        "backups/2027-01-15/c:Completed",
        "backups/2027-01-16/b:Failed",
    ]


async def test_a_store_that_fails_is_worth_another_try(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path.as_uri(), NOBODY)
    (tmp_path / "folder").write_bytes(b"a file where a folder should be")
    with pytest.raises(TemporaryError, match="LedgerUnavailable"):
        await ledger.create("folder/a", b"")
