"""The pages that follow from the code."""

import ast
from collections.abc import Iterator

import msgspec
import pytest

from local.docs import DOCS, GENERATED
from local.stage import APP
from shared.domain.policy import Knobs


@pytest.mark.parametrize("name", GENERATED)
def test_what_make_docs_writes_is_current(name: str) -> None:
    assert (DOCS / name).read_text() == GENERATED[name]()


def test_the_policy_page_names_every_knob() -> None:
    page = (DOCS / "policy.md").read_text()
    knobs = [f"`{knob}`" for section in msgspec.structs.fields(Knobs) for knob in section.type.__struct_fields__]
    assert [knob for knob in knobs if knob not in page] == []


RAISED = ("PermanentError", "NotConverged", "TemporaryError", "_verdict", "_reason")
BEHIND_ROTATIONS = (
    "functions/trust*.py",
    "functions/issu*.py",
    "functions/durable.py",
    "shared/domain/trust*.py",
    "shared/domain/policy.py",
    "shared/adapters/linkerd*.py",
    "shared/adapters/kubernetes.py",
    "shared/adapters/azure.py",
    "shared/adapters/clusters.py",
    "shared/adapters/ledger.py",
)


def reasons() -> Iterator[str]:
    """Every reason that a step of a rotation may give, as it stands in the code."""
    files = [file for pattern in BEHIND_ROTATIONS for file in APP.glob(pattern)]
    calls = (node for file in files for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Call))
    for call in calls:
        if isinstance(call.func, ast.Name) and call.func.id in RAISED and call.args:
            words = (n.value for n in ast.walk(call.args[0]) if isinstance(n, ast.Constant))
            yield from (word for word in words if isinstance(word, str) and word.isalpha() and word[0].isupper())


def test_the_runbook_covers_every_reason_for_a_hold() -> None:
    page, found = (DOCS / "rotation.md").read_text(), set(reasons())
    assert len(found) > 25
    assert sorted(reason for reason in found if f"`{reason}`" not in page and reason != "Http") == []
