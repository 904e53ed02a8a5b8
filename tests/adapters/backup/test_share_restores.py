"""Azure Files backups and their restores, asked of the simulated Azure by the real SDK clients."""

from datetime import timedelta

import msgspec
import pytest

from local.cloud.vaults import JobOutcome
from local.cloud.wire import InjectedFault
from local.cloud.world import World
from shared.adapters.backup.share_restores import ShareRestores
from shared.domain.errors import NotConverged, NotFound, PermanentError, TemporaryError
from shared.domain.restores.verification import BackupJob, RestoreJob, RestorePlan, item_id, job_id
from tests.worlds import sdk
from tests.worlds.facts.plans import plan_for
from tests.worlds.settings import settings

ACCOUNT, SHARE = "stcontoso", "orders"
MINUTE = timedelta(minutes=1)


@pytest.fixture
async def restores(world: World) -> ShareRestores:
    world.file_shares.create(ACCOUNT, SHARE)
    world.file_shares.write(ACCOUNT, SHARE, "a.csv", b"1;2")
    world.recovery_vaults.protect("rsv-contoso", ACCOUNT, SHARE)
    world.recovery_vaults.protect("rsv-contoso", ACCOUNT, "others")
    return ShareRestores(settings(world), **sdk.aio(world, world.entra.add("verifier")))


async def backed_up(world: World, restores: ShareRestores, share: str = SHARE) -> BackupJob:
    return await restores.job(job_id(world.recovery_vaults.complete_backup(ACCOUNT, share)["id"]))


async def planned(world: World, restores: ShareRestores) -> RestorePlan:
    job = await backed_up(world, restores)
    item = await restores.item(job)
    (point,) = await restores.points(item)
    plan = plan_for(item, point, (SHARE,), world.clock.now())
    world.file_shares.create(ACCOUNT, plan.isolated[SHARE])
    return plan


async def followed(world: World, restores: ShareRestores, plan: RestorePlan) -> RestoreJob:
    operation = await restores.send(plan)
    await world.clock.advance(60 * MINUTE)
    return await restores.restore_job(plan.item, await restores.job_of(plan.item, operation))


async def test_a_job_and_its_share_are_read(world: World, restores: ShareRestores) -> None:
    job = await backed_up(world, restores)
    item = await restores.item(job)
    assert (job.operation, job.status, job.item, job.source) == ("Backup", "Completed", SHARE, ACCOUNT)
    assert (item.kind, item.share, item.source_id.rsplit("/", 1)[-1].lower()) == ("share", SHARE, ACCOUNT)


async def test_a_share_that_isn_t_protected_any_more_can_t_be_verified(world: World, restores: ShareRestores) -> None:
    job = await backed_up(world, restores)
    world.arm.remove((await restores.item(job)).id)
    with pytest.raises(PermanentError, match="ItemNotFound"):
        await restores.item(job)


async def test_a_backup_of_something_else_can_t_be_verified(world: World, restores: ShareRestores) -> None:
    job = msgspec.structs.replace(await backed_up(world, restores), item="vm-1", source="")
    with pytest.raises(PermanentError, match="UnknownDatasource: vm-1"):
        await restores.item(job)


async def test_a_point_is_complete_and_as_young_as_its_backup(world: World, restores: ShareRestores) -> None:
    job = await backed_up(world, restores)
    (point,) = await restores.points(await restores.item(job))
    assert point.complete
    assert not point.threat
    assert point.time > job.started


async def test_a_restore_puts_the_files_into_the_scratch_share(world: World, restores: ShareRestores) -> None:
    plan = await planned(world, restores)
    done = await followed(world, restores, plan)
    assert (done.status, done.restored, done.failed, done.skipped) == ("Completed", 1, 0, 0)
    assert done.target == plan.isolated[SHARE]
    assert world.file_shares.files(ACCOUNT, plan.isolated[SHARE]) == {"a.csv": b"1;2"}


async def test_an_accepted_restore_has_no_job_at_first(world: World, restores: ShareRestores) -> None:
    plan = await planned(world, restores)
    operation = await restores.send(plan)
    with pytest.raises(NotConverged, match="RestoreAccepted"):
        await restores.job_of(plan.item, operation)


async def test_a_restore_whose_answer_was_lost_is_found_by_its_share(world: World, restores: ShareRestores) -> None:
    plan = await planned(world, restores)
    world.wire.inject(InjectedFault(on="POST .*/restore$", kind="lose"))
    with pytest.raises(TemporaryError):
        await restores.send(plan)
    item = await restores.item_of(plan.item.id)
    (early,) = await restores.restores(item, world.clock.now() - MINUTE)
    await world.clock.advance(MINUTE)
    (found,) = await restores.restores(item, world.clock.now() - 2 * MINUTE)
    assert (early.open, early.target) == (True, ""), "at first its job doesn't tell where it restores to"
    assert (found.open, found.target) == (True, plan.isolated[SHARE])


async def test_restores_of_other_shares_aren_t_listed(world: World, restores: ShareRestores) -> None:
    await restores.send(await planned(world, restores))
    others = await restores.item(await backed_up(world, restores, "others"))
    assert await restores.restores(others, world.clock.now() - MINUTE) == []


async def test_a_failed_job_tells_its_errors(world: World, restores: ShareRestores) -> None:
    plan = await planned(world, restores)
    world.recovery_vaults.jobs.outcomes["Restore"].append(JobOutcome(status="Failed", seconds=60))
    done = await followed(world, restores, plan)
    assert (done.status, done.open) == ("Failed", False)
    assert done.errors == ("1073871825: Microsoft Azure Backup encountered an internal error.",)


async def test_a_job_that_the_vault_does_not_know_any_more_is_gone(world: World, restores: ShareRestores) -> None:
    job = await backed_up(world, restores)
    with pytest.raises(NotFound, match="JobGone"):
        await restores.job(job_id(job.id[:-36] + "0f0e0d0c-1111-4222-8333-444455556666"))


async def test_a_protected_share_is_read_by_its_id_in_whatever_case(world: World, restores: ShareRestores) -> None:
    item = await restores.item(await backed_up(world, restores))
    assert await restores.item_of(item.id.upper()) == item
    with pytest.raises(PermanentError, match="ItemNotFound"):
        await restores.item_of(item.id + "x")


async def test_an_item_that_is_a_database_is_told_that_it_is_none_to_restore(restores: ShareRestores) -> None:
    vault = "/subscriptions/11111111-1111-4111-8111-111111111111/resourceGroups/rg-backup/providers"
    container = f"{vault}/Microsoft.RecoveryServices/vaults/rsv-contoso/backupFabrics/Azure/protectionContainers"
    database = f"{container}/VMAppContainer;Compute;rg;vm-sql/protectedItems/SQLDataBase;mssqlserver;model"
    assert item_id(database).name == "SQLDataBase;mssqlserver;model"
    with pytest.raises(PermanentError, match="neither a file share nor a virtual machine"):
        await restores.item_of(database)
