"""A finished backup is restored into isolation, checked, measured and cleaned up.

    jobs that ended ──▶ watch ──▶ Meshward.Backup.Completed ─┐
                      by hand: a job, an item, a point ──────┴─▶ verify_restore (one run per backup job)

    plan      describe the source, take its manifest, draw whether it is verified, and by which recovery point
    restore   wait for a turn at the staging group; isolate the copy; validate the restore; send it once, follow its job
              (the turn for a cluster from the vault tier, validation for whatever is staged)
    check     wait for the workloads, call them, climb the ladder of checks (shared/domain/restores/rungs.py)
    clean up  always, and proven by looking
    verdict   Verified, VerifiedWithFindings, Failed, or Inconclusive with the reason; written once

A restore that can't be made or judged is Inconclusive; the run cleans up all the same. A backup that isn't drawn is
written down as such.
"""

from datetime import timedelta

import azure.durable_functions as df
import azure.functions as func

from functions.engine.client import Client, with_client
from functions.engine.durable import MINUTE, Runbook, Steps, orchestrator
from functions.engine.incoming import declined_if_refused, envelope_of
from functions.restores.check_steps import call_workloads, check_restore, clean_up, record_verdict, settle
from functions.restores.plan_steps import (
    choose,
    describe_source,
    find_verdict,
    record_sampled_out,
    require_job,
    take_manifest,
)
from functions.restores.restore_steps import (
    find_restore_job,
    finish_restore_validation,
    follow_restore,
    isolate,
    start_restore,
    start_restore_validation,
)
from functions.restores.staging_steps import take_turn
from shared.domain.errors import InvalidEvent, PermanentError, shown
from shared.domain.events import backup_completed
from shared.domain.restores.checks import ConcludedVerification, VerificationOutcome, VerificationResult
from shared.domain.restores.choice import Choice, SampledOut
from shared.domain.restores.lease import Cleanup
from shared.domain.restores.verification import (
    EndedRestore,
    RestoreJob,
    RestorePlan,
    Verification,
    item_id,
    job_id,
    of_item,
    of_job,
    require_configured,
)
from shared.domain.states import JOB
from shared.wiring import services

app = df.Blueprint()

RESTORE_POLL_INTERVAL = timedelta(minutes=2)
RESTORE_DEADLINE = timedelta(hours=12)
SENDING_DEADLINE = timedelta(hours=3)


@app.event_grid_trigger(arg_name="event")
@with_client(app)
async def on_backup_completed(event: func.EventGridEvent, client: Client) -> None:
    """Verify the backup, if it is drawn."""
    with declined_if_refused(event.id):
        completed = backup_completed(envelope_of(event))
        if JOB.meaning(completed.status) != "good":
            raise InvalidEvent("NothingToVerify", f"the backup ended as {shown(completed.status)}, not as completed")
        await request_verification(client, of_job(completed.job_id))


async def request_verification(client: Client, verification: Verification) -> str:
    """Verify a backup job's copy or a point of an item; the instance id. The same verification runs once.

    A run of a job that wasn't there has failed, and is followed by another: what doesn't exist uses no name up.
    """
    id = job_id(verification.job_id) if verification.job_id else item_id(verification.item_id)
    require_configured(id, services().settings.subscriptions)
    return await client.start_again(
        "verify_restore", verification.instance_id, verification, about=("job_id", "item_id", "point_id")
    )


async def request_by_hand(client: Client, job: str, item: str, point: str) -> str:
    """Verify what somebody asks for: a job, or an item's point (the latest, if none is named).

    Raises NotFound for a job that its vault doesn't have.
    """
    verification = of_job(job, asked=True) if job else of_item(item, point, services().now())
    if job:
        await require_job(job_id(job))
    return await request_verification(client, verification)


@orchestrator(app)
def verify_restore(run: Runbook, verification: Verification) -> Steps[VerificationResult | SampledOut]:
    """The runbook."""
    earlier = yield from run.step(find_verdict, verification)
    if found := earlier.result or (None if verification.asked else earlier.sampled):
        return found
    plan, job, outcome = None, None, VerificationOutcome()
    try:
        choice = yield from plan_restore(run, verification)
        if choice.plan is None:
            return (yield from skip_backup(run, verification, choice))
        plan = choice.plan
        plan = yield from isolate_copy(run, plan)
        job = yield from restore_copy(run, plan)
        outcome = yield from check_copy(run, EndedRestore(plan=plan, job=job))
    except PermanentError as error:
        if error.reason == "JobGone" and plan is None:
            raise
        outcome = VerificationOutcome(reason=str(error))
    left_over = (yield from remove_copies(run, plan, may_run=job is None)) if plan else 0
    run.phase("verdict")
    concluded = ConcludedVerification(verification=verification, plan=plan, outcome=outcome, left_over=left_over)
    result = yield from run.step(record_verdict, concluded)
    run.phase("done", verdict=result.verdict)
    return result


def plan_restore(run: Runbook, verification: Verification) -> Steps[Choice]:
    """Plan the restore: whether, what, to where, and what the copy must hold."""
    run.phase("plan", job=verification.job_id, item=verification.item_id)
    source = yield from run.step(describe_source, verification)
    source = yield from run.step(take_manifest, source)
    return (yield from run.step(choose, source))


def skip_backup(run: Runbook, verification: Verification, choice: Choice) -> Steps[SampledOut]:
    """Write down that the backup isn't verified, and why."""
    run.phase("done", reason=choice.reason)
    sampled = SampledOut(job_id=verification.job_id, reason=choice.reason, message=choice.message)
    return (yield from run.step(record_sampled_out, sampled))


def isolate_copy(run: Runbook, plan: RestorePlan) -> Steps[RestorePlan]:
    """Make what the copy is restored to, closed off; the plan, with what was made."""
    run.phase("restore", item=plan.item.id, point=plan.point.id)
    if plan.staging_group:
        yield from run.step(take_turn, plan, every=RESTORE_POLL_INTERVAL, deadline=RESTORE_DEADLINE)
    return (yield from run.step(isolate, plan))


def restore_copy(run: Runbook, plan: RestorePlan) -> Steps[RestoreJob]:
    """Restore the copy; the job once it has ended."""
    if plan.item.is_staged(plan.point):
        asked = yield from run.step(start_restore_validation, plan)
        yield from run.step(finish_restore_validation, asked)
    started = yield from run.step(start_restore, plan, every=RESTORE_POLL_INTERVAL, deadline=SENDING_DEADLINE)
    started = yield from run.step(find_restore_job, started)
    return (yield from run.step(follow_restore, started, every=RESTORE_POLL_INTERVAL, deadline=RESTORE_DEADLINE))


def check_copy(run: Runbook, done: EndedRestore) -> Steps[VerificationOutcome]:
    """Check what was restored."""
    run.phase("check", restore=done.job.status)
    settled = yield from run.step(settle, done)
    settled = yield from run.step(call_workloads, settled, every=MINUTE)
    return (yield from run.step(check_restore, settled))


def remove_copies(run: Runbook, plan: RestorePlan, *, may_run: bool) -> Steps[int]:
    """Remove the isolated copies; how many were not seen to be gone, which the janitor removes."""
    run.phase("clean up")
    try:
        yield from run.step(clean_up, Cleanup(plan=plan, may_run=may_run))
    except PermanentError:
        return len(plan.isolated)
    return 0
