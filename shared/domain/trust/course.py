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
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

import msgspec
from msgspec.structs import replace

from shared.domain.documents import Document
from shared.domain.resource_id import name_of
from shared.domain.trust.phases import ENDS, SPOKEN, STAGES, Mode, Phase, Roots, Word, get_along, moved, next_for
from shared.domain.trust.policy import TrustPolicy
from shared.domain.trust.roots import Rotation

HOLD_POLL = timedelta(minutes=10)
_MADE_WITHIN = timedelta(hours=1)  # checking members and making a root in Key Vault takes minutes
_NAMED = 50
_AT_ONCE = frozenset({Phase.DISTRIBUTE, Phase.SETTLE, Phase.RESETTLE})  # left only on what all have proven together
_MODES = {Word.SWIFT: Mode.SWIFT, Word.REPLACE: Mode.REPLACE}
_UNBOUND = ENDS | {Phase.REPLACE}  # here nobody waits for others: under an expired root nobody talks anyway


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """Why a rotation is on hold, and what blocks it: `cluster/namespace/pod`, or a cluster."""

    reason: str
    message: str
    blockers: list[str] = []


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """A step is done, and when; `count` proxies (or identity replicas) were seen to prove it."""

    at: datetime
    count: int = 0


class Course(msgspec.Struct, frozen=True, kw_only=True):
    """Where a rotation stands.

    `proven` is the last phase that each member has proven, `since` when the last issuer was. `together` says that all
    of them have proven the phase in the last round. `seen` counts what the phase's proofs saw, `gate` is the last one
    passed with what it saw, `pause` is the time to the next round, `words` what was said meanwhile.
    """

    rotation: Rotation
    mode: Mode = Mode.ROUTINE
    phase: Phase = Phase.PREPARE
    round: int = 0
    started: datetime | None = None
    entered: datetime | None = None
    roots: Roots | None = None
    since: datetime | None = None
    proven: dict[str, Phase] = {}
    together: bool = False
    seen: int = 0
    gate: str = ""
    held: Held | None = None
    pause: timedelta = timedelta()
    words: list[Word] = []


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """A cluster and the phase that it is to prove."""

    rotation: Rotation
    mode: Mode
    cluster: str
    phase: Phase
    roots: Roots | None
    since: datetime | None
    policy: TrustPolicy


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a member's try: a proof, or why there is none. `fleet` says that the fleet's own part is done.

    `refused` says that trying again won't help before somebody does what the message says.
    """

    cluster: str
    phase: Phase
    proof: Done | None = None
    fleet: bool = False
    roots: Roots | None = None
    reason: str = ""
    message: str = ""
    blockers: list[str] = []
    refused: bool = False
    retry_after: float | None = None


class Round(msgspec.Struct, frozen=True, kw_only=True):
    """Who tries what in a round; `unseen` are members that can't be asked, as outcomes."""

    course: Course
    members: list[Member]
    unseen: list[Outcome]
    policy: TrustPolicy


class Reported(msgspec.Struct, frozen=True, kw_only=True):
    """A round and what came of it; `aborted` if an operator has said so meanwhile."""

    round: Round
    outcomes: list[Outcome]
    aborted: bool = False


class Rotated(msgspec.Struct, frozen=True, kw_only=True):
    """The end of a rotation: `outcome` is rotated or aborted, fingerprints are SHA-256 (empty: no root was made).

    `proxies` were counted by the last gate over all members, `activated` is when the last issuer was proven.
    """

    trust_domain: str
    outcome: Phase
    old_root: str
    new_root: str
    members: list[str]
    proxies: int
    started: datetime
    activated: datetime | None
    finished: datetime


ROTATION = Document("rotations/{instance}.json", "How a rotation ended.", Rotated)


def begun(course: Course, clusters: Sequence[str], now: datetime) -> Course:
    """The course as a round begins: words heard, members that have left forgotten."""
    for word in (w for w in SPOKEN if w in course.words):
        course = _moved(replace(course, mode=_MODES.get(word, course.mode)), word)
    resumed = Word.RESUME in course.words
    return replace(
        course,
        words=[],
        round=course.round + 1,
        started=course.started or now,
        entered=now if resumed else course.entered or now,
        proven={c: p for c, p in course.proven.items() if c in clusters},
    )


def members_to_try(course: Course, clusters: Mapping[str, TrustPolicy], unseen: Sequence[str] = ()) -> list[Member]:
    """Who hasn't proven the phase yet, each with the phase that is next for it; newcomers alone where they have to.

    When nobody is left, and not all have proven it together though they have to, everybody once more.
    """
    newcomers = any(_too_far_behind(course, c) for c in [*clusters, *unseen])
    once_more = course.phase in _AT_ONCE and not course.together and not unseen and _all_proven(course, clusters)
    return [
        Member(
            rotation=course.rotation,
            mode=course.mode,
            cluster=c,
            phase=course.phase if once_more else next_for(course.proven.get(c), course.phase, course.mode),
            roots=course.roots,
            since=course.since,
            policy=policy if course.mode is Mode.ROUTINE else replace(policy, maintenance=()),
        )
        for c, policy in clusters.items()
        if course.phase not in ENDS and (once_more or course.proven.get(c) is not course.phase)
        if _too_far_behind(course, c) or not newcomers
    ]


def _all_proven(course: Course, clusters: Iterable[str]) -> bool:
    return all(course.proven.get(c) is course.phase for c in clusters)


def _too_far_behind(course: Course, cluster: str) -> bool:
    """Whether the cluster's proxies couldn't talk with those of a member that has finished the phase."""
    proven = course.proven.get(cluster)
    catches_up = next_for(proven, course.phase, course.mode) is not course.phase
    return catches_up and course.phase not in _UNBOUND and not get_along(proven or Phase.PREPARE, course.phase)


def judged(reported: Reported, now: datetime) -> Course:
    """What follows from a round."""
    course = reported.round.course
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
        held = _held(course, blocked, _time_for(course.phase, reported.round.policy), now)
        return replace(course, held=held, pause=HOLD_POLL if held else _pace(blocked))
    if any(o.fleet for o in reported.outcomes) and not reported.aborted:
        return _moved(replace(course, gate=f"{STAGES[course.phase].gate} ({course.seen} seen)"), Word.PROVEN)
    return replace(course, held=None, pause=timedelta())


def result(course: Course, now: datetime) -> Rotated:
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


def _moved(course: Course, word: Word) -> Course:
    phase = moved(course.phase, word, course.mode)
    if phase is course.phase:
        return course
    if phase is Phase.WITHDRAW and course.roots is None:
        phase = Phase.ABORTED
    seen = course.seen if phase in ENDS else 0
    return replace(course, phase=phase, entered=None, held=None, together=False, seen=seen, pause=timedelta())


def _activations(proofs: Sequence[Outcome]) -> list[datetime]:
    return [o.proof.at for o in proofs if o.proof and o.phase in (Phase.ACTIVATE, Phase.REISSUE)]


def _held(course: Course, blocked: Sequence[Outcome], time: timedelta, now: datetime) -> Held | None:
    refusals = [o for o in blocked if o.refused]
    late = course.entered is not None and now - course.entered > time
    if not (refusals or late):
        return None
    first, *others = refusals or blocked
    more = f" (and {len(others)} more)" if others else ""
    blockers = [blocker for o in blocked for blocker in o.blockers or [_name(o)]]
    return Held(reason=first.reason, message=first.message + more, blockers=blockers[:_NAMED])


def _name(outcome: Outcome) -> str:
    return name_of(outcome.cluster) or "key vault"


def _pace(blocked: Sequence[Outcome]) -> timedelta:
    """As long as whoever is blocked asks to wait, if all of them do."""
    return timedelta(seconds=min(o.retry_after or 0 for o in blocked))


def _time_for(phase: Phase, policy: TrustPolicy) -> timedelta:
    match phase:
        case Phase.DISTRIBUTE | Phase.WITHDRAW | Phase.REPLACE:
            return policy.distribute_within
        case Phase.ACTIVATE | Phase.REISSUE:
            return policy.activate_within
        case Phase.SETTLE | Phase.RESETTLE:
            return policy.settle_within
        case Phase.RETIRE:
            return policy.retire_within
        case _:
            return _MADE_WITHIN
