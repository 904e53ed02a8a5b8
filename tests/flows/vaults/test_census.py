"""Which clusters are protected, by what and how well proven, or why not."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import aiohttp
import msgspec
import pytest

from local.cloud.resources.aks import cluster_id
from local.cloud.wire import InjectedFault
from local.cloud.world import World
from local.stage import RunningApp
from shared.domain.restores.history import History, Trial, empty_history, history_path
from shared.domain.restores.items import ClusterItem, Item, ShareItem
from shared.domain.vaults.census import Census, Proof, Standing
from tests.worlds.app import NO_WATCH, open_app
from tests.worlds.consents import agree
from tests.worlds.times import DAY, HOUR, START

ASKED = {"meshward:protect": "true"}
TEN = START + 7200  # the timer of the day has called


def seed(world: World) -> None:
    """One cluster backed up by us, one by somebody else, one not asked for, one in the making, one in other hands."""
    world.aks.add("aks-ours", tags=ASKED)
    world.backup_vaults.protect("aks-ours")
    world.aks.add("aks-theirs")
    world.backup_vaults.protect("aks-theirs", vault="bv-theirs")
    world.aks.add("aks-plain")
    world.aks.add("aks-making", tags=ASKED, provisioning="Creating")
    world.aks.add("aks-windows", tags=ASKED)
    world.extensions.fail_next(message="The nodes run Windows.")


@pytest.fixture
async def stage() -> AsyncIterator[RunningApp]:
    async with open_app(start=TEN, seed=seed, settings=NO_WATCH) as stage:
        yield stage


async def counted(stage: RunningApp) -> Census:
    """The census that HTTP shows."""
    headers = {"Authorization": f"Bearer {stage.token()}"}
    async with (
        aiohttp.ClientSession(headers=headers) as http,
        http.get(f"{stage.host.url}/api/census") as answer,
    ):
        assert answer.status == 200, await answer.text()
        return msgspec.convert(await answer.json(), Census, strict=False)


async def test_a_tag_that_can_t_be_read_isn_t_taken_for_none(stage: RunningApp) -> None:
    await stage.clock.advance(DAY)  # the one whose extension fails has come first
    stage.world.aks.add("aks-yes", tags={"meshward:protect": "yes"})
    stage.world.aks.add("aks-upper", tags={"meshward:protect": "True "})
    await stage.clock.advance(DAY)
    census = await counted(stage)
    assert standing(census, "aks-yes").reason == "BadTag"
    assert "'yes', and not true or false" in standing(census, "aks-yes").message
    assert standing(census, "aks-upper").protected


def standing(census: Census, name: str) -> Standing:
    return next(s for s in census.clusters if s.cluster.lower() == cluster_id(name).lower())


def judge(stage: RunningApp, job: dict[str, Any], verdict: str, at: datetime) -> None:
    """What a verification of that backup has left in the store."""
    item = ClusterItem(id=job["properties"]["backupInstanceId"], source_id=cluster_id("aks-ours"))
    judged(stage, item, job, verdict, at)


def judged(stage: RunningApp, item: Item, job: dict[str, Any], verdict: str, at: datetime) -> None:
    trial = Trial(
        name=job["name"],
        at=at,
        verdict=verdict,
        reasons=(),
        point="p",
        policy="",
        names=("shop",),
        rpo_s=1,
        rto_s=1,
    )
    document = stage.store / history_path(item.id)
    document.parent.mkdir(exist_ok=True)
    history = msgspec.json.decode(document.read_bytes(), type=History) if document.exists() else empty_history(item)
    document.write_bytes(msgspec.json.encode(history.with_trial(trial)))


async def test_every_cluster_is_counted_with_its_proof_or_the_reason_why_it_is_not_protected(stage: RunningApp) -> None:
    await stage.host.invoke_timer("cluster_sweep")
    verified = stage.world.backup_vaults.complete_backup("aks-ours")
    judge(stage, verified, "VerifiedWithFindings", stage.clock.now())
    await stage.clock.advance(HOUR)
    newest = stage.world.backup_vaults.complete_backup("aks-ours")
    judge(stage, newest, "Failed", stage.clock.now())
    stage.world.backup_vaults.complete_backup("aks-ours", status="Failed")
    await stage.clock.advance(HOUR)
    await stage.host.invoke_timer("daily_census")
    census = await counted(stage)
    assert (census.protected, census.coverage_percent, len(census.clusters)) == (2, 40.0, 5)
    ours = standing(census, "aks-ours")
    assert (ours.protected, ours.vault.rpartition("/")[2]) == (True, "bv-seeded")
    assert ours.policy.endswith("/aks-daily")
    assert ours.proof.last_good_backup == datetime.fromisoformat(newest["properties"]["endTime"])
    assert ours.proof.last_verified_restore is not None
    assert ours.proof.last_verified_restore < ours.proof.last_good_backup
    assert standing(census, "aks-theirs").protected, "whoever configured it"
    reasons = {name: standing(census, f"aks-{name}").reason for name in ("plain", "making", "windows")}
    assert reasons == {"plain": "NotAskedFor", "making": "NotReady", "windows": "ProtectionFailed"}
    assert "The nodes run Windows." in standing(census, "aks-windows").message


async def test_volumes_that_a_cluster_names_are_counted_with_it_and_their_proof(stage: RunningApp) -> None:
    world = stage.world
    for share in ("carts", "images"):
        world.file_shares.create("stshop", share)
    agree(world.file_shares.account("stshop"), world.machines.add("vm-build"), cluster="rg-clusters/aks-shop")
    carts = world.recovery_vaults.protect("rsv-ours", "stshop", "carts")
    world.recovery_vaults.protect_machine("rsv-ours", "vm-build")
    tags = {"meshward:files": "rg-storage/stshop/carts,rg-storage/stshop/images"}
    world.aks.add("aks-shop", tags=tags | {"meshward:machines": "rg-machines/vm-build"})
    sources = (("stshop", "carts"), ("rg-machines", "vm-build"))
    first = [world.recovery_vaults.complete_backup(*source) for source in sources]
    judged(
        stage,
        ShareItem(id=carts["id"], source_id="stshop", share="carts"),
        first[0],
        "Verified",
        stage.clock.now(),
    )
    await stage.clock.advance(HOUR)
    world.recovery_vaults.complete_backup(*sources[0], status="Failed")
    await stage.clock.advance(HOUR)
    await stage.host.invoke_timer("daily_census")
    build, shared, bare = standing(await counted(stage), "aks-shop").volumes
    assert (build.name, build.protected) == ("machine rg-machines/vm-build", True)
    assert (shared.name, shared.protected, shared.policy.rpartition("/")[2]) == (
        "share stshop/carts",
        True,
        "shares-daily",
    )
    assert (bare.name, bare.protected, bare.message) == ("share stshop/images", False, "no vault protects it")
    ends = [datetime.fromisoformat(job["properties"]["endTime"]) for job in first]
    assert [shared.proof.last_good_backup, build.proof.last_good_backup] == ends, "a failed one made no copy"
    assert shared.proof.last_verified_restore is not None
    assert (build.proof.last_verified_restore, bare.proof) == (None, Proof())


async def test_a_day_is_counted_once_and_the_history_stays(stage: RunningApp) -> None:
    for _ in range(2):
        await stage.host.invoke_timer("daily_census")
        await stage.clock.advance(HOUR)
    first = sorted(path.name for path in (stage.store / "census").iterdir())
    await stage.clock.advance(DAY)
    kept = sorted(path.name for path in (stage.store / "census").iterdir())
    assert (first, kept) == (["2027-01-15.json"], ["2027-01-15.json", "2027-01-16.json"])
    assert (await counted(stage)).taken_at.day == 16


async def test_what_resource_graph_has_forgotten_is_kept_from_the_census_before(stage: RunningApp) -> None:
    job = stage.world.backup_vaults.complete_backup("aks-ours")
    judge(stage, job, "Verified", stage.clock.now())
    await stage.clock.advance(HOUR)
    await stage.host.invoke_timer("daily_census")
    proof = standing(await counted(stage), "aks-ours").proof
    stage.world.arm.remove(job["id"])
    await stage.clock.advance(DAY)
    later = await counted(stage)
    assert (later.taken_at.day, standing(later, "aks-ours").proof) == (16, proof)


async def test_the_cost_of_a_census_does_not_grow_with_the_clusters_that_are_protected(stage: RunningApp) -> None:
    async def calls() -> int:
        before = len(stage.world.wire.exchanges)
        await stage.host.invoke_timer("daily_census")
        sent = list(stage.world.wire.exchanges)[before:]
        return sum("/oauth2/" not in e.url and "/msi/" not in e.url for e in sent)

    few = await calls()
    for number in range(20):
        stage.world.aks.add(f"aks-{number:03}", tags=ASKED)
        stage.world.backup_vaults.protect(f"aks-{number:03}", vault=f"bv-{number:03}")
    await stage.clock.advance(timedelta(hours=19))
    assert await calls() == few <= 7
    assert (await counted(stage)).protected == 22


async def test_an_attempt_that_fails_is_made_good_an_hour_later(stage: RunningApp) -> None:
    await stage.clock.advance(timedelta(hours=19, minutes=50))
    stage.world.wire.inject(InjectedFault(on="POST .*ResourceGraph", kind="answer"))
    await stage.clock.advance(timedelta(minutes=30))
    assert not (stage.store / "census" / "2027-01-16.json").exists()
    await stage.clock.advance(HOUR)
    assert (await counted(stage)).protected == 2


async def test_a_broken_document_costs_the_census_what_it_says_and_nothing_else(stage: RunningApp) -> None:
    job = stage.world.backup_vaults.complete_backup("aks-ours")
    judge(stage, job, "Verified", stage.clock.now())
    await stage.clock.advance(HOUR)
    await stage.host.invoke_timer("daily_census")
    proof = standing(await counted(stage), "aks-ours").proof
    (history,) = (stage.store / "trials").iterdir()
    history.write_bytes(b"")
    (stage.store / "census" / "2027-01-15.notes").write_bytes(b"not JSON")
    await stage.clock.advance(DAY)
    later = await counted(stage)
    assert (later.taken_at.day, later.protected, standing(later, "aks-ours").proof) == (16, 2, proof)
    told = [line for line in stage.log if "document skipped" in line]
    assert [name in "".join(told) for name in (history.name, "2027-01-15.notes")] == [True, True]


async def test_without_a_census_the_caller_is_told_when_there_will_be_one(stage: RunningApp) -> None:
    headers = {"Authorization": f"Bearer {stage.token()}"}
    async with (
        aiohttp.ClientSession(headers=headers) as http,
        http.get(f"{stage.host.url}/api/census") as answer,
    ):
        assert (answer.status, (await answer.json())["reason"]) == (404, "NoCensus")
