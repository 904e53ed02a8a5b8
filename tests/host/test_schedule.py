from datetime import UTC, datetime

import pytest

from local.host.schedule import parse_schedule

FRIDAY = datetime(2027, 1, 15, 8, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("*/10 * * * * *", datetime(2027, 1, 15, 8, 0, 10, tzinfo=UTC)),
        ("0 */5 * * * *", datetime(2027, 1, 15, 8, 5, tzinfo=UTC)),
        ("*/5 * * * *", datetime(2027, 1, 15, 8, 5, tzinfo=UTC)),
        ("30 0 9-17/4 * * *", datetime(2027, 1, 15, 9, 0, 30, tzinfo=UTC)),
        ("0 0 8 * * *", datetime(2027, 1, 16, 8, 0, tzinfo=UTC)),
        ("0 30 9 * * Mon-Wed", datetime(2027, 1, 18, 9, 30, tzinfo=UTC)),
        ("0 0 0 * * 7", datetime(2027, 1, 17, tzinfo=UTC)),
        ("0 0 0 1 feb,jun *", datetime(2027, 2, 1, tzinfo=UTC)),
        ("0 0 0 29 2 *", datetime(2028, 2, 29, tzinfo=UTC)),
    ],
)
def test_a_schedule_occurs_next_at(text: str, expected: datetime) -> None:
    assert parse_schedule(text).next_after(FRIDAY) == expected


@pytest.mark.parametrize("text", ["* * *", "61 * * * * *", "0 0 0 * nonuary *", "0 5-1 * * * *", "00:05:00"])
def test_what_is_no_schedule_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"schedule|outside"):
        parse_schedule(text)


def test_a_day_that_no_month_has_never_occurs() -> None:
    with pytest.raises(ValueError, match="never"):
        parse_schedule("0 0 0 31 2 *").next_after(FRIDAY)
