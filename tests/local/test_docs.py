"""The pages that follow from the code."""

import msgspec
import pytest

from local.docs import DOCS, GENERATED
from shared.domain.policy import Knobs


@pytest.mark.parametrize("name", GENERATED)
def test_what_make_docs_writes_is_current(name: str) -> None:
    assert (DOCS / name).read_text() == GENERATED[name]()


def test_the_policy_page_names_every_knob() -> None:
    page = (DOCS / "policy.md").read_text()
    knobs = [f"`{knob}`" for section in msgspec.structs.fields(Knobs) for knob in section.type.__struct_fields__]
    assert [knob for knob in knobs if knob not in page] == []
