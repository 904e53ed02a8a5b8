"""A look comes when a service says so, and otherwise ever less often."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from shared.domain.errors import NotConverged, TemporaryError
from shared.domain.pace import jitter, next_look

NOW = datetime(2027, 1, 15, 8, tzinfo=UTC)
MINUTE, SECOND = timedelta(minutes=1), timedelta(seconds=1)


def wait(retry_after: float | None = None) -> TemporaryError:
    return NotConverged("NotReady", "not yet", retry_after)


def look(*waits: TemporaryError, waited: timedelta = timedelta(), told: int = 1, run: str = "run") -> timedelta:
    """How long until the next look of something that is asked every minute at first."""
    return next_look(run, NOW, NOW - waited, MINUTE, waits, told) - NOW


@given(st.timedeltas(timedelta(), timedelta(days=30)))
def test_no_look_is_late_by_more_than_a_twelfth_of_the_wait_nor_by_four_times_its_pace(waited: timedelta) -> None:
    assert MINUTE <= look(wait(), waited=waited) <= max(MINUTE, min(waited / 12, 4 * MINUTE))


def test_a_service_that_says_when_to_come_back_is_obeyed_for_half_an_hour_at_most() -> None:
    assert 10 * SECOND <= look(wait(10), waited=timedelta(days=1)) < 30 * SECOND
    assert 30 * MINUTE <= look(wait(86_400)) < 31 * MINUTE
    assert look(wait(), wait(10), wait(90)) >= 90 * SECOND, "the longest of several counts"


@given(st.integers(1, 50))
def test_the_more_often_a_run_is_told_to_come_back_the_later_it_does_by_two_minutes_at_most(told: int) -> None:
    late = look(wait(10), told=told) - 10 * SECOND
    assert abs(late - jitter("run", NOW, 20 * SECOND) * min(told, 6)) < SECOND / 1000
    assert late < 2 * MINUTE


def test_runs_come_back_at_moments_of_their_own_and_the_same_in_every_replay() -> None:
    moments = {look(wait(10), run=f"run-{number}") for number in range(100)}
    assert len(moments) == 100
    assert look(wait(10), run="run-1") in moments
