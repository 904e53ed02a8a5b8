"""Which backup jobs an event is published for: Azure Backup itself raises none.

Rules:
- Resource Graph is asked from a day before the watermark on, because it shows a job some time after its end. It shows
  jobs of 14 days (Azure Backup docs), so that an outage of 13 is caught up with.
- A job gets one event per status: the ledger's row is written after the event was accepted, so it is sent at least
  once, and its id is always the same.
- The watermark is the latest end that an event was published for.
- A backup that is still open after OVERDUE gets an event of its own, and another when it ends.
"""

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta

import msgspec

from shared.domain.documents import Mark
from shared.domain.events import BACKUP_COMPLETED, BACKUP_FAILED, BACKUP_OVERDUE
from shared.domain.resource_id import name_of
from shared.domain.states import JOB

OVERLAP = timedelta(days=1)
GRAPH_RETENTION = timedelta(days=14)
OVERDUE = timedelta(hours=12)
WATERMARK = Mark("watch/watermark", "The end of the latest backup job that has an event (the content is that time).")
PUBLISHED = Mark("backups/{day}/{event}", "The event of a backup job was published.")


class WatchedJob(msgspec.Struct, frozen=True, kw_only=True):
    """A job as Resource Graph shows it."""

    id: str  # resource id
    operation: str  # "Backup", "Restore", …
    status: str  # Azure Backup's word
    started: datetime  # UTC
    ended: datetime | None  # None while it is open
    item: str = ""  # resource id of a cluster's backup instance
    volume: str = ""  # name of a share or machine

    @property
    def event_status(self) -> str:
        """What its event says: the status that it ended with, or that it is overdue."""
        return self.status if self.ended else "Overdue"

    @property
    def when(self) -> datetime:
        """When that happened."""
        return self.ended or self.started + OVERDUE

    @property
    def key(self) -> str:
        """The path of its row in the ledger. It begins with the date, so that rows since a day can be listed."""
        return PUBLISHED.path(day=f"{self.when:%Y-%m-%d}", event=f"{name_of(self.id)}:{self.event_status}")


def event_type(status: str) -> str:
    """The type of the event for this status."""
    return {"good": BACKUP_COMPLETED, "bad": BACKUP_FAILED}.get(JOB.meaning(status), BACKUP_OVERDUE)


def window_start(watermark: datetime | None, now: datetime) -> datetime:
    """From when on Resource Graph is asked; on the first run one day back."""
    return max((watermark or now) - OVERLAP, now - GRAPH_RETENTION)


def published_since(start: datetime) -> str:
    """The key after which the rows of all jobs with an event since `start` are listed."""
    return f"{PUBLISHED.folder()}{start:%Y-%m-%d}"


def unpublished(
    jobs: Iterable[WatchedJob], published: Collection[str], since: datetime, now: datetime
) -> list[WatchedJob]:
    """The backups that ended or became overdue since the window's start and have no event yet, the earliest first."""
    backups = (job for job in jobs if job.operation.lower() == "backup" and job.key not in published)
    return sorted((job for job in backups if since <= job.when <= now), key=lambda job: (job.when, job.id))
