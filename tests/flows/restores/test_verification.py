"""A finished backup is verified: the real runtime, the durable engine and the simulated Azure together."""

import json
from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import aiohttp
import pytest

from local import scenario
from local.cloud.arm import Resource
from local.cloud.backup.rows import POINTS
from local.cloud.vaults import JobOutcome
from local.cloud.wire import InjectedFault
from local.host.management import PREFIX
from local.stage import RunningApp
from tests.worlds.times import DAY, HOUR
from tests.worlds.verifications import (
    CLUSTER,
    SOON,
    announce,
    back_up,
    checks,
    isolated,
    restores,
    run_of,
    runs,
    sent,
    verdict,
    verify,
)


async def test_a_backup_of_a_cluster_is_verified_and_nothing_is_left_over(stage: RunningApp) -> None:
    result = await verdict(stage, back_up(stage))
    assert (result["verdict"], result["reasons"]) == ("Verified", [])
    assert list(checks(result)) == [
        "recovery point age",
        "threat flag",
        "isolation",
        "restore job",
        "restore warnings",
        "inventory",
        "volumes bound",
        "pods ready",
        "confinement",
        "mesh identity",
        "mesh handshake",
        "mesh refusal",
        "restore time",
    ]
    assert 0 < result["rpo_s"] < 900
    assert 200 < result["rto_s"] < 1800


async def test_a_cluster_s_point_is_waited_for_though_its_time_lies_before_the_end_of_its_job(
    stage: RunningApp,
) -> None:
    job, arm = back_up(stage), stage.world.arm
    (point,) = arm.of_type(POINTS)
    taken = datetime.fromisoformat(point["properties"]["recoveryPointTime"])
    assert 40 < (datetime.fromisoformat(job["properties"]["endTime"]) - taken).total_seconds() < 41
    yesterday = point["properties"] | {"recoveryPointTime": (taken - DAY).isoformat()}
    arm.store(point | {"id": f"{point['id']}-before", "name": f"{point['name']}-before", "properties": yesterday})
    arm.remove(point["id"])
    stage.clock.after(600, lambda: arm.store(point))
    result = await verdict(stage, job)
    assert (result["verdict"], result["point"]) == ("Verified", point["name"])


async def test_a_backup_of_a_share_is_verified_and_nothing_is_left_over(calm: RunningApp) -> None:
    result = await verdict(calm, back_up(calm, "share"))
    assert (result["verdict"], result["reasons"]) == ("Verified", [])
    assert checks(result)["restore counters"]
    assert "20 compared" in str(result["checks"])


async def test_what_is_restored_is_closed_off_before_it_runs(stage: RunningApp) -> None:
    seen: list[str] = []

    def look(function: str, moment: str) -> None:
        cluster = stage.world.kubernetes.clusters[CLUSTER]
        for place in isolated(stage):
            if cluster.objects("Pod", place):
                (policy,) = cluster.objects("NetworkPolicy", place)
                seen.append(policy["metadata"]["name"])

    stage.host.on_invocation(look)
    await verdict(stage, back_up(stage))
    assert set(seen) == {"meshward-isolation"}


@pytest.mark.parametrize("lost", [True, False], ids=["missing", "altered"])
async def test_a_cluster_s_copy_that_differs_from_the_manifest_is_failed(stage: RunningApp, lost: bool) -> None:
    def damaged(object: dict[str, Any]) -> dict[str, Any] | None:
        if object["kind"] != "ConfigMap":
            return object
        return None if lost else {**object, "data": {"currency": "USD"}}

    stage.world.backup_vaults.jobs.outcomes["Restore"].append(JobOutcome(restored=damaged))
    result = await verdict(stage, back_up(stage))
    assert (result["verdict"], result["restore_status"]) == ("Failed", "Completed")
    assert [name for name, passed in checks(result).items() if not passed] == ["inventory"]


@pytest.mark.parametrize("lost", [True, False], ids=["missing", "altered"])
async def test_a_share_s_copy_that_differs_from_the_manifest_is_failed(calm: RunningApp, lost: bool) -> None:
    def damaged(file: tuple[str, bytes]) -> tuple[str, bytes] | None:
        path, content = file
        if path != "2026/order-007.json":
            return file
        return None if lost else (path, content.replace(b"7", b"8"))

    calm.world.recovery_vaults.jobs.outcomes["Restore"].append(JobOutcome(restored=damaged))
    result = await verdict(calm, back_up(calm, "share"))
    assert (result["verdict"], result["restore_status"]) == ("Failed", "Completed")
    assert "2026/order-007.json" in result["reasons"][-1]


@pytest.mark.parametrize("kind", ["cluster", "share"])
async def test_a_restore_job_that_fails_is_a_failed_backup_and_is_cleaned_up(place: RunningApp, kind: str) -> None:
    for jobs in (place.world.backup_vaults.jobs, place.world.recovery_vaults.jobs):
        jobs.outcomes["Restore"].append(JobOutcome(status="Failed", seconds=1680))
    result = await verdict(place, back_up(place, kind))
    assert (result["verdict"], result["restore_status"], result["rto_s"]) == ("Failed", "Failed", None)


async def test_a_restore_with_warnings_is_verified_with_findings(stage: RunningApp) -> None:
    stage.world.backup_vaults.jobs.outcomes["Restore"].append(JobOutcome(status="CompletedWithWarnings"))
    result = await verdict(stage, back_up(stage))
    assert result["verdict"] == "VerifiedWithFindings"
    assert result["reasons"][0].startswith("restore warnings")


@pytest.mark.parametrize("own", [True, False], ids=["of this job", "of a job of this name in another vault"])
async def test_a_verdict_that_an_earlier_version_has_written_to_the_ledger_stands(calm: RunningApp, own: bool) -> None:
    await verdict(calm, back_up(calm, "share"))
    (written,) = (calm.evidence / "verdicts").iterdir()
    verify(calm, sample_rate=1)
    job = back_up(calm, "share")
    of = job["id"] if own else job["id"].replace("/vaults/", "/vaults/other-")
    former = calm.store / "verdicts" / f"{job['name']}.json"
    former.parent.mkdir()
    former.write_text(json.dumps(json.loads(written.read_bytes()) | {"job_id": of}))
    await calm.run(run_of(job), SOON)
    (run,) = [each for each in runs(calm) if each.id == run_of(job)]
    assert (run.output == json.loads(former.read_bytes())) is own
    assert len(list((calm.evidence / "verdicts").iterdir())) == (1 if own else 2)


async def test_a_manifest_that_can_t_be_read_leaves_the_verdict_open_and_nothing_behind(stage: RunningApp) -> None:
    def spoil(function: str, moment: str) -> None:
        if function == "follow_restore":
            for manifest in (stage.store / "manifests").glob("*/*.json"):
                manifest.write_bytes(b"not JSON")

    stage.host.on_invocation(spoil)
    result = await verdict(stage, back_up(stage))
    assert result["verdict"] == "Inconclusive"
    assert result["reasons"][0].startswith("DocumentBroken: manifests/")


async def test_when_a_day_s_restores_are_used_up_the_verdict_is_inconclusive(stage: RunningApp) -> None:
    for _ in range(10):
        stage.world.backup_vaults.jobs.outcomes["Restore"].append(JobOutcome(status="Failed", seconds=1))
        assert (await verdict(stage, back_up(stage)))["verdict"] == "Failed"
    result = await verdict(stage, back_up(stage))
    assert result["verdict"] == "Inconclusive"
    assert "QuotaReached" in result["reasons"][0]
    assert len(restores(stage)) == 10


@pytest.mark.parametrize("status", ["Failed", "Cancelled"])
async def test_a_backup_that_made_no_copy_is_an_event_of_its_own_and_starts_nothing(
    calm: RunningApp, status: str
) -> None:
    job = back_up(calm, "share", status=status)
    await calm.clock.advance(HOUR)
    (told,) = sent(calm)
    assert (told["id"], told["type"]) == (f"{job['name']}:{status}", "Meshward.Backup.Failed")
    assert runs(calm) == []
    assert any("backup made no copy" in line for line in calm.log)


async def test_each_job_is_told_once_and_a_quiet_tick_costs_one_query(stage: RunningApp) -> None:
    for job in [back_up(stage), back_up(stage, "share")]:
        await verdict_of(stage, job)
    told = len(stage.world.event_grid.deliveries)
    before = Counter(e.url.partition("?")[0].rpartition("/")[2] for e in stage.world.wire.exchanges)
    for _ in range(5):
        await stage.host.invoke_timer("backup_watch")
    after = Counter(e.url.partition("?")[0].rpartition("/")[2] for e in stage.world.wire.exchanges)
    assert (told, len(stage.world.event_grid.deliveries)) == (2, 2)
    assert after - before == Counter(resources=5)


async def test_a_job_that_could_not_be_told_is_told_later(stage: RunningApp) -> None:
    fault = stage.world.wire.inject(InjectedFault(on=f"POST /topics/{scenario.TOPIC}", kind="answer", times=3))
    assert (await verdict(stage, back_up(stage)))["verdict"] == "Verified"
    assert fault.times == 0


async def test_a_lost_answer_of_the_topic_sends_the_event_twice_and_starts_one_run(stage: RunningApp) -> None:
    stage.world.wire.inject(InjectedFault(on=f"POST /topics/{scenario.TOPIC}", kind="lose"))
    await verdict(stage, back_up(stage))
    await stage.clock.advance(HOUR)
    assert (len(stage.world.event_grid.deliveries), len(runs(stage))) == (2, 1)


async def test_the_same_event_three_times_out_of_order_starts_one_run(stage: RunningApp) -> None:
    job = back_up(stage)
    stage.world.event_grid.hold_back(600, 5)
    stage.world.event_grid.deliver_twice()
    for _ in range(2):
        announce(stage, job["id"])
    await verdict(stage, job)
    await stage.clock.advance(HOUR)
    assert len(stage.world.event_grid.deliveries) >= 3
    assert (len(runs(stage)), len(restores(stage))) == (1, 1)


async def test_a_second_run_over_the_same_job_changes_nothing(stage: RunningApp) -> None:
    job = back_up(stage)
    first = await verdict(stage, job)
    before = [e.url for e in stage.world.wire.exchanges if e.method in ("PUT", "PATCH", "DELETE")]
    async with aiohttp.ClientSession() as http, http.delete(f"{stage.host.url}{PREFIX}{run_of(job)}") as answer:
        assert answer.status == 200
    announce(stage, job["id"])
    assert await verdict(stage, job) == first
    assert [e.url for e in stage.world.wire.exchanges if e.method in ("PUT", "PATCH", "DELETE")] == before
    assert len(restores(stage)) == 1


GUID = "0f0e0d0c-1111-4222-8333-444455556666"
FOREIGN = (
    "/subscriptions/99999999-9999-4999-8999-999999999999/resourceGroups/rg-backup/providers"
    f"/Microsoft.DataProtection/backupVaults/bv/backupJobs/{GUID}"
)


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"jobId": FOREIGN},
        {"jobId": 7, "status": "Completed"},
        {"jobId": "/not/a/job", "status": "Completed"},
        {"jobId": FOREIGN, "status": "Completed"},
        {"jobId": FOREIGN, "status": "Failed"},
    ],
)
async def test_an_event_that_cant_be_right_is_dead_lettered_and_starts_nothing(calm: RunningApp, data: Any) -> None:
    announce(calm, "bad", data=data)
    await calm.run(lambda: bool(calm.world.event_grid.dead_letters), timedelta(days=3))
    assert runs(calm) == []
    assert any("event declined" in line for line in calm.log)


@pytest.mark.parametrize("kind", ["cluster", "share"])
async def test_a_request_that_the_network_doubles_is_two_restores_and_one_verdict(place: RunningApp, kind: str) -> None:
    place.world.wire.inject(InjectedFault(on="/restore$", kind="double"))
    result = await verdict(place, back_up(place, kind))
    assert (result["verdict"], len(restores(place))) == ("Verified", 2)


async def test_backups_of_a_cluster_and_a_share_are_verified_side_by_side(stage: RunningApp) -> None:
    jobs = [back_up(stage), back_up(stage), back_up(stage, "share")]
    assert [(await verdict_of(stage, job))["verdict"] for job in jobs] == ["Verified"] * 3
    assert isolated(stage) == []
    assert len(restores(stage)) == 3


async def verdict_of(stage: RunningApp, job: Resource) -> dict[str, Any]:
    await stage.run(run_of(job), SOON)
    return next(i.output for i in runs(stage) if i.id == run_of(job))


async def test_the_run_and_the_log_hold_no_token_and_no_signed_address(stage: RunningApp) -> None:
    await verdict(stage, back_up(stage))
    kept = str(runs(stage)) + "\n".join(stage.log)
    assert "AAAAAAAA" not in kept
    assert "eyJ" not in kept
