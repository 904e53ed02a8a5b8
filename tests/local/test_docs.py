"""The pages that follow from the code."""

import ast
import json
from collections.abc import Iterator

import msgspec
import pytest

from local.docs import DOCS, GENERATED
from local.stage import APP
from local.tables import filled
from shared.domain.policy import Knobs
from shared.domain.restores.policy import Probe
from shared.domain.trust.policy import Window


@pytest.mark.parametrize("name", GENERATED)
def test_what_make_docs_writes_is_current(name: str) -> None:
    assert (DOCS / name).read_text() == GENERATED[name]()


def test_every_knob_says_what_it_means() -> None:
    sections = [section.type for section in msgspec.structs.fields(Knobs)]
    knobs = [knob for section in [*sections, Window, Probe] for knob in msgspec.inspect.type_info(section).fields]  # type: ignore[attr-defined]
    silent = [k.name for k in knobs if not (getattr(k.type, "extra_json_schema", None) or {}).get("description")]
    assert (len(knobs) > 30, silent) == (True, [])
    words = {word for knob in knobs for word in getattr(knob.type, "extra", None) or {}}
    assert words == {"at_least", "at_most", "longer_than", "unit", "unset", "formerly"}


def test_an_editor_takes_the_former_name_of_a_knob_too() -> None:
    knobs = json.loads(GENERATED["policy.schema.json"]())["$defs"]["VerifyPolicy"]["properties"]
    assert knobs["share"] == knobs["sample_rate"] | {
        "description": "The former name of sample_rate.",
        "deprecated": True,
    }


def test_a_page_without_the_marks_of_its_table_is_refused() -> None:
    with pytest.raises(ValueError, match=r"docs/policy.md has no marks for heat"):
        filled("docs/policy.md", heat="")


RAISED = ("PermanentError", "NotConverged", "TemporaryError", "_verdict", "_reason")
BEHIND_ROTATIONS = (
    "functions/trust/**/*.py",
    "functions/engine/durable.py",
    "shared/domain/trust/**/*.py",
    "shared/domain/policy.py",
    "shared/adapters/meshes/*.py",
    "shared/adapters/kubernetes/api.py",
    "shared/adapters/azure/common.py",
    "shared/adapters/azure/clusters.py",
    "shared/adapters/azure/ledger.py",
)


def reasons() -> Iterator[str]:
    """Every reason that a step of a rotation may give, as it stands in the code."""
    found = [file for pattern in BEHIND_ROTATIONS for file in APP.glob(pattern)]
    files = [file for file in found if file.name != "by_hand.py"]  # what that refuses never gets as far as a hold
    calls = (node for file in files for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Call))
    for call in calls:
        if isinstance(call.func, ast.Name) and call.func.id in RAISED and call.args:
            words = (n.value for n in ast.walk(call.args[0]) if isinstance(n, ast.Constant))
            yield from (word for word in words if isinstance(word, str) and word.isalpha() and word[0].isupper())


def test_the_runbook_covers_every_reason_for_a_hold() -> None:
    page, found = (DOCS / "rotation.md").read_text(), set(reasons())
    assert len(found) > 25
    assert sorted(reason for reason in found if f"`{reason}`" not in page and reason != "Http") == []
