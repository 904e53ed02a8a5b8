"""Which phase of a rotation follows which, and what an operator's word does where.

Rules:
- `TABLE` has the moves from one phase to another, as the runbook draws them; `MOVES` also where a word moves no phase.
- A word can act in a phase and mode if `MOVES` has them. Elsewhere it is refused, with a reason and what to do.
- A gate that fails never moves a rotation: it waits, on hold once the phase's time has passed; both roots stay trusted.
- `abort` can act until retire begins: what was activated is taken back first, then what was distributed.
- A mode can be left for a hastier one alone. `replace` hurries on where the new root is trusted everywhere already.
- To ask for the mode that a rotation is in already is no error: a call may be repeated because its answer was lost.
"""

from datetime import timedelta
from typing import NamedTuple

from shared.domain.errors import Conflict
from shared.domain.reasons import ConflictReason
from shared.domain.trust.phases import ENDS, FIRST_PHASE, STAGES, Mode, Phase, Slot, Word
from shared.domain.trust.policy import TrustPolicy

SPOKEN = (Word.SWIFT, Word.ABORT, Word.REPLACE, Word.RESUME)  # by people; said together, the first acts first
REFUSALS: dict[Word, tuple[ConflictReason, str]] = {
    Word.ABORT: ("NotAbortable", "an abort is possible until retire begins: let the rotation finish"),
    Word.SWIFT: ("NothingToHurry", "the root is being replaced, which waits for no leaf and no maintenance window"),
    Word.REPLACE: ("NothingToReplace", "the new root is distributed and the mode is swift already: see what holds it"),
}
_ENDED: tuple[ConflictReason, str] = ("RotationEnded", "it has ended")

_MODES = {Word.SWIFT: Mode.SWIFT, Word.REPLACE: Mode.REPLACE}
_ANY = frozenset(Mode)
_EXPIRED = frozenset({Mode.REPLACE})
_IN_TIME = _ANY - _EXPIRED


class Move(NamedTuple):
    """What a word does in a phase, in some of the modes."""

    phase: Phase
    word: Word
    then: Phase
    modes: frozenset[Mode] = _ANY


TABLE = (
    Move(Phase.PREPARE, Word.PROVEN, Phase.DISTRIBUTE, _IN_TIME),
    Move(Phase.DISTRIBUTE, Word.PROVEN, Phase.ACTIVATE),
    Move(Phase.ACTIVATE, Word.PROVEN, Phase.SETTLE),
    Move(Phase.SETTLE, Word.PROVEN, Phase.RETIRE),
    Move(Phase.RETIRE, Word.PROVEN, Phase.ROTATED),
    Move(Phase.PREPARE, Word.PROVEN, Phase.REPLACE, _EXPIRED),
    Move(Phase.DISTRIBUTE, Word.REPLACE, Phase.REPLACE),
    Move(Phase.REPLACE, Word.PROVEN, Phase.ROTATED),
    Move(Phase.PREPARE, Word.ABORT, Phase.WITHDRAW),
    Move(Phase.DISTRIBUTE, Word.ABORT, Phase.WITHDRAW),
    Move(Phase.ACTIVATE, Word.ABORT, Phase.REISSUE),
    Move(Phase.SETTLE, Word.ABORT, Phase.REISSUE),
    Move(Phase.REISSUE, Word.PROVEN, Phase.RESETTLE),
    Move(Phase.RESETTLE, Word.PROVEN, Phase.WITHDRAW),
    Move(Phase.WITHDRAW, Word.PROVEN, Phase.ABORTED),
)
_STAYS = (
    *(Move(phase, Word.RESUME, phase) for phase in STAGES),
    *(Move(phase, Word.SWIFT, phase, _IN_TIME) for phase in STAGES),
    *(Move(phase, Word.REPLACE, phase, _ANY - {Mode.SWIFT}) for phase in STAGES),
    Move(FIRST_PHASE, Word.REPLACE, FIRST_PHASE),  # replaced once it is proven
)
MOVES = {(move.phase, move.word, mode): move.then for move in (*_STAYS, *TABLE) for mode in move.modes}


def moved(phase: Phase, word: Word, mode: Mode = Mode.ROUTINE) -> Phase:
    """The phase that follows, or the same one; raises Conflict where the word can't act."""
    if (then := MOVES.get((phase, word, mode))) is None:
        reason, message = _ENDED if phase in ENDS else REFUSALS[word]
        raise Conflict(reason, f"the rotation is in phase {phase}, mode {mode}: {message}")
    return then


def mode_after(word: Word, mode: Mode) -> Mode:
    """The mode in which a rotation goes on after a word."""
    return _MODES.get(word, mode)


def without_root(phase: Phase) -> Phase:
    """Where a move to this phase leads while no new root was made: where that would be disabled, there is none to."""
    return moved(phase, Word.PROVEN) if phase in STAGES and STAGES[phase].disables is Slot.NEW else phase


def next_for(proven: Phase | None, phase: Phase) -> Phase:
    """What a member that has proven one phase (None: it has just joined) has to do for the rotation to leave another.

    On the way forth it goes through each phase between; on the way back nothing has to be caught up with.
    """
    ways = (_way(proven, mode) for mode in Mode)
    return next((way[0] for way in ways if phase in way), phase)


def routine_takes(policy: TrustPolicy) -> timedelta:
    """How long a routine rotation may take by the policy's times until the old root can be retired."""
    stages = (STAGES[phase] for phase in _way(None, Mode.ROUTINE) if phase not in ENDS)
    return sum((s.within(policy) for s in stages if s.knob and Slot.OLD in s.trusted), timedelta())


def _way(proven: Phase | None, mode: Mode) -> list[Phase]:
    """The phases that are still to be proven after one, and the end."""
    way = [FIRST_PHASE if proven is None else moved(proven, Word.PROVEN, mode)]
    while way[-1] not in ENDS:
        way.append(moved(way[-1], Word.PROVEN, mode))
    return way
