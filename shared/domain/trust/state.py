"""Where a rotation stands, and what passes between its rounds: the state, members and their outcomes, the record."""

from datetime import datetime, timedelta

import msgspec

from shared.domain.documents import Document
from shared.domain.trust.membership import Exclusion, MemberProgress, left_out
from shared.domain.trust.moves import RotationEvent
from shared.domain.trust.phases import FIRST_PHASE, Mode, Phase, Roots
from shared.domain.trust.policy import TrustPolicy
from shared.domain.trust.roots import Rotation


class Hold(msgspec.Struct, frozen=True, kw_only=True):
    """Why a rotation is on hold, and what blocks it."""

    reason: str  # why
    message: str  # the same, for people
    blockers: list[str] = []  # `cluster/namespace/pod`, or a cluster
    time_left: str = ""  # until the old root expires, in words; empty: nothing depends on it
    advice: str = ""  # how to go on without who blocks it


class StepProof(msgspec.Struct, frozen=True, kw_only=True):
    """A step is done, and when; `seen` proxies (or replicas of what issues leaves) prove it."""

    at: datetime
    seen: int = 0


class Validity(msgspec.Struct, frozen=True, kw_only=True):
    """From when to when a root is valid, in UTC."""

    starts_at: datetime
    expires_at: datetime

    @property
    def lifetime(self) -> timedelta:
        return self.expires_at - self.starts_at


class RotationState(msgspec.Struct, frozen=True, kw_only=True):
    """Where a rotation stands."""

    rotation: Rotation  # from which root to which
    mode: Mode = Mode.ROUTINE  # in which it runs
    phase: Phase = FIRST_PHASE  # in which it is
    rounds: int = 0  # how many have begun
    started_at: datetime | None = None  # when the first round began
    phase_started_at: datetime | None = None  # when the first round of the phase began; a resume resets it
    roots: Roots | None = None  # None until the new root is made
    old_root: Validity | None = None  # None: not looked at yet
    members: dict[str, MemberProgress] = {}  # how far each has come, by cluster
    excluded: dict[str, Exclusion] = {}  # whom operators have left out, by cluster
    proven_together: bool = False  # whether all members have proven the phase in the last round
    seen: int = 0  # proxies (or replicas) that prove the phase
    gate_passed: str = ""  # the last gate that was passed, and how many were seen
    hold: Hold | None = None  # None: not on hold
    warned_at: datetime | None = None  # when somebody was last told of the hold
    pause: timedelta = timedelta()  # until the next round begins
    commands: list[RotationEvent] = []  # of operators, since the last round began

    @property
    def proven(self) -> dict[str, Phase]:
        """The last phase that each member has proven, by cluster."""
        return {cluster: one.proven for cluster, one in self.members.items() if one.proven}

    @property
    def waited_for(self) -> dict[str, MemberProgress]:
        """The members that aren't left out."""
        out = left_out(self.excluded)
        return {cluster: one for cluster, one in self.members.items() if cluster not in out}


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """A cluster and the phase that it is to prove."""

    rotation: Rotation  # from which root to which
    mode: Mode  # in which the rotation runs
    cluster: str  # its resource id
    phase: Phase  # behind that of the rotation for one that catches up
    roots: Roots | None  # None until the new root is made
    activated_at: datetime | None  # when it was proven to issue under the phase's root
    new_root_live: bool = False  # whether any member was proven to issue under the new root
    policy: TrustPolicy  # of this cluster
    suspected: list[str] = []  # replicas that seemed to have missed the new issuer, minutes ago

    @property
    def trust_domain(self) -> str:
        return self.rotation.trust_domain


class MemberOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a member's work on a phase: a proof, or why there is none. Or that the fleet's work is done."""

    cluster: str  # its resource id; empty for the fleet
    phase: Phase  # that it was to prove
    proof: StepProof | None = None  # None: there is none
    fleet_done: bool = False  # whether what is done once for all members is done
    roots: Roots | None = None  # that the fleet's work has made
    reason: str = ""  # why there is no proof
    message: str = ""  # the same, for people
    blockers: list[str] = []  # `cluster/namespace/pod`; empty: the cluster itself
    lost: bool = False  # whether something isn't true any more that it has proven before
    refused: bool = False  # whether trying again won't help before somebody does what the message says
    retry_after: float | None = None  # seconds after which trying again may help


class Round(msgspec.Struct, frozen=True, kw_only=True):
    """Who works on which phase in a round."""

    state: RotationState
    members: list[Member]
    unavailable: list[MemberOutcome]  # members that can't be asked
    policy: TrustPolicy  # of the trust domain


class RoundReport(msgspec.Struct, frozen=True, kw_only=True):
    """A round and what came of it; commands that came meanwhile are in its state."""

    round: Round
    outcomes: list[MemberOutcome]


class RotationRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How a rotation ended."""

    trust_domain: str  # whose root was rotated
    outcome: Phase  # rotated or aborted
    old_root: str  # SHA-256 fingerprint; empty: no new root was made
    new_root: str  # SHA-256 fingerprint; empty: no new root was made
    members: list[str]  # resource ids of the clusters
    excluded: dict[str, Exclusion] = {}  # whom operators have left out, and why
    proxies: int  # that the last gate has seen in all members
    started: datetime  # UTC
    activated: datetime | None  # when the last member was proven to issue under the root of its phase
    finished: datetime  # UTC


ROTATION = Document(
    "rotations/{instance}.json", "How a rotation ended, and what it did.", RotationRecord, evidence=True
)
