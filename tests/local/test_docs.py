"""The pages that follow from the code."""

import json

import msgspec
import pytest

from local.docs import DOCS, GENERATED
from local.docs_reasons import KINDS, SECTIONS
from local.docs_signals import known
from local.docstrings import meanings
from local.reasons.trust import HOLDS
from local.tables import filled
from shared.domain.policy import Knobs
from shared.domain.restores.policy import Probe
from shared.domain.trust.policy import Window


@pytest.mark.parametrize("name", GENERATED)
def test_what_make_docs_writes_is_current(name: str) -> None:
    assert (DOCS / name).read_text() == GENERATED[name]()


def test_every_knob_says_what_it_means() -> None:
    sections = [section.type for section in msgspec.structs.fields(Knobs)]
    sections += [Window, Probe]
    knobs = [knob for section in sections for knob in msgspec.inspect.type_info(section).fields]  # type: ignore[attr-defined]
    silent = [f for section in sections for f in section.__struct_fields__ if f not in meanings(section)]
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
