"""The steps that check what was restored, clean up and judge. Each looks first and acts at most once."""

import azure.durable_functions as df
import msgspec

from functions.engine.activities import activity
from functions.engine.logs import log
from functions.restores.documents import add_to_history, placed, sends
from functions.restores.plan_steps import knobs_of
from functions.restores.removal import remove
from shared.domain.errors import NotConverged, PermanentError
from shared.domain.restores.answers import answer_of, check_of, missing_answer, not_called
from shared.domain.restores.calls import ANSWERED_WITHIN, calls_of
from shared.domain.restores.checks import (
    SETTLES_WITHIN,
    VERDICT,
    ConcludedVerification,
    RestoredCopy,
    SettledRestore,
    VerificationOutcome,
    VerificationResult,
    judge,
    ladder,
)
from shared.domain.restores.history import trial_of
from shared.domain.restores.lease import Cleanup, lease_path, release_path
from shared.domain.restores.manifest import MANIFEST, compare, part
from shared.domain.restores.policy import VerifyPolicy
from shared.domain.restores.signals import RestoreNotVerified, RestoreVerified
from shared.domain.restores.verification import EndedRestore, RestorePlan
from shared.domain.restores.workloads import IsolatedCopy
from shared.wiring import services

app = df.Blueprint()


@activity(app)
async def settle(done: EndedRestore) -> SettledRestore:
    """The restored workloads once they are ready, or have had their time; a failed restore has none."""
    plan, job, now = done.plan, done.job, services().now()
    if job.succeeded and plan.item.has_workloads:
        copy = await _copy(plan, await knobs_of(plan.item, plan.trust_domain))
        if not copy.settled and now < (job.ended or now) + SETTLES_WITHIN:
            raise NotConverged("NotSettled", "the restored workloads aren't ready yet")
    return SettledRestore(plan=plan, job=job, ready_at=now)


@activity(app)
async def call_workloads(settled: SettledRestore) -> SettledRestore:
    """Call the restored workloads from inside and outside the mesh, and wait for the answers."""
    plan, namespaces = settled.plan, services().verifier.namespaces
    if not (settled.job.succeeded and plan.item.has_workloads):
        return settled
    knobs = await knobs_of(plan.item, plan.trust_domain)
    calls = calls_of(await namespaces.running(plan), plan.isolated, knobs, meshed=bool(plan.trust_domain))
    try:
        pods = await namespaces.call(plan, calls)
    except PermanentError as error:
        return msgspec.structs.replace(settled, calls=(not_called(str(error)),))
    answers = [(call, answer_of(pods.get((call.namespace, call.name)))) for call in calls]
    waiting = sum(answer is None for _, answer in answers)
    if waiting and services().now() < settled.ready_at + ANSWERED_WITHIN:
        raise NotConverged("Calling", f"{waiting} calls to restored workloads are under way")
    checks = [
        check_of(call, answer or missing_answer(pods.get((call.namespace, call.name)))) for call, answer in answers
    ]
    return msgspec.structs.replace(settled, calls=tuple(checks))


@activity(app)
async def check_restore(settled: SettledRestore) -> VerificationOutcome:
    """Climb the ladder."""
    plan, job = settled.plan, settled.job
    knobs = await knobs_of(plan.item, plan.trust_domain)
    copy = await _read_copy(settled, knobs) if job.succeeded else None
    checks = ladder(plan, job, copy, settled.calls, knobs)
    took = (settled.ready_at - job.started).total_seconds() if copy else None
    return VerificationOutcome(checks=tuple(checks), restore_status=job.status, rpo_s=plan.rpo_s, rto_s=took)


@activity(app)
async def clean_up(clearing: Cleanup) -> RestorePlan:
    """Remove the isolated copy and what was staged, and release the lease once they are gone.

    While a restore that was sent may still be running, the lease stays, and the janitor looks again.
    """
    plan = await placed(clearing.plan)
    left = await remove(plan)
    if left:
        raise NotConverged("NotGone", f"still there: {', '.join(left[:5])}")
    if not (clearing.may_run and await sends(plan.name)):
        await services().ledger.create(release_path(lease_path(plan)), b"")
    return plan


@activity(app)
async def record_verdict(concluded: ConcludedVerification) -> VerificationResult:
    """Judge and write the verdict; the first verdict of a verification stays."""
    outcome, plan, verification = concluded.outcome, concluded.plan, concluded.verification
    verdict, reasons = judge(outcome.checks, outcome.reason)
    result = VerificationResult(
        job_id=verification.job_id,
        verdict=verdict,
        reasons=reasons,
        restore_status=outcome.restore_status,
        rpo_s=outcome.rpo_s,
        rto_s=outcome.rto_s,
        checks=outcome.checks,
        left_over=concluded.left_over,
        judged_at=services().now(),
        item_id=plan.item.id if plan else verification.item_id,
        point=plan.point.id if plan else verification.point_id,
        names=tuple(plan.isolated) if plan else (),
        manifest=plan.manifest if plan else "",
    )
    evidence, path = services().evidence, VERDICT.path(verification=verification.name)
    await evidence.create(path, VERDICT.encoded(result))
    recorded = await evidence.get(VERDICT, path)
    if plan:
        await add_to_history(plan, trial_of(plan, recorded))
    _log_verdict(recorded)
    return recorded


def _log_verdict(result: VerificationResult) -> None:
    verdict = RestoreVerified if result.verdict.startswith("Verified") else RestoreNotVerified
    log(
        verdict(
            job=result.job_id,
            item=result.item_id,
            verdict=result.verdict,
            reasons="; ".join(result.reasons)[:1000],
            rpo_s=result.rpo_s,
            rto_s=result.rto_s,
            left_over=result.left_over,
        )
    )


async def _read_copy(settled: SettledRestore, knobs: VerifyPolicy) -> RestoredCopy:
    plan, copy = settled.plan, await _copy(settled.plan, knobs)
    due = part(await services().ledger.get(MANIFEST, plan.manifest), plan.item, plan.isolated)
    canaries = [c for c in plan.item.canaries(knobs.canary, plan.isolated) if plan.item.holds_all or c in due.entries]
    canary_times = {canary: copy.canary_times.get(canary) for canary in canaries}
    difference = compare(due, copy.entries, plan.taken)
    return RestoredCopy(
        difference=difference, workloads=copy.workloads, ready_at=settled.ready_at, canary_times=canary_times
    )


async def _copy(plan: RestorePlan, knobs: VerifyPolicy) -> IsolatedCopy:
    canaries = plan.item.canaries(knobs.canary, plan.isolated)
    return (
        await services()
        .verifier.copies[plan.item.kind]
        .copy(plan, await services().ledger.get(MANIFEST, plan.manifest), canaries)
    )
