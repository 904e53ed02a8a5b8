"""A row of the roots' table that can't be read: it is named, its trust domain isn't rotated, and all others go on."""

from collections.abc import AsyncIterator

import pytest

from local.scenario import OLD_ROOT, TRUST_DOMAIN
from local.stage import RunningApp
from shared.domain.trust.mesh import Mesh
from shared.domain.trust.records import domain_folder
from tests.worlds import mallory
from tests.worlds.app import call
from tests.worlds.issuers import SWEPT, half_lived
from tests.worlds.rotations import writes
from tests.worlds.small_mesh import small_mesh
from tests.worlds.times import HOUR

OWN, OTHER = domain_folder(Mesh.LINKERD, TRUST_DOMAIN), domain_folder(Mesh.LINKERD, "other.example")
BROKEN = {"nothing": b"", "no JSON": b"[" * 100_000, "another form": b"[]", "bytes": b"\xff\xfe"}


@pytest.fixture
async def stage() -> AsyncIterator[RunningApp]:
    async with small_mesh(seeded=half_lived, settings=SWEPT) as stage:
        yield stage


def put(stage: RunningApp, folder: str, content: bytes, name: str = "a" * 64) -> None:
    path = stage.store / "roots" / folder / "0009" / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


async def test_rows_of_another_trust_domain_hold_up_no_renewal_and_no_plan(stage: RunningApp) -> None:
    for name, content in BROKEN.items():
        put(stage, OTHER, content, name)
    code, plan = await call(stage, "GET", f"plans/rotations/{OLD_ROOT}")
    assert (code, plan["rotation"]["old"]) == (200, OLD_ROOT)
    await stage.clock.advance(2 * HOUR)
    assert len(writes(stage)) == 1
    assert any("document skipped" in line and OTHER in line for line in stage.log)


async def test_a_row_of_the_trust_domain_stops_its_rotations_by_name_and_no_renewal(stage: RunningApp) -> None:
    put(stage, OWN, b"[]")
    code, refused = await call(stage, "POST", "rotations", {"certificate": OLD_ROOT})
    assert (code, refused["reason"]) == (500, "DocumentBroken")
    assert f"roots/{OWN}/0009/" in refused["message"]
    await stage.clock.advance(2 * HOUR)
    assert len(writes(stage)) == 1


async def test_a_row_that_was_copied_from_elsewhere_is_one_that_can_t_be_read(stage: RunningApp) -> None:
    (row,) = (stage.store / "roots" / OWN).glob("*/*.json")
    put(stage, OWN, row.read_bytes())
    code, refused = await call(stage, "POST", "rotations", {"certificate": OLD_ROOT})
    assert (code, refused["reason"]) == (500, "DocumentBroken")


async def test_where_the_only_row_is_broken_nobody_s_certificate_signs(stage: RunningApp) -> None:
    """It isn't as if no root had ever been admitted."""
    (row,) = (stage.store / "roots" / OWN).glob("*/*.json")
    row.write_bytes(b"")
    mallory.bring(stage.world, generation=1)
    await stage.clock.advance(2 * HOUR)
    assert writes(stage) == []
    body = {"trust_domain": TRUST_DOMAIN, "fingerprint": "a" * 64, "why": "x"}
    assert (await call(stage, "POST", "roots", body))[1]["reason"] == "DocumentBroken"
