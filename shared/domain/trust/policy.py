"""How the trust of a mesh is kept: the knobs of rotations, and when workloads may be restarted for them."""

from collections.abc import Iterator, Sequence
from datetime import datetime, time, timedelta
from typing import Annotated, Literal, get_args

import msgspec

LEAF_LIFETIME = timedelta(hours=24)  # unless a mesh is told otherwise
SHORTEST_ROOT = timedelta(hours=1)

type Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
_DAYS: tuple[Day, ...] = get_args(Day.__value__)
_DAY = timedelta(days=1)
_CLOCK = r"([01]\d|2[0-3]):[0-5]\d"


class Window(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"opens": "from", "closes": "to"}
):
    """From HH:MM to HH:MM (UTC, 24:00 is midnight) on these days; if it closes before it opens, on the next day."""

    days: Annotated[tuple[Day, ...], msgspec.Meta(min_length=1)] = _DAYS
    opens: Annotated[str, msgspec.Meta(pattern=f"^{_CLOCK}$")]
    closes: Annotated[str, msgspec.Meta(pattern=f"^({_CLOCK}|24:00)$")]

    def __post_init__(self) -> None:
        if self.opens == self.closes:
            raise ValueError("to: the window never opens; a whole day is 00:00 to 24:00")


class TrustPolicy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The knobs of a trust domain's rotations.

    An issuer is renewed at half of `issuer_lifetime`. Workloads restart only while a window of `maintenance` is open
    (none: always), at most `restarts_at_once` in a cluster. A phase that takes longer than its `…_within` puts the
    rotation on hold. A new root lives as long as `root_lifetime`, or as the old one did.
    """

    issuer_lifetime: timedelta = timedelta(hours=48)
    root_lifetime: timedelta | None = None
    restarts_at_once: Annotated[int, msgspec.Meta(ge=1)] = 10
    maintenance: tuple[Window, ...] = ()
    distribute_within: timedelta = timedelta(hours=24)
    activate_within: timedelta = timedelta(hours=2)
    settle_within: timedelta = timedelta(hours=48)
    retire_within: timedelta = timedelta(hours=24)

    def __post_init__(self) -> None:
        if self.issuer_lifetime < LEAF_LIFETIME:
            raise ValueError("issuer_lifetime: shorter than the leaves that it signs, which live 24 hours")
        if self.root_lifetime is not None and self.root_lifetime < SHORTEST_ROOT:
            raise ValueError("root_lifetime: shorter than an hour, in which no rotation can be done")
        for phase in ("distribute", "activate", "settle", "retire"):
            if getattr(self, f"{phase}_within") <= timedelta():
                raise ValueError(f"{phase}_within: not longer than nothing")


def open_now(windows: Sequence[Window], now: datetime) -> bool:
    """Whether workloads may be restarted now; without a window, always."""
    return not windows or any(opens <= now < closes for opens, closes in _openings(windows, now))


def opens_next(windows: Sequence[Window], now: datetime) -> datetime:
    """When workloads may be restarted: now, or when the next window opens."""
    return now if open_now(windows, now) else min(opens for opens, _ in _openings(windows, now) if opens > now)


def _openings(windows: Sequence[Window], now: datetime) -> Iterator[tuple[datetime, datetime]]:
    today = datetime.combine(now.date(), time(), now.tzinfo)
    for midnight in (today + _DAY * n for n in range(-1, 8)):
        for window in (w for w in windows if _DAYS[midnight.weekday()] in w.days):
            opens, closes = midnight + _clock(window.opens), midnight + _clock(window.closes)
            yield opens, closes if closes > opens else closes + _DAY


def _clock(text: str) -> timedelta:
    hours, minutes = text.split(":")
    return timedelta(hours=int(hours), minutes=int(minutes))
