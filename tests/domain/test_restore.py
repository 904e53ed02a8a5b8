"""Which backup is restored, which point of it, where to, and whether the restore may be sent now."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.errors import InvalidEvent, NotConverged, PermanentError
from shared.domain.restore import (
    RESTORES_PER_DAY,
    BackupJob,
    RecoveryPoint,
    RestoreJob,
    check_ours,
    choose_point,
    finished_backup,
    isolated_name,
    job_id,
    next_act,
)

NOW = datetime(2027, 1, 15, 8, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
GUID = "0f0e0d0c-1111-4222-8333-444455556666"
AKS_JOB = f"/subscriptions/s/resourceGroups/rg/providers/Microsoft.DataProtection/backupVaults/bv/backupJobs/{GUID}"
SHARE_JOB = f"/subscriptions/s/resourcegroups/rg/providers/Microsoft.RecoveryServices/vaults/rsv/backupJobs/{GUID}"


def point(minutes: float, *, complete: bool = True, threat: bool = False) -> RecoveryPoint:
    return RecoveryPoint(id=f"p{minutes}", time=NOW + minutes * MINUTE, complete=complete, threat=threat)


def restore(minutes: float, status: str = "Completed", target: str = "") -> RestoreJob:
    return RestoreJob(id=f"r{minutes}", status=status, started=NOW + minutes * MINUTE, target=target)


def backup(operation: str = "Backup", status: str = "Completed") -> BackupJob:
    return BackupJob(id=AKS_JOB, operation=operation, status=status, item="i", source="s", started=NOW, ended=NOW)


@pytest.mark.parametrize(("id", "kind", "vault"), [(AKS_JOB, "cluster", "bv"), (SHARE_JOB.upper(), "share", "RSV")])
def test_a_job_s_resource_id_says_what_kind_of_item_it_is_about(id: str, kind: str, vault: str) -> None:
    assert (job_id(id).kind, job_id(id).vault) == (kind, vault)


@pytest.mark.parametrize("id", ["", GUID, AKS_JOB + "/x", AKS_JOB.replace(GUID, "not-a-guid"), "x" + AKS_JOB])
def test_any_other_id_is_declined(id: str) -> None:
    with pytest.raises(InvalidEvent, match="NotABackupJob"):
        job_id(id)


def test_a_job_of_a_subscription_that_isn_t_ours_is_declined() -> None:
    check_ours(job_id(AKS_JOB), ["S"])
    with pytest.raises(InvalidEvent, match="ForeignSubscription"):
        check_ours(job_id(AKS_JOB), ["t"])


@pytest.mark.parametrize("job", [backup(status="Failed"), backup(operation="Restore"), backup(status="InProgress")])
def test_a_job_that_made_no_copy_is_nothing_to_verify(job: BackupJob) -> None:
    with pytest.raises(PermanentError, match="NothingToVerify"):
        finished_backup(job)


def test_status_words_are_compared_without_case() -> None:
    assert finished_backup(backup("backup", "COMPLETEDWITHWARNINGS"))


def test_the_latest_point_is_chosen_even_if_it_is_younger_than_the_job_s_end() -> None:
    assert choose_point([point(-60), point(10), point(5)], NOW).id == "p10"


def test_a_point_that_isn_t_listed_yet_is_waited_for() -> None:
    for listed in ([], [point(-60)]):
        with pytest.raises(NotConverged):
            choose_point(listed, NOW)


def test_incomplete_points_and_points_with_a_threat_are_passed_over() -> None:
    assert choose_point([point(3, complete=False), point(2, threat=True), point(-60)], NOW).id == "p-60"


def test_without_a_usable_point_there_is_nothing_to_wait_for() -> None:
    with pytest.raises(PermanentError, match="NoUsablePoint"):
        choose_point([point(3, complete=False), point(2, threat=True)], NOW)


@given(st.from_regex(r"[a-z0-9]([a-z0-9]|-[a-z0-9]){1,29}", fullmatch=True), st.text(min_size=1))
def test_every_isolated_name_is_valid_for_namespaces_and_shares(name: str, job: str) -> None:
    isolated = isolated_name(name, job)
    assert len(isolated) <= 63
    assert "--" not in isolated
    assert isolated.replace("-", "").isalnum()
    assert isolated == isolated.lower()


def test_long_names_that_begin_alike_get_different_places() -> None:
    assert isolated_name("a" * 60 + "x", AKS_JOB) != isolated_name("a" * 60 + "y", AKS_JOB)


def test_a_restore_that_was_never_sent_is_sent() -> None:
    assert next_act([restore(-60)], "", [], NOW) == "send"


def test_a_job_that_started_after_ours_was_sent_is_ours() -> None:
    assert next_act([restore(-60), restore(1, "InProgress")], "", [NOW], NOW + 2 * MINUTE) == restore(1, "InProgress")


def test_a_job_to_another_share_isn_t_ours() -> None:
    jobs = [restore(1, target="other"), restore(2, target="scratch")]
    assert next_act(jobs, "scratch", [NOW], NOW + 2 * MINUTE) == restore(2, target="scratch")


def test_of_two_jobs_that_a_doubled_request_made_the_first_is_followed() -> None:
    assert next_act([restore(2), restore(1)], "", [NOW], NOW + 2 * MINUTE) == restore(1)


def test_a_sent_restore_gets_ten_minutes_to_show_up_before_it_is_sent_again() -> None:
    with pytest.raises(NotConverged, match="RestoreSent"):
        next_act([], "", [NOW], NOW + 9 * MINUTE)
    assert next_act([], "", [NOW], NOW + 10 * MINUTE) == "send"


def test_restores_of_one_item_follow_one_another() -> None:
    with pytest.raises(NotConverged, match="RestoreRunning"):
        next_act([restore(-5, "inProgress")], "", [], NOW)


def test_the_tenth_restore_of_a_day_is_the_last() -> None:
    nine = [restore(-n) for n in range(1, RESTORES_PER_DAY)]
    assert next_act([*nine, restore(-24 * 60)], "", [], NOW) == "send"
    with pytest.raises(PermanentError, match="QuotaReached"):
        next_act([*nine, restore(-23 * 60)], "", [], NOW)
