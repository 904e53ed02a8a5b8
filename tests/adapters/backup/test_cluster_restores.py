"""AKS backups and their restores, asked of the simulated Azure by the real SDK clients."""

from datetime import timedelta

import pytest

from local.cloud.vaults import JobOutcome
from local.cloud.wire import InjectedFault, Reply
from local.cloud.world import World
from shared.adapters.backup.cluster_restores import ClusterRestores
from shared.domain.errors import NotConverged, NotFound, PermanentError, TemporaryError
from shared.domain.restores.items import ClusterItem
from shared.domain.restores.verification import BackupJob, RestoreJob, RestorePlan, job_id
from tests.worlds import sdk
from tests.worlds.facts.plans import plan_for
from tests.worlds.settings import settings

MINUTE = timedelta(minutes=1)


@pytest.fixture
async def restores(world: World) -> ClusterRestores:
    world.aks.add("aks-east")
    cluster = world.kubernetes.clusters["aks-east"]
    cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
    metadata = {"name": "settings", "namespace": "shop"}
    cluster.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"currency": "EUR"}})
    world.backup_vaults.protect("aks-east")
    return ClusterRestores(settings(world), **sdk.aio(world, world.entra.add("verifier")))


async def backed_up(world: World, restores: ClusterRestores, *, status: str = "Completed") -> BackupJob:
    return await restores.job(job_id(world.backup_vaults.complete_backup("aks-east", status=status)["id"]))


async def planned(world: World, restores: ClusterRestores) -> RestorePlan:
    job = await backed_up(world, restores)
    item = await restores.item(job)
    assert isinstance(item, ClusterItem)
    (point,) = await restores.points(item)
    return plan_for(item, point, ("shop",), world.clock.now())


async def followed(world: World, restores: ClusterRestores, plan: RestorePlan) -> RestoreJob:
    operation = await restores.send(plan)
    await world.clock.advance(30 * MINUTE)
    return await restores.restore_job(plan.item, await restores.job_of(plan.item, operation))


async def test_a_job_and_its_instance_are_read(world: World, restores: ClusterRestores) -> None:
    job = await backed_up(world, restores)
    item = await restores.item(job)
    assert (job.operation, job.status, job.ended) == ("Backup", "Completed", world.clock.now())
    assert (item.kind, item.id, item.source_id.rsplit("/", 1)[-1]) == ("cluster", job.item, "aks-east")
    assert item.location == "westeurope"


async def test_a_point_of_a_backup_with_warnings_is_incomplete(world: World, restores: ClusterRestores) -> None:
    job = await backed_up(world, restores, status="CompletedWithWarnings")
    assert [p.complete for p in await restores.points(await restores.item(job))] == [False]


async def test_a_point_says_if_it_is_in_the_vault_tier_alone(world: World, restores: ClusterRestores) -> None:
    job = await restores.job(job_id(world.backup_vaults.complete_backup("aks-east", vaulted=True)["id"]))
    item = await restores.item(job)
    (both,) = await restores.points(item)
    world.backup_vaults.jobs.expire(both.id, "OperationalStore")
    (one,) = await restores.points(item)
    assert [(point.complete, point.vaulted) for point in (both, one)] == [(True, False), (True, True)]


async def test_a_restore_puts_the_objects_into_the_mapped_namespace(world: World, restores: ClusterRestores) -> None:
    plan = await planned(world, restores)
    done = await followed(world, restores, plan)
    assert (done.status, done.warnings, done.errors) == ("Completed", (), ())
    copy = world.kubernetes.clusters["aks-east"].get("ConfigMap", plan.isolated["shop"], "settings")
    assert copy["data"] == {"currency": "EUR"}


async def test_an_accepted_restore_has_no_job_at_first(world: World, restores: ClusterRestores) -> None:
    plan = await planned(world, restores)
    operation = await restores.send(plan)
    with pytest.raises(NotConverged, match="RestoreAccepted"):
        await restores.job_of(plan.item, operation)


async def test_a_restore_is_sent_once_whatever_the_answer(world: World, restores: ClusterRestores) -> None:
    plan = await planned(world, restores)
    for fault in (
        InjectedFault(on="POST .*/restore$", kind="answer", reply=Reply(status=429, headers={"Retry-After": "7"})),
        InjectedFault(on="POST .*/restore$", kind="after", reply=Reply(status=503)),
        InjectedFault(on="POST .*/restore$", kind="lose"),
    ):
        world.wire.inject(fault)
        with pytest.raises(TemporaryError):
            await restores.send(plan)
    assert sum(e.method == "POST" and "/restore?" in e.url for e in world.wire.exchanges) == 3


async def test_a_restore_whose_answer_was_lost_is_found_among_the_jobs(world: World, restores: ClusterRestores) -> None:
    plan = await planned(world, restores)
    world.wire.inject(InjectedFault(on="POST .*/restore$", kind="lose"))
    with pytest.raises(TemporaryError):
        await restores.send(plan)
    (found,) = await restores.restores(plan.item, world.clock.now() - MINUTE)
    assert found.open
    assert await restores.restores(plan.item, world.clock.now() + MINUTE) == []


async def test_in_a_vault_that_is_gone_no_restore_runs(world: World, restores: ClusterRestores) -> None:
    plan = await planned(world, restores)
    await restores.send(plan)
    world.arm.remove(plan.item.id.partition("/backupInstances/")[0])
    assert await restores.restores(plan.item, world.clock.now() - MINUTE) == []


async def test_a_failed_job_tells_its_errors(world: World, restores: ClusterRestores) -> None:
    plan = await planned(world, restores)
    world.backup_vaults.jobs.outcomes["Restore"].append(JobOutcome(status="Failed"))
    done = await followed(world, restores, plan)
    assert (done.status, done.open) == ("Failed", False)
    assert done.errors == ("UserErrorBackupInternalError: The job failed.",)


async def test_a_refused_restore_ends_for_good(world: World, restores: ClusterRestores) -> None:
    plan = await planned(world, restores)
    for _ in range(10):
        await restores.send(plan)
    with pytest.raises(PermanentError, match="UserErrorMaxOperationsPerDayReached"):
        await restores.send(plan)


async def test_a_job_that_the_vault_does_not_know_any_more_is_gone(world: World, restores: ClusterRestores) -> None:
    job = await backed_up(world, restores)
    absent = job.id[:-36] + "0f0e0d0c-1111-4222-8333-444455556666"
    with pytest.raises(NotFound, match="JobGone"):
        await restores.job(job_id(absent))


async def test_an_instance_is_read_by_its_id(world: World, restores: ClusterRestores) -> None:
    item = await restores.item(await backed_up(world, restores))
    assert await restores.item_of(item.id) == item
    assert item.policy.lower().endswith("/backuppolicies/aks-daily")
