"""Every resource id in recordings of Microsoft's traffic is one of the grammar, so nothing real is read as no id.

Left out is what is no resource, and what Meshward never reads for one: a resource provider by itself, and operations,
whose names are Base64 (it takes them from the end of a header's URL).
"""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from shared.domain.resource_id import parsed
from tests.oracle.conformance import JudgeMissing, conformance_data

LOOKS_LIKE_ONE = re.compile(r"/(subscriptions|providers)/", re.IGNORECASE)
NO_RESOURCE = re.compile(r"/subscriptions/[^/]+/providers/[\w.]+|/.+/operationStatus/[A-Za-z0-9]+={1,2}", re.IGNORECASE)
ODD = (
    "/Subscriptions/",
    "/resourcegroups/",
    "Microsoft.storage",
    ";",
    "/providers/Microsoft.Authorization/role",
    "MC_",
)


def texts(body: Any) -> Iterator[str]:
    """Every text in it, names of properties too: identities are named by their ids."""
    match body:
        case dict():
            for name, value in body.items():
                yield name
                yield from texts(value)
        case list():
            for value in body:
                yield from texts(value)
        case str():
            yield body


@pytest.fixture(scope="module")
def recorded() -> set[str]:
    """What looks like a resource id in recorded bodies, or a skip that says what is missing."""
    try:
        lines = (conformance_data() / "recordings" / "exchanges.jsonl").read_text().splitlines()
    except JudgeMissing as missing:
        pytest.skip(str(missing))
    exchanges = (json.loads(line) for line in lines)
    found = {text for each in exchanges for text in texts([each["req"], each["body"]])}
    return {text for text in found if LOOKS_LIKE_ONE.match(text) and not NO_RESOURCE.fullmatch(text)}


def test_every_recorded_id_is_one(recorded: set[str]) -> None:
    assert len(recorded) > 1000
    assert [text for text in recorded if parsed(text) is None] == []


@pytest.mark.parametrize("odd", ODD)
def test_odd_ids_were_recorded(recorded: set[str], odd: str) -> None:
    assert any(odd in text for text in recorded)
