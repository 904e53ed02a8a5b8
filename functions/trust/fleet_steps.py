"""The activities of a trust rotation that concern the whole fleet: who takes part, what follows, the record.

Each observes, asks shared.domain.trust, and does at most one thing. An activity that has changed something, or waits
for something, raises NotConverged and is called again; it finishes only on what it has seen. So it may be killed or run
twice at any point.
"""

import azure.durable_functions as df
import msgspec
from msgspec.structs import replace

from functions.engine.activities import activity
from functions.engine.logs import log
from functions.trust.roll import call_roll, remember, remembered
from functions.trust.roots import old_root
from shared.domain.errors import MeshwardError, TemporaryError
from shared.domain.trust.members import no_members
from shared.domain.trust.membership import Membership, Roll
from shared.domain.trust.phases import Phase
from shared.domain.trust.policy import TrustPolicy
from shared.domain.trust.records import ended_path
from shared.domain.trust.roots import Rotation
from shared.domain.trust.rounds import apply_commands, begin_round, conclude_round, members_to_try, record_of
from shared.domain.trust.signals import (
    CommandNotActedOn,
    MemberBeginsAgain,
    PhaseProven,
    RootInDanger,
    RotationEnded,
    RotationOnHold,
)
from shared.domain.trust.state import (
    ROTATION,
    Hold,
    MemberOutcome,
    RotationRecord,
    RotationState,
    Round,
    RoundReport,
    Validity,
)
from shared.domain.trust.turns import FIRST_TAG, Turns
from shared.domain.trust.warnings import endangers
from shared.wiring import services

app = df.Blueprint()


class EndedRotation(msgspec.Struct, frozen=True, kw_only=True):
    """A rotation that has come to its end, and its instance."""

    state: RotationState
    instance_id: str


@activity(app)
async def find_work(state: RotationState) -> Round:
    """The round that begins: who has to do what, by the trust domain's clusters as they are now."""
    known = await remembered(state.rotation)
    round = await next_round(state, known)
    begun = round.state
    await remember(state.rotation, known, replace(known, members=begun.members, excluded=begun.excluded))
    _log_refused_commands(state, round.policy)
    _log_other_incarnations(state, begun)
    return round


async def next_round(state: RotationState, known: Membership) -> Round:
    """The same, remembered nowhere yet."""
    rotation, fleet = state.rotation, await services().rotator.fleet()
    roll = await call_roll(rotation, {**known.members, **state.members}, fleet)
    policy = await services().policy()
    knobs = policy.at(rotation.trust_domain).trust
    state = replace(state, old_root=state.old_root or await _validity(rotation))
    state = begin_round(state, roll.incarnations, services().now(), known.excluded, knobs)
    if not state.waited_for:
        raise no_members(rotation.mesh, rotation.trust_domain, fleet)
    turns = Turns({c.id for c in fleet.clusters if c.tagged(FIRST_TAG, "true")}, knobs.clusters_at_once)
    policies = {c: policy.at(rotation.trust_domain, c).trust for c in roll.available}
    return Round(
        state=state,
        members=members_to_try(state, policies, [*roll.unavailable, *roll.unknown], services().now(), turns),
        unavailable=[o for o in _unavailable(state, roll) if o.cluster in state.waited_for],
        policy=knobs,
    )


def _unavailable(state: RotationState, roll: Roll) -> list[MemberOutcome]:
    """Members that can't be asked. Of those that may be gone, Azure may say more later, unless it can't be asked so."""
    refused = [
        MemberOutcome(cluster=c, phase=state.phase, reason=reason, message=message, refused=True)
        for c, (reason, message) in roll.unavailable.items()
    ]
    return [*refused, *(_unknown(state, cluster, error) for cluster, error in roll.unknown.items())]


def _unknown(state: RotationState, cluster: str, error: MeshwardError) -> MemberOutcome:
    later = (error.retry_after or 60) if isinstance(error, TemporaryError) else None
    return MemberOutcome(
        cluster=cluster,
        phase=state.phase,
        reason=error.reason,
        message=error.message,
        refused=later is None,
        retry_after=later,
    )


async def _validity(rotation: Rotation) -> Validity | None:
    """From when to when the old root is valid; None if it can't be read now, as only warnings ask for it."""
    try:
        root = await old_root(rotation)
    except MeshwardError:
        return None
    return Validity(starts_at=root.starts_at, expires_at=root.expires_at)


def _log_other_incarnations(before: RotationState, state: RotationState) -> None:
    """Log which clusters were made again under the id of a member that had proven something."""
    for cluster, one in before.members.items():
        now = state.members.get(cluster)
        if one.proven and now and one.incarnation.another(now.incarnation):
            log(_begun_again(state, cluster, "MadeAgain", "the cluster was made again under its name"))


def _begun_again(state: RotationState, cluster: str, reason: str, why: str) -> MemberBeginsAgain:
    return MemberBeginsAgain(
        trust_domain=state.rotation.trust_domain,
        generation=state.rotation.generation,
        cluster=cluster,
        phase=state.phase,
        reason=reason,
        why=why,
    )


def _log_refused_commands(state: RotationState, policy: TrustPolicy) -> None:
    """Log why some commands can't act, for instance because the phase was left meanwhile."""
    for command, why in apply_commands(state, services().now(), policy)[1].items():
        log(
            CommandNotActedOn(
                trust_domain=state.rotation.trust_domain,
                generation=state.rotation.generation,
                word=command,
                reason=why.reason,
                why=why.message,
            )
        )


@activity(app)
async def judge_round(report: RoundReport) -> RotationState:
    """Where the rotation stands after the round."""
    before, state = report.round.state, conclude_round(report, services().now())
    for lost in (o for o in report.outcomes if o.lost):
        log(_begun_again(state, lost.cluster, lost.reason, lost.message))
    if state.phase is not before.phase:
        log(_phase_proven(state, before.phase))
    if state.hold and state.warned_at != before.warned_at:
        log(_on_hold(state, state.hold))
    return state


def _phase_proven(state: RotationState, phase: Phase) -> PhaseProven:
    return PhaseProven(
        trust_domain=state.rotation.trust_domain,
        generation=state.rotation.generation,
        phase=phase,
        next=state.phase,
        seen=state.seen,
    )


def _on_hold(state: RotationState, hold: Hold) -> RotationOnHold:
    kind = RootInDanger if state.warned_at and endangers(state, state.warned_at) else RotationOnHold
    return kind(
        trust_domain=state.rotation.trust_domain,
        generation=state.rotation.generation,
        phase=state.phase,
        reason=hold.reason,
        why=hold.message,
        blockers=hold.blockers,
        time_left=hold.time_left,
    )


@activity(app)
async def close_record(ended: EndedRotation) -> RotationRecord:
    """The rotation's record is evidence: written once, never changed."""
    _log_refused_commands(ended.state, TrustPolicy())  # whatever the knobs are: nothing acts any more
    if ended.state.roots is None:  # given up before a root was made: the next one takes another name
        rotation = ended.state.rotation
        await services().ledger.create(ended_path(rotation.mesh, rotation.trust_domain, rotation.generation), b"")
    record, path = record_of(ended.state, services().now()), ROTATION.path(instance=ended.instance_id)
    if not await services().evidence.create(path, ROTATION.encoded(record)):
        return await services().evidence.get(ROTATION, path)
    log(RotationEnded(trust_domain=record.trust_domain, outcome=record.outcome))
    return record
