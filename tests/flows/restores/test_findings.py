"""What is wrong with a restored copy is caught by the rung of the ladder that is there for it."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from local.cloud.kubernetes.cluster import SimulatedCluster
from local.cloud.kubernetes.disruption import evict_for_pressure
from local.cloud.kubernetes.pod_status import Exit
from local.cloud.vaults import JobOutcome, WarningDetail
from local.stage import RunningApp
from tests.worlds.times import HOUR
from tests.worlds.verifications import (
    ACCOUNT,
    CLUSTER,
    SHARE,
    back_up,
    checks,
    list_image,
    restores,
    verdict,
    verify,
)

type Object = dict[str, Any]
WEB = {"namespace": "shop", "workload": "web", "port": 8080, "path": "/health"}
CHECK = {"namespace": "shop", "image": "contoso/check:1", "command": ["check"]}


def damage(stage: RunningApp, damaged: Callable[[Object], Object | None]) -> None:
    """Let the next restore of the cluster make these objects instead."""
    stage.world.backup_vaults.jobs.outcomes["Restore"].append(JobOutcome(restored=damaged))


def missed(result: Object) -> list[str]:
    return [name for name, passed in checks(result).items() if not passed]


def web(object: Object) -> bool:
    return (object["kind"], object["metadata"]["name"]) == ("Deployment", "web")


def annotated(object: Object, annotation: str, value: str) -> Object:
    template = object["spec"]["template"]
    metadata = {**template["metadata"], "annotations": {annotation: value}}
    return {**object, "spec": {**object["spec"], "template": {**template, "metadata": metadata}}}


async def test_a_missing_claim_is_missed_by_the_inventory(stage: RunningApp) -> None:
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    metadata = {"name": "data", "namespace": "shop"}
    cluster(stage).apply({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": claim})
    await stage.clock.advance(HOUR)
    job = back_up(stage)
    damage(stage, lambda object: None if object["kind"] == "PersistentVolumeClaim" else object)
    result = await verdict(stage, job)
    assert (result["verdict"], missed(result)) == ("Failed", ["inventory"])
    assert "PersistentVolumeClaim shop/data" in result["reasons"][0]


@pytest.mark.parametrize(
    "told",
    [
        {"excludedResourceTypes": ["v1/ConfigMap"]},
        {"includedResourceTypes": ["deployments.apps", "apps/v1/StatefulSet", "ServiceAccount"]},
        {"labelSelectors": ["backup=yes"]},
    ],
    ids=str,
)
async def test_a_copy_needn_t_hold_what_the_backup_was_told_to_leave_out(
    stage: RunningApp, told: dict[str, list[str]]
) -> None:
    policy = stage.world.backup_vaults.instances.protecting(CLUSTER)["properties"]["policyInfo"]
    policy["policyParameters"]["backupDatasourceParametersList"][0].update(told)
    for kind in ("Deployment", "StatefulSet", "DaemonSet", "ServiceAccount", "ConfigMap"):
        for found in cluster(stage).objects(kind):
            cluster(stage).apply({**found, "metadata": {**found["metadata"], "labels": {"backup": "yes"}}})
    settings = {"namespace": "shop", "name": "settings"}
    cluster(stage).apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": settings, "data": {"a": "1"}})
    await stage.clock.advance(HOUR)
    result = await verdict(stage, back_up(stage))
    assert (result["verdict"], result["reasons"]) == ("Verified", [])


async def test_a_claim_that_nothing_in_the_copy_uses_fails_no_verification(stage: RunningApp) -> None:
    waits = {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "waits"}}
    cluster(stage).apply({**waits, "provisioner": "disk.csi.azure.com", "volumeBindingMode": "WaitForFirstConsumer"})
    for name in ("used", "unused"):
        spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
        spec |= {"storageClassName": "waits"} if name == "unused" else {}
        metadata = {"name": name, "namespace": "shop"}
        claim = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": spec}
        cluster(stage).apply(claim)
    await stage.clock.advance(HOUR)
    result = await verdict(stage, back_up(stage))
    assert (result["verdict"], missed(result)) == ("VerifiedWithFindings", ["volumes bound"])
    assert re.search("nothing uses verify-.*/unused", result["reasons"][0])


async def test_a_pod_that_was_evicted_in_the_copy_doesn_t_count_beside_the_one_in_its_place(stage: RunningApp) -> None:
    def evict(function: str, moment: str) -> None:
        pods = cluster(stage).objects("Pod")
        restored = [p for p in pods if p["metadata"]["namespace"].startswith("verify-shop")]
        if (function, moment) == ("settle", "before") and restored and not evicted:
            evicted.append(restored[0]["metadata"]["name"])
            evict_for_pressure(cluster(stage), restored[0])

    evicted: list[str] = []
    stage.host.on_invocation(evict)
    result = await verdict(stage, back_up(stage))
    assert (result["verdict"], result["reasons"], len(evicted)) == ("Verified", [], 1)


async def test_a_config_map_that_the_copy_itself_changes_is_a_finding_and_no_failure(stage: RunningApp) -> None:
    def change(function: str, moment: str) -> None:
        if (function, moment) == ("settle", "before"):
            for found in cluster(stage).objects("ConfigMap"):
                if found["metadata"]["name"] == "leader" and found["metadata"]["namespace"].startswith("verify-"):
                    cluster(stage).apply({**found, "data": {"leader": "web-2"}}, manager="web")

    leader = {"namespace": "shop", "name": "leader"}
    cluster(stage).apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": leader, "data": {"leader": "web-1"}})
    await stage.clock.advance(HOUR)
    stage.host.on_invocation(change)
    result = await verdict(stage, back_up(stage))
    assert (result["verdict"], missed(result)) == ("VerifiedWithFindings", ["inventory"])
    assert "changed by the copy itself ConfigMap shop/leader" in result["reasons"][0]


async def test_a_workload_that_was_taken_out_of_the_mesh_is_missed_by_the_inventory(stage: RunningApp) -> None:
    damage(stage, lambda o: annotated(o, "linkerd.io/inject", "disabled") if web(o) else o)
    result = await verdict(stage, back_up(stage))
    assert (result["verdict"], missed(result)) == ("Failed", ["inventory"])
    assert "altered Deployment shop/web" in result["reasons"][0]


@pytest.mark.parametrize("answer", [200, 503])
async def test_an_application_that_does_not_answer_well_fails_its_probe(stage: RunningApp, answer: int) -> None:
    verify(stage, probes=[WEB])
    damage(stage, lambda o: annotated(o, "local/http", f"/health={answer},/=200") if web(o) else o)
    result = await verdict(stage, back_up(stage))
    assert missed(result) == ([] if answer == 200 else ["application probe"])
    assert result["verdict"] == ("Verified" if answer == 200 else "Failed")


@pytest.mark.parametrize("code", [0, 3])
async def test_a_command_of_the_policy_document_decides_by_its_exit_code(stage: RunningApp, code: int) -> None:
    verify(stage, probes=[CHECK])
    list_image(cluster(stage), "contoso/check:1")
    cluster(stage).programs["contoso/check:1"] = Exit(code, "2 of 3 orders")
    result = await verdict(stage, back_up(stage))
    assert result["verdict"] == ("Failed" if code else "Verified")
    told = next(check for check in result["checks"] if check["name"] == "application probe")
    assert told["finding"].endswith(f"exit code {code} 2 of 3 orders")


async def test_a_stranger_who_is_answered_fails_the_mesh(stage: RunningApp) -> None:
    def let_everybody_in(function: str, moment: str) -> None:
        if (function, moment) == ("call_workloads", "after"):
            for found in cluster(stage).objects("MeshTLSAuthentication"):
                if found["metadata"]["name"] == "meshward-probe":
                    cluster(stage).update({**found, "spec": {"identities": ["*"]}})

    stage.host.on_invocation(let_everybody_in)
    result = await verdict(stage, back_up(stage))
    assert (result["verdict"], missed(result)) == ("Failed", ["mesh refusal"])


async def test_a_call_whose_image_isn_t_listed_is_refused_by_the_cluster(stage: RunningApp) -> None:
    verify(stage, probes=[CHECK])
    result = await verdict(stage, back_up(stage))
    assert result["verdict"] == "Inconclusive"
    assert "Meshward's pods run one container of a listed image" in result["reasons"][0]


async def test_where_no_pod_can_show_that_it_is_closed_off_nothing_is_restored(stage: RunningApp) -> None:
    cluster(stage).unpullable.add("curlimages/curl:8.17.0")
    result = await verdict(stage, back_up(stage))
    assert (result["verdict"], restores(stage)) == ("Inconclusive", [])
    assert result["reasons"][0].startswith("NotIsolated: isolation isn't proven: verify-")
    assert "no call could be made" in result["reasons"][0]


@pytest.mark.parametrize(
    ("text", "verdict_is"),
    [
        ("PersistentVolume pv-1 was skipped: its type isn't supported", "Failed"),
        ("ConfigMap settings already exists", "Verified"),
        ("the API server was slow", "VerifiedWithFindings"),
    ],
)
async def test_a_warning_of_the_restore_job_weighs_what_it_means(stage: RunningApp, text: str, verdict_is: str) -> None:
    warned = WarningDetail("KubernetesBackupGenericWarning", text, "shop")
    stage.world.backup_vaults.jobs.outcomes["Restore"].append(JobOutcome(warnings=(warned,)))
    result = await verdict(stage, back_up(stage))
    assert (result["verdict"], result["restore_status"]) == (verdict_is, "CompletedWithWarnings")
    assert missed(result) == ([] if verdict_is == "Verified" else ["restore warnings"])


async def test_a_cluster_without_room_says_nothing_about_the_copy(stage: RunningApp) -> None:
    job = back_up(stage)
    await stage.run(lambda: restores(stage) != [], HOUR)
    cluster(stage).is_full = True
    result = await verdict(stage, job)
    assert (result["verdict"], missed(result)) == ("Inconclusive", ["pods ready"])
    assert "no room" in result["reasons"][0]


@pytest.mark.parametrize(("written", "verdict_is"), [("2027-01-15T08:59:00Z", "Verified"), ("yesterday", "Failed")])
async def test_a_canary_that_tells_no_fresh_time_fails_the_copy(
    calm: RunningApp, written: str, verdict_is: str
) -> None:
    verify(calm, canary=["beat.txt", "ConfigMap shop/elsewhere"], rpo="PT2H")
    calm.world.file_shares.write(ACCOUNT, SHARE, "beat.txt", written.encode())
    result = await verdict(calm, back_up(calm, "share"))
    assert result["verdict"] == verdict_is
    assert missed(result) == ([] if verdict_is == "Verified" else ["canary"])


async def test_a_point_older_than_the_objective_is_a_finding(calm: RunningApp) -> None:
    verify(calm, rpo="PT1S")
    result = await verdict(calm, back_up(calm, "share"))
    assert (result["verdict"], missed(result)) == ("VerifiedWithFindings", ["recovery point age"])


def cluster(stage: RunningApp) -> SimulatedCluster:
    return stage.world.kubernetes.clusters[CLUSTER]
