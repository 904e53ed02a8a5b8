"""Azure isn't asked over and over for what it accepts and doesn't do."""

from datetime import timedelta

import pytest

from shared.domain.asking import FORGOTTEN_AFTER, TAKES_EFFECT_WITHIN, Asked, asked_path
from shared.domain.errors import PermanentError
from tests.worlds.times import NOW

A_MOMENT = timedelta(seconds=1)
NEVER = Asked(what="the deletion of it")


def test_what_was_asked_for_gets_its_time_before_it_is_asked_for_again() -> None:
    asked = NEVER.again(NOW)
    assert NEVER.due(NOW, times=1)
    assert not asked.due(NOW + TAKES_EFFECT_WITHIN - A_MOMENT, times=2)
    assert asked.due(NOW + TAKES_EFFECT_WITHIN, times=2)


def test_after_the_last_time_it_is_named_instead_of_asked_for() -> None:
    asked = NEVER.again(NOW).again(NOW + TAKES_EFFECT_WITHIN)
    with pytest.raises(PermanentError, match=r"WithoutEffect: the deletion of it: .* at 08:20 UTC") as caught:
        asked.due(NOW + 2 * TAKES_EFFECT_WITHIN, times=2)
    assert caught.value.reason == "WithoutEffect"


def test_a_later_run_asks_again() -> None:
    later = NOW + FORGOTTEN_AFTER
    asked = NEVER.again(NOW)
    assert asked.due(later, times=1)
    assert asked.again(later).at == (later,)


def test_the_time_begins_when_the_operation_has_ended_well() -> None:
    later = NOW + TAKES_EFFECT_WITHIN
    asked = NEVER.again(NOW, "operation").ended(later, known=True)
    assert (asked.operation, asked.at) == ("", (later,))
    assert not asked.due(later + TAKES_EFFECT_WITHIN - A_MOMENT, times=1)


def test_an_operation_of_an_earlier_run_and_one_that_isn_t_known_any_more_give_no_more_time() -> None:
    asked = NEVER.again(NOW, "operation")
    assert asked.ended(NOW + FORGOTTEN_AFTER, known=True).due(NOW + FORGOTTEN_AFTER, times=1)
    assert asked.ended(NOW + A_MOMENT, known=False).at == (NOW,)


def test_after_an_operation_that_has_failed_the_next_run_asks_at_once() -> None:
    assert NEVER.again(NOW, "operation").failed().due(NOW, times=1)


def test_each_request_for_a_vault_is_written_down_by_itself_in_whatever_case_it_names_things() -> None:
    assert asked_path("bv", "the deletion of rg-A") == asked_path("bv", "the deletion of rg-a")
    assert asked_path("bv", "the deletion of rg-A") != asked_path("bv", "the deletion of rg-b")
