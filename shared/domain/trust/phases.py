"""The rotation of a mesh's trust root: its phases, what is true in each, and the legal moves between them.

Words: a trust domain is the clusters (members) that share a root. The bundle is the roots that proxies trust, an issuer
signs the leaves of one member's proxies. The gate of a phase is what has to be proven of every member before the next.

Rules:
- Between two phases both states are met at once, here and there in the fleet. So the leaves that live in either of two
  neighbouring phases must chain to roots that are trusted in both: `STAGES` says what is true when a phase ends,
  `MOVES` which one follows. Replacing an expired root is the exception: no leaf lives by then, downtime is declared.
- A gate that fails never moves a rotation: it waits, on hold once the phase's time has passed; both roots stay trusted.
- `abort` is legal until retire begins: what was activated is taken back first, then what was distributed.
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

import msgspec


class Phase(StrEnum):
    """The phases of a rotation: the way forth, the way back, and the replacement of an expired root."""

    PREPARE = "prepare"
    DISTRIBUTE = "distribute"
    ACTIVATE = "activate"
    SETTLE = "settle"
    RETIRE = "retire"
    ROTATED = "rotated"
    REISSUE = "reissue"
    RESETTLE = "resettle"
    WITHDRAW = "withdraw"
    ABORTED = "aborted"
    REPLACE = "replace"


class Word(StrEnum):
    """What moves a rotation: the gate's proof, or an operator's abort. `resume` moves nothing, it looks again now.

    `swift` and `replace` are the modes that a rotation under way can be told to go on in.
    """

    PROVEN = "proven"
    ABORT = "abort"
    RESUME = "resume"
    SWIFT = "swift"
    REPLACE = "replace"


SPOKEN = (Word.SWIFT, Word.ABORT, Word.REPLACE, Word.RESUME)  # by people; said together, the first acts first


class Mode(StrEnum):
    """How: routine waits for leaves to be renewed, swift restarts their proxies, replace gives up the expired root."""

    ROUTINE = "routine"
    SWIFT = "swift"
    REPLACE = "replace"


class Slot(StrEnum):
    """The root that is rotated away from, and the one that takes its place."""

    OLD = "old"
    NEW = "new"


class Stage(NamedTuple):
    """What is true of every member when a phase ends, and the gate that proves it.

    All proxies trust the roots `trusted`, leaves chain to one of `leaves`, new issuers are signed by `signer`.
    """

    trusted: frozenset[Slot]
    leaves: frozenset[Slot]
    signer: Slot
    gate: str


_OLD, _BOTH, _NEW = frozenset({Slot.OLD}), frozenset(Slot), frozenset({Slot.NEW})

STAGES = {
    Phase.PREPARE: Stage(_OLD, _OLD, Slot.OLD, "each member is fit, the new root is in Key Vault"),
    Phase.DISTRIBUTE: Stage(_BOTH, _OLD, Slot.OLD, "B1: each live proxy trusts both roots"),
    Phase.ACTIVATE: Stage(_BOTH, _BOTH, Slot.NEW, "each identity replica issues under the new root"),
    Phase.SETTLE: Stage(_BOTH, _NEW, Slot.NEW, "B2: each live proxy has renewed its leaf since"),
    Phase.RETIRE: Stage(_NEW, _NEW, Slot.NEW, "each live proxy trusts the new root alone"),
    Phase.REISSUE: Stage(_BOTH, _BOTH, Slot.OLD, "each identity replica issues under the old root again"),
    Phase.RESETTLE: Stage(_BOTH, _OLD, Slot.OLD, "each live proxy has renewed its leaf since"),
    Phase.WITHDRAW: Stage(_OLD, _OLD, Slot.OLD, "each live proxy trusts the old root alone"),
    Phase.REPLACE: Stage(_NEW, _NEW, Slot.NEW, "each live proxy trusts the new root alone, and has a leaf under it"),
}

MOVES = {
    (Phase.PREPARE, Word.PROVEN): Phase.DISTRIBUTE,
    (Phase.DISTRIBUTE, Word.PROVEN): Phase.ACTIVATE,
    (Phase.ACTIVATE, Word.PROVEN): Phase.SETTLE,
    (Phase.SETTLE, Word.PROVEN): Phase.RETIRE,
    (Phase.RETIRE, Word.PROVEN): Phase.ROTATED,
    (Phase.PREPARE, Word.ABORT): Phase.WITHDRAW,
    (Phase.DISTRIBUTE, Word.ABORT): Phase.WITHDRAW,
    (Phase.ACTIVATE, Word.ABORT): Phase.REISSUE,
    (Phase.SETTLE, Word.ABORT): Phase.REISSUE,
    (Phase.REISSUE, Word.PROVEN): Phase.RESETTLE,
    (Phase.RESETTLE, Word.PROVEN): Phase.WITHDRAW,
    (Phase.WITHDRAW, Word.PROVEN): Phase.ABORTED,
    (Phase.REPLACE, Word.PROVEN): Phase.ROTATED,
}

_TO_REPLACEMENT = {(Phase.PREPARE, Word.PROVEN), (Phase.DISTRIBUTE, Word.REPLACE)}
ENDS = frozenset({Phase.ROTATED, Phase.ABORTED})


def moved(phase: Phase, word: Word, mode: Mode = Mode.ROUTINE) -> Phase:
    """The phase that follows; the same one where the word moves nothing."""
    if mode is Mode.REPLACE and (phase, word) in _TO_REPLACEMENT:
        return Phase.REPLACE
    return MOVES.get((phase, word), phase)


def get_along(one: Phase, other: Phase) -> bool:
    """Whether every leaf that lives at the ends of two phases chains to a root that is trusted in both."""
    a, b = STAGES[one], STAGES[other]
    return a.leaves | b.leaves <= a.trusted & b.trusted


def next_for(proven: Phase | None, phase: Phase, mode: Mode) -> Phase:
    """What a member that has proven one phase (None: it has just joined) has to do for the rotation to leave another.

    On the way forth it goes through each phase between; on the way back nothing has to be caught up with.
    """
    step = Phase.PREPARE if proven is None else moved(proven, Word.PROVEN, mode)
    way = [step]
    while way[-1] not in ENDS:
        way.append(moved(way[-1], Word.PROVEN, mode))
    return step if phase in way else phase


class Roots(msgspec.Struct, frozen=True, kw_only=True):
    """SHA-256 fingerprints (hexadecimal, lower case) of the two roots, and their versions in Key Vault."""

    old: str
    new: str
    old_version: str
    new_version: str

    def of(self, slots: Iterable[Slot]) -> frozenset[str]:
        """The fingerprints of these slots."""
        return frozenset(self.old if slot is Slot.OLD else self.new for slot in slots)
