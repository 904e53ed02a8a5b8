"""The ladder of checks and the verdict."""

from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pytest

from shared.domain.restore import Item, Plan, RecoveryPoint, RestoreJob
from shared.domain.restore_checks import FINDINGS_ONLY, Check, judge, ladder
from shared.domain.restore_manifest import Difference
from shared.domain.restore_workloads import Workloads

NOW = datetime(2027, 1, 15, 8, tzinfo=UTC)
SAME = Difference(compared=3, missing=(), altered=(), extra=())
FINE = Workloads(pods=2, meshed=2, unready=(), unbound=(), strangers=())
POINT = RecoveryPoint(id="p", time=NOW, complete=True)


def plan(hours_old: float = 1) -> Plan:
    item = Item(kind="cluster", id="i", source_id="c")
    return Plan(job_id="j", item=item, point=POINT, rpo_s=hours_old * 3600, taken=NOW, places={"shop": "verify-shop"})


def job(status: str = "Completed", **facts: Any) -> RestoreJob:
    return RestoreJob(id="r", status=status, started=NOW, ended=NOW + timedelta(minutes=4), **facts)


def climb(
    job: RestoreJob, difference: Difference = SAME, workloads: Workloads | None = FINE, *, hours: float = 1
) -> str:
    return judge(ladder(plan(), job, difference, workloads, NOW + timedelta(hours=hours)))[0]


def test_a_copy_that_is_whole_runs_and_came_in_time_is_verified() -> None:
    checks = ladder(plan(), job(), SAME, FINE, NOW + timedelta(hours=1))
    assert judge(checks) == ("Verified", ())
    assert [c.name for c in checks if c.seconds is not None] == ["recovery point age", "restore job", "restore time"]


def test_missed_targets_and_warnings_are_findings() -> None:
    assert climb(job(), hours=4.1) == "VerifiedWithFindings"
    assert climb(job("CompletedWithWarnings", warnings=("pv-1: skipped",))) == "VerifiedWithFindings"
    old = ladder(plan(hours_old=25.1), job(), SAME, FINE, NOW)
    assert judge(old) == (
        "VerifiedWithFindings",
        ("recovery point age: the point was 25.1 h old, the target is 25.0 h",),
    )


def test_targets_are_met_up_to_their_last_second() -> None:
    checks = ladder(plan(hours_old=25), job(), SAME, FINE, NOW + timedelta(hours=4))
    assert judge(checks)[0] == "Verified"


@pytest.mark.parametrize("field", ["missing", "altered"])
def test_data_that_differs_fails_the_copy_although_its_job_completed(field: str) -> None:
    facts: dict[str, Any] = {"missing": (), "altered": (), "extra": (), field: ("ConfigMap shop/settings",)}
    checks = ladder(plan(), job(), Difference(compared=3, **facts), FINE, NOW)
    assert judge(checks) == ("Failed", (f"inventory: 3 compared; {field} ConfigMap shop/settings",))


def test_something_more_than_in_the_source_is_told_and_tolerated() -> None:
    assert climb(job(), Difference(compared=3, missing=(), altered=(), extra=("ConfigMap shop/old",))) == "Verified"


@pytest.mark.parametrize("wrong", ["unready", "unbound", "strangers"])
def test_workloads_that_do_not_run_fail_the_copy(wrong: str) -> None:
    facts: dict[str, Any] = {"unready": (), "unbound": (), "strangers": (), wrong: ("verify-shop/web-1",)}
    assert climb(job(), workloads=Workloads(pods=2, meshed=2, **facts)) == "Failed"


@pytest.mark.parametrize(("restored", "failed", "skipped", "verdict"), [
    (3, 0, 0, "Verified"), (0, 0, 0, "Failed"), (3, 1, 0, "Failed"), (3, 0, 1, "Failed"),
])  # fmt: skip
def test_counters_must_say_that_files_were_restored_and_none_failed_or_was_skipped(
    restored: int, failed: int, skipped: int, verdict: str
) -> None:
    assert climb(job(restored=restored, failed=failed, skipped=skipped), workloads=None) == verdict


def test_of_a_failed_restore_nothing_else_is_checked() -> None:
    checks = ladder(plan(), job("failed", errors=("X: disk gone",)), SAME, FINE, NOW)
    assert [check.name for check in checks] == ["recovery point age", "restore job"]
    assert judge(checks) == ("Failed", ("restore job: the job ended as failed; X: disk gone",))


def test_without_checks_the_verdict_is_inconclusive_and_says_why() -> None:
    assert judge([], "QuotaReached: ten restores") == ("Inconclusive", ("QuotaReached: ten restores",))


def test_a_failed_check_outweighs_everything_and_verified_needs_every_check() -> None:
    names = ("inventory", "restore warnings")
    assert FINDINGS_ONLY & set(names) == {"restore warnings"}
    for inventory, warnings in product((True, False), repeat=2):
        checks = [Check(name=n, passed=p, finding="") for n, p in zip(names, (inventory, warnings), strict=True)]
        expected = "Verified" if inventory and warnings else "VerifiedWithFindings" if inventory else "Failed"
        assert judge(checks)[0] == expected
