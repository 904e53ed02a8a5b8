"""The course of one rotation: where it stands, who has to do what next, and what follows from what they report.

Rules:
- A rotation goes in rounds. In each, every member that hasn't proven the phase tries to for some minutes; when none is
  left, the fleet's own part is done (the new root made, the old key disabled) and the rotation moves.
- Where the next phase parts those who trust too little, every member has to prove the phase in one and the same round:
  one that was proven early may have changed since. So a phase that took several rounds is proven by all once more.
- Members are listed anew for each round: one that joins catches up phase by phase, one that leaves isn't waited for.
  The others wait with whatever the newcomer's proxies couldn't bear yet.
- On hold means: a member refuses, or the phase takes longer than the policy allows. The rounds go on all the same, so
  that a world that gets better resumes the rotation by itself. An operator's `resume` gives the phase its time anew.
- What operators say stands in `words`, and nowhere else. It acts as the next round begins, in the phase in which it was
  said: no proof moves a rotation that a word is about to move.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

import msgspec
from msgspec.structs import replace

from shared.domain.documents import Document
from shared.domain.errors import Conflict
from shared.domain.resource_id import name_of
from shared.domain.trust.moves import SPOKEN, mode_after, moved, next_for, without_root
from shared.domain.trust.phases import ENDS, FIRST_PHASE, STAGES, Mode, Phase, Roots, Word, get_along
from shared.domain.trust.policy import TrustPolicy
from shared.domain.trust.roots import Rotation

HOLD_POLL = timedelta(minutes=10)
_NAMED = 50


class Hold(msgspec.Struct, frozen=True, kw_only=True):
    """Why a rotation is on hold, and what blocks it: `cluster/namespace/pod`, or a cluster."""

    reason: str
    message: str
    blockers: list[str] = []


class StepProof(msgspec.Struct, frozen=True, kw_only=True):
    """A step is done, and when; `count` proxies (or identity replicas) were seen to prove it."""

    at: datetime
    count: int = 0


class RotationState(msgspec.Struct, frozen=True, kw_only=True):
    """Where a rotation stands."""

    rotation: Rotation
    mode: Mode = Mode.ROUTINE
    phase: Phase = FIRST_PHASE
    round: int = 0  # the number of the last round that has begun
    started: datetime | None = None  # when its first round began
    entered: datetime | None = None  # when the first round of the phase began; a resume has it begin anew
    roots: Roots | None = None  # None until the new root is made
    since: datetime | None = None  # when the last issuer was proven live
    proven: dict[str, Phase] = {}  # the last phase that each member has proven, by cluster
    together: bool = False  # whether all members have proven the phase in the last round
    seen: int = 0  # proxies (or identity replicas) that the phase's proofs have seen
    gate: str = ""  # the last gate that was passed, and how many it saw
    held: Hold | None = None  # None: not on hold
    pause: timedelta = timedelta()  # until the next round begins
    words: list[Word] = []  # what operators have said and no round has begun with yet


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """A cluster and the phase that it is to prove."""

    rotation: Rotation
    mode: Mode
    cluster: str  # its resource id
    phase: Phase  # behind that of the rotation for one that catches up
    roots: Roots | None  # None until the new root is made
    since: datetime | None  # when the last issuer of the fleet was proven live
    policy: TrustPolicy  # of this cluster


class MemberOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a member's try: a proof, or why there is none. Or that the fleet's own part is done."""

    cluster: str  # its resource id; empty for the fleet
    phase: Phase  # that it was to prove
    proof: StepProof | None = None
    fleet: bool = False  # whether the fleet's own part is done
    roots: Roots | None = None  # that the fleet's own part has made
    reason: str = ""  # why there is no proof
    message: str = ""
    blockers: list[str] = []  # `cluster/namespace/pod`; empty: the cluster itself
    refused: bool = False  # whether trying again won't help before somebody does what the message says
    retry_after: float | None = None  # seconds after which trying again may help


class Round(msgspec.Struct, frozen=True, kw_only=True):
    """Who tries what in a round; `unseen` are members that can't be asked, as outcomes."""

    course: RotationState
    members: list[Member]
    unseen: list[MemberOutcome]
    policy: TrustPolicy


class Reported(msgspec.Struct, frozen=True, kw_only=True):
    """A round and what came of it; what was said meanwhile is in `words` of its course."""

    round: Round
    outcomes: list[MemberOutcome]


class Rotated(msgspec.Struct, frozen=True, kw_only=True):
    """The end of a rotation."""

    trust_domain: str
    outcome: Phase  # rotated or aborted
    old_root: str  # SHA-256 fingerprint; empty: no new root was made
    new_root: str
    members: list[str]  # resource ids of the clusters
    proxies: int  # that the last gate has seen in all members
    started: datetime
    activated: datetime | None  # when the last issuer was proven live
    finished: datetime


ROTATION = Document("rotations/{instance}.json", "How a rotation ended.", Rotated)


def apply_words(course: RotationState) -> tuple[RotationState, dict[Word, Conflict]]:
    """The course after what was said to it, and why some of that can't act where it stands."""
    refused: dict[Word, Conflict] = {}
    for word in (w for w in SPOKEN if w in course.words):
        try:
            course = _moved(course, word)
        except Conflict as error:
            refused[word] = error
    return replace(course, words=[]), refused


def begun(course: RotationState, clusters: Sequence[str], now: datetime) -> RotationState:
    """The course as a round begins: words heard, members that have left forgotten."""
    course, _ = apply_words(course)
    return replace(
        course,
        round=course.round + 1,
        started=course.started or now,
        entered=course.entered or now,
        proven={c: p for c, p in course.proven.items() if c in clusters},
    )


def members_to_try(
    course: RotationState, clusters: Mapping[str, TrustPolicy], unseen: Sequence[str] = ()
) -> list[Member]:
    """Who hasn't proven the phase yet, each with the phase that is next for it; newcomers alone where they have to.

    When nobody is left, and not all have proven it together though they have to, everybody once more.
    """
    if course.phase in ENDS:
        return []
    newcomers = any(_too_far_behind(course, c) for c in [*clusters, *unseen])
    once_more = STAGES[course.phase].together and not course.together and not unseen and _all_proven(course, clusters)
    return [
        Member(
            rotation=course.rotation,
            mode=course.mode,
            cluster=c,
            phase=course.phase if once_more else next_for(course.proven.get(c), course.phase),
            roots=course.roots,
            since=course.since,
            policy=policy if course.mode is Mode.ROUTINE else replace(policy, maintenance=()),
        )
        for c, policy in clusters.items()
        if once_more or course.proven.get(c) is not course.phase
        if _too_far_behind(course, c) or not newcomers
    ]


def _all_proven(course: RotationState, clusters: Iterable[str]) -> bool:
    return all(course.proven.get(c) is course.phase for c in clusters)


def _too_far_behind(course: RotationState, cluster: str) -> bool:
    """Whether the cluster's proxies couldn't talk with those of a member that has finished the phase."""
    proven = course.proven.get(cluster)
    catches_up = next_for(proven, course.phase) is not course.phase
    waited_for = catches_up and not STAGES[course.phase].downtime
    return waited_for and not get_along(proven or FIRST_PHASE, course.phase)


def judged(reported: Reported, now: datetime) -> RotationState:
    """What follows from a round."""
    course = reported.round.course
    if course.phase in ENDS:
        return course
    stage = STAGES[course.phase]
    proofs = [o for o in reported.outcomes if o.proof]
    blocked = [o for o in (*reported.outcomes, *reported.round.unseen) if not (o.proof or o.fleet)]
    tried = {o.cluster: o.proof.count for o in proofs if o.proof and o.phase is course.phase}
    proven = course.proven | {o.cluster: o.phase for o in proofs}
    together = not blocked and tried.keys() >= proven.keys()
    course = replace(
        course,
        together=together,
        roots=next((o.roots for o in reported.outcomes if o.roots), course.roots),
        since=max([*_activations(proofs), *([course.since] if course.since else [])], default=None),
        proven=proven,
        seen=sum(tried.values()) + (0 if together else course.seen),
    )
    if blocked:
        held = _held(course, blocked, stage.within(reported.round.policy), now)
        return replace(course, held=held, pause=HOLD_POLL if held else _pace(blocked))
    if any(o.fleet for o in reported.outcomes) and not _called_away(course):
        return _moved(replace(course, gate=f"{stage.gate} ({course.seen} seen)"), Word.PROVEN)
    return replace(course, held=None, pause=timedelta())


def result(course: RotationState, now: datetime) -> Rotated:
    """The end of a rotation."""
    return Rotated(
        trust_domain=course.rotation.trust_domain,
        outcome=course.phase,
        old_root=course.roots.old if course.roots else "",
        new_root=course.roots.new if course.roots else "",
        members=sorted(course.proven),
        proxies=course.seen,
        started=course.started or now,
        activated=course.since,
        finished=now,
    )


def _moved(course: RotationState, word: Word) -> RotationState:
    """The course after a word; raises Conflict where that can't act."""
    phase = moved(course.phase, word, course.mode)
    phase = phase if course.roots else without_root(phase)
    course = replace(course, mode=mode_after(word, course.mode))
    if phase is course.phase:
        return replace(course, entered=None) if word is Word.RESUME else course
    seen = course.seen if phase in ENDS else 0
    return replace(course, phase=phase, entered=None, held=None, together=False, seen=seen, pause=timedelta())


def _called_away(course: RotationState) -> bool:
    """Whether something that was said is about to move the rotation to another phase."""
    return apply_words(course)[0].phase is not course.phase


def _activations(proofs: Sequence[MemberOutcome]) -> list[datetime]:
    return [o.proof.at for o in proofs if o.proof and STAGES[o.phase].activates]


def _held(course: RotationState, blocked: Sequence[MemberOutcome], time: timedelta, now: datetime) -> Hold | None:
    refusals = [o for o in blocked if o.refused]
    late = course.entered is not None and now - course.entered > time
    if not (refusals or late):
        return None
    first, *others = refusals or blocked
    more = f" (and {len(others)} more)" if others else ""
    blockers = [blocker for o in blocked for blocker in o.blockers or [_name(o)]]
    return Hold(reason=first.reason, message=first.message + more, blockers=blockers[:_NAMED])


def _name(outcome: MemberOutcome) -> str:
    return name_of(outcome.cluster) or "key vault"


def _pace(blocked: Sequence[MemberOutcome]) -> timedelta:
    """As long as whoever is blocked asks to wait, if all of them do."""
    return timedelta(seconds=min(o.retry_after or 0 for o in blocked))
