"""Backups of clusters that are in the vault tier alone are verified, one at a time through a staging group."""

from collections.abc import AsyncIterator
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from local import scenario
from local.cloud.arm import Resource
from local.cloud.resources.machines import DISKS, MachineDisk
from local.cloud.vaults import JobOutcome
from local.cloud.wire import InjectedFault
from local.cloud.world import World
from local.host.management import PREFIX
from local.stage import APP, RunningApp
from shared.domain.restores.staging import StagingBefore
from tests.worlds.app import NO_TRUST, open_app
from tests.worlds.mutants import Mutant
from tests.worlds.staging import ACCOUNT, CLUSTERS, GROUP, back_up, staged, workloads
from tests.worlds.times import HOUR
from tests.worlds.verifications import SOON, announce, isolated, restores, run_of, runs

OTHERS = ["logs", "vmledger1-osdisk-20270101-080000"]  # stand in group and account before


def seed(world: World) -> None:
    for name in CLUSTERS:
        world.aks.add(name)
        for manifest in workloads():
            world.kubernetes.clusters[name].apply(manifest)
        world.backup_vaults.protect(name)
    scenario.let_stage(world)
    world.storage.add_container(ACCOUNT, OTHERS[0], ["notes.txt"])
    make(world, OTHERS[1])


def make(world: World, disk: str) -> None:
    """A disk of somebody else in the staging group."""
    world.machines.make_disk(GROUP, disk, MachineDisk(lun=None, size=30), location="westeurope")


@pytest.fixture
async def stage() -> AsyncIterator[RunningApp]:
    """The app in a world with two protected clusters; a container and a machine's disk are in the staging group."""
    async with open_app(seed=seed, settings=NO_TRUST) as stage:
        await prepare(stage)
        yield stage


async def prepare(stage: RunningApp) -> None:
    latest = {"older_point_rate": 0}  # an older point may be older than all that is backed up
    stage.say(default={"verify": scenario.SCRATCH | latest})
    await stage.clock.advance(HOUR)  # what is to be backed up is older than the backup


def order(stage: RunningApp, outcome: JobOutcome[Any]) -> None:
    stage.world.backup_vaults.jobs.outcomes["Restore"].append(outcome)


async def verdict(stage: RunningApp, job: Resource) -> dict[str, Any]:
    """The verdict on a backup job; what isn't the restore's is still there, and all else is gone."""
    await stage.run(run_of(job), SOON)
    result = found(stage, job)
    assert (staged(stage), isolated(stage), result["left_over"]) == (OTHERS, [], 0)
    return result


def found(stage: RunningApp, job: Resource) -> dict[str, Any]:
    (run,) = [i for i in runs(stage) if i.id == run_of(job)]
    assert run.status == "Completed", run.failure
    result: dict[str, Any] = run.output
    return result


def tiers(stage: RunningApp) -> list[str]:
    return [job["properties"]["sourceDataStoreType"] for job in restores(stage)]


def waits(stage: RunningApp, reason: str) -> bool:
    return reason in str([i.custom_status for i in runs(stage)])


async def terminate(stage: RunningApp, job: Resource) -> None:
    url = f"{stage.host.url}{PREFIX}{run_of(job)}/terminate"
    async with aiohttp.ClientSession() as http, http.post(url) as answer:
        assert answer.status == 202
    await stage.run(run_of(job), SOON)


async def test_a_point_in_the_vault_tier_alone_is_verified_and_nothing_is_left_staged(stage: RunningApp) -> None:
    job = back_up(stage)
    await stage.run(lambda: len(staged(stage)) > len(OTHERS), SOON)
    assert len(staged(stage)) == len(OTHERS) + 3, "a disk, a snapshot and a container"
    result = await verdict(stage, job)
    assert (result["verdict"], result["reasons"], tiers(stage)) == ("Verified", [], ["VaultStore"])
    assert "the job from the vault tier ended as Completed" in [check["finding"] for check in result["checks"]]


async def test_a_point_that_is_in_both_tiers_is_restored_from_the_operational_one(stage: RunningApp) -> None:
    result = await verdict(stage, back_up(stage, expired=False))
    assert (result["verdict"], tiers(stage)) == ("Verified", ["OperationalStore"])
    assert list(stage.store.glob("turns/**/*.json")) == []


async def test_a_second_run_over_the_same_job_changes_nothing(stage: RunningApp) -> None:
    job = back_up(stage)
    first = await verdict(stage, job)
    async with aiohttp.ClientSession() as http, http.delete(f"{stage.host.url}{PREFIX}{run_of(job)}") as answer:
        assert answer.status == 200
    before = [e.url for e in stage.world.wire.exchanges if e.method in ("PUT", "PATCH", "DELETE")]
    announce(stage, job["id"])
    assert await verdict(stage, job) == first
    assert [e.url for e in stage.world.wire.exchanges if e.method in ("PUT", "PATCH", "DELETE")] == before
    assert len(restores(stage)) == 1


async def test_without_a_scratch_group_the_verdict_says_what_to_set(stage: RunningApp) -> None:
    stage.say()
    result = await verdict(stage, back_up(stage))
    assert (result["verdict"], "verify.scratch_group" in result["reasons"][0]) == ("Inconclusive", True)
    assert restores(stage) == []


async def test_a_group_that_isn_t_empty_is_inconclusive_and_stays_as_it_is(stage: RunningApp) -> None:
    make(stage.world, "somebody-s")
    job = back_up(stage)
    await stage.run(run_of(job), SOON)
    result = found(stage, job)
    assert (result["verdict"], "remove disk somebody-s" in result["reasons"][0]) == ("Inconclusive", True)
    assert (restores(stage), "somebody-s" in staged(stage)) == ([], True)
    stage.world.arm.remove(f"{GROUP}/providers/{DISKS}/somebody-s")
    assert (await verdict(stage, back_up(stage)))["verdict"] == "Verified", "the turn was given back"


async def test_two_restores_at_once_take_turns(stage: RunningApp) -> None:
    jobs = [back_up(stage, cluster) for cluster in CLUSTERS]
    await stage.run(lambda: waits(stage, "StagingTaken"), SOON)
    for job in jobs:
        await stage.run(run_of(job), SOON)
    assert [found(stage, job)["verdict"] for job in jobs] == ["Verified"] * 2
    assert (staged(stage), len(restores(stage))) == (OTHERS, 2)
    first, second = sorted((job["properties"] for job in restores(stage)), key=lambda job: job["startTime"])
    assert second["startTime"] > first["endTime"]


async def test_what_appears_in_the_group_before_the_restore_runs_or_after_it_is_left_alone(stage: RunningApp) -> None:
    made: list[str] = []

    def disturb(function: str, moment: str) -> None:
        late = any(job["properties"]["endTime"] for job in restores(stage))
        name = {("isolate", False): "early", ("check_restore", True): "late"}.get((function, late))
        if name and moment == "after" and name not in made:
            made.append(name)
            make(stage.world, name)

    order(stage, JobOutcome(seconds=545))  # some time before it is looked at
    stage.host.on_invocation(disturb)
    stage.world.wire.inject(InjectedFault(on="POST .*/restore$", kind="answer", times=2))
    job = back_up(stage)
    await stage.run(run_of(job), SOON)
    assert found(stage, job)["verdict"] == "Verified"
    assert staged(stage) == sorted([*OTHERS, *made])
    assert made == ["early", "late"]


async def test_a_restore_that_fails_leaves_nothing_staged(stage: RunningApp) -> None:
    order(stage, JobOutcome(status="Failed", seconds=1_680))
    result = await verdict(stage, back_up(stage))
    assert (result["verdict"], result["restore_status"]) == ("Failed", "Failed")


async def test_a_vault_that_may_not_stage_is_told_by_azure_s_own_word(stage: RunningApp) -> None:
    for held in list(stage.world.arm.of_type("Microsoft.Authorization/roleAssignments", f"{GROUP}/")):
        stage.world.arm.remove(held["id"])
    result = await verdict(stage, back_up(stage))
    assert result["verdict"] == "Inconclusive"
    assert "UserErrorVaultMSIMissingPermissionsOnStagingLocation" in result["reasons"][0]
    assert restores(stage) == [], "nothing was sent"


async def test_a_point_that_expires_while_it_waits_is_inconclusive_and_gives_its_turn_back(stage: RunningApp) -> None:
    job = back_up(stage)
    point = job["properties"]["extendedInfo"]["targetRecoverPoint"]["recoveryPointID"]

    def expire(function: str, moment: str) -> None:
        if (function, moment) == ("isolate", "after") and restores(stage) == []:
            stage.world.arm.remove(f"{job['properties']['backupInstanceId']}/recoveryPoints/{point}")

    stage.host.on_invocation(expire)
    result = await verdict(stage, job)
    assert (result["verdict"], restores(stage)) == ("Inconclusive", [])
    assert "UserErrorRecoveryPointNotFound" in result["reasons"][0]
    (lease,) = stage.store.glob("leases/*/*.json")
    assert lease.with_suffix(".gone").exists()


async def test_a_restore_that_outlives_its_run_keeps_its_turn_until_the_janitor_has_cleared_after_it(
    stage: RunningApp,
) -> None:
    order(stage, JobOutcome(seconds=3 * 3600))
    job = back_up(stage)
    await stage.run(lambda: len(staged(stage)) > len(OTHERS), SOON)
    await terminate(stage, job)
    other = back_up(stage, CLUSTERS[1])
    await stage.run(lambda: any("restore left over" in line for line in stage.log), SOON)
    assert len(staged(stage)) == len(OTHERS) + 3, "nothing is taken away under a restore that runs"
    assert waits(stage, "StagingTaken")
    assert (await verdict(stage, other))["verdict"] == "Verified"
    assert any("restore cleared away" in line for line in stage.log)


async def test_what_a_terminated_run_has_staged_is_the_janitor_s_and_its_turn_ends_then(stage: RunningApp) -> None:
    job = back_up(stage)
    await stage.run(lambda: len(staged(stage)) > len(OTHERS), SOON)
    await terminate(stage, job)
    assert len(staged(stage)) > len(OTHERS)
    assert (await verdict(stage, back_up(stage, CLUSTERS[1])))["verdict"] == "Verified"
    assert any("restore cleared away" in line for line in stage.log)


async def test_a_run_that_is_terminated_while_it_waits_holds_up_nobody(stage: RunningApp) -> None:
    jobs = [back_up(stage, cluster) for cluster in CLUSTERS]
    await stage.run(lambda: waits(stage, "StagingTaken"), SOON)
    waiting = next(i.id for i in runs(stage) if "StagingTaken" in str(i.custom_status))
    cluster, job = next(each for each in zip(CLUSTERS, jobs, strict=True) if waiting.endswith(run_of(each[1])))
    await terminate(stage, job)
    await verdict(stage, next(other for other in jobs if other is not job))
    result = await verdict(stage, back_up(stage, cluster))
    assert (result["verdict"], result["reasons"]) == ("Verified", [])


async def test_a_request_that_the_network_doubles_is_two_restores_and_what_both_staged_is_removed(
    stage: RunningApp,
) -> None:
    stage.world.wire.inject(InjectedFault(on="/restore$", kind="double"))
    result = await verdict(stage, back_up(stage))
    assert (result["verdict"], len(restores(stage))) == ("Verified", 2)


@pytest.mark.parametrize(
    ("role", "action"),
    [
        ("Meshward scratch verifier", "Microsoft.Compute/snapshots/read"),
        ("Meshward scratch verifier", "Microsoft.Compute/snapshots/delete"),
        ("Meshward verifier", "Microsoft.DataProtection/backupVaults/backupInstances/validateRestore/action"),
    ],
)
async def test_each_right_that_only_the_vault_tier_takes_is_named_where_it_is_missing(
    stage: RunningApp, role: str, action: str
) -> None:
    rights = stage.world.permissions.definitions[stage.world.permissions.roles[role]]
    rights.remove(action)
    job = back_up(stage)
    await stage.run(lambda: waits(stage, action), SOON)
    rights.append(action)
    assert (await verdict(stage, job))["verdict"] == "Verified"


def forgetful(real: Any, found: Any, there: Any, jobs: Any) -> Any:
    return real(found, StagingBefore(there=()), jobs)


async def test_without_knowing_what_was_there_before_somebody_s_container_would_be_deleted(tmp_path: Path) -> None:
    mutant = Mutant("shared.domain.restores.staging.staged_by", forgetful)
    assert "logs" not in await with_a_container_that_changes(mutant.grow(tmp_path))
    assert "logs" in await with_a_container_that_changes(APP)


async def with_a_container_that_changes(app: Path) -> list[str]:
    """What is in the group after a verification during which somebody's container changes."""
    async with open_app(seed=seed, settings=NO_TRUST, app=app) as stage:
        await prepare(stage)
        job = back_up(stage)
        await stage.run(lambda: len(staged(stage)) > len(OTHERS), SOON)
        stage.world.storage.add_container(ACCOUNT, "logs", ["notes.txt", "more.txt"])
        await stage.run(run_of(job), SOON)
        return staged(stage)


def out_of_turn(real: Any, turn: Any, plan: Any, released: Any, now: Any) -> None:
    real(None, plan, released, now)


async def test_without_waiting_for_their_turns_two_restores_would_be_in_the_group_at_once(tmp_path: Path) -> None:
    mutant = Mutant("shared.domain.restores.staging.require_turn", out_of_turn)
    async with open_app(seed=seed, settings=NO_TRUST, app=mutant.grow(tmp_path)) as stage:
        await prepare(stage)
        jobs = [back_up(stage, cluster) for cluster in CLUSTERS]
        for job in jobs:
            await stage.run(run_of(job), SOON + timedelta(hours=4))
        assert overlapping(stage)


def overlapping(stage: RunningApp) -> bool:
    """Whether restores ran at the same time."""
    times = sorted((job["properties"]["startTime"], job["properties"]["endTime"]) for job in restores(stage))
    return any(second[0] < first[1] for first, second in pairwise(times))
