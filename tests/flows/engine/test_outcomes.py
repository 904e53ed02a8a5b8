"""How activities end, as histories have it."""

import pytest

from functions.engine.outcomes import ActivityOutcome, Finished, Refused, Waiting, outcome_of, recorded

WIRE = [
    (Finished({"id": "a"}), {"done": {"id": "a"}}),
    (Finished(None), {"done": None}),
    (
        Waiting("Throttled", "later", 7, ("a",)),
        {"wait": {"reason": "Throttled", "message": "later", "retry_after": 7, "blockers": ("a",)}},
    ),
    (Refused("Never", "no"), {"refused": {"reason": "Never", "message": "no"}}),
]


@pytest.mark.parametrize(("outcome", "record"), WIRE)
def test_an_outcome_is_recorded_in_the_form_that_histories_have_and_read_from_it(
    outcome: ActivityOutcome, record: dict[str, object]
) -> None:
    assert recorded(outcome) == record
    assert outcome_of(record) == outcome


def test_what_no_activity_answers_is_no_outcome() -> None:
    with pytest.raises(ValueError, match="'result'"):
        outcome_of({"result": 1})
