"""The ladder of checks and the verdict."""

from datetime import timedelta
from itertools import product
from typing import Any

import msgspec
import pytest

from shared.domain.restores.checks import RestoredCopy, judge, ladder
from shared.domain.restores.items import RecoveryPoint
from shared.domain.restores.manifest import Difference
from shared.domain.restores.policy import VerifyPolicy
from shared.domain.restores.rungs import HANDSHAKE, LADDER, PROBE, REFUSAL, CheckResult
from shared.domain.restores.verification import JobWarning, RestoreJob, RestorePlan
from shared.domain.restores.workloads import Workloads
from tests.worlds.facts.plans import KNOBS, a_plan
from tests.worlds.times import NOW

SAME = Difference(compared=3, missing=(), altered=(), extra=())
FINE = Workloads(pods=2, meshed=2)


def arrived(
    difference: Difference = SAME, workloads: Workloads | None = FINE, *, hours: float = 1, **facts: Any
) -> RestoredCopy:
    return RestoredCopy(difference=difference, workloads=workloads, ready_at=NOW + timedelta(hours=hours), **facts)


def rungs(
    job: RestoreJob, found: RestoredCopy, plan: RestorePlan | None = None, knobs: VerifyPolicy = KNOBS
) -> list[CheckResult]:
    return ladder(plan or a_plan(), job, found, [], knobs)


def job(status: str = "Completed", **facts: Any) -> RestoreJob:
    return RestoreJob(id="r", status=status, started=NOW, ended=NOW + timedelta(minutes=4), **facts)


def climb(
    job: RestoreJob, difference: Difference = SAME, workloads: Workloads | None = FINE, *, hours: float = 1
) -> str:
    return judge(rungs(job, arrived(difference, workloads, hours=hours)))[0]


def test_a_copy_that_is_whole_runs_and_came_in_time_is_verified() -> None:
    checks = rungs(job(), arrived())
    assert judge(checks) == ("Verified", ())
    assert [c.name for c in checks if c.seconds is not None] == ["recovery point age", "restore job", "restore time"]


def test_missed_targets_are_findings() -> None:
    assert climb(job(), hours=4.1) == "VerifiedWithFindings"
    assert judge(rungs(job(), arrived(), a_plan(rpo_s=25.1 * 3600))) == (
        "VerifiedWithFindings",
        ("recovery point age: the latest point was 25.1 h old, the target is 25.0 h",),
    )


def test_targets_are_the_policy_document_s_and_met_up_to_their_last_second() -> None:
    knobs = VerifyPolicy(rpo=timedelta(hours=2), rto=timedelta(hours=1))
    assert judge(rungs(job(), arrived(hours=1), a_plan(rpo_s=7200), knobs))[0] == "Verified"
    assert judge(rungs(job(), arrived(hours=1.01), a_plan(rpo_s=7201), knobs))[0] == "VerifiedWithFindings"


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("ConfigMap settings already exists", "Verified"),
        ("could not restore: it already exists and is different from the backed up version", "VerifiedWithFindings"),
        ("the node was busy", "VerifiedWithFindings"),
        ("PersistentVolume pv-1 was skipped", "Failed"),
        ("snapshot of data-0 not found", "Failed"),
    ],
)
def test_a_warning_weighs_what_it_means(text: str, verdict: str) -> None:
    warned = JobWarning(code="KubernetesBackupGenericWarning", text=text)
    assert climb(job("CompletedWithWarnings", warnings=(warned,))) == verdict


@pytest.mark.parametrize(
    ("code", "verdict"),
    [
        ("UserErrorPVNotFound", "Failed"),
        ("UserErrorStorageClassMissingForPVC", "Failed"),
        ("UserErrorHookExecutionFailed", "VerifiedWithFindings"),
    ],
)
def test_the_code_of_a_warning_may_say_that_data_is_missing(code: str, verdict: str) -> None:
    assert climb(job("CompletedWithWarnings", warnings=(JobWarning(code=code, text="see the docs"),))) == verdict


def test_a_job_with_warnings_that_tells_none_is_a_finding() -> None:
    assert climb(job("CompletedWithWarnings")) == "VerifiedWithFindings"


def test_points_that_were_passed_over_for_a_threat_are_told() -> None:
    verdict, reasons = judge(rungs(job(), arrived(), a_plan(flagged=("p1", "p2"))))
    assert (verdict, reasons) == ("VerifiedWithFindings", ("threat flag: skipped because of a threat: p1, p2",))


def test_a_canary_must_tell_a_time_and_one_that_is_fresh() -> None:
    fresh, stale = NOW - timedelta(hours=24), NOW - timedelta(hours=26)
    assert judge(rungs(job(), arrived(canary_times={"a.txt": fresh})))[0] == "Verified"
    for told, said in ((stale, "(2027-01-14 06:00)"), (None, "(no time)")):
        verdict, (reason,) = judge(rungs(job(), arrived(canary_times={"a.txt": told})))
        assert (verdict, reason) == ("Failed", f"canary: older than 2027-01-14 07:00: a.txt {said}")


def test_a_cluster_without_room_says_nothing_about_the_copy() -> None:
    full = Workloads(pods=2, meshed=1, unschedulable=("verify-shop/web-1",))
    assert judge(rungs(job(), arrived(workloads=full))) == (
        "Inconclusive",
        ("pods ready: the cluster has no room for verify-shop/web-1",),
    )
    broken = Workloads(pods=3, meshed=1, unschedulable=("verify-shop/web-1",), outside_mesh=("verify-shop/db-0",))
    assert climb(job(), workloads=broken) == "Failed"


@pytest.mark.parametrize("field", ["missing", "altered"])
def test_data_that_differs_fails_the_copy_although_its_job_completed(field: str) -> None:
    facts: dict[str, Any] = {"missing": (), "altered": (), "extra": (), field: ("ConfigMap shop/settings",)}
    checks = rungs(job(), arrived(Difference(compared=3, **facts)))
    assert judge(checks) == ("Failed", (f"inventory: 3 compared; {field} ConfigMap shop/settings",))


@pytest.mark.parametrize(("rewritten", "verdict"), [(1, "VerifiedWithFindings"), (3, "Inconclusive")])
def test_what_the_copy_has_itself_changed_is_a_finding_unless_nothing_else_was_compared(
    rewritten: int, verdict: str
) -> None:
    changed = tuple(f"ConfigMap shop/leader-{n}" for n in range(rewritten))
    same = Difference(compared=3, missing=(), altered=(), extra=(), rewritten=changed)
    assert climb(job(), same) == verdict
    assert climb(job(), msgspec.structs.replace(same, missing=("ConfigMap shop/settings",))) == "Failed"


@pytest.mark.parametrize(
    ("bound", "unbound", "verdict"),
    [(2, (), "VerifiedWithFindings"), (0, (), "Inconclusive"), (2, ("verify-shop/data",), "Failed")],
)
def test_a_claim_that_nothing_uses_is_a_finding_unless_no_other_one_is_bound(
    bound: int, unbound: tuple[str, ...], verdict: str
) -> None:
    workloads = Workloads(pods=2, meshed=2, bound=bound, unbound=unbound, unused=("verify-shop/cache",))
    assert climb(job(), workloads=workloads) == verdict


def test_something_more_than_in_the_source_is_told_and_tolerated() -> None:
    assert climb(job(), Difference(compared=3, missing=(), altered=(), extra=("ConfigMap shop/old",))) == "Verified"


@pytest.mark.parametrize("wrong", ["unready", "unbound", "outside_mesh"])
def test_workloads_that_do_not_run_fail_the_copy(wrong: str) -> None:
    facts: dict[str, Any] = {wrong: ("verify-shop/web-1",)}
    assert climb(job(), workloads=Workloads(pods=2, meshed=2, **facts)) == "Failed"


@pytest.mark.parametrize(("restored", "failed", "skipped", "verdict"), [
    (3, 0, 0, "Verified"), (0, 0, 0, "Failed"), (3, 1, 0, "Failed"), (3, 0, 1, "Failed"),
])  # fmt: skip
def test_counters_must_say_that_files_were_restored_and_none_failed_or_was_skipped(
    restored: int, failed: int, skipped: int, verdict: str
) -> None:
    assert climb(job(restored=restored, failed=failed, skipped=skipped), workloads=None) == verdict


@pytest.mark.parametrize("word", ["2", "Encrypted", "Unknown"])
def test_a_threat_status_that_nobody_knows_is_a_finding_that_names_it_and_no_threat(word: str) -> None:
    point = RecoveryPoint(id="p", time=NOW, complete=True, unclear=word)
    verdict, reasons = judge(rungs(job(), arrived(), a_plan(point=point)))
    assert verdict == "VerifiedWithFindings"
    assert reasons == (f"threat flag: unknown: Azure's threat status of p is {word}",)


def test_points_that_were_passed_over_as_partial_are_told() -> None:
    verdict, reasons = judge(rungs(job(), arrived(), a_plan(partial=("p1", "p2"))))
    assert (verdict, reasons) == ("VerifiedWithFindings", ("partial backup: skipped as partial: p1, p2",))


def test_the_ladder_has_its_rungs_in_the_order_of_their_table() -> None:
    calls = [rung.check(passed=True, finding="") for rung in (HANDSHAKE, REFUSAL, PROBE)]
    found = arrived(canary_times={"heartbeat.txt": NOW})
    plan = a_plan(partial=("p0",), uids={"verify-shop": "u"})
    checks = ladder(plan, job(restored=3, failed=0, skipped=0), found, calls, KNOBS)
    assert [check.name for check in checks] == [rung.name for rung in LADDER]
    assert len({rung.name for rung in LADDER}) == len(LADDER)


def test_of_a_failed_restore_nothing_else_is_checked() -> None:
    checks = ladder(a_plan(), job("failed", errors=("X: disk gone",)), None, [], KNOBS)
    assert [check.name for check in checks] == ["recovery point age", "threat flag", "restore job"]
    assert judge(checks) == ("Failed", ("restore job: the job ended as failed; X: disk gone",))


def test_without_checks_the_verdict_is_inconclusive_and_says_why() -> None:
    assert judge([], "QuotaReached: ten restores") == ("Inconclusive", ("QuotaReached: ten restores",))
    assert judge([]) == ("Inconclusive", ("nothing was checked",))


def test_no_verdict_is_better_than_its_worst_check() -> None:
    order = ["Verified", "VerifiedWithFindings", "Inconclusive", "Failed"]
    means = {"finding": "VerifiedWithFindings", "unknown": "Inconclusive", "failure": "Failed"}
    for passed in product((True, False), repeat=3):
        checks = [CheckResult(name=w, passed=p, finding="", weight=w) for w, p in zip(means, passed, strict=True)]  # type: ignore[arg-type]
        missed = [means[check.weight] for check in checks if not check.passed]
        assert judge(checks)[0] == max(missed, key=order.index, default="Verified")
