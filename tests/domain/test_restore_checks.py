"""The ladder of checks and the verdict."""

from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from shared.domain.restore import Item, Plan, RecoveryPoint, RestoreJob
from shared.domain.restore_checks import FINDINGS_ONLY, Check, Workloads, judge, ladder, workloads_of
from shared.domain.restore_isolation import isolated_namespace, isolating_policy
from shared.domain.restore_manifest import Difference

NOW = datetime(2027, 1, 15, 8, tzinfo=UTC)
SAME = Difference(compared=3, missing=(), altered=(), extra=())
FINE = Workloads(pods=2, meshed=2, unready=(), unbound=(), strangers=())
POINT = RecoveryPoint(id="p", time=NOW, complete=True)


def plan(hours_old: float = 1) -> Plan:
    item = Item(kind="cluster", id="i", source_id="c")
    return Plan(job_id="j", item=item, point=POINT, rpo_s=hours_old * 3600, taken=NOW, places={"shop": "verify-shop"})


def job(status: str = "Completed", **facts: Any) -> RestoreJob:
    return RestoreJob(id="r", status=status, started=NOW, ended=NOW + timedelta(minutes=4), **facts)


def root() -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "root")])
    made = x509.CertificateBuilder(
        name, name, key.public_key(), x509.random_serial_number(), NOW, NOW.replace(year=2037)
    )
    return made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


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


def pod(anchors: str | None, *, ready: bool = True, sidecar: bool = False, **metadata: Any) -> dict[str, Any]:
    proxy = {"name": "linkerd-proxy", "env": [{"name": "LINKERD2_PROXY_IDENTITY_TRUST_ANCHORS", "value": anchors}]}
    where, statuses = ("initContainers", "initContainerStatuses") if sidecar else ("containers", "containerStatuses")
    return {
        "metadata": {"name": "web", "namespace": "verify-shop", **metadata},
        "spec": {where: [proxy] if anchors is not None else []},
        "status": {
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": "True" if ready else "False"}],
            statuses: [{"name": "linkerd-proxy", "ready": ready}],
        },
    }


INJECTED = {"metadata": {"name": "verify-shop", "annotations": {"linkerd.io/inject": "enabled"}}}


@pytest.mark.parametrize("sidecar", [False, True])
def test_a_pod_joined_the_mesh_if_its_ready_proxy_trusts_the_roots_in_force(sidecar: bool) -> None:
    new, old = root(), root()
    assert workloads_of({"Pod": [pod(new + old, sidecar=sidecar)]}, new).settled
    assert workloads_of({"Pod": [pod(old, sidecar=sidecar)]}, new).strangers == ("verify-shop/web",)
    assert workloads_of({"Pod": [pod(new, ready=False, sidecar=sidecar)]}, new).strangers == ("verify-shop/web",)


def test_a_pod_without_the_proxy_that_its_namespace_asks_for_is_a_stranger() -> None:
    new = root()
    assert workloads_of({"Namespace": [INJECTED], "Pod": [pod(None)]}, new).strangers == ("verify-shop/web",)
    left_out = pod(None, annotations={"linkerd.io/inject": "disabled"})
    assert workloads_of({"Namespace": [INJECTED], "Pod": [left_out]}, new).meshed == 0


def test_a_workload_without_its_pods_isn_t_ready_and_a_finished_pod_needs_nothing() -> None:
    web = {"metadata": {"name": "web", "namespace": "n"}, "spec": {"replicas": 2}, "status": {"readyReplicas": 1}}
    done = {"metadata": {"name": "job", "namespace": "n"}, "status": {"phase": "Succeeded"}}
    found = workloads_of({"Deployment": [web], "Pod": [done]}, "")
    assert (found.unready, found.pods) == (("n/web",), 0)


def test_a_claim_without_its_volume_is_unbound() -> None:
    claim = {"metadata": {"name": "data", "namespace": "n"}, "status": {"phase": "Pending"}}
    assert workloads_of({"PersistentVolumeClaim": [claim]}, "").unbound == ("n/data",)


def test_an_isolated_namespace_keeps_injection_and_refuses_privileged_pods_otherwise() -> None:
    meshed = isolated_namespace({"metadata": INJECTED["metadata"]}, "verify-a", "job")["metadata"]
    assert meshed["annotations"] == {"linkerd.io/inject": "enabled"}
    assert meshed["labels"]["pod-security.kubernetes.io/enforce"] == "privileged"
    plain = isolated_namespace({"metadata": {"name": "a"}}, "verify-a", "job")["metadata"]
    assert plain["labels"]["pod-security.kubernetes.io/enforce"] == "baseline"
    strict = {"name": "a", "labels": {"pod-security.kubernetes.io/enforce": "restricted"}}
    kept = isolated_namespace({"metadata": strict}, "verify-a", "job")["metadata"]
    assert kept["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


def test_nothing_isolated_reaches_further_than_itself_dns_and_the_mesh() -> None:
    spec = isolating_policy("verify-a")["spec"]
    reached = [peer for rule in spec["egress"] for peer in rule["to"]]
    names = [peer["namespaceSelector"]["matchLabels"].popitem()[1] for peer in reached if "namespaceSelector" in peer]
    assert (names, "Egress" in spec["policyTypes"]) == (["linkerd", "kube-system"], True)
    assert [peer for peer in reached if "namespaceSelector" not in peer] == [{"podSelector": {}}]
