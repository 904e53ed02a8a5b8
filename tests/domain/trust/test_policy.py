"""Maintenance windows: when workloads may be restarted."""

from datetime import datetime, timedelta

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.trust.policy import Day, Window, is_open, next_opening

DAYS: list[Day] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
MINUTE = timedelta(minutes=1)


def window(opens: str, closes: str, *days: str) -> Window:
    return msgspec.convert({"from": opens, "to": closes, "days": list(days or DAYS)}, Window)


def at(day: int, clock: str) -> datetime:
    """January 2027; the 4th is a Monday."""
    return datetime.fromisoformat(f"2027-01-{day:02}T{clock}:00+00:00")


def test_without_a_window_restarts_are_always_allowed() -> None:
    assert is_open([], at(4, "12:00"))
    assert next_opening([], at(4, "12:00")) == at(4, "12:00")


def test_a_window_is_open_from_its_first_moment_and_closed_at_its_last() -> None:
    windows = [window("01:00", "05:00", "mon")]
    assert [is_open(windows, at(4, clock)) for clock in ("00:59", "01:00", "04:59", "05:00")] == [0, 1, 1, 0]
    assert not is_open(windows, at(5, "02:00"))


def test_a_window_over_midnight_belongs_to_the_day_on_which_it_opens() -> None:
    windows = [window("22:00", "04:00", "sun")]
    assert is_open(windows, at(10, "23:00"))
    assert is_open(windows, at(11, "03:59"))
    assert not is_open(windows, at(10, "03:00"))


def test_a_whole_day_has_no_gap() -> None:
    windows = [window("00:00", "24:00", "mon")]
    assert is_open(windows, at(4, "00:00"))
    assert is_open(windows, at(4, "23:59"))
    assert next_opening(windows, at(5, "00:00")) == at(11, "00:00")


def test_the_next_opening_is_that_of_the_earliest_window() -> None:
    windows = [window("09:00", "10:00", "sat"), window("20:00", "21:00", "wed")]
    assert next_opening(windows, at(4, "12:00")) == at(6, "20:00")
    assert next_opening(windows, at(7, "12:00")) == at(9, "09:00")


clocks = st.integers(0, 24 * 60 - 1).map(lambda m: f"{m // 60:02}:{m % 60:02}")
any_window = st.tuples(clocks, clocks, st.sets(st.sampled_from(DAYS), min_size=1)).filter(lambda w: w[0] != w[1])
windows_drawn = st.lists(any_window.map(lambda w: window(w[0], w[1], *w[2])), min_size=1, max_size=3)


@given(windows_drawn, st.integers(0, 60 * 24 * 60).map(lambda minutes: at(1, "00:00") + MINUTE * minutes))
def test_every_window_opens_within_a_week_and_not_earlier_than_said(windows: list[Window], now: datetime) -> None:
    opens = next_opening(windows, now)
    assert now <= opens <= now + timedelta(days=7)
    assert is_open(windows, opens)
    assert opens == now or not is_open(windows, opens - MINUTE / 2)
