"""Whether a restore may be sent now, and that neither restores nor reads ever exceed what Azure allows."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.errors import NotConverged, PermanentError, TemporaryError
from shared.domain.restores.sending import (
    DAY,
    HOUR,
    READS_PER_HOUR,
    RESTORES_PER_DAY,
    may_show_up,
    next_act,
    next_token,
    reads_folder,
)
from shared.domain.restores.verification import RestoreJob

NOW = datetime(2027, 1, 15, 8, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def restore(minutes: float, status: str = "Completed", target: str = "") -> RestoreJob:
    return RestoreJob(id=f"r{minutes}", status=status, started=NOW + minutes * MINUTE, target=target)


def test_a_restore_that_was_never_sent_is_sent() -> None:
    assert next_act([restore(-60)], "", [], NOW) == "send"


def test_a_job_that_started_after_ours_was_sent_is_ours() -> None:
    assert next_act([restore(-60), restore(1, "InProgress")], "", [NOW], NOW + 2 * MINUTE) == restore(1, "InProgress")


def test_a_job_that_had_ended_when_ours_was_sent_isn_t_ours() -> None:
    short = RestoreJob(id="r", status="Completed", started=NOW - MINUTE, ended=NOW)
    assert next_act([short, restore(1)], "", [NOW], NOW + 2 * MINUTE) == restore(1)


def test_a_job_to_another_share_isn_t_ours() -> None:
    jobs = [restore(1, target="other"), restore(2, target="scratch")]
    assert next_act(jobs, "scratch", [NOW], NOW + 2 * MINUTE) == restore(2, target="scratch")


def test_of_two_jobs_that_a_doubled_request_made_the_first_is_followed() -> None:
    assert next_act([restore(2), restore(1)], "", [NOW], NOW + 2 * MINUTE) == restore(1)


def test_a_job_in_a_state_that_nobody_knows_has_neither_ended_nor_is_it_said_to_run() -> None:
    strange = restore(-60, "Dreaming")
    assert (strange.open, strange.succeeded) == (True, False)
    assert strange.why_open.startswith("StateUnknown: restore job r-60 is Dreaming")
    with pytest.raises(NotConverged, match=r"^StateUnknown: restore job r-60 .* is Dreaming"):
        next_act([strange], "", [], NOW)


@pytest.mark.parametrize("status", ["Completed", "completedwithwarnings", "Failed", "Cancelled", "Canceled"])
def test_a_job_that_has_ended_holds_up_no_other(status: str) -> None:
    assert next_act([restore(-60, status)], "", [], NOW) == "send"


def test_a_sent_restore_gets_ten_minutes_to_show_up_before_it_is_sent_again() -> None:
    with pytest.raises(NotConverged, match="RestoreSent"):
        next_act([], "", [NOW], NOW + 9 * MINUTE)
    assert next_act([], "", [NOW], NOW + 10 * MINUTE) == "send"


def test_what_was_sent_may_show_up_for_ten_minutes_unless_it_has() -> None:
    assert may_show_up([restore(-60)], "", [NOW], NOW + 9 * MINUTE)
    assert not may_show_up([restore(-60)], "", [NOW], NOW + 10 * MINUTE)
    assert not may_show_up([restore(1)], "", [NOW], NOW + 9 * MINUTE)
    assert not may_show_up([], "", [], NOW)


def test_restores_of_one_item_follow_one_another() -> None:
    with pytest.raises(NotConverged, match="RestoreRunning"):
        next_act([restore(-5, "inProgress")], "", [], NOW)


def test_the_tenth_restore_of_a_day_is_the_last() -> None:
    nine = [restore(-n) for n in range(1, RESTORES_PER_DAY)]
    assert next_act([*nine, restore(-24 * 60)], "", [], NOW) == "send"
    with pytest.raises(PermanentError, match="QuotaReached"):
        next_act([*nine, restore(-23 * 60)], "", [], NOW)


@given(st.lists(st.tuples(st.integers(0, 240), st.integers(1, 90), st.booleans()), min_size=20, max_size=120))
def test_no_schedule_and_no_failure_sends_more_than_ten_restores_of_an_item_in_any_day(
    completions: list[tuple[int, int, bool]],
) -> None:
    """Each completion: minutes until the next one, how long its restore takes, and whether the answer got lost."""
    jobs: list[RestoreJob] = []
    at = NOW
    for gap, takes, lost in completions:
        at += gap * MINUTE
        seen = [_at(job, at) for job in jobs]
        try:
            if next_act(seen, "", [], at) != "send":
                continue
        except (NotConverged, PermanentError):
            continue
        jobs.append(RestoreJob(id=f"r{len(jobs)}", status="Completed", started=at, ended=at + takes * MINUTE))
        if lost:  # whoever comes again finds the job instead of sending
            again = at + MINUTE
            assert next_act([_at(job, again) for job in jobs], "", [at], again) == _at(jobs[-1], again)
    for job in jobs:
        assert sum(job.started - DAY < other.started <= job.started for other in jobs) <= RESTORES_PER_DAY
        assert sum(other.started < job.started < (other.ended or at) for other in jobs) == 0, "two at once"


@given(st.lists(st.tuples(st.integers(0, 120), st.integers(1, 40)), min_size=10, max_size=60))
def test_no_hour_has_more_reads_of_jobs_than_azure_answers(bursts: list[tuple[int, int]]) -> None:
    """Bursts of so many reads, so many minutes after one another."""
    taken: dict[str, datetime] = {}
    at = NOW
    for gap, reads in bursts:
        at += gap * MINUTE
        folder = reads_folder("S", at)
        for _ in range(reads):
            with suppress(TemporaryError):
                taken.setdefault(next_token(folder, taken, at), at)
    spent_at = sorted(taken.values())
    assert all(sum(at <= other < at + HOUR for other in spent_at) <= READS_PER_HOUR for at in spent_at)


def test_whoever_finds_the_reads_spent_comes_back_when_the_next_hour_begins() -> None:
    at = NOW.replace(minute=40)
    folder = reads_folder("S", at)
    with pytest.raises(TemporaryError, match="ReadsSpent") as spent:
        next_token(folder, [f"{folder}{n:03}" for n in range(READS_PER_HOUR)], at)
    assert spent.value.retry_after == 1_200


def _at(job: RestoreJob, now: datetime) -> RestoreJob:
    """How the vault shows the job at a moment."""
    assert job.ended
    return job if job.ended <= now else RestoreJob(id=job.id, status="InProgress", started=job.started)
