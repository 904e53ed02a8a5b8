"""What Meshward relies on at its ledger, the same for every kind of store.

Rules:
- A suite derives from `LedgerContract` and gives it the fixture `writers`: two ledgers over one empty store, as two
  workers of the app have them.
"""

import asyncio

import pytest

from shared.adapters.azure.ledger import Ledger
from shared.domain.errors import NotFound, Unreadable
from shared.domain.restores.staging import TURN, StagingTurn

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

    async def test_only_the_version_that_was_read_last_is_updated(self, writers: Writers) -> None:
        one, two = writers
        assert await one.update("watermark", b"a longer first one", seen=None)
        assert await two.update("watermark", b"2", seen=b"a longer first one")
        assert await one.read("watermark") == b"2"

    async def test_a_lost_race_leaves_the_document_of_the_winner(self, writers: Writers) -> None:
        one, two = writers
        await one.create("watermark", b"1")
        assert await one.update("watermark", b"2", seen=b"1")
        assert not await two.update("watermark", b"3", seen=b"1")
        assert not await two.update("watermark", b"3", seen=None)
        assert await two.read("watermark") == b"2"

    async def test_an_absent_document_is_not_updated(self, writers: Writers) -> None:
        assert not await writers[0].update("watermark", b"2", seen=b"1")
        assert await writers[1].read("watermark") is None

    async def test_of_writers_that_read_the_same_version_exactly_one_updates_the_document(
        self, writers: Writers
    ) -> None:
        seen = b""
        await writers[0].create("watermark", seen)
        for race in range(5):
            documents = [bytes([race, n]) * 50_000 for n in range(8)]
            updates = (writers[n % 2].update("watermark", d, seen=seen) for n, d in enumerate(documents))
            won = await asyncio.gather(*updates)
            seen = documents[won.index(True)]
            assert await writers[1].read("watermark") == seen
            assert won.count(True) == 1

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
        left = ["backups/2027-01-15/c:Completed", "backups/2027-01-16/b:Failed"]
        assert await writers[1].list("backups/", after="backups/2027-01-15") == left
        assert await writers[1].list("backups/", after=left[0]) == left[1:]
        assert await writers[1].list("backups/", after="backups/2028") == []

    async def test_a_long_list_is_complete(self, writers: Writers) -> None:
        paths = [f"many/{n:03}" for n in range(120)]
        await asyncio.gather(*(writers[n % 2].create(path, b"") for n, path in enumerate(paths)))
        assert await writers[0].list("many/") == paths

    async def test_a_document_is_read_as_what_it_was_written(self, writers: Writers) -> None:
        one, two = writers
        await one.create("turns/a.json", TURN.encoded(StagingTurn(lease="leases/a")))
        assert (
            await two.get(TURN, "turns/a.json") == await two.find(TURN, "turns/a.json") == StagingTurn(lease="leases/a")
        )

    async def test_a_document_that_is_absent_says_so_by_its_path(self, writers: Writers) -> None:
        assert await writers[0].find(TURN, "turns/b.json") is None
        with pytest.raises(NotFound, match=r"DocumentAbsent: turns/b\.json"):
            await writers[0].get(TURN, "turns/b.json")

    @pytest.mark.parametrize("broken", [b"", b"not JSON", b"{}", b'{"lease": 7}'])
    async def test_a_document_that_is_broken_says_so_by_its_path(self, writers: Writers, broken: bytes) -> None:
        await writers[0].create("turns/c.json", broken)
        for read in (writers[0].find, writers[0].get):
            with pytest.raises(Unreadable, match=r"DocumentBroken: turns/c\.json"):
                await read(TURN, "turns/c.json")
