"""Backups of virtual machines are verified: their disks are restored to a scratch group, compared and removed."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import aiohttp
import pytest

from local import scenario
from local.cloud.arm import SUBSCRIPTION, Resource
from local.cloud.resources.machines import MachineDisk
from local.cloud.resources.storage import TYPE as ACCOUNTS
from local.cloud.vaults import JobOutcome
from local.cloud.wire import InjectedFault
from local.cloud.world import World
from local.host.management import PREFIX
from local.stage import RunningApp
from tests.worlds.app import NO_TRUST, open_app
from tests.worlds.times import HOUR
from tests.worlds.verifications import SOON, announce, restores, runs

MACHINE, GROUP = scenario.MACHINE, scenario.MACHINE_GROUP
SCRATCH = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{scenario.SCRATCH_GROUP}"
STAGING = f"{SCRATCH}/providers/{ACCOUNTS}/{scenario.STAGING_ACCOUNT}"


@pytest.fixture
async def stage() -> AsyncIterator[RunningApp]:
    """The app in a world with a protected machine; a disk and a container of somebody else are in the scratch group."""
    async with open_app(seed=seed, settings=NO_TRUST) as stage:
        choose(stage, **scenario.SCRATCH)
        await stage.clock.advance(HOUR)  # what is to be backed up is older than the backup
        yield stage


def seed(world: World) -> None:
    scenario.seed_machine(world)
    world.machines.make_disk(SCRATCH, "vmledger1-osdisk-mine", MachineDisk(lun=None, size=30), location="westeurope")
    world.storage.add_container(STAGING, "somebody-s", ["notes.txt"])


def choose(stage: RunningApp, **knobs: str) -> None:
    stage.policy.write_text(json.dumps({"default": {"verify": knobs}}))


def back_up(stage: RunningApp, *, status: str = "Completed") -> Resource:
    return stage.world.recovery_vaults.complete_backup(GROUP, MACHINE, status=status)


async def verdict(stage: RunningApp, job: Resource) -> dict[str, Any]:
    """The verdict on a backup job; what isn't the restore's is still there, and all else is gone."""
    await stage.run(f"verify-{job['name']}", SOON)
    (run,) = [i for i in runs(stage) if i.id == f"verify-{job['name']}"]
    assert run.status == "Completed", run.failure
    result: dict[str, Any] = run.output
    assert (left(stage), result["left_over"]) == (["vmledger1-osdisk-mine", "somebody-s"], 0)
    assert len(stage.world.machines.disks(stage.world.machines.find(MACHINE))) == 3
    return result


def left(stage: RunningApp) -> list[str]:
    """What is in the scratch group."""
    disks = [disk["name"] for disk in stage.world.machines.in_group(SCRATCH)]
    return [*disks, *stage.world.storage.containers(STAGING)]


def order(stage: RunningApp, outcome: JobOutcome[MachineDisk]) -> None:
    stage.world.recovery_vaults.jobs.outcomes["Restore"].append(outcome)


async def test_a_backup_of_a_machine_is_verified_by_its_disks_and_nothing_is_left_over(stage: RunningApp) -> None:
    result = await verdict(stage, back_up(stage))
    assert (result["verdict"], result["reasons"]) == ("Verified", [])
    (inventory,) = [check for check in result["checks"] if check["name"] == "inventory"]
    assert inventory["finding"] == "3 compared"
    assert 2_000 < result["rto_s"] < 3_600


async def test_a_second_run_over_the_same_job_restores_nothing(stage: RunningApp) -> None:
    job = back_up(stage)
    first = await verdict(stage, job)
    async with aiohttp.ClientSession() as http, http.delete(f"{stage.host.url}{PREFIX}verify-{job['name']}") as answer:
        assert answer.status == 200
    before = [e.url for e in stage.world.wire.exchanges if e.method in ("PUT", "PATCH", "DELETE")]
    announce(stage, job["id"])
    assert await verdict(stage, job) == first
    assert [e.url for e in stage.world.wire.exchanges if e.method in ("PUT", "PATCH", "DELETE")] == before
    assert len(restores(stage)) == 1


async def test_a_disk_that_did_not_come_back_is_a_failed_backup(stage: RunningApp) -> None:
    order(stage, JobOutcome(seconds=2_100, restored=lambda disk: None if disk.lun == 1 else disk))
    result = await verdict(stage, back_up(stage))
    assert (result["verdict"], result["restore_status"]) == ("Failed", "Completed")
    assert "missing data disk 1" in result["reasons"][-1]


async def test_a_disk_that_came_back_in_another_size_is_a_failed_backup(stage: RunningApp) -> None:
    def shrunk(disk: MachineDisk) -> MachineDisk:
        return MachineDisk(lun=disk.lun, size=16) if disk.lun == 0 else disk

    order(stage, JobOutcome(seconds=2_100, restored=shrunk))
    result = await verdict(stage, back_up(stage))
    assert (result["verdict"], result["restore_status"]) == ("Failed", "Completed")
    assert "altered data disk 0" in result["reasons"][-1]


async def test_a_disk_that_the_backup_leaves_out_is_not_missed(stage: RunningApp) -> None:
    item = stage.world.recovery_vaults.items.protecting(GROUP, MACHINE)
    item["properties"]["extendedProperties"] = {
        "diskExclusionProperties": {"diskLunList": [1], "isInclusionList": False}
    }
    result = await verdict(stage, back_up(stage))
    assert result["verdict"] == "Verified"
    assert "2 compared" in str(result["checks"])


async def test_a_restore_that_fails_late_is_a_failed_backup_and_its_disks_are_removed(stage: RunningApp) -> None:
    order(stage, JobOutcome(status="Failed", seconds=1_680, restored=lambda disk: disk if disk.system else None))
    result = await verdict(stage, back_up(stage))
    assert (result["verdict"], result["restore_status"]) == ("Failed", "Failed")


async def test_a_restore_that_never_ends_is_given_up_and_handed_to_the_janitor(stage: RunningApp) -> None:
    order(stage, JobOutcome(seconds=None))
    job = back_up(stage)
    await stage.run(f"verify-{job['name']}", SOON)
    (run,) = runs(stage)
    assert (run.output["verdict"], run.output["left_over"]) == ("Inconclusive", 1)
    assert "DeadlinePassed" in run.output["reasons"][0]


async def test_what_a_restore_makes_after_its_run_has_ended_the_janitor_clears_away(stage: RunningApp) -> None:
    order(stage, JobOutcome(seconds=3 * 3600))
    job = back_up(stage)
    await stage.run(lambda: restores(stage) != [], SOON)
    url = f"{stage.host.url}{PREFIX}verify-{job['name']}/terminate"
    async with aiohttp.ClientSession() as http, http.post(url) as answer:
        assert answer.status == 202
    await stage.run(lambda: any("left over" in line and "is InProgress" in line for line in stage.log), SOON)
    await stage.run(lambda: len(left(stage)) == 2 + 4, SOON)  # three disks and a container
    assert list(stage.store.glob("leases/*/*.gone")) == []
    await stage.run(lambda: list(stage.store.glob("leases/*/*.gone")) != [], SOON)
    assert left(stage) == ["vmledger1-osdisk-mine", "somebody-s"]
    assert any("restore cleared away" in line for line in stage.log)
    assert len(restores(stage)) == 1


async def test_when_the_disks_find_no_room_the_half_that_was_made_is_removed(stage: RunningApp) -> None:
    stage.world.machines.quota = 2
    result = await verdict(stage, back_up(stage))
    assert result["verdict"] == "Failed"
    assert "quota" in str(result["reasons"])


async def test_when_a_day_s_restores_are_used_up_the_verdict_is_inconclusive(stage: RunningApp) -> None:
    for _ in range(10):
        order(stage, JobOutcome(status="Failed", seconds=1, restored=lambda _: None))
        assert (await verdict(stage, back_up(stage)))["verdict"] == "Failed"
    result = await verdict(stage, back_up(stage))
    assert result["verdict"] == "Inconclusive"
    assert "QuotaReached" in result["reasons"][0]
    assert len(restores(stage)) == 10


async def test_without_a_scratch_group_the_verdict_says_what_to_set(stage: RunningApp) -> None:
    choose(stage)
    result = await verdict(stage, back_up(stage))
    assert result["verdict"] == "Inconclusive"
    assert "verify.scratch_group" in result["reasons"][0]
    assert restores(stage) == []


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"sku": {"name": "Standard_ZRS", "tier": "Standard"}}, "StagingZoneRedundant"),
        ({"location": "eastus"}, "StagingElsewhere"),
        (None, "NoStagingAccount"),
    ],
)
async def test_a_staging_account_that_azure_would_refuse_is_refused_before_anything_is_sent(
    stage: RunningApp, change: dict[str, Any] | None, reason: str
) -> None:
    account = stage.world.arm.resources[STAGING.lower()]
    if change is None:
        choose(stage, scratch_group=scenario.SCRATCH_GROUP, staging_account="stgone")
    else:
        account.update(change)
    result = await verdict(stage, back_up(stage))
    assert result["verdict"] == "Inconclusive"
    assert reason in result["reasons"][0]
    assert restores(stage) == []


async def test_what_azure_backup_itself_finds_against_a_restore_is_told_before_anything_is_sent(
    stage: RunningApp,
) -> None:
    def move(function: str, moment: str) -> None:
        if (function, moment) == ("start_restore_validation", "before"):  # after our own look at it
            stage.world.arm.resources[STAGING.lower()]["location"] = "eastus"

    stage.host.on_invocation(move)
    result = await verdict(stage, back_up(stage))
    assert result["verdict"] == "Inconclusive"
    assert "UserErrorStorageAccountRegionMismatch" in result["reasons"][0]
    assert restores(stage) == []


@pytest.mark.parametrize(
    ("role", "action"),
    [
        ("Meshward machine verifier", "Microsoft.Compute/virtualMachines/write"),
        ("Meshward scratch verifier", "Microsoft.Storage/storageAccounts/write"),
        ("Meshward scratch verifier", "Microsoft.Resources/subscriptions/resourceGroups/write"),
        ("Meshward scratch verifier", "Microsoft.Compute/disks/delete"),
        ("Meshward verifier", "Microsoft.RecoveryServices/Vaults/backupTriggerValidateOperation/action"),
        ("Meshward verifier", "Microsoft.RecoveryServices/Vaults/backupValidateOperationsStatuses/read"),
        ("Meshward scratch verifier", "Microsoft.Storage/storageAccounts/blobServices/containers/delete"),
    ],
)
async def test_each_right_that_a_restore_of_disks_takes_is_named_where_it_is_missing(
    stage: RunningApp, role: str, action: str
) -> None:
    rights = stage.world.permissions.definitions[stage.world.permissions.roles[role]]
    rights.remove(action)
    job = back_up(stage)
    await stage.run(lambda: action.lower() in str([i.custom_status for i in runs(stage)]).lower(), SOON)
    rights.append(action)
    assert (await verdict(stage, job))["verdict"] == "Verified"


async def test_disks_of_an_earlier_restore_are_waited_for_and_never_removed(stage: RunningApp) -> None:
    name = "vmledger1-osdisk-20270101-080000"
    stage.world.machines.make_disk(SCRATCH, name, MachineDisk(lun=None, size=30), location="westeurope")
    job = back_up(stage)
    await stage.run(lambda: "ScratchBusy" in str([i.custom_status for i in runs(stage)]), SOON)
    assert restores(stage) == []
    assert name in left(stage)
    stage.world.arm.remove(f"{SCRATCH}/providers/Microsoft.Compute/disks/{name}")
    assert (await verdict(stage, job))["verdict"] == "Verified"


async def test_a_machine_that_is_gone_leaves_the_verdict_open(stage: RunningApp) -> None:
    job = back_up(stage)
    machine = stage.world.machines.find(MACHINE)
    stage.world.arm.remove(machine["id"])
    await stage.run(f"verify-{job['name']}", SOON)
    (run,) = runs(stage)
    assert run.output["verdict"] == "Inconclusive"
    assert "MachineGone" in str(run.output["reasons"])


async def test_a_request_that_the_network_doubles_is_two_restores_whose_disks_are_removed(stage: RunningApp) -> None:
    stage.world.wire.inject(InjectedFault(on="/restore$", kind="double"))
    result = await verdict(stage, back_up(stage))
    assert (result["verdict"], len(restores(stage))) == ("Verified", 2)


async def test_a_disk_that_was_attached_meanwhile_is_left_to_whoever_did_it(stage: RunningApp) -> None:
    def attach(function: str, moment: str) -> None:
        for disk in stage.world.machines.in_group(SCRATCH):
            if disk["name"].startswith("vmledger1-datadisk-000"):
                disk["managedBy"] = stage.world.machines.find(MACHINE)["id"]

    stage.host.on_invocation(attach)
    job = back_up(stage)
    await stage.run(f"verify-{job['name']}", timedelta(days=1))
    assert [name for name in left(stage) if "datadisk-000" in name]
