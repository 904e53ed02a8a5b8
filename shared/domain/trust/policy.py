"""How the trust of a mesh is kept: the knobs of rotations, and when workloads may be restarted for them."""

from collections.abc import Iterator, Sequence
from datetime import datetime, time, timedelta
from typing import Annotated, Literal, get_args

import msgspec
from msgspec import Meta

from shared.domain.knobs import Section, SomeTime

LEAF_LIFETIME = timedelta(hours=24)  # if the mesh is installed with its defaults
RESTART_TIME = timedelta(hours=1)  # until a workload has come through
SHORTEST_ROOT = timedelta(hours=1)

type Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
_DAYS: tuple[Day, ...] = get_args(Day.__value__)
_DAY = timedelta(days=1)
_CLOCK = r"([01]\d|2[0-3]):[0-5]\d"


class Window(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"opens": "from", "closes": "to"}
):
    """A time of the week in which workloads may be restarted."""

    days: Annotated[tuple[Day, ...], Meta(min_length=1)] = _DAYS
    """Days on which the window opens."""
    opens: Annotated[str, Meta(pattern=f"^{_CLOCK}$")]
    """When the window opens: HH:MM, UTC."""
    closes: Annotated[str, Meta(pattern=f"^({_CLOCK}|24:00)$")]
    """When the window closes: HH:MM, UTC; 24:00 is midnight. A time before `from` is on the next day."""

    def __post_init__(self) -> None:
        if self.opens == self.closes:
            raise ValueError("to: the window never opens; a whole day is 00:00 to 24:00")


class TrustPolicy(Section, frozen=True, kw_only=True):
    """The knobs of a trust domain's rotations."""

    issuer_lifetime: Annotated[timedelta, Meta(extra={"at_least": LEAF_LIFETIME})] = timedelta(days=10)
    """Lifetime of an issuer: how long a mesh goes on if its issuer can't be renewed. It must be longer than the
    lifetime of leaf certificates, 24 hours. No issuer outlives its root."""
    renew_issuers_every: SomeTime = timedelta(days=1)
    """Age at which an issuer is renewed; after half of its lifetime, if that comes first."""
    root_lifetime: Annotated[
        timedelta | None, Meta(extra={"at_least": SHORTEST_ROOT, "unset": "as the old root's"})
    ] = None
    """Lifetime of a new root."""
    restarts_at_once: Annotated[int, Meta(ge=1, extra={"unit": "workloads"})] = 10
    """How many workloads of one cluster restart at the same time."""
    clusters_at_once: Annotated[float, Meta(ge=0, le=1)] = 0.5
    """The fraction of the clusters that a routine rotation changes at the same time, once it has gone well in a first
    one, or in those that are tagged `meshward:rotate-first=true`: 0.5 is half of them, 0 is one after another."""
    maintenance: Annotated[tuple[Window, ...], Meta(extra={"unset": "always"})] = ()
    """Maintenance windows: workloads are restarted only in them."""
    distribute_within: SomeTime = timedelta(hours=24)
    """Time limit until every proxy trusts both roots. Time outside of maintenance windows counts, so set it longer than
    the time between two windows."""
    activate_within: SomeTime = timedelta(hours=2)
    """Time limit until every replica of the identity service uses the new issuer."""
    settle_within: SomeTime = timedelta(hours=48)
    """Time limit until every leaf certificate chains to the new root."""
    retire_within: SomeTime = timedelta(hours=24)
    """Time limit until no proxy trusts the old root."""


def is_open(windows: Sequence[Window], now: datetime) -> bool:
    """Whether workloads may be restarted now; without a window, always."""
    return not windows or any(opens <= now < closes for opens, closes in _openings(windows, now))


def may_restart(windows: Sequence[Window], now: datetime, deadline: datetime | None) -> bool:
    """Whether workloads may be restarted now: in a window, or because the next one opens too late for the deadline."""
    return is_open(windows, now) or (deadline is not None and next_opening(windows, now) + RESTART_TIME >= deadline)


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
