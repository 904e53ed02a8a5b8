"""Which backup jobs have ended and must be told about: Azure Backup itself raises no event.

Rules:
- Resource Graph is asked from a day before the watermark on, because it shows a job some time after its end.
- A job is told once per status: the ledger's row is written after the event was accepted, so the event is sent at least
  once, and its id is always the same.
- The watermark is the latest end that was told.
"""

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta

import msgspec

OVERLAP = timedelta(days=1)
WATERMARK = "watch/watermark"
TOLD = "backups/"


class EndedJob(msgspec.Struct, frozen=True, kw_only=True):
    """A job that Resource Graph shows as ended; `item` is the backup instance of a cluster's, empty of others."""

    id: str
    operation: str
    status: str
    ended: datetime
    item: str = ""

    @property
    def key(self) -> str:
        """The ledger's row. It begins with the date, so that rows since a day can be listed."""
        return f"{TOLD}{self.ended:%Y-%m-%d}/{self.event_id}"

    @property
    def event_id(self) -> str:
        return f"{self.id.rsplit('/', 1)[-1]}:{self.status}"


def window_start(watermark: datetime | None, now: datetime) -> datetime:
    """From when on Resource Graph is asked; on the first run one day back."""
    return (watermark or now) - OVERLAP


def told_since(start: datetime) -> str:
    """The key after which all rows of jobs that ended since `start` are listed."""
    return f"{TOLD}{start:%Y-%m-%d}"


def untold(jobs: Iterable[EndedJob], told: Collection[str]) -> list[EndedJob]:
    """The backups nobody was told of yet, in the order of their ends."""
    backups = (job for job in jobs if job.operation.lower() == "backup" and job.key not in told)
    return sorted(backups, key=lambda job: (job.ended, job.id))
