"""The steps of a verification restore. Each looks first, asks the domain and acts at most once.

The ledger keeps what must outlive a run: `manifests/<job>.json`, `restores/<job>/<when sent>`, `verdicts/<job>.json`.
"""

import logging
from datetime import datetime

import azure.durable_functions as df
import msgspec

from functions.durable import activity
from shared.domain.errors import NotConverged, PermanentError
from shared.domain.restore import (
    DAY,
    GOOD,
    Chosen,
    Plan,
    Restored,
    RestoreJob,
    Source,
    Started,
    Verification,
    choose_point,
    finished_backup,
    job_id,
    next_act,
)
from shared.domain.restore_checks import SETTLES_WITHIN, Concluded, Earlier, Outcome, Result, judge, ladder
from shared.domain.restore_manifest import Manifest, Manifested, compare
from shared.wiring import services

app = df.Blueprint()
log = logging.getLogger("meshward")


@activity(app)
async def find_verdict(wanted: Verification) -> Earlier:
    """What an earlier run, whose history is gone, has found."""
    return Earlier(result=await verdict_of(wanted.job_id))


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
    facts = {"job": result.job_id, "verdict": verdict, "left_over": result.left_over}
    if verdict.startswith("Verified"):
        log.info("restore verified", extra=facts)
    else:
        log.warning("restore not verified", extra=facts)
    return await verdict_of(concluded.job_id) or result


async def verdict_of(job: str) -> Result | None:
    """The verdict on a backup job, by its resource id."""
    found = await services().ledger.read(_verdict_path(job))
    return msgspec.json.decode(found, type=Result) if found else None


async def _manifest(plan: Plan) -> Manifest:
    found = await services().ledger.read(_manifest_path(plan.job_id))
    return msgspec.json.decode(found or b"", type=Manifest)


def _verdict_path(job: str) -> str:
    return f"verdicts/{job_id(job).name}.json"


def _manifest_path(job: str) -> str:
    return f"manifests/{job_id(job).name}.json"
