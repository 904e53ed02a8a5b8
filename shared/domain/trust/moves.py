"""Which phase of a rotation follows which, and what an operator's command does where.

Rules:
- `TABLE` has the moves from one phase to another, as the diagram in docs/rotation.md draws them. `MOVES` has those and
  the commands that stay in the phase.
- A command acts in a phase and mode if `MOVES` has them. Elsewhere it is refused, with a reason and what to do.
- A gate that isn't passed never moves a rotation. The rotation waits, and is on hold once the phase's time is over.
- `abort` can act until retire begins, and leads to the end `aborted` by the same proofs. Where issuers of the new root
  are live, they are issued under the old one again (reissue) and all leaves renewed (resettle). Then the new root is
  taken out of every bundle, and its key disabled (withdraw). If no new root was made yet, the rotation ends at once.
  `shared.domain.trust.deadlines` says when the old root is too near its expiry for that, and when it turns round.
- A mode can be left for a swifter one only. Where the new root is trusted everywhere already, `replace` saves time.
- To ask for the mode that a rotation is in is no error: a call may be repeated because its answer was lost.
"""

from datetime import timedelta
from enum import StrEnum
from typing import NamedTuple

from shared.domain.errors import Conflict
from shared.domain.reasons import ConflictReason
from shared.domain.trust.phases import ENDS, FIRST_PHASE, STAGES, Mode, Phase, Slot
from shared.domain.trust.policy import TrustPolicy


class RotationEvent(StrEnum):
    """What moves a rotation or changes its mode: a phase that is proven, or a command of an operator.

    Of commands that come together, the first one here acts first.
    """

    PROVEN = "proven"  # every member has passed the phase's gate
    SWIFT = "swift"  # go on in mode swift
    ABORT = "abort"  # go back, with the same proofs
    REPLACE = "replace"  # go on in mode replace
    RESUME = "resume"  # end the pause, and give the phase its time again
    EXCLUDE = "exclude"  # end the pause, and go on without the members that are left out
    EXPIRING = "old root expiring"  # on the way back, the old root won't last: turn round


class Move(NamedTuple):
    """What an event does in a phase, in some of the modes."""

    phase: Phase
    event: RotationEvent
    then: Phase
    modes: frozenset[Mode] = frozenset(Mode)


_NOBODY_S = (RotationEvent.PROVEN, RotationEvent.EXPIRING)  # they happen
COMMANDS = tuple(event for event in RotationEvent if event not in _NOBODY_S)
REFUSALS: dict[RotationEvent, tuple[ConflictReason, str]] = {
    RotationEvent.ABORT: ("NotAbortable", "an abort is possible until retire begins: let the rotation finish"),
    RotationEvent.SWIFT: (
        "NothingToHurry",
        "the root is being replaced, which waits for no leaf and no maintenance window",
    ),
    RotationEvent.REPLACE: (
        "NothingToReplace",
        "the new root is distributed and the mode is swift already: see what holds it",
    ),
}
_HAPPENS: tuple[ConflictReason, str] = ("NotAbortable", "it isn't on its way back")
_ENDED: tuple[ConflictReason, str] = ("RotationEnded", "it has ended")

_MODES = {
    RotationEvent.SWIFT: Mode.SWIFT,
    RotationEvent.REPLACE: Mode.REPLACE,
    RotationEvent.EXPIRING: Mode.SWIFT,
}
_EXPIRED = frozenset({Mode.REPLACE})
_IN_TIME = frozenset(Mode) - _EXPIRED

TABLE = (
    Move(Phase.PREPARE, RotationEvent.PROVEN, Phase.DISTRIBUTE, _IN_TIME),
    Move(Phase.DISTRIBUTE, RotationEvent.PROVEN, Phase.ACTIVATE),
    Move(Phase.ACTIVATE, RotationEvent.PROVEN, Phase.SETTLE),
    Move(Phase.SETTLE, RotationEvent.PROVEN, Phase.RETIRE),
    Move(Phase.RETIRE, RotationEvent.PROVEN, Phase.ROTATED),
    Move(Phase.PREPARE, RotationEvent.PROVEN, Phase.REPLACE, _EXPIRED),
    Move(Phase.DISTRIBUTE, RotationEvent.REPLACE, Phase.REPLACE),
    Move(Phase.REPLACE, RotationEvent.PROVEN, Phase.ROTATED),
    Move(Phase.PREPARE, RotationEvent.ABORT, Phase.WITHDRAW),
    Move(Phase.DISTRIBUTE, RotationEvent.ABORT, Phase.WITHDRAW),
    Move(Phase.ACTIVATE, RotationEvent.ABORT, Phase.REISSUE),
    Move(Phase.SETTLE, RotationEvent.ABORT, Phase.REISSUE),
    Move(Phase.REISSUE, RotationEvent.PROVEN, Phase.RESETTLE),
    Move(Phase.RESETTLE, RotationEvent.PROVEN, Phase.WITHDRAW),
    Move(Phase.REISSUE, RotationEvent.EXPIRING, Phase.ACTIVATE),
    Move(Phase.RESETTLE, RotationEvent.EXPIRING, Phase.ACTIVATE),
    Move(Phase.WITHDRAW, RotationEvent.PROVEN, Phase.ABORTED),
)
_STAYS = (
    *(Move(phase, event, phase) for phase in STAGES for event in (RotationEvent.RESUME, RotationEvent.EXCLUDE)),
    *(Move(phase, RotationEvent.SWIFT, phase, _IN_TIME) for phase in STAGES),
    *(Move(phase, RotationEvent.REPLACE, phase, frozenset(Mode) - {Mode.SWIFT}) for phase in STAGES),
    Move(FIRST_PHASE, RotationEvent.REPLACE, FIRST_PHASE),  # replaced once it is proven
)
MOVES = {(move.phase, move.event, mode): move.then for move in (*_STAYS, *TABLE) for mode in move.modes}
_SPREADS = next(phase for phase, stage in STAGES.items() if stage.trusted == frozenset(Slot))
_REISSUES = next(move.then for move in TABLE if move.event is RotationEvent.ABORT and STAGES[move.then].activates)
BOTH_WAYS = frozenset(move.phase for move in TABLE if move.event is RotationEvent.EXPIRING)
_WITH_NEW_ISSUERS = [m.phase for m in TABLE if m.event is RotationEvent.ABORT and m.then is _REISSUES]


def phase_after(phase: Phase, event: RotationEvent, mode: Mode = Mode.ROUTINE) -> Phase:
    """The phase that follows, or the same one; raises Conflict where the command can't act."""
    if (then := MOVES.get((phase, event, mode))) is None:
        reason, message = _ENDED if phase in ENDS else REFUSALS.get(event, _HAPPENS)
        raise Conflict(reason, f"the rotation is in phase {phase}, mode {mode}: {message}")
    return then


def mode_after(event: RotationEvent, mode: Mode) -> Mode:
    """The mode in which a rotation goes on after an event."""
    if event is RotationEvent.EXPIRING and mode is Mode.REPLACE:
        return mode
    return _MODES.get(event, mode)


def phase_without_root(phase: Phase) -> Phase:
    """Where a move to this phase leads while no new root was made: past a phase that would disable it."""
    return phase_after(phase, RotationEvent.PROVEN) if phase in STAGES and STAGES[phase].disables is Slot.NEW else phase


def root_to_prove(phase: Phase) -> Slot | None:
    """The root that has to sign before a rotation leaves the phase: the one that is left once the other is given up."""
    then = STAGES.get(phase_after(phase, RotationEvent.PROVEN))
    gives_up = STAGES[phase].disables or (then and then.disables)
    return STAGES[phase].signer if gives_up else None


def next_phase(proven: Phase | None, phase: Phase) -> Phase:
    """What a member that has proven one phase (None: it has just joined) has to do so that a rotation leaves `phase`.

    On the way to the new root it goes through each phase between. On the way back, one that has just joined has to
    trust both roots first, as long as the others do: its bundle may hold the new one alone. Then its issuer comes
    next, if it may be of the new root, or leaves have to be renewed.
    """
    if phase in BOTH_WAYS and proven in (None, FIRST_PHASE):
        return _SPREADS
    paths, back = [_phases_after(proven, mode) for mode in Mode], phases_from(_REISSUES)
    if proven in _WITH_NEW_ISSUERS or (phase is back[1] and proven not in back):
        paths.append(back)
    return next((path[0] for path in paths if phase in path), phase)


def is_ahead(phase: Phase, proven: Phase) -> bool:
    """Whether a member that has proven one phase still has another before it."""
    return any(phase in _phases_after(proven, mode) for mode in Mode)


def phase_after_loss(phase: Phase) -> Phase | None:
    """What is left of the proofs of a member that has lost one: it begins again.

    On the way back nobody knows by then which root its issuers are of.
    """
    return _WITH_NEW_ISSUERS[0] if phase in phases_from(_REISSUES) else None


def phases_from(phase: Phase, mode: Mode = Mode.ROUTINE) -> list[Phase]:
    """The phase, those that follow it if each is proven, and the end."""
    return [phase, *_phases_after(phase, mode)]


def routine_duration(policy: TrustPolicy) -> timedelta:
    """How long a routine rotation may take by the policy's times until the old root can be retired."""
    stages = (STAGES[phase] for phase in _phases_after(None, Mode.ROUTINE) if phase not in ENDS)
    return sum((s.time_limit(policy) for s in stages if s.knob and Slot.OLD in s.trusted), timedelta())


def _phases_after(proven: Phase | None, mode: Mode) -> list[Phase]:
    """The phases that are still to be proven after one, and the end."""
    phases = [FIRST_PHASE if proven is None else phase_after(proven, RotationEvent.PROVEN, mode)]
    while phases[-1] not in ENDS:
        phases.append(phase_after(phases[-1], RotationEvent.PROVEN, mode))
    return phases
