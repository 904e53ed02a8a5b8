"""Whether a restore may be sent now, and how many reads of backup jobs are left.

Rules:
- A restore is sent at most once while its job may still show up. Whether it was sent stands in the ledger; the job is
  then looked for among the item's restore jobs, because the answer to the request may have been lost.
- Restores of one item follow one another: a job that started after our request was sent is its job.
- Azure Backup allows ten restores a day and item (AKS backup and Azure Files support matrices).
- A Recovery Services vault answers 150 reads of backup jobs an hour and subscription (seen in recorded traffic). Each
  read takes a token, of which an hour of the clock has half as many: so no hour that begins at any other minute has
  more than 150 either, whatever fails and however many work side by side.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Literal

from shared.domain.documents import Mark, moment
from shared.domain.errors import NotConverged, PermanentError, TemporaryError
from shared.domain.restores.verification import RestoreJob
from shared.domain.states import JOB

RESTORES_PER_DAY = 10
READS_PER_HOUR = 150
SHOWS_UP_WITHIN = timedelta(minutes=10)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
CLOCK_SKEW = timedelta(minutes=1)


def next_act(
    jobs: Iterable[RestoreJob], target: str, sends: Sequence[datetime], now: datetime
) -> RestoreJob | Literal["send"]:
    """What to do about a restore: follow the job that is ours already, or send the request now.

    `jobs` are the item's restore jobs of the last day, `sends` the moments our request was sent, oldest first. Raises
    NotConverged while a sent request may still become a job or another restore of the item runs, PermanentError if
    today's restores are used up.
    """
    jobs = list(jobs)
    if sends:
        if own := own_job(jobs, target, sends):
            return own
        if may_show_up(jobs, target, sends, now):
            raise NotConverged("RestoreSent", "the restore was sent and its job isn't listed yet")
    if running := next((job for job in jobs if job.open), None):
        JOB.require_known(f"restore job {running.id} of the same item", running.status)
        raise NotConverged("RestoreRunning", "another restore of the same item is running")
    if sum(job.started > now - DAY for job in jobs) >= RESTORES_PER_DAY:
        raise PermanentError("QuotaReached", f"{RESTORES_PER_DAY} restores of the item have run within a day")
    return "send"


def own_job(jobs: Iterable[RestoreJob], target: str, sends: Sequence[datetime]) -> RestoreJob | None:
    """The job of our request, which was sent at these moments (oldest first); None while no job is listed."""
    since = [job for job in jobs if job.started >= sends[0] - CLOCK_SKEW and job.target in ("", target)]
    own = [job for job in since if job.ended is None or job.ended > sends[0]]  # what had ended was another's
    return min(own, key=lambda job: job.started, default=None)


def may_show_up(jobs: Iterable[RestoreJob], target: str, sends: Sequence[datetime], now: datetime) -> bool:
    """Whether the job of a request that was sent may still be listed."""
    return bool(sends) and now - sends[-1] < SHOWS_UP_WITHIN and own_job(jobs, target, sends) is None


def own_jobs(jobs: Sequence[RestoreJob], target: str, sends: Sequence[datetime]) -> list[RestoreJob]:
    """All jobs of our requests: a request that Azure took twice has two, which start at the same time."""
    first, last = own_job(jobs, target, sends), sends[-1] + CLOCK_SKEW
    return [job for job in jobs if first and (job == first or first.started <= job.started <= last)]


def ran_during(job: RestoreJob, moment: datetime) -> bool:
    """Whether the job ran at a moment that was read from another clock."""
    return job.started - CLOCK_SKEW <= moment and (job.ended is None or moment <= job.ended + CLOCK_SKEW)


SEND = Mark("restores/{verification}/{when}", "A verification is about to send its restore, or has sent it.")
READ = Mark("reads/{subscription}/{hour}/{token}", "One of the hour's reads of backup jobs is used up.")


def sends_folder(verification: str) -> str:
    """The folder with the moments at which a verification sent its restore."""
    return SEND.folder(verification=verification)


def sends_of(verification: str, paths: Iterable[str]) -> list[datetime]:
    """When a verification sent its restore, from the paths in that folder."""
    return sorted(moment(path, path.removeprefix(sends_folder(verification))) for path in paths)


def reads_folder(subscription: str, now: datetime) -> str:
    """The folder with the tokens of this hour's reads of a subscription's jobs."""
    return READ.folder(subscription=subscription.lower(), hour=f"{now:%Y-%m-%dT%H}")


def next_token(folder: str, taken: Collection[str], now: datetime) -> str:
    """The path of the next token; raises TemporaryError until the next hour if all are taken."""
    paths = (f"{folder}{number:03}" for number in range(READS_PER_HOUR // 2))
    free = next((path for path in paths if path not in taken), None)
    if free is None:
        left = HOUR - timedelta(minutes=now.minute, seconds=now.second)
        raise TemporaryError(
            "ReadsSpent", "this hour's reads of backup jobs are used up", retry_after=left.total_seconds()
        )
    return free
