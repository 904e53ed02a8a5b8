"""The phases of a rotation of a mesh's trust root, and all that is particular to each.

Words: a trust domain is the clusters (members) that share a root. The bundle is the roots that proxies trust, an issuer
signs the leaves of one member's proxies. The gate of a phase is what has to be proven of every member before the next.

Rules:
- Between two phases both states are met at once, here and there in the fleet. So the leaves that live in either of two
  neighbouring phases must chain to roots that are trusted in both: `STAGES` says what is true when a phase ends,
  `shared.domain.trust.moves` which one follows. Replacing an expired root is the exception: no leaf lives by then,
  downtime is declared.
- A new phase is named in `Phase` and described in three places: its row in `STAGES`, its moves in `TABLE`, and what a
  member does in it, for each mesh (the `PHASES` of its room).
"""

from collections.abc import Iterable
from datetime import timedelta
from enum import StrEnum
from typing import Literal, NamedTuple

import msgspec

from shared.domain.trust.policy import TrustPolicy

type Knob = Literal["distribute_within", "activate_within", "settle_within", "retire_within"]

_AN_HOUR = timedelta(hours=1)  # for what no knob is about: checking members and making a root take minutes


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
    """What is said to a rotation: that the phase is proven, or what an operator wants.

    `abort` goes back. `swift` and `replace` say in which mode it goes on. `resume` ends a pause and gives the phase
    its time anew.
    """

    PROVEN = "proven"
    ABORT = "abort"
    RESUME = "resume"
    SWIFT = "swift"
    REPLACE = "replace"


class Mode(StrEnum):
    """How: routine waits for leaves to be renewed, swift restarts their proxies, replace gives up the expired root."""

    ROUTINE = "routine"
    SWIFT = "swift"
    REPLACE = "replace"


class Slot(StrEnum):
    """The root that is rotated away from, and the one that takes its place."""

    OLD = "old"
    NEW = "new"


_OLD, _BOTH, _NEW = frozenset({Slot.OLD}), frozenset(Slot), frozenset({Slot.NEW})


class Stage(NamedTuple):
    """A phase: what is true of every member when it ends, how that is proven, and what else is particular to it."""

    trusted: frozenset[Slot]  # the roots that all proxies trust
    leaves: frozenset[Slot]  # each live leaf chains to one of these roots
    signer: Slot  # the root that signs new issuers
    gate: str  # what is proven of each member before the next phase
    knob: Knob | None = None  # of the policy: how long the phase may take before the rotation is on hold; none: an hour
    together: bool = False  # whether all members have to prove it in one and the same round
    activates: bool = False  # whether issuers become live in it: leaves count as renewed only since then
    creates_root: bool = False  # whether the new root is made in Key Vault once all members have proven it
    disables: Slot | None = None  # the root whose key is disabled once all members have proven it
    downtime: bool = False  # whether no proxy can talk to another anyway, so that no member waits for one behind it

    def within(self, policy: TrustPolicy) -> timedelta:
        """How long the phase may take by this policy."""
        time: timedelta = getattr(policy, self.knob) if self.knob else _AN_HOUR
        return time


STAGES = {
    Phase.PREPARE: Stage(_OLD, _OLD, Slot.OLD, "each member is fit, the new root is in Key Vault", creates_root=True),
    Phase.DISTRIBUTE: Stage(
        _BOTH, _OLD, Slot.OLD, "B1: each live proxy trusts both roots", knob="distribute_within", together=True
    ),
    Phase.ACTIVATE: Stage(
        _BOTH,
        _BOTH,
        Slot.NEW,
        "each identity replica issues under the new root",
        knob="activate_within",
        activates=True,
    ),
    Phase.SETTLE: Stage(
        _BOTH, _NEW, Slot.NEW, "B2: each live proxy has a leaf under the new root", knob="settle_within", together=True
    ),
    Phase.RETIRE: Stage(
        _NEW, _NEW, Slot.NEW, "each live proxy trusts the new root alone", knob="retire_within", disables=Slot.OLD
    ),
    Phase.REISSUE: Stage(
        _BOTH,
        _BOTH,
        Slot.OLD,
        "each identity replica issues under the old root again",
        knob="activate_within",
        activates=True,
    ),
    Phase.RESETTLE: Stage(
        _BOTH, _OLD, Slot.OLD, "each live proxy has a leaf under the old root", knob="settle_within", together=True
    ),
    Phase.WITHDRAW: Stage(
        _OLD, _OLD, Slot.OLD, "each live proxy trusts the old root alone", knob="distribute_within", disables=Slot.NEW
    ),
    Phase.REPLACE: Stage(
        _NEW,
        _NEW,
        Slot.NEW,
        "each live proxy trusts the new root alone, and has a leaf under it",
        knob="distribute_within",
        disables=Slot.OLD,
        downtime=True,
    ),
}
ENDS = frozenset({Phase.ROTATED, Phase.ABORTED})
FIRST_PHASE = Phase.PREPARE


def get_along(one: Phase, other: Phase) -> bool:
    """Whether every leaf that lives at the ends of two phases chains to a root that is trusted in both."""
    a, b = STAGES[one], STAGES[other]
    return a.leaves | b.leaves <= a.trusted & b.trusted


class Roots(msgspec.Struct, frozen=True, kw_only=True):
    """SHA-256 fingerprints (hexadecimal, lower case) of the two roots, and their versions in Key Vault."""

    old: str
    new: str
    old_version: str
    new_version: str

    def of(self, slots: Iterable[Slot]) -> frozenset[str]:
        """The fingerprints of these slots."""
        return frozenset(self.old if slot is Slot.OLD else self.new for slot in slots)

    def version(self, slot: Slot) -> str:
        """The version in Key Vault of this slot's root."""
        return self.old_version if slot is Slot.OLD else self.new_version
