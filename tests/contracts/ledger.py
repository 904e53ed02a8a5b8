"""What Meshward relies on at its ledger, the same for every kind of store.

Rules:
- A suite derives from `LedgerContract` and gives it the fixture `writers`: two ledgers over one empty store, as two
  workers of the app have them.
"""

import asyncio

import pytest

from shared.adapters.ledger import Ledger

type Writers = tuple[Ledger, Ledger]


class LedgerContract:
    async def test_a_document_is_written_once_and_stays(self, writers: Writers) -> None:
        one, two = writers
        assert await one.create("verdicts/a.json", b"first")
        assert not await two.create("verdicts/a.json", b"second")
        assert not await one.create("verdicts/a.json", b"first")
        assert await one.read("verdicts/a.json") == await two.read("verdicts/a.json") == b"first"

    async def test_of_writers_that_race_exactly_one_creates_the_document(self, writers: Writers) -> None:
        for race in range(5):
            path, documents = f"restores/{race}", [f"writer {n}".encode() for n in range(8)]
            won = await asyncio.gather(*(writers[n % 2].create(path, d) for n, d in enumerate(documents)))
            assert await writers[0].read(path) == documents[won.index(True)]
            assert won.count(True) == 1

    async def test_a_document_that_may_change_is_replaced(self, writers: Writers) -> None:
        one, two = writers
        await one.replace("watermark", b"a longer first one")
        await two.replace("watermark", b"2")
        assert await one.read("watermark") == b"2"
        assert not await one.create("watermark", b"3")

    async def test_replacements_that_race_leave_one_of_them_whole(self, writers: Writers) -> None:
        documents = [bytes([n]) * 100_000 for n in range(6)]
        await asyncio.gather(*(writers[n % 2].replace("watermark", d) for n, d in enumerate(documents)))
        assert await writers[0].read("watermark") in documents

    @pytest.mark.parametrize("document", [b"", bytes(range(256)), b"x" * 1_000_000])
    async def test_a_document_comes_back_byte_for_byte(self, writers: Writers, document: bytes) -> None:
        await writers[0].create("manifests/m", document)
        assert await writers[1].read("manifests/m") == document

    @pytest.mark.parametrize("name", ["2027-01-15T08:00:00+00:00/job:Completed", "a b", "50%", "naïve", "a+b&c=d"])
    async def test_a_name_comes_back_as_it_was(self, writers: Writers, name: str) -> None:
        await writers[0].create(f"names/{name}", b"1")
        assert await writers[1].list("names/") == [f"names/{name}"]
        assert await writers[1].read(f"names/{name}") == b"1"

    async def test_an_absent_document_is_none_and_an_absent_folder_empty(self, writers: Writers) -> None:
        assert await writers[0].read("nothing") is None
        assert await writers[0].list("nothing/") == []
        await writers[0].create("some/thing", b"")
        assert await writers[0].read("some") is None

    async def test_rows_are_listed_in_order_from_a_key_on(self, writers: Writers) -> None:
        for row in ("2027-01-16/b:Failed", "2027-01-14/a:Completed", "2027-01-15/c:Completed"):
            await writers[0].create(f"backups/{row}", b"")
        await writers[0].create("backups-of-others/2027-01-17", b"")
        kept = ["backups/2027-01-15/c:Completed", "backups/2027-01-16/b:Failed"]
        assert await writers[1].list("backups/", after="backups/2027-01-15") == kept
        assert await writers[1].list("backups/", after=kept[0]) == kept[1:]
        assert await writers[1].list("backups/", after="backups/2028") == []

    async def test_a_long_list_is_whole(self, writers: Writers) -> None:
        paths = [f"many/{n:03}" for n in range(120)]
        await asyncio.gather(*(writers[n % 2].create(path, b"") for n, path in enumerate(paths)))
        assert await writers[0].list("many/") == paths
