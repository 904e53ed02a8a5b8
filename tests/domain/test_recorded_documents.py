"""Documents of an installation are read after an upgrade, and written as they were.

`recorded_documents.json` has one of each type, with every field, as an earlier version has written it. Never change
one: add what a new version writes.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from local.tables import stored
from shared.domain.asking import ASKED
from shared.domain.documents import Document
from shared.domain.errors import Unreadable
from shared.domain.restores.lease import LEASE
from shared.domain.vaults.census import CENSUS
from shared.domain.vaults.release import ABSENCE

RECORDED: dict[str, Any] = json.loads((Path(__file__).parent / "recorded_documents.json").read_text())
DOCUMENTS: dict[str, Document[Any]] = {each.pattern: each for each in stored() if isinstance(each, Document)}
SINCE: dict[str, dict[str, Any]] = {
    LEASE.pattern: {"target_domain": None, "uids": {}},
    CENSUS.pattern: {"not_admitted": [], "left_out": []},
    ABSENCE.pattern: {"free": None, "was_free": False},
    ASKED.pattern: {"operation": ""},
}
ITEM_SINCE: dict[str, dict[str, Any]] = {"cluster": {"filter": {"included": [], "excluded": [], "labels": []}}}
OF_OTHERS = {"cluster": {"share"}, "share": {"included", "excluded"}, "machine": {"share"}}  # in leases of 0.1.0


def written_now(name: str) -> Any:
    """The document as it is written now: with later fields; a lease without `validates`, or fields of other kinds."""
    recorded = SINCE.get(name.partition(" ")[0], {}) | RECORDED[name]
    if name.startswith(CENSUS.pattern):
        clusters = [each | {"volumes": [{"reason": ""} | v for v in each["volumes"]]} for each in recorded["clusters"]]
        return recorded | {"clusters": clusters}
    if not name.startswith(LEASE.pattern):
        return recorded
    item = {
        field: value for field, value in recorded["item"].items() if field not in OF_OTHERS[recorded["item"]["kind"]]
    }
    item = ITEM_SINCE.get(item["kind"], {}) | item
    kept = {field: value for field, value in recorded.items() if field != "validates"}
    return kept | {"item": item, "point": recorded["point"] | {"unclear": "", "partial": False}, "partial": []}


def test_a_document_of_each_type_is_recorded() -> None:
    assert {name.partition(" ")[0] for name in RECORDED} == DOCUMENTS.keys()


@pytest.mark.parametrize("name", RECORDED)
def test_a_recorded_document_is_read_and_written_with_the_same_fields(name: str) -> None:
    document = DOCUMENTS[name.partition(" ")[0]]
    found = document.decoded(name, json.dumps(RECORDED[name]).encode())
    assert json.loads(document.encoded(found)) == written_now(name)


@pytest.mark.parametrize("kind", ["disk", "", None])
def test_a_lease_of_a_kind_that_nobody_knows_is_refused_by_its_path(kind: str | None) -> None:
    lease = RECORDED[f"{LEASE.pattern} cluster"]
    changed = json.dumps(lease | {"item": lease["item"] | {"kind": kind}})
    with pytest.raises(Unreadable) as refusal:
        LEASE.decoded("leases/x", changed.encode())
    assert refusal.value.message.startswith("leases/x in the store was changed")


def test_a_share_s_lease_that_names_no_copy_of_it_is_broken_rather_than_the_janitor() -> None:
    plan = LEASE.decoded("leases/x", json.dumps(RECORDED[f"{LEASE.pattern} share"] | {"places": {}}).encode())
    with pytest.raises(Unreadable, match="no isolated copy of share carts"):
        _ = plan.target
