"""Backups and restores of clusters by the simulated Backup vault, as jobs that take their time and may fail."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import httpx2
import pytest
from azure.core.exceptions import HttpResponseError
from lightkube.resources.core_v1 import Namespace

from local.cloud.arm import iso
from local.cloud.backup.content import Object
from local.cloud.backup.jobs import MOST_PER_DAY
from local.cloud.backup.rows import WARNING
from local.cloud.linkerd.roots import new_root
from local.cloud.vaults import JobOutcome, WarningDetail
from local.cloud.world import World
from tests.worlds.backups import AT, VAULT, backed_up, config, names, namespace, protected_shop, request, restore, sent
from tests.worlds.kubernetes import client_for


@pytest.fixture
async def client(world: World) -> AsyncIterator[Any]:
    async with protected_shop(world) as client:
        yield client


async def test_a_backup_on_demand_answers_with_its_job_and_leaves_a_point(world: World, client: Any) -> None:
    rule: Any = {"backupRuleOptions": {"ruleName": "BackupDaily", "triggerOption": {}}}
    started = await (await client.backup_instances.begin_adhoc_backup(**AT, parameters=rule)).result()
    name = started.job_id.rpartition("/")[2]
    running = await client.jobs.get(**VAULT, job_id=name)
    before = [p async for p in client.recovery_points.list(**AT)]
    await world.clock.advance(timedelta(minutes=5))
    ended = await client.jobs.get(**VAULT, job_id=name)
    points = [p async for p in client.recovery_points.list(**AT)]
    assert (running.properties.status, before) == ("InProgress", [])
    assert (ended.properties.status, ended.properties.is_user_triggered) == ("Completed", True)
    assert [p.properties.recovery_point_state for p in points] == ["Completed"]


async def test_a_point_is_as_old_as_recorded_when_its_job_ends_and_never_older_than_its_start(
    world: World, client: Any
) -> None:
    for seconds in (217, 20):
        job = world.backup_vaults.complete_backup("shop", seconds=seconds)["properties"]
        job["startTime"] = iso(world.clock.time())
        await world.clock.advance(timedelta(minutes=5))
        point = [p.properties.recovery_point_time async for p in client.recovery_points.list(**AT)][-1]
        before = datetime.fromisoformat(job["endTime"]) - point
        assert before.total_seconds() == pytest.approx(min(seconds, 40.6), abs=0.01)


async def test_a_backup_by_a_rule_that_the_policy_lacks_is_refused(client: Any) -> None:
    rule: Any = {"backupRuleOptions": {"ruleName": "Nightly", "triggerOption": {}}}
    with pytest.raises(HttpResponseError) as caught:
        await client.backup_instances.begin_adhoc_backup(**AT, parameters=rule)
    assert caught.value.status_code == 400


async def test_a_scheduled_backup_completes_at_its_time_and_is_listed(world: World, client: Any) -> None:
    world.backup_vaults.complete_backup("shop", seconds=60)
    early = [j.properties.status async for j in client.jobs.list(**VAULT)]
    await world.clock.advance(timedelta(seconds=61))
    late = [(j.properties.status, j.properties.is_user_triggered) async for j in client.jobs.list(**VAULT)]
    assert early == ["InProgress"]
    assert late == [("Completed", False)]


async def test_a_failed_backup_leaves_no_point_and_one_with_warnings_a_partial_one(world: World, client: Any) -> None:
    failed = world.backup_vaults.complete_backup("shop", status="Failed")
    warned = world.backup_vaults.complete_backup("shop", status="CompletedWithWarnings")
    points = [p async for p in client.recovery_points.list(**AT)]
    assert failed["properties"]["errorDetails"]
    assert warned["properties"]["extendedInfo"]["warningDetails"]
    assert [p.properties.recovery_point_state for p in points] == ["Partial"]


async def test_a_restore_makes_the_objects_of_the_point_in_the_mapped_namespace_and_pods_run(
    world: World, client: Any
) -> None:
    point = backed_up(world)
    world.kubernetes.clusters["shop"].apply(config("settings", colour="red"))
    job = await restore(world, client, point)
    await world.clock.advance(timedelta(minutes=2))
    cluster = world.kubernetes.clusters["shop"]
    restored = cluster.get("ConfigMap", "verify-shop", "settings")
    phases = [pod["status"]["phase"] for pod in cluster.objects("Pod", "verify-shop")]
    assert (job.status, job.error_details) == ("Completed", None)
    assert restored["data"] == {"colour": "blue"}
    assert cluster.get("Namespace", "", "verify-shop")["metadata"]["annotations"] == {"team": "shop"}
    assert names(world, "PersistentVolumeClaim", "verify-shop") == ["data"]
    assert phases == ["Running", "Running"]


async def test_excluded_types_are_not_restored(world: World, client: Any) -> None:
    point = backed_up(world)
    await restore(world, client, point, excludedResourceTypes=["deployments.apps", "v1/PersistentVolumeClaim"])
    assert names(world, "Deployment", "verify-shop") == []
    assert names(world, "PersistentVolumeClaim", "verify-shop") == []
    assert "settings" in names(world, "ConfigMap", "verify-shop")


@pytest.mark.parametrize(("policy", "colour"), [("Skip", "green"), ("Patch", "blue")])
async def test_existing_objects_stay_unless_the_policy_is_to_patch_them(
    world: World, client: Any, policy: str, colour: str
) -> None:
    point = backed_up(world)
    world.kubernetes.clusters["shop"].apply(namespace("verify-shop"))
    present = config("settings", colour="green")
    present["metadata"]["namespace"] = "verify-shop"
    world.kubernetes.clusters["shop"].apply(present)
    await restore(world, client, point, conflictPolicy=policy)
    after = world.kubernetes.clusters["shop"].get("ConfigMap", "verify-shop", "settings")
    assert after["data"]["colour"] == colour


async def test_a_restore_may_leave_out_a_claim_without_a_warning(world: World, client: Any) -> None:
    point = backed_up(world)
    restored = JobOutcome[Object](restored=lambda o: None if o["kind"] == "PersistentVolumeClaim" else o)
    world.backup_vaults.jobs.outcomes["Restore"].append(restored)
    job = await restore(world, client, point)
    assert job.status == "Completed"
    assert names(world, "PersistentVolumeClaim", "verify-shop") == []


async def test_a_restore_may_fail_and_leave_its_namespace_behind(world: World, client: Any) -> None:
    point = backed_up(world)
    world.backup_vaults.jobs.outcomes["Restore"].append(JobOutcome(status="Failed"))
    job = await restore(world, client, point)
    assert job.status == "Failed"
    assert job.error_details
    assert world.kubernetes.clusters["shop"].find("Namespace", "", "verify-shop")
    assert names(world, "Deployment", "verify-shop") == []


async def test_a_restore_may_hang(world: World, client: Any) -> None:
    point = backed_up(world)
    world.backup_vaults.jobs.outcomes["Restore"].append(JobOutcome(seconds=None))
    job = await restore(world, client, point)
    assert job.status == "InProgress"


async def test_a_restore_whose_trusted_access_is_gone_fails_as_a_job(world: World, client: Any) -> None:
    point = backed_up(world)
    for binding in list(world.arm.of_type("Microsoft.ContainerService/managedClusters/trustedAccessRoleBindings")):
        world.arm.remove(binding["id"])
    checked: Any = {"restoreRequestObject": request(world, point)}
    validation = await client.backup_instances.begin_validate_for_restore(**AT, parameters=checked)
    with pytest.raises(HttpResponseError):
        await validation.result()
    job = await restore(world, client, point)
    assert job.status == "Failed"
    assert job.error_details[0].code == "UserErrorTrustedAccessGatewayReturnedForbidden"


async def test_the_eleventh_restore_of_a_day_is_refused_and_the_next_day_allowed(world: World, client: Any) -> None:
    point = backed_up(world)
    for _ in range(MOST_PER_DAY):
        await client.backup_instances.begin_trigger_restore(**AT, parameters=request(world, point))
    with pytest.raises(HttpResponseError) as caught:
        await client.backup_instances.begin_trigger_restore(**AT, parameters=request(world, point))
    await world.clock.advance(timedelta(days=1, seconds=1))
    job = await restore(world, client, point)
    assert caught.value.status_code == 400
    assert job.status == "Completed"


async def test_a_workload_restored_from_a_meshed_namespace_joins_the_mesh_again(world: World, client: Any) -> None:
    root = new_root("root.linkerd.mesh.example.1", world.clock.now())
    certificate, key = root.issuer("identity.linkerd.mesh.example", world.clock.now())
    world.linkerd.install(
        "shop", trust_domain="mesh.example", root_pem=root.pem, issuer_cert_pem=certificate, issuer_key_pem=key
    )
    await world.clock.advance(timedelta(minutes=2))
    meshed = namespace("shop")
    meshed["metadata"]["annotations"]["linkerd.io/inject"] = "enabled"
    world.kubernetes.clusters["shop"].apply(meshed)
    await restore(world, client, backed_up(world))
    await world.clock.advance(timedelta(minutes=2))
    pods = world.kubernetes.clusters["shop"].objects("Pod", "verify-shop")
    containers = [[c["name"] for c in pod["spec"]["containers"]] for pod in pods]
    assert [pod["status"]["phase"] for pod in pods] == ["Running", "Running"]
    assert all("linkerd-proxy" in names for names in containers)


async def test_a_restore_goes_on_when_its_point_expires_meanwhile(world: World, client: Any) -> None:
    point = backed_up(world)
    world.clock.after(60, lambda: world.backup_vaults.jobs.expire(point))
    job = await sent(world, client, request(world, point))
    assert job.status == "Completed"


async def test_each_warning_of_a_restore_names_its_object(world: World, client: Any) -> None:
    exists = 'could not restore, ConfigMap "kube-root-ca.crt" already exists.'
    warnings = (
        WarningDetail(WARNING, exists, "configmap/verify-shop/kube-root-ca.crt"),
        WarningDetail("UserErrorPVNotFound", "The volume of claim data was not restored.", "pvc/shop/data"),
    )
    world.backup_vaults.jobs.outcomes["Restore"].append(JobOutcome(warnings=warnings))
    job = await restore(world, client, backed_up(world))
    warned = [(w.warning.code, w.resource_name) for w in job.extended_info.warning_details]
    assert job.status == "CompletedWithWarnings"
    assert warned == [(WARNING, warnings[0].resource), ("UserErrorPVNotFound", "pvc/shop/data")]


async def test_a_backup_that_skips_a_volume_says_so_and_its_point_is_partial(world: World, client: Any) -> None:
    skipped = WarningDetail("UserErrorPVSnapshotLimitReached", "The volume of claim data was skipped.", "pvc/shop/data")
    job = world.backup_vaults.complete_backup("shop", warnings=(skipped,))
    points = [p async for p in client.recovery_points.list(**AT)]
    assert job["properties"]["status"] == "CompletedWithWarnings"
    assert [p.properties.recovery_point_state for p in points] == ["Partial"]


async def test_what_the_api_server_refuses_becomes_a_warning_of_the_restore(world: World, client: Any) -> None:
    point = backed_up(world)
    world.backup_vaults.jobs.contents[point].append(
        {"apiVersion": "example.org/v1", "kind": "Unknown", "metadata": {"name": "x", "namespace": "shop"}}
    )
    job = await restore(world, client, point)
    (warned,) = job.extended_info.warning_details
    assert (job.status, warned.resource_name) == ("CompletedWithWarnings", "unknown/verify-shop/x")


async def test_a_restore_may_fail_late(world: World, client: Any) -> None:
    point = backed_up(world)
    world.backup_vaults.jobs.outcomes["Restore"].append(JobOutcome(status="Failed", seconds=28 * 60))
    early = await sent(world, client, request(world, point), minutes=27)
    await world.clock.advance(timedelta(minutes=2))
    (late,) = [j.properties async for j in client.jobs.list(**VAULT) if j.properties.operation == "Restore"]
    assert (early.status, late.status) == ("InProgress", "Failed")


async def test_a_cancelled_backup_leaves_no_point(world: World, client: Any) -> None:
    job = world.backup_vaults.complete_backup("shop", status="Cancelled")
    assert job["properties"]["status"] == "Cancelled"
    assert [p async for p in client.recovery_points.list(**AT)] == []


async def test_a_stopped_cluster_answers_nobody_and_its_backups_and_restores_fail(world: World, client: Any) -> None:
    point = backed_up(world)
    world.aks.stop("shop")
    backup = world.backup_vaults.complete_backup("shop")
    restored = await sent(world, client, request(world, point))
    validated: Any = {"restoreRequestObject": request(world, point)}
    with pytest.raises(HttpResponseError):
        await (await client.backup_instances.begin_validate_for_restore(**AT, parameters=validated)).result()
    assert [backup["properties"]["status"], restored.status] == ["Failed", "Failed"]
    assert restored.error_details[0].code == "UserErrorKubernetesBackupClusterIsStopped"
    with pytest.raises(httpx2.TransportError):
        await client_for(world, "shop").get(Namespace, "shop")
    world.aks.start("shop")
    assert (await sent(world, client, request(world, point))).status == "Completed"
