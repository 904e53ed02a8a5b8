"""The rounds of a rotation: who has to do what in the next one, and what follows from what they report.

Rules:
- In each round, every member that hasn't proven the phase works on it for some minutes. When all have, the fleet's work
  is done (the new root made, the old key disabled), and the rotation moves to the next phase.
- Some phases have to be proven by all members in one round (`Stage.proven_together`): what follows, the next
  phase or the end of a key, cuts off a member that trusts too little, and a member that was proven early may have
  changed since. So if such a phase took several rounds, all members prove it once more.
- Members are listed again in each round. One that joins catches up phase by phase; one that is gone isn't waited for,
  nor is one that is left out. The others do nothing meanwhile that would cut off the proxies of who catches up.
- A proof grows old: a gate proves the whole stage of its phase again. A member that has lost what it proved before
  begins again, as another incarnation of it does.
- A rotation is on hold when a member refuses, or when the phase takes longer than the policy allows. The rounds go on
  meanwhile, so once the cause is gone the rotation goes on by itself. `resume` gives the phase its time again.
- Commands of operators stand in `RotationState.commands` and act as the next round begins. A proof never moves a
  rotation that a command is about to move.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from msgspec.structs import replace

from shared.domain.errors import Conflict
from shared.domain.incarnation import Incarnation
from shared.domain.trust.deadlines import has_to_hurry, has_to_turn, outranks_windows, require_time_back
from shared.domain.trust.holds import HOLD_POLL_INTERVAL, hold_of, pause_of
from shared.domain.trust.membership import Exclusion, MemberProgress, left_out, progress_of, with_caught_up
from shared.domain.trust.moves import (
    COMMANDS,
    RotationEvent,
    is_ahead,
    mode_after,
    next_phase,
    phase_after,
    phase_after_loss,
    phase_without_root,
)
from shared.domain.trust.phases import ENDS, FIRST_PHASE, STAGES, Mode, Phase, Slot, compatible
from shared.domain.trust.policy import TrustPolicy
from shared.domain.trust.state import Member, MemberOutcome, RotationRecord, RotationState, RoundReport
from shared.domain.trust.turns import Turns, in_turn
from shared.domain.trust.warnings import warned

LEAST_PAUSE = timedelta(seconds=5)
_DEFAULTS = TrustPolicy()


def apply_commands(
    state: RotationState, now: datetime, policy: TrustPolicy
) -> tuple[RotationState, dict[RotationEvent, Conflict]]:
    """The state after its commands, and why some of them can't act in it, now and by the trust domain's policy."""
    refused: dict[RotationEvent, Conflict] = {}
    for command in (c for c in COMMANDS if c in state.commands):
        try:
            _require_time(state, command, now, policy)
            state = _after(state, command)
        except Conflict as error:
            refused[command] = error
    return replace(state, commands=[]), refused


def _in_time(state: RotationState, now: datetime) -> RotationState:
    """The state that has to follow if the old root's expiry is near."""
    if state.old_root is None:
        return state
    members, expires_at = len(state.members), state.old_root.expires_at
    if has_to_turn(state.phase, members, expires_at, now):
        return _after(state, RotationEvent.EXPIRING)
    hurries = has_to_hurry(state.phase, state.mode, members, expires_at, now)
    return _after(state, RotationEvent.SWIFT) if hurries else state


def _require_time(state: RotationState, command: RotationEvent, now: datetime, policy: TrustPolicy) -> None:
    """Raise Conflict for an abort that comes too late in the old root's life; if no new root was made, none does."""
    phase_after(state.phase, command, state.mode)
    if command is RotationEvent.ABORT and state.roots and state.old_root:
        members, expires_at = len(state.members), state.old_root.expires_at
        require_time_back(state.phase, state.mode, policy, members, expires_at, now)


def begin_round(
    state: RotationState,
    incarnations: Mapping[str, Incarnation],
    now: datetime,
    excluded: Mapping[str, Exclusion] | None = None,
    policy: TrustPolicy = _DEFAULTS,
) -> RotationState:
    """The state as a round begins with these members: after its commands, without those that are gone."""
    state, _ = apply_commands(state, now, policy)
    state = _in_time(state, now)
    excluded = with_caught_up(excluded or {}, state.excluded)
    begin_again = [c for c in left_out(excluded) if state.excluded.get(c) != excluded[c]]
    return replace(
        state,
        rounds=state.rounds + 1,
        started_at=state.started_at or now,
        phase_started_at=state.phase_started_at or now,
        members=progress_of(state.members, incarnations, begin_again),
        excluded=excluded,
    )


def members_to_try(
    state: RotationState,
    clusters: Mapping[str, TrustPolicy],
    unavailable: Sequence[str] = (),
    now: datetime | None = None,
    turns: Turns | None = None,
) -> list[Member]:
    """The members that haven't proven the phase, each with its next one; only those that catch up, if others must wait.

    If none is left, but the phase has to be proven together and wasn't, all members. Those that are left out come with
    others only. With a time, maintenance windows that would open too late don't count. With `turns`, one
    wave comes after another.
    """
    if state.phase in ENDS:
        return []
    clusters = {c: _knobs_now(state, policy, now) for c, policy in clusters.items()}
    out = left_out(state.excluded)
    awaited = {c: policy for c, policy in clusters.items() if c not in out}
    newcomers = any(_too_far_behind(state, c) for c in [*awaited, *(c for c in unavailable if c not in out)])
    apart = STAGES[state.phase].proven_together and not state.proven_together
    once_more = apart and not set(unavailable) - out and _all_proven(state, awaited)
    turn = in_turn(state.phase, state.mode, awaited.keys(), _proven(state), turns)
    tried = {
        c: state.phase if once_more else next_phase(state.proven.get(c), state.phase)
        for c in awaited
        if once_more or state.proven.get(c) is not state.phase
        if _too_far_behind(state, c) or (not newcomers and (once_more or c in turn))
    }
    catching_up = {c: next_phase(state.proven.get(c), state.phase) for c in clusters if c in out}
    return [_member(state, c, phase, clusters[c]) for c, phase in (tried | catching_up if tried else tried).items()]


def _member(state: RotationState, cluster: str, phase: Phase, policy: TrustPolicy) -> Member:
    return Member(
        rotation=state.rotation,
        mode=state.mode,
        cluster=cluster,
        phase=phase,
        roots=state.roots,
        activated_at=state.members.get(cluster, MemberProgress()).activated_at,
        new_root_live=_new_root_live(state),
        policy=policy,
    )


def _new_root_live(state: RotationState) -> bool:
    """Whether a member may issue under the new root, also one that has lost the proof of it since."""
    return Slot.NEW in STAGES[state.phase].leaves or any(one.activated_at for one in state.members.values())


def _knobs_now(state: RotationState, policy: TrustPolicy, now: datetime | None) -> TrustPolicy:
    """The knobs of a member, without maintenance windows where there is no time for them."""
    old = state.old_root
    pressed = old and now and outranks_windows(state.phase, policy, old.expires_at, now)
    return replace(policy, maintenance=()) if pressed or state.mode is not Mode.ROUTINE else policy


def _proven(state: RotationState) -> set[str]:
    """Who has proven the phase."""
    return {c for c, proven in state.proven.items() if proven is state.phase}


def _all_proven(state: RotationState, clusters: Iterable[str]) -> bool:
    return all(state.proven.get(c) is state.phase for c in clusters)


def _too_far_behind(state: RotationState, cluster: str) -> bool:
    """Whether a member that finishes the phase would cut off the cluster's proxies."""
    proven = state.proven.get(cluster)
    catches_up = next_phase(proven, state.phase) is not state.phase
    waited_for = catches_up and not STAGES[state.phase].downtime
    return waited_for and not compatible(proven or FIRST_PHASE, state.phase)


def conclude_round(report: RoundReport, now: datetime) -> RotationState:
    """The state after a round, with a pause before the next: whatever goes wrong, rounds don't chase each other."""
    state = _concluded(report, now)
    return state if state.phase in ENDS else replace(state, pause=max(state.pause, LEAST_PAUSE))


def _concluded(report: RoundReport, now: datetime) -> RotationState:
    state, stage = report.round.state, STAGES.get(report.round.state.phase)
    if stage is None:
        return state
    out = left_out(state.excluded)
    state = _with_outcomes(state, report.outcomes, now)
    outcomes = [o for o in (*report.outcomes, *report.round.unavailable) if o.cluster not in out]
    blocked = [o for o in outcomes if not (o.proof or o.fleet_done)]
    seen = {o.cluster: o.proof.seen for o in outcomes if o.proof and o.phase is state.phase}
    together = not blocked and seen.keys() >= {c for c in state.proven if c not in out}
    state = replace(state, proven_together=together, seen=sum(seen.values()) + (0 if together else state.seen))
    if blocked:
        limit = stage.time_limit(report.round.policy)
        hold = hold_of(state, blocked, limit, now)
        waits = [*blocked, *_catching_up(report.outcomes, out, state)]
        pause = HOLD_POLL_INTERVAL if hold else pause_of(state, waits, limit, now)
        return warned(replace(state, hold=hold, pause=pause), report.round.state.hold, now)
    if any(o.fleet_done for o in outcomes) and not _command_moves(state, now, report.round.policy):
        return _after(replace(state, gate_passed=f"{stage.gate} ({state.seen} seen)"), RotationEvent.PROVEN)
    return replace(state, hold=None, warned_at=None, pause=timedelta())


def _with_outcomes(state: RotationState, outcomes: Sequence[MemberOutcome], now: datetime) -> RotationState:
    """The state with how far each member has come by now, and who has caught up."""
    members = {o.cluster: _progress(state, o) for o in outcomes if o.cluster}
    excluded = {
        c: replace(e, caught_up_at=now)
        if e.in_force and c in members and _caught_up(state, e, members[c].proven)
        else e
        for c, e in state.excluded.items()
    }
    roots = next((o.roots for o in outcomes if o.roots), state.roots)
    return replace(state, members=state.members | members, excluded=excluded, roots=roots)


def _caught_up(state: RotationState, exclusion: Exclusion, proven: Phase | None) -> bool:
    """Whether a member has proven what it was left out for, and lacks nothing but the phase of the others."""
    if proven is None or is_ahead(exclusion.phase, proven):
        return False
    return next_phase(proven, state.phase) is state.phase


def _progress(state: RotationState, outcome: MemberOutcome) -> MemberProgress:
    before = state.members.get(outcome.cluster, MemberProgress())
    if outcome.lost:
        return MemberProgress(incarnation=before.incarnation, proven=phase_after_loss(state.phase))
    if outcome.proof is None:
        return before
    activated_at = outcome.proof.at if STAGES[outcome.phase].activates else before.activated_at
    return replace(before, proven=outcome.phase, activated_at=activated_at)


def _catching_up(
    outcomes: Sequence[MemberOutcome], out: frozenset[str], state: RotationState
) -> Iterator[MemberOutcome]:
    """What came of those that are left out and get on: nobody waits for them, but they may ask for a round sooner."""
    return (
        o for o in outcomes if o.cluster in out and not o.refused and state.proven.get(o.cluster) is not state.phase
    )


def record_of(state: RotationState, now: datetime) -> RotationRecord:
    """The record of a rotation that has ended."""
    return RotationRecord(
        trust_domain=state.rotation.trust_domain,
        outcome=state.phase,
        old_root=state.roots.old if state.roots else "",
        new_root=state.roots.new if state.roots else "",
        members=sorted(c for c, one in state.waited_for.items() if one.proven),
        excluded=state.excluded,
        proxies=state.seen,
        started=state.started_at or now,
        activated=max((m.activated_at for m in state.members.values() if m.activated_at), default=None),
        finished=now,
    )


def _after(state: RotationState, event: RotationEvent) -> RotationState:
    """The state after an event; raises Conflict where that can't act."""
    phase = phase_after(state.phase, event, state.mode)
    phase = phase if state.roots else phase_without_root(phase)
    state = replace(state, mode=mode_after(event, state.mode))
    if phase is state.phase:
        return replace(state, phase_started_at=None) if event is RotationEvent.RESUME else state
    seen = state.seen if phase in ENDS else 0
    return replace(
        state,
        phase=phase,
        phase_started_at=None,
        hold=None,
        warned_at=None,
        proven_together=False,
        seen=seen,
        pause=timedelta(),
    )


def _command_moves(state: RotationState, now: datetime, policy: TrustPolicy) -> bool:
    """Whether a command is about to move the rotation to another phase."""
    return apply_commands(state, now, policy)[0].phase is not state.phase
