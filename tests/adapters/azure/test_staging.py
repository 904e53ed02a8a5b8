"""Staging groups, asked of the simulated Azure by the real SDK clients."""

from collections.abc import Sequence
from datetime import timedelta

import msgspec
import pytest

from local import scenario
from local.cloud.resources.machines import DISKS, SNAPSHOTS, MachineDisk
from local.cloud.world import World
from shared.adapters.azure.ledger import Ledger
from shared.adapters.azure.staging import Staging
from shared.adapters.backup.cluster_restores import ClusterRestores
from shared.domain.errors import PermanentError
from shared.domain.restores.items import ClusterItem
from shared.domain.restores.lease import lease_path
from shared.domain.restores.staging import BEFORE, TURN, StagingBefore, StagingTurn, before_path, turn_path
from shared.domain.restores.verification import RestoreJob, RestorePlan
from tests.worlds import sdk
from tests.worlds.facts.plans import a_plan
from tests.worlds.removal import at_once
from tests.worlds.settings import settings

MINUTE = timedelta(minutes=1)
DISK = MachineDisk(lun=0, size=1)


@pytest.fixture
async def staging(world: World) -> Staging:
    scenario.seed_scratch(world)
    client = sdk.aio(world, world.entra.add("verifier"))
    restores = ClusterRestores(settings(world), **client)
    ledger = Ledger("memory://", client["credential"])
    plan = planned(world)
    await ledger.create(turn_path(plan), TURN.encoded(StagingTurn(lease=lease_path(plan))))
    await ledger.create(before_path(plan), BEFORE.encoded(StagingBefore(there=())))
    return Staging(settings(world), restores=restores, ledger=ledger, **client)


def planned(world: World, *, location: str = "westeurope", account: str = scenario.STAGING_ACCOUNT) -> RestorePlan:
    item = ClusterItem(id="i", source_id="c", location=location)
    return a_plan(world.clock.now(), item=item, staging=account, staging_group=group(world))


def group(world: World) -> str:
    return str(world.resource_groups.add(scenario.SCRATCH_GROUP)["id"])


def fill(world: World) -> None:
    world.machines.make_disk(group(world), "data", DISK, location="westeurope")
    world.machines.make_snapshot(group(world), "data", DISK, location="westeurope")
    account = f"{group(world)}/providers/Microsoft.Storage/storageAccounts/{scenario.STAGING_ACCOUNT}"
    world.storage.add_container(account, "objects", ["a.json"])


def job(world: World) -> Sequence[RestoreJob]:
    return [RestoreJob(id="j", status="Completed", started=world.clock.now(), ended=world.clock.now() + MINUTE)]


async def test_disks_snapshots_and_containers_are_found_with_the_time_they_were_made(
    world: World, staging: Staging
) -> None:
    fill(world)
    found = await staging.found(planned(world))
    assert [str(each) for each in found] == ["disk data", "snapshot data", "container objects"]
    assert {each.made for each in found} == {world.clock.now()}


async def test_what_a_restore_has_staged_is_told_until_it_is_gone(world: World, staging: Staging) -> None:
    jobs = job(world)
    fill(world)
    assert len(await staging.remove(planned(world), jobs, [], at_once)) == 3
    await world.clock.advance(MINUTE)
    assert await staging.remove(planned(world), jobs, [], at_once) == []
    assert [r for kind in (DISKS, SNAPSHOTS) for r in world.arm.of_type(kind, f"{group(world)}/")] == []


async def test_a_disk_that_a_machine_holds_is_left_and_told(world: World, staging: Staging) -> None:
    jobs, holder = job(world), f"{group(world)}/providers/Microsoft.Compute/virtualMachines/vm"
    world.machines.make_disk(group(world), "data", DISK, location="westeurope", holder=holder)
    for _ in range(2):
        assert await staging.remove(planned(world), jobs, [], at_once) == ["disk data"]
        await world.clock.advance(MINUTE)
    assert len(await staging.found(planned(world))) == 1


async def test_what_another_restore_may_have_staged_is_left_and_told(world: World, staging: Staging) -> None:
    jobs = job(world)
    fill(world)
    other = [msgspec.structs.replace(jobs[0], id="other", ended=None)]
    for _ in range(2):
        assert len(await staging.remove(planned(world), jobs, other, at_once)) == 3
        await world.clock.advance(MINUTE)
    assert len(await staging.found(planned(world))) == 3


async def test_whose_turn_it_isn_t_deletes_nothing(world: World, staging: Staging) -> None:
    jobs, other = job(world), msgspec.structs.replace(planned(world), name="other")
    fill(world)
    assert await staging.remove(other, jobs, [], at_once) == []
    assert len(await staging.found(other)) == 3


async def test_without_a_job_nothing_is_deleted(world: World, staging: Staging) -> None:
    fill(world)
    assert await staging.jobs(planned(world)) == []
    assert await staging.remove(planned(world), [], [], at_once) == []
    assert len(await staging.found(planned(world))) == 3


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [({"account": "stgone"}, "NoStagingAccount"), ({"location": "eastus"}, "StagingElsewhere")],
)
async def test_an_account_that_isn_t_fit_is_refused(
    world: World, staging: Staging, wrong: dict[str, str], reason: str
) -> None:
    with pytest.raises(PermanentError, match=reason):
        await staging.found(planned(world, **wrong))
