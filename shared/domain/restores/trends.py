"""How restores have fared over time: RPO, RTO and coverage of each item, held against the policy document's targets.

An item alarms when its newest verification wasn't good, when a target was missed by it, or when something of it has
waited for longer than `verify_within`.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

import msgspec

from shared.domain.restores.history import History, Trial
from shared.domain.restores.policy import VerifyPolicy


class Thresholds(msgspec.Struct, frozen=True, kw_only=True):
    """From when on an item alarms, in seconds."""

    rpo_s: float
    rto_s: float
    verify_within_s: float


class Trend(msgspec.Struct, frozen=True, kw_only=True):
    """How the restores of one item have fared."""

    item: str  # resource id of the backup instance or protected item
    source: str  # resource id of the cluster, machine or storage account
    kind: str  # of the item
    thresholds: Thresholds  # of the item's policy
    trials: tuple[Trial, ...]  # of the time asked for, the oldest first
    last_verified: datetime | None  # with a good verdict
    coverage_percent: float  # of all namespaces that were ever restored (or the share), those verified in time
    alarms: tuple[str, ...]  # what is wrong, a line each


class Trends(msgspec.Struct, frozen=True, kw_only=True):
    """All items, those that alarm first; `since` and `taken_at` in UTC."""

    taken_at: datetime
    since: datetime
    items: tuple[Trend, ...]


def trends(found: Iterable[tuple[History, VerifyPolicy]], since: datetime, now: datetime) -> Trends:
    """The trends of these items under the policy of each."""
    items = [trend(history, knobs, since, now) for history, knobs in found]
    return Trends(taken_at=now, since=since, items=tuple(sorted(items, key=lambda t: (not t.alarms, t.source, t.item))))


def trend(history: History, knobs: VerifyPolicy, since: datetime, now: datetime) -> Trend:
    """The trend of one item."""
    verified = history.last_verified
    waited = {name: history.verified_at(name) for trial in history.trials for name in trial.names}
    fresh = [name for name, at in waited.items() if at and now - at <= knobs.verify_within]
    return Trend(
        item=history.item_id,
        source=history.source_id,
        kind=history.kind,
        thresholds=Thresholds(
            rpo_s=knobs.rpo.total_seconds(),
            rto_s=knobs.rto.total_seconds(),
            verify_within_s=knobs.verify_within.total_seconds(),
        ),
        trials=tuple(trial for trial in history.trials if trial.at >= since),
        last_verified=verified.at if verified else None,
        coverage_percent=100 * len(fresh) // len(waited) if waited else 0,
        alarms=tuple(_alarms(history, knobs, waited, now)),
    )


def _alarms(
    history: History, knobs: VerifyPolicy, waited: Mapping[str, datetime | None], now: datetime
) -> Iterable[str]:
    newest = history.trials[-1] if history.trials else None
    if newest and not newest.verified:
        yield f"the newest verification is {newest.verdict}: {'; '.join(newest.reasons)[:300]}"
    if newest and _over(newest.rpo_s, knobs.rpo):
        yield "the recovery point objective was missed"
    if newest and _over(newest.rto_s, knobs.rto):
        yield "the recovery time objective was missed"
    overdue = sorted(name for name, at in waited.items() if at is None or now - at > knobs.verify_within)
    if overdue:
        yield f"not verified for {knobs.verify_within.days} days: {', '.join(overdue[:5])}"


def _over(seconds: float | None, target: timedelta) -> bool:
    return seconds is not None and seconds > target.total_seconds()
