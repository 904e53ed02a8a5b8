"""Azure Backup raises no event when a backup ends: this watch finds the jobs that ended and publishes one for each.

every five minutes ──▶ one Resource Graph query ──▶ confirm at the vault ──▶ publish ──▶ write the ledger's row

    Completed, CompletedWithWarnings    Meshward.Backup.Completed
    Failed, Cancelled                   Meshward.Backup.Failed
    open for longer than OVERDUE        Meshward.Backup.Overdue
"""

from datetime import datetime

from functions.engine.documents import unless_broken
from functions.engine.logs import log
from functions.restores.documents import spend_read
from shared.domain.documents import moment
from shared.domain.errors import MeshwardError, NotFound, PermanentError, shown
from shared.domain.events import BACKUP_COMPLETED
from shared.domain.restores.items import kind_of
from shared.domain.restores.signals import JobGone, JobNotTold, NoCopyMade
from shared.domain.restores.verification import ENDED, job_id, vault_of
from shared.domain.restores.watch import (
    PUBLISHED,
    SHOWN,
    WATERMARK,
    WatchedJob,
    event_type,
    published_since,
    unpublished,
    window_start,
)
from shared.wiring import services


async def watch() -> None:
    """Publish an event for each backup job that is news and has none yet."""
    outer = services()
    seen = await outer.ledger.read(WATERMARK.path())
    start = window_start(await _watermark(seen), outer.now())
    published = set(await outer.ledger.list(PUBLISHED.folder(), after=published_since(start)))
    found = await outer.verifier.inventory.jobs(start)
    if not found:
        await outer.verifier.clusters.list()  # which refuses whom Resource Graph, without a word, shows nothing
    jobs = unpublished(filter(_readable, found), published, start, outer.now())
    if jobs and all([await _published(job) for job in jobs]):
        await outer.ledger.update(WATERMARK.path(), max(job.when for job in jobs).isoformat().encode(), seen=seen)


async def _watermark(seen: bytes | None) -> datetime | None:
    """None if there is none yet; if it is broken, as far back as Resource Graph shows jobs, so that none is missed."""
    return None if seen is None else await unless_broken(_moment(seen)) or services().now() - SHOWN


async def _moment(seen: bytes) -> datetime:
    return moment(WATERMARK.path(), seen.decode(errors="replace"))


def _readable(job: WatchedJob) -> bool:
    """Whether the job's id is one of a backup job's; any other never gets an event, so nothing waits for it."""
    try:
        job_id(job.id)
    except PermanentError as error:
        log(JobNotTold(job=shown(job.id), reason=error.reason, error=error.message))
        return False
    return True


async def _published(job: WatchedJob) -> bool:
    """Whether the event went out; one job without an event doesn't hold up the others."""
    try:
        await _publish(job)
    except NotFound as error:
        log(JobGone(job=job.id, reason=error.reason, error=error.message))
        await services().ledger.create(job.key, job.id.encode())
    except MeshwardError as error:
        log(JobNotTold(job=job.id, reason=error.reason, error=error.message))
        return False
    return True


async def _publish(job: WatchedJob) -> None:
    outer, id = services(), job_id(job.id)
    vault = str(vault_of(id))
    await spend_read(id)
    status = (await outer.verifier.restores[kind_of(id)].job(id)).status
    if (status.lower() in ENDED) is not bool(job.ended):
        return  # it has ended since, or goes on: Resource Graph will show that
    type = event_type(status)
    await outer.verifier.events.publish(
        id=f"{id.name}:{status if job.ended else job.news}",
        type=type,
        source=vault,
        subject=job.id,
        time=job.when,
        data={"jobId": job.id, "status": status, "vaultId": vault},
    )
    if type != BACKUP_COMPLETED:
        log(NoCopyMade(job=job.id, status=job.news))
    await outer.ledger.create(job.key, job.id.encode())
