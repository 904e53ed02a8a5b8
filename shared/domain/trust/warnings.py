"""How a hold is told of: again and again, the more often the nearer the old root's expiry is.

Rules:
- A hold is told of at once, and again whenever something of it has changed.
- As long as some member needs the old root, it is told of again once a tenth of what was left of the root's life is
  over: after a day at the latest, and never sooner than the rotation looks again.
- When no more than a sixth of the root's life is left, it is a danger.
"""

from datetime import datetime, timedelta

from msgspec.structs import replace

from shared.domain.trust.phases import STAGES, Slot
from shared.domain.trust.state import Hold, RotationState

EXCLUDE_ADVICE = "POST /api/rotations/{instance_id}/exclude leaves a member out"
_LONGEST_SILENCE, _SHORTEST_SILENCE = timedelta(days=1), timedelta(minutes=10)
_HOUR = timedelta(hours=1)


def needs_old_root(state: RotationState) -> bool:
    """Whether proxies would be cut off if the old root expired in this phase."""
    stage = STAGES.get(state.phase)
    return stage is not None and Slot.OLD in stage.trusted


def left_of_old_root(state: RotationState, now: datetime) -> timedelta | None:
    """How long the old root is still valid; None if nothing depends on it, or nobody has looked yet."""
    return state.old_root.expires_at - now if state.old_root and needs_old_root(state) else None


def time_left(state: RotationState, now: datetime) -> str:
    """The same in words."""
    left = left_of_old_root(state, now)
    if left is None:
        return ""
    if left <= timedelta():
        return "none: the old root has expired"
    days, hours = left.days, (left - timedelta(days=left.days)) // _HOUR
    return f"{days} days and {hours} hours until the old root expires"


def endangers(state: RotationState, now: datetime) -> bool:
    """Whether no more than a sixth of the old root's life is left, on which proxies depend."""
    left = left_of_old_root(state, now)
    return left is not None and state.old_root is not None and left <= state.old_root.lifetime / 6


def warned(state: RotationState, before: Hold | None, now: datetime) -> RotationState:
    """The state, with now as the time of the last warning if somebody has to be told of its hold."""
    if state.hold is None:
        return replace(state, warned_at=None)
    changed = before is None or _summary(before) != _summary(state.hold)
    due = changed or state.warned_at is None or now - state.warned_at >= silence(left_of_old_root(state, now))
    return replace(state, warned_at=now) if due else state


def silence(left: timedelta | None) -> timedelta:
    """How long a hold isn't told of again, by what is left of the old root's life."""
    return _LONGEST_SILENCE if left is None else min(max(left / 10, _SHORTEST_SILENCE), _LONGEST_SILENCE)


def _summary(hold: Hold) -> tuple[str, str, list[str]]:
    return hold.reason, hold.message, hold.blockers
