"""What calls of the API answer is an interface: no field goes, is renamed or gets another type.

`recorded_answers.json` has the fields as an earlier version had them, each with what it holds. Add new ones; change or
remove none without a line in the changelog that says so.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from functions.engine.runs import Run
from functions.restores.verification import verify_restore
from functions.selftest import selftest
from functions.trust.rotation import rotate_trust_root
from functions.vaults.protection import protect_cluster
from functions.vaults.releases import release_cluster
from shared.domain.restores.checks import VerificationResult
from shared.domain.restores.choice import SampledOut
from shared.domain.restores.trends import Trends
from shared.domain.trust.admission import RefusedRoot
from shared.domain.trust.plan import RotationPlan, Upcoming
from shared.domain.trust.records import RootRecord
from shared.domain.vaults.census import Census
from shared.domain.vaults.parts import Change

RECORDED: dict[str, dict[str, str]] = json.loads((Path(__file__).parent / "recorded_answers.json").read_text())
ANSWERS: dict[str, Any] = {
    "GET rotations/upcoming, each": Upcoming,
    "GET rotations/upcoming, each refused": RefusedRoot,
    "POST roots": RootRecord,
    "GET plans/rotations": RotationPlan,
    "GET plans/protections, each change": Change,
    "GET restores": Trends,
    "GET census": Census,
    "GET instances": Run,
    "result of a rotation": rotate_trust_root.result,
    "result of a protection": protect_cluster.result,
    "result of a release": release_cluster.result,
    "result of a verification": VerificationResult,
    "result of a verification that isn't made": SampledOut,
    "result of a self-test": selftest.result,
}


def fields(kind: Any) -> dict[str, str]:
    """Each field of the type, with those below it, and the JSON types that it may have."""
    (schema,), parts = msgspec.json.schema_components([kind], ref_template="{name}")
    found: dict[str, set[str]] = {}
    for path, type in _fields(schema, parts, ""):
        found.setdefault(path, set()).add(type)
    return {path: " or ".join(sorted(types)) for path, types in sorted(found.items())}


def _fields(schema: dict[str, Any], parts: dict[str, Any], path: str) -> Iterator[tuple[str, str]]:
    for one in schema.get("anyOf", [schema]):
        node = parts[one["$ref"]] if "$ref" in one else one
        said = "one of " + ", ".join(map(str, node["enum"])) if "enum" in node else node.get("type", "anything")
        yield path, f"{said} ({node['format']})" if "format" in node else said
        for name, inner in node.get("properties", {}).items():
            yield from _fields(inner, parts, f"{path}.{name}")
        for name in ("items", "additionalProperties"):
            if isinstance(node.get(name), dict):
                yield from _fields(node[name], parts, f"{path}[]")


def test_every_answer_is_recorded() -> None:
    assert RECORDED.keys() == ANSWERS.keys()


@pytest.mark.parametrize("answer", ANSWERS)
def test_an_answer_has_every_field_that_it_had(answer: str) -> None:
    now = fields(ANSWERS[answer])
    assert {path: now.get(path) for path in RECORDED[answer]} == RECORDED[answer]


def test_what_verifications_end_with_is_recorded() -> None:
    assert set(verify_restore.result.__args__) == {VerificationResult, SampledOut}
