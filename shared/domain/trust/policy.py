"""How the trust of a mesh is kept: the knobs of rotations, and when workloads may be restarted for them."""

from collections.abc import Iterator, Sequence
from datetime import datetime, time, timedelta
from typing import Annotated, Literal, get_args

import msgspec
from msgspec import Meta

from shared.domain.knobs import SOME_TIME, Section

LEAF_LIFETIME = timedelta(hours=24)  # unless a mesh is told otherwise
SHORTEST_ROOT = timedelta(hours=1)

type Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
_DAYS: tuple[Day, ...] = get_args(Day.__value__)
_DAY = timedelta(days=1)
_CLOCK = r"([01]\d|2[0-3]):[0-5]\d"


class Window(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"opens": "from", "closes": "to"}
):
    """A time of the week in which workloads may be restarted."""

    days: Annotated[tuple[Day, ...], Meta(min_length=1, description="Days on which it opens.")] = _DAYS
    opens: Annotated[str, Meta(pattern=f"^{_CLOCK}$", description="When it opens: HH:MM, UTC.")]
    closes: Annotated[
        str,
        Meta(
            pattern=f"^({_CLOCK}|24:00)$",
            description="When it closes: HH:MM, UTC; 24:00 is midnight. A time before `from` is one of the next day.",
        ),
    ]

    def __post_init__(self) -> None:
        if self.opens == self.closes:
            raise ValueError("to: the window never opens; a whole day is 00:00 to 24:00")


class TrustPolicy(Section, frozen=True, kw_only=True):
    """The knobs of a trust domain's rotations."""

    issuer_lifetime: Annotated[
        timedelta,
        Meta(
            description="How long an issuer lives. It is renewed at half of that. It outlives the leaves that it "
            "signs, which live for 24 hours.",
            extra={"at_least": LEAF_LIFETIME},
        ),
    ] = timedelta(hours=48)
    root_lifetime: Annotated[
        timedelta | None,
        Meta(description="How long a new root lives.", extra={"at_least": SHORTEST_ROOT, "unset": "as the old root's"}),
    ] = None
    restarts_at_once: Annotated[
        int,
        Meta(
            ge=1, description="How many workloads of a cluster restart at the same time.", extra={"unit": "workloads"}
        ),
    ] = 10
    maintenance: Annotated[
        tuple[Window, ...],
        Meta(description="Windows in which workloads may be restarted.", extra={"unset": "always"}),
    ] = ()
    distribute_within: Annotated[
        timedelta,
        Meta(
            description="Until when every proxy trusts both roots. Time outside of maintenance windows counts too, so "
            "make it longer than the time between two of them.",
            extra=SOME_TIME,
        ),
    ] = timedelta(hours=24)
    activate_within: Annotated[
        timedelta, Meta(description="Until when every identity replica uses the new issuer.", extra=SOME_TIME)
    ] = timedelta(hours=2)
    settle_within: Annotated[
        timedelta, Meta(description="Until when every leaf chains to the new root.", extra=SOME_TIME)
    ] = timedelta(hours=48)
    retire_within: Annotated[
        timedelta, Meta(description="Until when no proxy trusts the old root.", extra=SOME_TIME)
    ] = timedelta(hours=24)


def is_open(windows: Sequence[Window], now: datetime) -> bool:
    """Whether workloads may be restarted now; without a window, always."""
    return not windows or any(opens <= now < closes for opens, closes in _openings(windows, now))


def next_opening(windows: Sequence[Window], now: datetime) -> datetime:
    """When workloads may be restarted: now, or when the next window opens."""
    return now if is_open(windows, now) else min(opens for opens, _ in _openings(windows, now) if opens > now)


def _openings(windows: Sequence[Window], now: datetime) -> Iterator[tuple[datetime, datetime]]:
    today = datetime.combine(now.date(), time(), now.tzinfo)
    for midnight in (today + _DAY * n for n in range(-1, 8)):
        for window in (w for w in windows if _DAYS[midnight.weekday()] in w.days):
            opens, closes = midnight + _clock(window.opens), midnight + _clock(window.closes)
            yield opens, closes if closes > opens else closes + _DAY


def _clock(text: str) -> timedelta:
    hours, minutes = text.split(":")
    return timedelta(hours=int(hours), minutes=int(minutes))
