"""A finished backup is restored to an isolated place, checked, measured and cleaned up.

    jobs that ended ──▶ watch ──▶ Meshward.Backup.Completed ─┐
                                                  by hand ───┴─▶ verify_restore (one run per backup job)

    plan      describe the job, take the source's manifest, choose the recovery point
    restore   isolate a place, send the restore once, follow its job
    check     recovery point age, job, counters, inventory, workloads, mesh identity, restore time
    clean up  always, and proven by looking
    verdict   Verified, VerifiedWithFindings, Failed, or Inconclusive with the reason; written once

A restore that can't be made or judged is Inconclusive; it never ends the run before the place is cleaned up.
"""

import logging
from datetime import timedelta

import azure.functions as func

from functions.client import Client, with_client
from functions.durable import Runbook, Steps, declined, orchestrator
from functions.incoming import received
from functions.restore_steps import (
    app,
    check_restore,
    choose_recovery_point,
    clean_up,
    describe_job,
    find_restore_job,
    find_verdict,
    follow_restore,
    isolate,
    record_verdict,
    start_restore,
    take_manifest,
)
from shared.domain.errors import MeshwardError, PermanentError
from shared.domain.events import backup_completed
from shared.domain.restore import GOOD, Plan, Restored, Verification, check_ours, job_id, plan_of
from shared.domain.restore_checks import Concluded, Outcome, Result
from shared.wiring import services

log = logging.getLogger("meshward")

# A subscription may read 150 backup jobs an hour (seen in recorded traffic): a dozen verifications side by side at this
# pace. The measured restore time is so much too long at most.
JOB_POLL = timedelta(minutes=5)
LONGEST_RESTORE = timedelta(hours=12)
LONGEST_QUEUE = timedelta(hours=3)


@app.event_grid_trigger(arg_name="event")
@with_client(app)
async def on_backup_completed(event: func.EventGridEvent, client: Client) -> None:
    """Verify the backup; a failed one leaves nothing to verify."""
    try:
        completed = backup_completed(received(event))
        check_ours(job_id(completed.job_id), services().settings.subscriptions)
    except MeshwardError as error:
        declined(error, event.id)
        raise
    if completed.status.lower() in GOOD:
        await request_verification(client, completed.job_id, completed.status)
    else:
        log.info("backup made no copy", extra={"job": completed.job_id, "status": completed.status})


async def request_verification(client: Client, job: str, status: str) -> str:
    """Verify the backup of a job, by its resource id; the instance id. A job is verified once."""
    id = job_id(job)
    check_ours(id, services().settings.subscriptions)
    if status.lower() not in GOOD:
        raise PermanentError("NothingToVerify", f"the backup ended as {status}")
    instance_id = f"verify-{id.name.lower()}"
    await client.start_once("verify_restore", instance_id, Verification(job_id=job))
    return instance_id


@orchestrator(app)
def verify_restore(run: Runbook, wanted: Verification) -> Steps[Result]:
    """The runbook."""
    earlier = yield from run.step(find_verdict, wanted)
    if earlier.result:
        return earlier.result
    plan = None
    try:
        plan = yield from planned(run, wanted)
        outcome = yield from restored(run, plan)
    except PermanentError as error:
        outcome = Outcome(reason=str(error))
    left_over = (yield from cleaned_up(run, plan)) if plan else 0
    run.phase("verdict")
    concluded = Concluded(job_id=wanted.job_id, outcome=outcome, left_over=left_over)
    result = yield from run.step(record_verdict, concluded)
    run.phase("done", verdict=result.verdict)
    return result


def planned(run: Runbook, wanted: Verification) -> Steps[Plan]:
    """What to restore, to where, and what it must hold."""
    run.phase("plan", job=wanted.job_id)
    source = yield from run.step(describe_job, wanted)
    manifest = yield from run.step(take_manifest, source)
    chosen = yield from run.step(choose_recovery_point, source)
    return plan_of(source, chosen, manifest.names)


def restored(run: Runbook, plan: Plan) -> Steps[Outcome]:
    """Restore and check."""
    run.phase("restore", item=plan.item.id, point=plan.point.id)
    yield from run.step(isolate, plan)
    started = yield from run.step(start_restore, plan, deadline=LONGEST_QUEUE)
    started = yield from run.step(find_restore_job, started)
    job = yield from run.step(follow_restore, started, every=JOB_POLL, deadline=LONGEST_RESTORE)
    run.phase("check", restore=job.status)
    return (yield from run.step(check_restore, Restored(plan=plan, job=job)))


def cleaned_up(run: Runbook, plan: Plan) -> Steps[int]:
    """How many isolated places weren't seen gone."""
    run.phase("clean up")
    try:
        yield from run.step(clean_up, plan)
    except PermanentError:
        return len(plan.places)
    return 0
