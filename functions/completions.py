"""Azure Backup raises no event when a backup ends: this watch finds the jobs that ended and publishes one for each.

every five minutes ──▶ one Resource Graph query ──▶ confirm at the vault ──▶ publish ──▶ write the ledger's row
"""

import logging
from datetime import datetime

from shared.domain.errors import MeshwardError
from shared.domain.events import BACKUP_COMPLETED
from shared.domain.restore import job_id
from shared.domain.restore_watch import TOLD, WATERMARK, EndedJob, told_since, untold, window_start
from shared.wiring import services

log = logging.getLogger("meshward")


async def watch() -> None:
    """Publish an event for each backup job that has ended and wasn't told yet."""
    outer = services()
    seen = await outer.ledger.read(WATERMARK)
    start = window_start(datetime.fromisoformat(seen.decode()) if seen else None, outer.now())
    told = set(await outer.ledger.list(TOLD, after=told_since(start)))
    ended = await outer.inventory.ended_jobs(start)
    if not ended:
        await outer.visible.list()  # which refuses whom Resource Graph, without a word, shows nothing
    jobs = untold(ended, told)
    if jobs and all([await _tell(job) for job in jobs]):
        await outer.ledger.update(WATERMARK, max(job.ended for job in jobs).isoformat().encode(), seen=seen)


async def _tell(job: EndedJob) -> bool:
    """Whether the event went out; one job that can't be told doesn't hold up the others."""
    try:
        await _publish(job)
    except MeshwardError as error:
        log.warning("backup job not told", extra={"job": job.id, "reason": error.reason, "error": error.message})
        return False
    return True


async def _publish(job: EndedJob) -> None:
    id = job_id(job.id)
    status = (await services().restores(id.kind).job(id)).status
    await services().events.publish(
        id=f"{id.name}:{status}",
        type=BACKUP_COMPLETED,
        source=id.vault_id,
        subject=job.id,
        time=job.ended,
        data={"jobId": job.id, "status": status, "vaultId": id.vault_id},
    )
    await services().ledger.create(job.key, job.id.encode())
