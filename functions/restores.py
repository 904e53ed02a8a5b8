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
from datetime import datetime, timedelta
from typing import Any

import azure.durable_functions as df
import azure.functions as func
import msgspec

from functions.durable import Runbook, Steps, activity, declined, start_once
from functions.incoming import received
from shared.domain.errors import MeshwardError, NotConverged, PermanentError
from shared.domain.events import BackupCompleted, backup_completed
from shared.domain.restore import (
    DAY,
    GOOD,
    Chosen,
    JobId,
    Plan,
    RestoreJob,
    Source,
    Started,
    Verification,
    check_ours,
    choose_point,
    finished_backup,
    job_id,
    next_act,
    plan_of,
)
from shared.domain.restore_checks import (
    SETTLES_WITHIN,
    Outcome,
    Result,
    judge,
    ladder,
)
from shared.domain.restore_manifest import (
    Manifest,
    compare,
)
from shared.wiring import services

app = df.Blueprint()
log = logging.getLogger("meshward")

# A subscription may read 150 backup jobs an hour (seen in recorded traffic): a dozen verifications side by side at this
# pace. The measured restore time is so much too long at most.
JOB_POLL = timedelta(minutes=5)
LONGEST_RESTORE = timedelta(hours=12)


class Manifested(msgspec.Struct, frozen=True, kw_only=True):
    """The namespaces, or the share, that the manifest in the ledger covers."""

    names: tuple[str, ...]
    entries: int


class Earlier(msgspec.Struct, frozen=True, kw_only=True):
    """The verdict that the ledger has already, if it has one."""

    result: Result | None


class Restored(msgspec.Struct, frozen=True, kw_only=True):
    """A plan whose restore job has ended."""

    plan: Plan
    job: RestoreJob


class Concluded(msgspec.Struct, frozen=True, kw_only=True):
    """What a verification found and what it left behind."""

    job_id: str
    outcome: Outcome
    left_over: int


@app.event_grid_trigger(arg_name="event")
@app.durable_client_input(client_name="client")
async def on_backup_completed(event: func.EventGridEvent, client: df.DurableFunctionsClient) -> None:
    """Verify the backup; a failed one leaves nothing to verify."""
    try:
        completed = backup_completed(received(event))
        _ours(completed.job_id)
    except MeshwardError as error:
        declined(error, event.id)
        raise
    await _verify(client, completed)


async def _verify(client: Any, completed: BackupCompleted) -> None:
    if completed.status.lower() not in GOOD:
        log.info("backup made no copy", extra={"job": completed.job_id, "status": completed.status})
        return
    await request_verification(client, completed.job_id, completed.status)


async def request_verification(client: Any, job: str, status: str) -> str:
    """Verify the backup of a job, by its resource id; the instance id. A job is verified once."""
    id = _ours(job)
    if status.lower() not in GOOD:
        raise PermanentError("NothingToVerify", f"the backup ended as {status}")
    instance_id = f"verify-{id.name.lower()}"
    await start_once(client, "verify_restore", instance_id, Verification(job_id=job))
    return instance_id


def _ours(job: str) -> JobId:
    id = job_id(job)
    check_ours(id, services().settings.subscriptions)
    return id


@app.orchestration_trigger(context_name="context")  # type: ignore[arg-type]  # the form with one argument isn't typed
def verify_restore(context: Any) -> Steps[dict[str, Any]]:
    """The runbook."""
    run, wanted = Runbook(context), msgspec.convert(context.get_input(), Verification)
    earlier = yield from run.step(find_verdict, wanted)
    if earlier.result:
        return dict(msgspec.to_builtins(earlier.result))
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
    return dict(msgspec.to_builtins(result))


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
    started = yield from run.step(start_restore, plan, deadline=timedelta(hours=3))
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


@activity(app)
async def find_verdict(wanted: Verification) -> Earlier:
    """What an earlier run, whose history is gone, has found."""
    return Earlier(result=await _verdict(wanted.job_id))


@activity(app)
async def describe_job(wanted: Verification) -> Source:
    """The backup, as its vault tells it, and what it is of."""
    id = job_id(wanted.job_id)
    vault = services().restores(id.kind)
    job = finished_backup(await vault.job(id))
    return Source(job=job, item=await vault.item(job))


@activity(app)
async def take_manifest(source: Source) -> Manifested:
    """Write down what the item holds; the first manifest of a backup job stays."""
    held = await services().places(source.item.kind).held(source.item)
    if not held.names:
        raise PermanentError("NothingProtected", "the backup covers no namespace of a workload")
    manifest = Manifest(taken=services().now(), entries=held.entries)
    await services().ledger.create(_manifest_path(source.job.id), msgspec.json.encode(manifest))
    return Manifested(names=held.names, entries=len(held.entries))


@activity(app)
async def choose_recovery_point(source: Source) -> Chosen:
    """The point to restore."""
    points = await services().restores(source.item.kind).points(source.item)
    point = choose_point(points, source.job.started)
    return Chosen(point=point, rpo_s=(services().now() - point.time).total_seconds())


@activity(app)
async def isolate(plan: Plan) -> Plan:
    """The place to restore to, closed before anything is in it."""
    await services().places(plan.item.kind).isolate(plan)
    return plan


@activity(app)
async def start_restore(plan: Plan) -> Started:
    """Send the restore, unless it was sent already; that it is being sent is written down first."""
    outer, vault, now = services(), services().restores(plan.item.kind), services().now()
    folder = f"restores/{plan.job_name}/"
    sends = [datetime.fromisoformat(path.removeprefix(folder)) for path in await outer.ledger.list(folder)]
    restores = await vault.restores(plan.item, now - DAY)
    act = next_act(restores, plan.places.get(plan.item.share, ""), sends, now)
    if act != "send":
        return Started(plan=plan, job=act.id)
    if not await outer.ledger.create(f"{folder}{now:%Y%m%dT%H%M%SZ}", b""):
        raise NotConverged("RestoreSent", "another worker sends the restore right now")
    return Started(plan=plan, operation=await vault.send(plan))


@activity(app)
async def find_restore_job(started: Started) -> Started:
    """The job that the accepted request became."""
    if started.job:
        return started
    job = await services().restores(started.plan.item.kind).job_of(started.plan.item, started.operation)
    return msgspec.structs.replace(started, job=job)


@activity(app)
async def follow_restore(started: Started) -> RestoreJob:
    """The restore job, once it has ended, well or not."""
    job = await services().restores(started.plan.item.kind).restore_job(started.plan.item, started.job)
    if job.open:
        raise NotConverged("RestoreRunning", f"the restore job is {job.status}")
    return job


@activity(app)
async def check_restore(done: Restored) -> Outcome:
    """Climb the ladder; workloads get some minutes to settle first."""
    plan, job, now = done.plan, done.job, services().now()
    if job.status.lower() not in GOOD:
        checks = ladder(plan, job, None, None, now)
        return Outcome(checks=tuple(checks), restore_status=job.status, rpo_s=plan.rpo_s)
    manifest = await _manifest(plan)
    copy = await services().places(plan.item.kind).copy(plan, manifest)
    if not copy.settled and now < (job.ended or now) + SETTLES_WITHIN:
        raise NotConverged("NotSettled", "the restored workloads aren't ready yet")
    checks = ladder(plan, job, compare(manifest, copy.entries, plan.taken), copy.workloads, now)
    took = (now - job.started).total_seconds()
    return Outcome(checks=tuple(checks), restore_status=job.status, rpo_s=plan.rpo_s, rto_s=took)


@activity(app)
async def clean_up(plan: Plan) -> Plan:
    """Remove the isolated place and see that it is gone."""
    left = await services().places(plan.item.kind).remove(plan)
    if left:
        raise NotConverged("NotGone", f"still there: {', '.join(left[:5])}")
    return plan


@activity(app)
async def record_verdict(concluded: Concluded) -> Result:
    """Judge and write the verdict; the first verdict of a backup job stays."""
    outcome = concluded.outcome
    verdict, reasons = judge(outcome.checks, outcome.reason)
    result = Result(
        job_id=concluded.job_id,
        verdict=verdict,
        reasons=reasons,
        restore_status=outcome.restore_status,
        rpo_s=outcome.rpo_s,
        rto_s=outcome.rto_s,
        checks=outcome.checks,
        left_over=concluded.left_over,
        judged_at=services().now(),
    )
    await services().ledger.create(_verdict_path(concluded.job_id), msgspec.json.encode(result))
    log.info("verified", extra={"job": result.job_id, "verdict": verdict, "left_over": result.left_over})
    return await _verdict(concluded.job_id) or result


async def _verdict(job: str) -> Result | None:
    found = await services().ledger.read(_verdict_path(job))
    return msgspec.json.decode(found, type=Result) if found else None


async def _manifest(plan: Plan) -> Manifest:
    found = await services().ledger.read(_manifest_path(plan.job_id))
    return msgspec.json.decode(found or b"", type=Manifest)


def _verdict_path(job: str) -> str:
    return f"verdicts/{job_id(job).name}.json"


def _manifest_path(job: str) -> str:
    return f"manifests/{job_id(job).name}.json"
