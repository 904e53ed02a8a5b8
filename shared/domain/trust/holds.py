"""When a rotation is on hold and what that says, and how long it pauses until its next round.

Rules:
- It is on hold when a member refuses, or when the phase takes longer than the policy allows.
- Who refuses is named first, then who can't be seen, then those that wait for something.
- A pause ends as soon as the phase's time is over, so that the hold shows. Where a maintenance window is waited for, it
  is as short as on hold, as the policy may change.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta

from shared.domain.resource_id import name_of
from shared.domain.trust.state import Hold, MemberOutcome, RotationState
from shared.domain.trust.verdicts import MAX_BLOCKERS
from shared.domain.trust.warnings import EXCLUDE_ADVICE, time_left

HOLD_POLL_INTERVAL = timedelta(minutes=10)


def hold_of(state: RotationState, blocked: Sequence[MemberOutcome], limit: timedelta, now: datetime) -> Hold | None:
    """Why the rotation is on hold, by what keeps it from leaving the phase; None: it isn't."""
    late = state.phase_started_at is not None and now - state.phase_started_at > limit
    if not (late or any(o.refused for o in blocked)):
        return None
    first, *others = in_turn = sorted(blocked, key=_by_kind)
    kinds = ", ".join(f"{number} {reason}" for reason, number in Counter(o.reason for o in others).items())
    more = f" (and {len(others)} more: {kinds})" if others else ""
    blockers = [blocker for o in in_turn for blocker in o.blockers or [name_of(o.cluster) or "key vault"]]
    return Hold(
        reason=first.reason,
        message=first.message + more,
        blockers=blockers[:MAX_BLOCKERS],
        time_left=time_left(state, now),
        advice=EXCLUDE_ADVICE if first.cluster else "",
    )


def pause_of(state: RotationState, waiting: Sequence[MemberOutcome], limit: timedelta, now: datetime) -> timedelta:
    """How long to wait for the next round: the shortest time that somebody asks for, within the bounds above."""
    asked = timedelta(seconds=min(o.retry_after or 0 for o in waiting))
    if any(o.reason == "WindowClosed" for o in waiting):
        return min(asked, HOLD_POLL_INTERVAL)
    until_late = max((state.phase_started_at or now) + limit - now, timedelta()) + timedelta(seconds=1)
    return min(asked, until_late)


def _by_kind(outcome: MemberOutcome) -> tuple[bool, bool, str]:
    return not outcome.refused, bool(outcome.blockers), outcome.reason
