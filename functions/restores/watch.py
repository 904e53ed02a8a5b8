"""Azure Backup raises no event when a backup ends: this watch finds the jobs that ended and publishes one for each.

every five minutes ──▶ one Resource Graph query ──▶ confirm at the vault ──▶ publish ──▶ write the ledger's row

    Completed, CompletedWithWarnings    Meshward.Backup.Completed
    Failed, Cancelled                   Meshward.Backup.Failed
    open for longer than OVERDUE,       Meshward.Backup.Overdue
    or in a state that nobody knows
"""

from datetime import datetime

from functions.engine.documents import unless_broken
from functions.engine.logs import log
from functions.engine.many import one_of_many
from functions.restores.documents import spend_read
from shared.domain.documents import moment
from shared.domain.errors import MeshwardError, NotFound, PermanentError, shown
from shared.domain.events import BACKUP_COMPLETED
from shared.domain.restores.items import kind_of
from shared.domain.restores.signals import JobGone, JobNotPublished, NoCopyMade
from shared.domain.restores.verification import job_id, vault_of
from shared.domain.restores.watch import (
    GRAPH_RETENTION,
    PUBLISHED,
    WATERMARK,
    WatchedJob,
    event_type,
    published_since,
    unpublished,
    window_start,
)
from shared.domain.states import JOB
from shared.wiring import services


async def watch() -> None:
    """Publish an event for each backup job that is news and has none yet."""
    world = services()
    seen = await world.ledger.read(WATERMARK.path())
    start = window_start(await _watermark(seen), world.now())
    published = set(await world.ledger.list(PUBLISHED.folder(), after=published_since(start)))
    found = await world.verifier.inventory.jobs(start)
    if not found:
        await world.verifier.clusters.list()  # which refuses whom Resource Graph, without a word, shows nothing
    jobs = unpublished(filter(_readable, found), published, start, world.now())
    if jobs and all([await _publish_or_log(job) for job in jobs]):
        await world.ledger.update(WATERMARK.path(), max(job.when for job in jobs).isoformat().encode(), seen=seen)


async def _watermark(seen: bytes | None) -> datetime | None:
    """None if there is none yet; if it is broken, as far back as Resource Graph shows jobs, so that none is missed."""
    return None if seen is None else await unless_broken(_moment(seen)) or services().now() - GRAPH_RETENTION


async def _moment(seen: bytes) -> datetime:
    return moment(WATERMARK.path(), seen.decode(errors="replace"))


def _readable(job: WatchedJob) -> bool:
    """Whether the job's id is one of a backup job's; any other never gets an event, so nothing waits for it."""
    try:
        job_id(job.id)
    except PermanentError as error:
        log(JobNotPublished(job=shown(job.id), reason=error.reason, error=error.message))
        return False
    return True


async def _publish_or_log(job: WatchedJob) -> bool:
    """Whether the event went out; one job without an event doesn't hold up the others."""
    try:
        with one_of_many(job.id):
            await _publish(job)
    except NotFound as error:
        log(JobGone(job=job.id, reason=error.reason, error=error.message))
        await services().ledger.create(job.key, job.id.encode())
    except MeshwardError as error:
        log(JobNotPublished(job=job.id, reason=error.reason, error=error.message))
        return False
    return True


async def _publish(job: WatchedJob) -> None:
    world, id = services(), job_id(job.id)
    vault = str(vault_of(id))
    await spend_read(id)
    status = (await world.verifier.restores[kind_of(id)].job(id)).status
    if (JOB.meaning(status) in ("good", "bad")) is not bool(job.ended):
        return  # it has ended since, or goes on: Resource Graph will show that
    type = event_type(status)
    await world.verifier.events.publish(
        id=f"{id.name}:{status if job.ended else job.event_status}",
        type=type,
        source=vault,
        subject=job.id,
        time=job.when,
        data={"jobId": job.id, "status": status, "vaultId": vault},
    )
    if type != BACKUP_COMPLETED:
        log(NoCopyMade(job=job.id, status=job.event_status))
    await world.ledger.create(job.key, job.id.encode())
