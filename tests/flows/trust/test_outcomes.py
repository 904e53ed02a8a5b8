"""What comes of a member's work that ends with an error."""

from collections.abc import Generator
from typing import Any

import pytest

from functions.trust.members import outcome_of
from shared.domain.errors import PermanentError
from shared.domain.trust.phases import Phase
from shared.domain.trust.state import MemberOutcome
from tests.worlds.facts.members import cluster


def test_what_broke_in_a_member_is_told_with_the_member_s_name() -> None:
    def work() -> Generator[Any, Any, MemberOutcome]:
        yield from ()
        raise PermanentError("StepBroken", "verify_leaves broke: out of memory")

    with pytest.raises(StopIteration) as ended:
        next(outcome_of(cluster("aks-east").id, Phase.SETTLE, work()))
    assert ended.value.value.message == "aks-east: verify_leaves broke: out of memory"
    assert ended.value.value.refused
