"""Which backup jobs are told, as what."""

from datetime import UTC, datetime, timedelta

import pytest

from shared.domain.restores.watch import OVERDUE, WatchedJob, event_type, published_since, unpublished, window_start

NOW = datetime(2027, 1, 15, 8, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
AT = "/subscriptions/11111111-1111-4111-8111-111111111111/resourceGroups/rg"
VAULT = f"{AT}/providers/Microsoft.DataProtection/backupVaults/bv"


def ended(name: str, status: str = "Completed", *, operation: str = "Backup", when: datetime = NOW) -> WatchedJob:
    id = f"{VAULT}/backupJobs/{name}"
    return WatchedJob(id=id, operation=operation, status=status, started=when - HOUR, ended=when)


def still_open(name: str, started: datetime) -> WatchedJob:
    id = f"{VAULT}/backupJobs/{name}"
    return WatchedJob(id=id, operation="Backup", status="InProgress", started=started, ended=None)


def test_only_backups_are_told_and_the_oldest_first() -> None:
    jobs = [ended("b"), ended("r", operation="Restore"), ended("a", when=NOW - HOUR)]
    assert [job.key.rpartition("/")[2] for job in unpublished(jobs, [], NOW - DAY, NOW)] == [
        "a:Completed",
        "b:Completed",
    ]


def test_a_job_is_told_once_per_status() -> None:
    told = {ended("a", "Failed").key}
    assert unpublished([ended("a", "Failed"), ended("a")], told, NOW - DAY, NOW) == [ended("a")]


def test_a_job_that_stays_open_for_too_long_is_told_once_and_again_when_it_ends() -> None:
    young, old = still_open("y", NOW - OVERDUE + HOUR), still_open("o", NOW - OVERDUE)
    assert unpublished([young, old], [], NOW - DAY, NOW) == [old]
    assert old.key.endswith("/o:Overdue")
    assert unpublished([old], {old.key}, NOW - DAY, NOW) == []
    assert unpublished([ended("o", "Cancelled")], {old.key}, NOW - DAY, NOW) == [ended("o", "Cancelled")]


def test_what_was_news_before_the_window_isn_t_told_again_at_each_look() -> None:
    assert unpublished([still_open("o", NOW - 3 * DAY)], [], NOW - DAY, NOW) == []


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        ("completed", "Completed"),
        ("CompletedWithWarnings", "Completed"),
        ("Failed", "Failed"),
        ("Canceled", "Failed"),
        ("Dreaming", "Overdue"),
    ],
)
def test_backups_that_made_no_copy_are_events_of_their_own(status: str, kind: str) -> None:
    assert event_type(status) == f"Meshward.Backup.{kind}"
    assert event_type("InProgress") == "Meshward.Backup.Overdue"


def test_the_window_overlaps_the_watermark_by_a_day_and_the_first_one_is_a_day_long() -> None:
    assert window_start(NOW - 3 * DAY, NOW) == NOW - 4 * DAY
    assert window_start(None, NOW) == NOW - DAY


def test_an_outage_of_thirteen_days_is_caught_up_with() -> None:
    assert window_start(NOW - 13 * DAY, NOW) == NOW - 14 * DAY
    assert window_start(NOW - 90 * DAY, NOW) == NOW - 14 * DAY, "Resource Graph shows no older jobs"


def test_listing_rows_since_the_window_s_start_misses_none_of_its_jobs() -> None:
    start = window_start(NOW, NOW)
    assert ended("a", when=start).key > published_since(start) > ended("a", when=start - DAY).key
