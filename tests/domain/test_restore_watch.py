"""Which ended backup jobs are told."""

from datetime import UTC, datetime, timedelta

from shared.domain.restore_watch import EndedJob, told_since, untold, window_start

NOW = datetime(2027, 1, 15, 8, tzinfo=UTC)


def ended(name: str, status: str = "Completed", *, operation: str = "Backup", when: datetime = NOW) -> EndedJob:
    return EndedJob(id=f"/vault/backupJobs/{name}", operation=operation, status=status, ended=when)


def test_only_backups_are_told_and_the_oldest_first() -> None:
    jobs = [ended("b"), ended("r", operation="Restore"), ended("a", when=NOW - timedelta(hours=1))]
    assert [job.event_id for job in untold(jobs, [])] == ["a:Completed", "b:Completed"]


def test_a_job_is_told_once_per_status() -> None:
    told = {ended("a", "Failed").key}
    assert untold([ended("a", "Failed"), ended("a")], told) == [ended("a")]


def test_the_window_overlaps_the_watermark_by_a_day_and_the_first_one_is_a_day_long() -> None:
    assert window_start(NOW - timedelta(days=3), NOW) == NOW - timedelta(days=4)
    assert window_start(None, NOW) == NOW - timedelta(days=1)


def test_listing_rows_since_the_window_s_start_misses_none_of_its_jobs() -> None:
    start = window_start(NOW, NOW)
    assert ended("a", when=start).key > told_since(start) > ended("a", when=start - timedelta(days=1)).key
