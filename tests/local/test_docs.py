"""The pages that follow from the code."""

import ast
from typing import get_args

import msgspec
import pytest

from local.docs import DOCS, GENERATED
from local.docs_reasons import KINDS, SECTIONS
from local.docs_signals import known
from local.reasons.trust import HOLDS
from local.stage import APP
from shared.domain.policy import Knobs
from shared.domain.restores.calls import Purpose


@pytest.mark.parametrize("name", GENERATED)
def test_what_make_docs_writes_is_current(name: str) -> None:
    assert (DOCS / name).read_text() == GENERATED[name]()


def test_the_policy_page_names_every_knob() -> None:
    page = (DOCS / "policy.md").read_text()
    knobs = [f"`{knob}`" for section in msgspec.structs.fields(Knobs) for knob in section.type.__struct_fields__]
    assert [knob for knob in knobs if knob not in page] == []


def test_every_reason_is_explained() -> None:
    explained = {reason for texts in SECTIONS.values() for reason in texts}
    assert explained == frozenset().union(*KINDS.values())


@pytest.mark.parametrize("title", SECTIONS)
def test_what_explains_a_reason_are_two_short_sentences(title: str) -> None:
    said = [text for texts in SECTIONS[title].values() for text in texts]
    assert [text for text in said if not text.endswith(".") or len(text) > 220 or "|" in text] == []


def test_what_puts_a_rotation_on_hold_refuses_or_waits() -> None:
    assert HOLDS.keys() <= KINDS["refuses"] | KINDS["waits"]


def test_every_log_line_says_what_has_happened() -> None:
    assert [message for message, signal in known().items() if not (signal.__doc__ or "").endswith(".")] == []


def test_the_page_on_restores_names_every_check() -> None:
    page = (DOCS / "restores.md").read_text()
    files = [APP / "shared" / "domain" / "restores" / f"{part}.py" for part in ("checks", "calls")]
    calls = [n for f in files for n in ast.walk(ast.parse(f.read_text())) if isinstance(n, ast.Call)]
    named = [k.value for c in calls for k in c.keywords if k.arg in ("name", "purpose")]
    names = {str(n.value) for n in named if isinstance(n, ast.Constant)} | set(get_args(Purpose.__value__))
    names = {name for name in names if " " in str(name) or name in ("canary", "inventory")}
    assert len(names) == 14
    assert [name for name in names if f"| {name} |" not in page] == []
