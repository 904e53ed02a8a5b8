"""The phases of a rotation of a mesh's trust root, and all that is particular to each.

A trust domain is the clusters (members) that share a root. A trust bundle is the roots that proxies trust. An issuer
signs the leaves of one member's proxies. The gate of a phase is what has to be proven of every member before the next.

Rules:
- While a rotation goes from one phase to the next, some members are at the end of the first, others at the end of the
  second. So the leaves that live in either must chain to roots that are trusted in both (`compatible`). `STAGES` says
  what is true when a phase ends, `shared.domain.trust.moves` which one follows. Replacing an expired root is the
  exception: no leaf is valid by then, and downtime is declared.
- A new phase is named in `Phase` and described in three places: its row in `STAGES`, its moves in `TABLE`
  (`shared.domain.trust.moves`), and what a member does in it (`PHASES` of each mesh's folder in functions/trust).
"""

from collections.abc import Iterable
from datetime import timedelta
from enum import StrEnum
from typing import Literal, NamedTuple

import msgspec

from shared.domain.trust.policy import TrustPolicy

type Knob = Literal["distribute_within", "activate_within", "settle_within", "retire_within"]

_WITHOUT_KNOB = timedelta(hours=1)  # checking members and making a root take minutes


class Phase(StrEnum):
    """The phases on the way to the new root, on the way back, and the replacement of an expired root."""

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


class Mode(StrEnum):
    """How a rotation gets leaves under the new root, and whether it keeps the old one trusted meanwhile."""

    ROUTINE = "routine"  # wait until leaves are renewed
    SWIFT = "swift"  # restart proxies instead
    REPLACE = "replace"  # replace the root at once, with downtime


class Slot(StrEnum):
    """The root that is rotated away from, and the one that takes its place."""

    OLD = "old"
    NEW = "new"


_OLD, _BOTH, _NEW = frozenset({Slot.OLD}), frozenset(Slot), frozenset({Slot.NEW})


class Stage(NamedTuple):
    """A phase: what is true of every member when it ends, how that is proven, and what else only this phase does."""

    trusted: frozenset[Slot]  # the roots that all proxies trust
    leaves: frozenset[Slot]  # each live leaf chains to one of these roots
    signer: Slot  # the root that signs new issuers
    gate: str  # what is proven of each member before the next phase
    knob: Knob | None = None  # how long the phase may take before the rotation is on hold; None: an hour
    proven_together: bool = False  # whether all members have to prove it in one and the same round
    in_turns: bool = False  # whether one member does it first, then a share of them
    activates: bool = False  # whether issuers become live in it: from then on a leaf counts as renewed
    creates_root: bool = False  # whether the new root is made in Key Vault once all members have proven it
    disables: Slot | None = None  # the root whose key is disabled once all members have proven it
    downtime: bool = False  # whether proxies can't talk meanwhile, so that no member waits for another

    def time_limit(self, policy: TrustPolicy) -> timedelta:
        """How long the phase may take by this policy."""
        limit: timedelta = getattr(policy, self.knob) if self.knob else _WITHOUT_KNOB
        return limit


STAGES = {
    Phase.PREPARE: Stage(_OLD, _OLD, Slot.OLD, "each member is fit, the new root is in Key Vault", creates_root=True),
    Phase.DISTRIBUTE: Stage(
        _BOTH,
        _OLD,
        Slot.OLD,
        "B1: each live proxy trusts both roots",
        knob="distribute_within",
        proven_together=True,
        in_turns=True,
    ),
    Phase.ACTIVATE: Stage(
        _BOTH,
        _BOTH,
        Slot.NEW,
        "each identity replica issues under the new root",
        knob="activate_within",
        in_turns=True,
        activates=True,
    ),
    Phase.SETTLE: Stage(
        _BOTH,
        _NEW,
        Slot.NEW,
        "B2: each live proxy has a leaf under the new root",
        knob="settle_within",
        proven_together=True,
    ),
    Phase.RETIRE: Stage(
        _NEW,
        _NEW,
        Slot.NEW,
        "each live proxy trusts the new root alone",
        knob="retire_within",
        proven_together=True,
        in_turns=True,
        disables=Slot.OLD,
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
        _BOTH,
        _OLD,
        Slot.OLD,
        "each live proxy has a leaf under the old root",
        knob="settle_within",
        proven_together=True,
    ),
    Phase.WITHDRAW: Stage(
        _OLD,
        _OLD,
        Slot.OLD,
        "each live proxy trusts the old root alone",
        knob="distribute_within",
        proven_together=True,
        disables=Slot.NEW,
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


def compatible(one: Phase, other: Phase) -> bool:
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
