"""What a member with Linkerd has to do in each phase of a rotation, and what that would do to it.

prepare                       is it fit?
distribute, retire, withdraw  the phase's bundle, restarts: control plane first, then workloads; the gate
activate, reissue             an issuer under the phase's root, live in each replica; on the way back both roots first
settle, resettle              every leaf renewed since; in mode swift by restarts
replace                       all of that at once, under an expired root
"""

from functions.engine.durable import MINUTE, Runbook, Steps
from functions.trust.linkerd.bundle_steps import (
    check_member,
    ensure_bundle,
    ensure_control_plane,
    ensure_workloads,
    verify_trust,
)
from functions.trust.linkerd.issuer_steps import (
    ensure_issuer,
    ensure_renewed,
    look_for_missed,
    verify_issuer,
    verify_leaves,
)
from functions.trust.linkerd.issuing import until_live
from shared.domain.trust.linkerd.waves import restartable
from shared.domain.trust.phases import Mode, Phase
from shared.domain.trust.plan import MemberPlan
from shared.domain.trust.state import Member, StepProof
from shared.wiring import services


def _prepare(run: Runbook, member: Member) -> Steps[StepProof]:
    return run.step(check_member, member)


def _spread(run: Runbook, member: Member) -> Steps[StepProof]:
    """Bring the phase's bundle to every proxy."""
    yield from run.step(ensure_bundle, member)
    yield from run.step(ensure_control_plane, member, every=MINUTE / 2)
    yield from run.step(ensure_workloads, member)
    return (yield from run.step(verify_trust, member))


def _issue(run: Runbook, member: Member) -> Steps[StepProof]:
    """An issuer under the phase's root, live."""
    yield from run.step(ensure_issuer, member)
    return (yield from until_live(run, verify_issuer, look_for_missed, member))


def _reissue(run: Runbook, member: Member) -> Steps[StepProof]:
    """Both roots in every proxy, where somebody has taken one out; then an issuer under the old root, live."""
    yield from run.step(ensure_bundle, member)
    yield from run.step(ensure_control_plane, member, every=MINUTE / 2)
    yield from run.step(ensure_workloads, member)
    return (yield from _issue(run, member))


def _settle(run: Runbook, member: Member) -> Steps[StepProof]:
    """Every leaf is of the new issuer: by waiting, or by restarts where there is no time for that."""
    if member.mode is not Mode.ROUTINE:
        yield from run.step(ensure_renewed, member)
    return (yield from run.step(verify_leaves, member))


def _replace(run: Runbook, member: Member) -> Steps[StepProof]:
    """Bundle and issuer at once, then restarts: no proxy accepts the expired root any more."""
    yield from run.step(ensure_bundle, member)
    yield from run.step(ensure_issuer, member)
    yield from run.step(ensure_control_plane, member, every=MINUTE / 2)
    yield from until_live(run, verify_issuer, look_for_missed, member)
    yield from run.step(ensure_workloads, member)
    return (yield from run.step(verify_trust, member))


PHASES = {
    Phase.PREPARE: _prepare,
    Phase.DISTRIBUTE: _spread,
    Phase.ACTIVATE: _issue,
    Phase.SETTLE: _settle,
    Phase.RETIRE: _spread,
    Phase.REISSUE: _reissue,
    Phase.RESETTLE: _settle,
    Phase.WITHDRAW: _spread,
    Phase.REPLACE: _replace,
}


async def plan_member(member: Member) -> MemberPlan:
    """Which workloads a rotation would restart, and which pods it would wait for; raises what the check raises."""
    await check_member.work(member)
    async with services().rotator.linkerd.mesh(member.cluster, member.trust_domain) as mesh:
        workloads, proxies = await mesh.workloads(), await mesh.proxies()
    replaced = restartable(workloads, proxies)
    return MemberPlan(
        cluster=member.cluster,
        restarts=tuple(sorted({p.workload for p in replaced})),
        waits_for=tuple(sorted(p.id for p in proxies if p not in replaced)),
    )
