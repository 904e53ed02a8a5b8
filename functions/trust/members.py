"""Rotate the trust root in its members, side by side: what each has to do in a phase, for some minutes.

    rotate_members ─▶ rotate_member, once per member and round ─▶ the phase's steps, by mesh

The steps repeat until the phase is proven or the time is over. A later round observes the cluster again and goes on.
"""

from datetime import timedelta

import azure.durable_functions as df
from msgspec.structs import replace

from functions.engine.durable import DeadlinePassed, Runbook, Steps, orchestrator
from functions.trust.meshes import MESHES
from shared.domain.errors import PermanentError
from shared.domain.resource_id import name_of
from shared.domain.trust.phases import Phase
from shared.domain.trust.state import Member, MemberOutcome

app = df.Blueprint()

ROUND_TIME_LIMIT = timedelta(minutes=5)  # of a member's work, and so until an operator's command acts


@orchestrator(app)
def rotate_members(run: Runbook, members: list[Member]) -> Steps[list[MemberOutcome]]:
    """Some members, side by side."""
    return (yield from run.flows(rotate_member, members))


@orchestrator(app)
def rotate_member(run: Runbook, member: Member) -> Steps[MemberOutcome]:
    """One member, one phase, for a while."""
    run.phase(member.phase, cluster=member.cluster)
    run.limit(ROUND_TIME_LIMIT)
    return (yield from outcome_of(member.cluster, member.phase, _phase_steps(run, member)))


def _phase_steps(run: Runbook, member: Member) -> Steps[MemberOutcome]:
    steps = MESHES[member.rotation.mesh].phases[member.phase]
    proof = yield from steps(run, member)
    return MemberOutcome(cluster=member.cluster, phase=member.phase, proof=proof)


def outcome_of(cluster: str, phase: Phase, work: Steps[MemberOutcome]) -> Steps[MemberOutcome]:
    """What comes of some work: its own outcome, or why it has none."""
    try:
        return (yield from work)
    except DeadlinePassed as late:
        why = late.waited
        return MemberOutcome(
            cluster=cluster,
            phase=phase,
            reason=why.reason,
            message=why.message,
            blockers=list(why.blockers),
            retry_after=why.retry_after,
        )
    except PermanentError as error:
        name = f"{name_of(cluster)}: " if error.reason == "StepBroken" and cluster else ""
        ended = MemberOutcome(cluster=cluster, phase=phase, reason=error.reason, message=name + error.message)
        return replace(ended, lost=True) if error.reason == "ProofLost" else replace(ended, refused=True)
