"""The ledger over a folder and in memory."""

from pathlib import Path
from typing import Any

import pytest

from shared.adapters.ledger import Ledger
from shared.domain.errors import TemporaryError
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
