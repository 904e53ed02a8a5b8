"""NCRONTAB, the schedule of timer triggers: "second minute hour day month day-of-week", in UTC.

Rules (Azure Functions' timer reference): five fields mean second 0; `*`, `a`, `a-b`, `a,b`, `*/n`, `a-b/n`, and the
English three-letter names; Sunday is 0 or 7; day and day-of-week must both match.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_RANGES = ((0, 59), (0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
_FARTHEST = timedelta(days=8 * 366)  # 29 February can be eight years away


@dataclass(frozen=True)
class Schedule:
    seconds: frozenset[int]
    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]

    def next_after(self, moment: datetime) -> datetime:
        """The first occurrence later than `moment`; raises ValueError if there is none."""
        at = moment.replace(microsecond=0) + timedelta(seconds=1)
        while at - moment < _FARTHEST:
            if not self._on_day(at):
                at = at.replace(hour=0, minute=0, second=0) + timedelta(days=1)
            elif at.hour not in self.hours:
                at = at.replace(minute=0, second=0) + timedelta(hours=1)
            elif at.minute not in self.minutes:
                at = at.replace(second=0) + timedelta(minutes=1)
            elif at.second not in self.seconds:
                at += timedelta(seconds=1)
            else:
                return at
        raise ValueError("the schedule never occurs")

    def _on_day(self, at: datetime) -> bool:
        return at.month in self.months and at.day in self.days and at.isoweekday() % 7 in self.weekdays


def parse_schedule(text: str) -> Schedule:
    """Raises ValueError that names the wrong field."""
    fields = text.lower().split()
    if len(fields) == 5:
        fields = ["0", *fields]
    if len(fields) != 6:
        raise ValueError(f"a schedule has five or six fields, not {len(fields)}: {text!r}")
    names: tuple[tuple[str, ...], ...] = ((), (), (), (), ("", *_MONTHS), _DAYS)
    second, minute, hour, day, month, weekday = (_values(*one) for one in zip(fields, _RANGES, names, strict=True))
    return Schedule(second, minute, hour, day, month, frozenset(one % 7 for one in weekday))


def _values(field: str, limits: tuple[int, int], names: tuple[str, ...]) -> frozenset[int]:
    found: set[int] = set()
    for part in field.split(","):
        span, _, step = part.partition("/")
        first, dash, last = span.partition("-")
        try:
            low = limits[0] if first == "*" else _number(first, names)
            high = _number(last, names) if dash else limits[1] if first == "*" or step else low
            found.update(range(low, high + 1, int(step or 1)))
        except ValueError as error:
            raise ValueError(f"{part!r} isn't a schedule field") from error
    if not found or min(found) < limits[0] or max(found) > limits[1]:
        raise ValueError(f"{field!r} is outside {limits[0]}-{limits[1]}")
    return frozenset(found)


def _number(text: str, names: tuple[str, ...]) -> int:
    return names.index(text) if text and text in names else int(text)
