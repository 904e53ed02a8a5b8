"""The deadline that cuts meshes off: the old root's expiry, and what has to be over by then.

Rules:
- Restarts don't wait for a maintenance window that would bring the rotation past the old root's expiry.
- A routine rotation that leaves too little time to wait for leaves goes on in mode swift.
- A rotation goes back only if the old root lives long enough for the way back, and for another rotation after it.
- On the way back, as long as both roots are trusted everywhere, it turns round when what is left of the old root's life
  is just enough to go on to the new one by restarts.
"""

from datetime import datetime, timedelta

from shared.domain.errors import Conflict
from shared.domain.trust.moves import BOTH_WAYS, RotationEvent, phase_after, phases_from
from shared.domain.trust.phases import ENDS, FIRST_PHASE, STAGES, Mode, Phase, Slot
from shared.domain.trust.plan import swift_duration
from shared.domain.trust.policy import LEAF_LIFETIME, TrustPolicy, next_opening

_FORTH = [p for p in phases_from(FIRST_PHASE) if p not in ENDS and STAGES[p].knob and Slot.OLD in STAGES[p].trusted]


def outranks_windows(phase: Phase, policy: TrustPolicy, expires_at: datetime, now: datetime) -> bool:
    """Whether the rotation may come too late for the old root's expiry if the phase's restarts wait for a window."""
    if phase in ENDS or STAGES[phase].disables:
        return False  # no leaf needs the old root any more, or nothing but that
    stages = [STAGES[p] for p in phases_from(phase) if p not in ENDS and STAGES[p].disables is None]
    rest = sum((s.time_limit(policy) for s in stages if s.knob), timedelta())
    return next_opening(policy.maintenance, now) + rest > expires_at


def has_to_hurry(phase: Phase, mode: Mode, members: int, expires_at: datetime, now: datetime) -> bool:
    """Whether a rotation to the new root can't wait any more until leaves are renewed by themselves."""
    waits = mode is Mode.ROUTINE and phase in _FORTH
    return waits and expires_at - now < LEAF_LIFETIME + swift_duration(members)


def time_back(phase: Phase, mode: Mode, policy: TrustPolicy, members: int) -> timedelta:
    """How long a rotation of so many clusters may take to go back, and to rotate again by restarts."""
    stages = [STAGES[p] for p in phases_from(phase_after(phase, RotationEvent.ABORT, mode)) if p not in ENDS]
    waits = sum((s.time_limit(policy) for s in stages if s.knob), timedelta())
    back = waits if mode is Mode.ROUTINE else swift_duration(members)
    return back + swift_duration(members)


def require_time_back(
    phase: Phase, mode: Mode, policy: TrustPolicy, members: int, expires_at: datetime, now: datetime
) -> None:
    """Raise Conflict unless the old root, to which an abort in this phase leads back, lives long enough for that."""
    needed, left = time_back(phase, mode, policy, members), expires_at - now
    if left < needed:
        message = (
            f"the old root expires at {expires_at:%Y-%m-%d %H:%M} UTC, and going back and rotating again may take"
            f" {needed / timedelta(hours=1):.1f} hours: let the rotation go on, in mode swift if it has to hurry"
        )
        raise Conflict("OldRootEnding", message)


def has_to_turn(phase: Phase, members: int, expires_at: datetime, now: datetime) -> bool:
    """Whether a rotation that goes back has to go on to the new root instead, as the old one is about to expire."""
    return phase in BOTH_WAYS and expires_at - now < swift_duration(members)
