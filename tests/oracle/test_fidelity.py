"""docs/fidelity.md says of the recordings what they are."""

import json
import re
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from local.docs_fidelity import Recordings, fidelity, fidelity_page
from tests.oracle.conformance import JudgeMissing, conformance_data
from tests.oracle.unrecorded import MANY


@pytest.fixture
def recordings() -> Path:
    """The folder of the recordings, or a skip that says what is missing."""
    try:
        return conformance_data() / "recordings"
    except JudgeMissing as missing:
        pytest.skip(str(missing))


@pytest.mark.parametrize("service", fidelity().recorded)
def test_the_page_counts_what_was_recorded(recordings: Path, service: str) -> None:
    found = [n for answer, n in answers(recordings) if answer.startswith(f"{key(service)}/")]
    often = sum(n >= MANY for n in found)
    versions = tuple(sorted(api_versions(recordings)[key(service)]))
    assert fidelity().recorded[service] == Recordings(sum(found), len(found), often, versions)


def test_the_page_counts_the_exchanges_that_are_kept_whole(recordings: Path) -> None:
    kept = len((recordings / "exchanges.jsonl").read_text().splitlines())
    assert f"{kept:,} exchanges that are kept whole" in " ".join(fidelity_page().split())


def key(service: str) -> str:
    """How the recordings name the service."""
    return "dataplane" if service == "Key Vault" else service.removeprefix("Microsoft.").lower()


def answers(recordings: Path) -> list[tuple[str, int]]:
    """Each recorded answer (operation and status), and how often it was recorded."""
    shapes: dict[str, Any] = json.loads((recordings / "observed_shapes.json").read_text())
    return [(answer, shape["n"]) for answer, shape in shapes.items()]


def api_versions(recordings: Path) -> dict[str, set[str]]:
    """The API versions that each service was called with."""
    found = defaultdict[str, set[str]](set)
    for line in (recordings / "exchanges.jsonl").read_text().splitlines():
        path, _, query = json.loads(line)["url"].partition("?")
        provider = re.findall(r"/providers/Microsoft\.([A-Za-z]+)", path, re.IGNORECASE)
        service = provider[-1].lower() if provider else "dataplane" if "vault" in path.split("/")[2] else ""
        found[service].update(re.findall(r"api-version=([\w.-]+)", query, re.IGNORECASE)[:1])
    return found
