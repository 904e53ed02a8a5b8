"""Which backups are verified, where they are restored to, and who cleans up after a run that didn't."""

import json
from datetime import datetime, timedelta
from typing import Any

import aiohttp
import pytest

from local import scenario
from local.cloud.arm import Resource, error, iso
from local.cloud.resources.aks import cluster_id
from local.cloud.vaults import JobOutcome
from local.cloud.wire import InjectedFault
from local.host.durable import OrchestrationState
from local.host.management import PREFIX
from local.stage import RunningApp
from shared.domain.restores.refusals import SELFTEST
from tests.worlds.times import DAY, HOUR
from tests.worlds.verifications import (
    ACCOUNT,
    CLUSTER,
    SHARE,
    SOON,
    announce,
    back_up,
    isolated,
    name_of,
    restores,
    run_of,
    runs,
    sent,
    verdict,
    verify,
)


async def ended(stage: RunningApp, job: Resource) -> OrchestrationState:
    id = run_of(job)
    await stage.run(id, SOON)
    return next(i for i in runs(stage) if i.id == id)


async def asked(stage: RunningApp, **body: str) -> dict[str, Any]:
    """The outcome of what an operator asks for, or the refusal."""
    url, headers = f"{stage.host.url}/api/verifications", {"Authorization": f"Bearer {stage.token()}"}
    async with aiohttp.ClientSession(headers=headers) as http, http.post(url, json=body) as answer:
        told: dict[str, Any] = await answer.json()
        if answer.status != 202:
            return told
    await stage.run(told["instance_id"], SOON)
    output: dict[str, Any] = next(i.output for i in runs(stage) if i.id == told["instance_id"])
    return output


async def test_a_backup_that_isn_t_drawn_is_written_down_with_its_manifest_and_may_be_asked_for(
    calm: RunningApp,
) -> None:
    verify(calm, sample_rate=0)
    first = await verdict(calm, back_up(calm, "share"))
    assert first["verdict"] == "Verified", "an item that was never verified is"
    second = back_up(calm, "share")
    assert (await ended(calm, second)).output["reason"] == "NotDrawn"
    assert json.loads((calm.store / f"sampled/{name_of(second)}.json").read_bytes())["reason"] == "NotDrawn"
    assert len(list((calm.store / "manifests").glob("*/*.json"))) == 2
    assert len(restores(calm)) == 1
    item = calm.world.recovery_vaults.items.protecting(ACCOUNT, SHARE)["id"]
    assert (await asked(calm, item_id=item))["verdict"] == "Verified"
    assert len(restores(calm)) == 2


async def test_an_older_point_is_taken_where_that_is_drawn(calm: RunningApp) -> None:
    verify(calm, older_point_rate=1, sample_rate=1)
    first, second = await verdict(calm, back_up(calm, "share")), None
    await calm.clock.advance(6 * HOUR)
    calm.world.file_shares.write(ACCOUNT, SHARE, "2026/order-001.json", b"changed since")
    second = await verdict(calm, back_up(calm, "share"))
    assert second["point"] == first["point"], "there is one older point, and the first backup had none"
    assert (second["verdict"], second["manifest"]) == ("Verified", first["manifest"])
    assert second["rpo_s"] < HOUR.total_seconds(), "what a disaster would cost says the latest point"


async def test_by_hand_a_job_a_point_or_an_item_is_verified(calm: RunningApp) -> None:
    job = back_up(calm, "share")
    first = await verdict(calm, job)
    item = calm.world.recovery_vaults.items.protecting(ACCOUNT, SHARE)["id"]
    assert await asked(calm, job_id=job["id"]) == first, "a job is verified once"
    again = await asked(calm, item_id=item, point_id=first["point"])
    assert (again["verdict"], again["point"], again["job_id"]) == ("Verified", first["point"], "")
    gone = await asked(calm, item_id=item, point_id="gone")
    assert (gone["verdict"], gone["reasons"][0][:11]) == ("Inconclusive", "NoSuchPoint")


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({}, "MalformedBody"),
        ({"job_id": "/a", "item_id": "/b"}, "MalformedBody"),
        ({"item_id": "/not/an/item"}, "NotAProtectedItem"),
        ({"job_id": "/not/a/job"}, "NotABackupJob"),
    ],
)
async def test_what_can_t_be_verified_is_refused_with_its_reason(calm: RunningApp, body: Any, reason: str) -> None:
    assert (await asked(calm, **body))["reason"] == reason


async def test_a_job_under_a_wrong_vault_path_is_refused_and_the_event_of_the_real_one_is_verified(
    calm: RunningApp,
) -> None:
    job = back_up(calm, "share")
    wrong = job["id"].replace("/vaults/", "/vaults/other-")
    assert (await asked(calm, job_id=wrong))["reason"] in ("JobGone", "ResourceNotFound")
    announce(calm, wrong)
    await calm.clock.advance(timedelta(minutes=1))
    assert (await verdict(calm, job))["verdict"] == "Verified"


async def test_a_job_that_is_not_there_yet_leaves_no_verdict_and_is_verified_once_it_is(calm: RunningApp) -> None:
    job = back_up(calm, "share")
    calm.world.arm.remove(job["id"])
    announce(calm, job["id"])
    assert (await ended(calm, job)).status == "Failed"
    assert list(calm.store.glob("verdicts/*")) == []
    calm.world.arm.store(job)
    announce(calm, job["id"])
    again = f"{run_of(job)}-2"
    await calm.run(again, SOON)
    assert next(run.output["verdict"] for run in runs(calm) if run.id == again) == "Verified"


async def test_namespaces_take_turns(stage: RunningApp) -> None:
    verify(stage, namespaces_at_once=1, sample_rate=1)
    results = [await verdict(stage, back_up(stage)) for _ in range(3)]
    assert sorted(name for result in results for name in result["names"]) == ["default", "orders", "shop"]


async def test_a_scratch_cluster_takes_the_copy_and_the_source_is_only_read(stage: RunningApp) -> None:
    scenario.add_cluster(stage.world, "aks-scratch", [])
    stage.world.backup_vaults.accept("aks-scratch")
    await stage.clock.advance(timedelta(minutes=3))  # until its mesh is ready
    verify(stage, scratch_cluster=cluster_id("aks-scratch"))
    job = back_up(stage)
    await stage.run(lambda: "verify-" in names(stage, "aks-scratch"), HOUR)
    assert "verify-" not in names(stage, CLUSTER)
    result = await verdict(stage, job)
    assert (result["verdict"], result["reasons"]) == ("Verified", [])
    writes = [e for e in stage.world.wire.exchanges if f"/k8s/{CLUSTER}/" in e.url and e.method != "GET"]
    assert writes == []
    assert "verify-" not in names(stage, "aks-scratch")


async def test_a_scratch_cluster_elsewhere_is_refused_with_its_region(stage: RunningApp) -> None:
    scratch = stage.world.aks.add("aks-scratch", location="northeurope")
    verify(stage, scratch_cluster=scratch["id"])
    result = await verdict(stage, back_up(stage))
    assert (result["verdict"], "isn't in westeurope" in result["reasons"][0]) == ("Inconclusive", True)


def names(stage: RunningApp, cluster: str) -> str:
    found = (n["metadata"]["name"] for n in stage.world.kubernetes.clusters[cluster].objects("Namespace"))
    return " ".join(name for name in found if name != SELFTEST)


async def test_a_stopped_cluster_is_inconclusive_and_says_how_to_start_it(stage: RunningApp) -> None:
    job = back_up(stage)
    stage.world.aks.stop(CLUSTER)
    result = await verdict(stage, job)
    assert (result["verdict"], "az aks start" in result["reasons"][0]) == ("Inconclusive", True)
    assert restores(stage) == []


async def test_a_job_that_is_gone_by_the_time_it_is_looked_at_doesn_t_hold_up_the_others(calm: RunningApp) -> None:
    gone, job = back_up(calm, "share"), back_up(calm, "share")

    def forget(function: str, moment: str) -> None:
        if (function, moment) == ("backup_watch", "before"):  # Resource Graph goes on to show it for a while
            calm.world.arm.remove(gone["id"])

    await calm.clock.advance(timedelta(minutes=4))
    calm.host.on_invocation(forget)
    assert (await verdict(calm, job))["verdict"] == "Verified"
    assert any("backup job gone" in line for line in calm.log)
    assert [event["id"] for event in sent(calm)] == [f"{job['name']}:Completed"]


async def test_a_backup_that_stays_open_too_long_is_told_and_again_when_it_ends(calm: RunningApp) -> None:
    job = calm.world.recovery_vaults.complete_backup(ACCOUNT, SHARE, seconds=14 * 3600)
    await calm.clock.advance(13 * HOUR)
    assert [(e["id"], e["type"]) for e in sent(calm)] == [(f"{job['name']}:Overdue", "Meshward.Backup.Overdue")]
    assert (await verdict(calm, job))["verdict"] == "Verified"


async def test_an_outage_of_thirteen_days_is_caught_up_with(calm: RunningApp) -> None:
    watermark = calm.store / "watch" / "watermark"
    watermark.parent.mkdir()
    watermark.write_text((calm.clock.now() - 13 * DAY).isoformat())
    job = back_up(calm, "share")
    for moment in ("startTime", "endTime"):
        job["properties"][moment] = iso(calm.clock.time() - 12.9 * 86_400)
    assert (await verdict(calm, job))["verdict"] == "Verified"
    assert [event["id"] for event in sent(calm)] == [f"{job['name']}:Completed"]


@pytest.mark.parametrize("kind", ["cluster", "share"])
async def test_what_a_terminated_run_left_behind_is_the_janitor_s(place: RunningApp, kind: str) -> None:
    job = back_up(place, kind)
    await place.run(lambda: isolated(place) != [], SOON)
    url = f"{place.host.url}{PREFIX}{run_of(job)}/terminate"
    async with aiohttp.ClientSession() as http, http.post(url) as answer:
        assert answer.status == 202
    await place.run(run_of(job), SOON)
    assert isolated(place) != []
    await place.clock.advance(6 * HOUR)
    assert isolated(place) == []
    assert any("restore cleared away" in line for line in place.log)
    told = sum("restore left over" in line for line in place.log)
    await place.clock.advance(6 * HOUR)
    assert sum("restore left over" in line for line in place.log) == told, "told until it is gone"


async def test_a_cluster_s_restore_that_outlives_its_run_can_t_make_its_places_again_after_they_are_gone(
    stage: RunningApp,
) -> None:
    stage.world.backup_vaults.jobs.outcomes["Restore"].append(JobOutcome(seconds=2 * 3600))
    job = back_up(stage)
    await stage.run(lambda: restores(stage) != [], SOON)
    url = f"{stage.host.url}{PREFIX}{run_of(job)}/terminate"
    async with aiohttp.ClientSession() as http, http.post(url) as answer:
        assert answer.status == 202
    await stage.clock.advance(HOUR)
    assert any("restore left over" in line and "InProgress" in line for line in stage.log)
    await stage.clock.advance(4 * HOUR)
    assert len(list((stage.store / "leases").glob("*/*.gone"))) == 1
    assert isolated(stage) == []


async def test_a_lease_that_nobody_can_read_holds_up_no_other(calm: RunningApp) -> None:
    job = back_up(calm, "share")
    await calm.run(lambda: isolated(calm) != [], SOON)
    async with aiohttp.ClientSession() as http:
        await http.post(f"{calm.host.url}{PREFIX}{run_of(job)}/terminate")
    await calm.run(run_of(job), SOON)
    (lease,) = (calm.store / "leases").glob("*/*.json")
    lease.with_name("0-broken.json").write_bytes(b"{")
    lease.with_name("0-noted.json").write_text(json.dumps({**json.loads(lease.read_bytes()), "name": "0-noted"}))
    (calm.store / "restores" / "0-noted").mkdir()
    (calm.store / "restores" / "0-noted" / "notes.txt").touch()
    await calm.clock.advance(6 * HOUR)
    assert [file.name for file in lease.parent.glob("*.gone")] == [f"{lease.stem}.gone"]
    told = "".join(line for line in calm.log if "restore left over" in line)
    assert ["0-broken.json" in told, "restores/0-noted/notes.txt" in told] == [True, True]


async def test_a_restore_that_outlives_its_run_is_watched_until_it_can_make_nothing_any_more(calm: RunningApp) -> None:
    calm.world.recovery_vaults.jobs.outcomes["Restore"].append(JobOutcome(seconds=13 * 3600))
    result = await verdict(calm, back_up(calm, "share"))
    assert (result["verdict"], result["left_over"]) == ("Inconclusive", 0)
    assert "DeadlinePassed" in result["reasons"][0]
    assert list((calm.store / "leases").glob("*/*.gone")) == []
    await calm.clock.advance(3 * HOUR)
    assert len(list((calm.store / "leases").glob("*/*.gone"))) == 1


@pytest.mark.parametrize("status", [404, 400], ids=["late", "refused"])
async def test_a_restore_whose_job_isn_t_learnt_of_keeps_its_lease_until_it_has_ended(
    calm: RunningApp, status: int
) -> None:
    calm.world.recovery_vaults.jobs.outcomes["Restore"].append(JobOutcome(seconds=5 * 3600))
    answer = error(status, "Unknown", "the operation isn't known")
    calm.world.wire.inject(InjectedFault("GET .*/vaults/[^/]+/backupOperations/", "answer", 100, answer))
    result = await verdict(calm, back_up(calm, "share"))
    assert (result["verdict"], result["left_over"]) == ("Inconclusive", 0)
    assert list((calm.store / "leases").glob("*/*.gone")) == []
    await calm.clock.advance(6 * HOUR)
    assert len(list((calm.store / "leases").glob("*/*.gone"))) == 1


async def test_the_trends_of_all_items_are_shown_as_data_and_as_a_page(calm: RunningApp) -> None:
    await verdict(calm, back_up(calm, "share"))
    (calm.store / "trials" / "broken.json").write_bytes(b"{}")
    headers = {"Authorization": f"Bearer {calm.token()}"}
    async with aiohttp.ClientSession(headers=headers) as http:
        async with http.get(f"{calm.host.url}/api/restores?days=7") as answer:
            (item,) = (await answer.json())["items"]
        async with http.get(f"{calm.host.url}/api/restores/report") as page:
            assert (page.content_type, "<svg" in await page.text()) == ("text/html", True)
        async with http.get(f"{calm.host.url}/api/restores?days=x") as refused:
            assert refused.status == 400
    assert (item["kind"], item["coverage_percent"], item["alarms"]) == ("share", 100, [])
    assert [trial["verdict"] for trial in item["trials"]] == ["Verified"]


@pytest.mark.parametrize("broken", [b"\xffyesterday", b"2026-11-30T08:00:00"], ids=["no time", "without its zone"])
async def test_a_job_or_watermark_that_nobody_can_read_holds_up_no_job_however_old(
    calm: RunningApp, broken: bytes
) -> None:
    watermark = calm.store / "watch" / "watermark"
    watermark.parent.mkdir()
    watermark.write_bytes(broken)
    ended = back_up(calm, "share")
    for moment in ("startTime", "endTime"):
        ended["properties"][moment] = iso(calm.clock.time() - 12.9 * 86_400)
    for odd in ("job-1", "gr\u00fcn"):
        calm.world.arm.store({**ended, "id": f"{ended['id'].rpartition('/')[0]}/{odd}", "name": odd})
    await calm.clock.advance(HOUR)
    assert datetime.fromisoformat(watermark.read_text())
    assert [event["subject"] for event in sent(calm)] == [ended["id"]]
