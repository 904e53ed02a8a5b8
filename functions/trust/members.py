"""Rotate the trust root in its members: what each has to do in a phase, tried for some minutes, side by side.

    rotate_members ─▶ rotate_member, once per member and round ─▶ the phase's part, by mesh

Each part repeats until it has proven the phase, or the time is over; a later round goes on where the world is.
"""

from datetime import timedelta

import azure.durable_functions as df

from functions.engine.durable import DeadlinePassed, Runbook, Steps, orchestrator
from functions.trust.meshes import MESHES
from shared.domain.errors import PermanentError
from shared.domain.trust.phases import Phase
from shared.domain.trust.rounds import Member, MemberOutcome

app = df.Blueprint()

SLICE = timedelta(minutes=5)  # how long a member tries in a round, and so how soon an operator's word is heard


@orchestrator(app)
def rotate_members(run: Runbook, members: list[Member]) -> Steps[list[MemberOutcome]]:
    """Some members, side by side."""
    return (yield from run.each(rotate_member, members))


@orchestrator(app)
def rotate_member(run: Runbook, member: Member) -> Steps[MemberOutcome]:
    """One member, one phase, for a while."""
    run.phase(member.phase, cluster=member.cluster)
    run.limit(SLICE)
    part = MESHES[member.rotation.mesh].phases[member.phase]
    return (yield from outcome_of(member.cluster, member.phase, part(run, member)))


def outcome_of(cluster: str, phase: Phase, work: Steps[MemberOutcome]) -> Steps[MemberOutcome]:
    """What comes of some work: its own outcome, or why it has come to none."""
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
        return MemberOutcome(cluster=cluster, phase=phase, reason=error.reason, message=error.message, refused=True)
