"""Rotate the trust root in its members: what each has to do in a phase, tried for some minutes, side by side.

    rotate_members ─▶ rotate_member, once per member and round
                        prepare            is it fit?
                        distribute, retire,
                        withdraw           the phase's bundle, restarts: control plane first, then workloads; the gate
                        activate, reissue  an issuer under the phase's root, live in each replica
                        settle, resettle   every leaf renewed since; swift: by restarts
                        replace            all of that at once, under an expired root

Each part repeats until it has proven the phase, or the time is over; a later round goes on where the world is.
"""

from collections.abc import Callable
from datetime import timedelta

import azure.durable_functions as df

from functions.engine.durable import MINUTE, DeadlinePassed, Runbook, Steps, orchestrator
from functions.trust.linkerd.bundle_steps import (
    check_member,
    ensure_bundle,
    ensure_control_plane,
    ensure_workloads,
    verify_trust,
)
from functions.trust.linkerd.issuer_steps import ensure_issuer, ensure_renewed, verify_issuer, verify_leaves
from shared.domain.errors import PermanentError
from shared.domain.trust.course import Done, Member, Outcome
from shared.domain.trust.phases import Mode, Phase

app = df.Blueprint()

SLICE = timedelta(minutes=5)  # how long a member tries in a round, and so how soon an operator's word is heard


@orchestrator(app)
def rotate_members(run: Runbook, members: list[Member]) -> Steps[list[Outcome]]:
    """Some members, side by side."""
    return (yield from run.each(rotate_member, members))


@orchestrator(app)
def rotate_member(run: Runbook, member: Member) -> Steps[Outcome]:
    """One member, one phase, for a while."""
    run.phase(member.phase, cluster=member.cluster)
    run.limit(SLICE)
    return (yield from outcome_of(member.cluster, member.phase, PARTS[member.phase](run, member)))


def outcome_of(cluster: str, phase: Phase, work: Steps[Outcome]) -> Steps[Outcome]:
    """What comes of some work: its own outcome, or why it has come to none."""
    try:
        return (yield from work)
    except DeadlinePassed as late:
        why = late.waited
        return Outcome(
            cluster=cluster,
            phase=phase,
            reason=why.reason,
            message=why.message,
            blockers=list(why.blockers),
            retry_after=why.retry_after,
        )
    except PermanentError as error:
        return Outcome(cluster=cluster, phase=phase, reason=error.reason, message=error.message, refused=True)


def _prepare(run: Runbook, member: Member) -> Steps[Outcome]:
    return _proof(member, (yield from run.step(check_member, member)))


def _spread(run: Runbook, member: Member) -> Steps[Outcome]:
    """Bring the phase's bundle to every proxy."""
    yield from run.step(ensure_bundle, member)
    yield from run.step(ensure_control_plane, member, every=MINUTE / 2)
    yield from run.step(ensure_workloads, member)
    return _proof(member, (yield from run.step(verify_trust, member)))


def _issue(run: Runbook, member: Member) -> Steps[Outcome]:
    """An issuer under the phase's root, live."""
    yield from run.step(ensure_issuer, member)
    return _proof(member, (yield from run.step(verify_issuer, member)))


def _settle(run: Runbook, member: Member) -> Steps[Outcome]:
    """Every leaf is of the new issuer: by waiting, or by restarts where there is no time for that."""
    if member.mode is not Mode.ROUTINE:
        yield from run.step(ensure_renewed, member)
    return _proof(member, (yield from run.step(verify_leaves, member)))


def _replace(run: Runbook, member: Member) -> Steps[Outcome]:
    """Bundle and issuer at once, then everything anew: nothing trusts the expired root any more anyway."""
    yield from run.step(ensure_bundle, member)
    yield from run.step(ensure_issuer, member)
    yield from run.step(ensure_control_plane, member, every=MINUTE / 2)
    yield from run.step(verify_issuer, member)
    yield from run.step(ensure_workloads, member)
    return _proof(member, (yield from run.step(verify_trust, member)))


PARTS: dict[Phase, Callable[[Runbook, Member], Steps[Outcome]]] = {
    Phase.PREPARE: _prepare,
    Phase.DISTRIBUTE: _spread,
    Phase.ACTIVATE: _issue,
    Phase.SETTLE: _settle,
    Phase.RETIRE: _spread,
    Phase.REISSUE: _issue,
    Phase.RESETTLE: _settle,
    Phase.WITHDRAW: _spread,
    Phase.REPLACE: _replace,
}


def _proof(member: Member, done: Done) -> Outcome:
    return Outcome(cluster=member.cluster, phase=member.phase, proof=done)
