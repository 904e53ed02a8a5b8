from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError
from azure.mgmt.recoveryservicesbackup.aio import RecoveryServicesBackupClient

from local.cloud.recovery.protocol import JOBS
from local.cloud.recovery.readiness import BACKUP_ROLE
from local.cloud.recovery.share_content import Content
from local.cloud.recovery.shares import RESTORE_ROLE, Shares
from local.cloud.vaults import JobOutcome, vault_of
from local.cloud.world import World
from tests.worlds import sdk

VAULT: dict[str, Any] = {"resource_group_name": "rg-backup", "vault_name": "rsv-one"}
FILES = {"a.txt": b"first", "deep/b.bin": bytes(300_000)}
BACKUP: dict[str, Any] = {"properties": {"objectType": "AzureFileShareBackupRequest"}}


@pytest.fixture
async def backup(world: World) -> AsyncIterator[Any]:
    """A client in a world where the share `orders` of `stdata` is protected and `scratch` exists beside it."""
    world.recovery_vaults.protect("rsv-one", "stdata", "orders")
    world.file_shares.create("stdata", "scratch")
    for path, content in FILES.items():
        world.file_shares.write("stdata", "orders", path, content)
    async with RecoveryServicesBackupClient(**sdk.arm(world, world.entra.add("operator"))) as client:
        yield client


def item(world: World) -> dict[str, Any]:
    names = world.recovery_vaults.items.protecting("stdata", "orders")["id"].split("/")
    return {**VAULT, "fabric_name": "Azure", "container_name": names[-3], "protected_item_name": names[-1]}


async def last_point(world: World, backup: Any) -> str:
    """The name of the point of a scheduled backup that has just completed."""
    world.recovery_vaults.complete_backup("stdata", "orders")
    return str([p.name async for p in backup.recovery_points.list(**item(world))][-1])


async def triggered(world: World, backup: Any, point: str, **changes: Any) -> str:
    """The id of the operation that a restore request started."""
    account = world.file_shares.account("stdata")["id"]
    properties = {
        "objectType": "AzureFileShareRestoreRequest",
        "recoveryType": "AlternateLocation",
        "sourceResourceId": account,
        "copyOptions": "Overwrite",
        "restoreRequestType": "FullShareRestore",
        "targetDetails": {"name": "scratch", "targetResourceId": account},
    }
    await backup.restores.begin_trigger(
        **item(world), recovery_point_id=point, parameters={"properties": {**properties, **changes}}, polling=False
    )
    headers = world.wire.exchanges[-1].headers
    return headers["Azure-AsyncOperation"].partition("?")[0].rpartition("/")[2]


async def restored(world: World, backup: Any, point: str, **changes: Any) -> Any:
    """The job of a restore that has run its time."""
    operation = await triggered(world, backup, point, **changes)
    await world.clock.advance(timedelta(minutes=3))
    status = await backup.backup_operation_statuses.get(**VAULT, operation_id=operation)
    job = await backup.job_details.get(**VAULT, job_name=status.as_dict()["properties"]["jobId"])
    return job.properties


def counted(job: Any) -> dict[str, str]:
    """The job's counts of files, by their first word."""
    bag = job.extended_info.property_bag
    return {name.split()[2]: count for name, count in bag.items() if name.startswith("Number Of")}


async def test_a_backup_on_demand_leaves_a_point_some_seconds_after_its_job_has_ended(
    world: World, backup: Any
) -> None:
    await backup.backups.trigger(**item(world), parameters=BACKUP)
    operation = world.wire.exchanges[-1].headers["Azure-AsyncOperation"].partition("?")[0].rpartition("/")[2]
    await world.clock.advance(timedelta(minutes=1))
    status = await backup.backup_operation_statuses.get(**VAULT, operation_id=operation)
    name = status.as_dict()["properties"]["jobId"]
    job = (await backup.job_details.get(**VAULT, job_name=name)).properties
    point = await anext(backup.recovery_points.list(**item(world)))
    assert (job.status, name == operation) == ("Completed", False)
    assert point.properties.recovery_point_time > job.end_time


async def test_an_open_job_has_no_end_and_a_list_no_details(world: World, backup: Any) -> None:
    world.recovery_vaults.complete_backup("stdata", "orders", seconds=60)
    listed = await anext(backup.backup_jobs.list(**VAULT))
    await world.clock.advance(timedelta(minutes=2))
    later = await anext(backup.backup_jobs.list(**VAULT))
    assert (listed.properties.status, listed.properties.end_time) == ("InProgress", None)
    assert listed.properties.extended_info is None
    assert later.properties.status == "Completed"


@pytest.mark.parametrize(
    ("terms", "found"),
    [
        ("operation eq 'Backup' and status eq 'Completed'", 1),
        ("operation eq 'Restore'", 0),
        ("status eq 'Failed'", 1),
        ("startTime eq '{before}' and endTime eq '{after}'", 2),
        ("startTime eq '{after}' and endTime eq '{after}'", 0),
    ],
)
async def test_jobs_are_filtered_as_the_service_does(world: World, backup: Any, terms: str, found: int) -> None:
    world.recovery_vaults.complete_backup("stdata", "orders")
    world.recovery_vaults.complete_backup("stdata", "orders", status="Failed")
    span = {"before": -timedelta(hours=1), "after": timedelta(hours=1)}
    times = {name: twelve_hours(world.clock.now() + by) for name, by in span.items()}
    jobs = backup.backup_jobs.list(**VAULT, filter=terms.format(**times))
    assert len([job async for job in jobs]) == found


def twelve_hours(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %I:%M:%S %p")


async def test_a_restore_writes_the_files_of_the_point_and_counts_them(world: World, backup: Any) -> None:
    point = await last_point(world, backup)
    world.file_shares.write("stdata", "orders", "a.txt", b"changed since")
    operation = await triggered(world, backup, point)
    await world.clock.advance(timedelta(minutes=3))
    job = (await backup.job_details.get(**VAULT, job_name=operation)).properties
    assert world.file_shares.files("stdata", "scratch") == FILES
    assert job.status == "Completed"
    assert counted(job) == {"Restored": "2", "Skipped": "0", "Failed": "0"}
    assert job.extended_info.property_bag["RestoreDestination"] == "stdata/scratch/"


async def test_what_a_restore_s_job_tells_is_empty_at_first(world: World, backup: Any) -> None:
    await triggered(world, backup, await last_point(world, backup))
    (job,) = [j for j in world.arm.of_type(JOBS) if j["properties"]["operation"] == "Restore"]
    told = []
    for _ in range(3):
        shown = await backup.job_details.get(**VAULT, job_name=job["name"])
        told.append((shown.properties.status, bool(shown.properties.extended_info.property_bag)))
        await world.clock.advance(timedelta(minutes=1))
    assert told == [("InProgress", False), ("InProgress", True), ("Completed", True)]


async def test_a_restore_may_go_into_a_folder(world: World, backup: Any) -> None:
    point = await last_point(world, backup)
    await restored(world, backup, point, restoreFileSpecs=[{"targetFolderPath": "verify-1"}])
    assert set(world.file_shares.files("stdata", "scratch")) == {"verify-1/a.txt", "verify-1/deep/b.bin"}


async def test_single_items_may_be_restored(world: World, backup: Any) -> None:
    point = await last_point(world, backup)
    specs = [
        {"path": "a.txt", "fileSpecType": "File", "targetFolderPath": "f"},
        {"path": "deep", "fileSpecType": "Directory"},
    ]
    await restored(world, backup, point, restoreRequestType="ItemLevelRestore", restoreFileSpecs=specs)
    assert set(world.file_shares.files("stdata", "scratch")) == {"f/a.txt", "deep/b.bin"}


async def test_a_file_that_exists_is_skipped_with_the_copy_option_skip(world: World, backup: Any) -> None:
    point = await last_point(world, backup)
    world.file_shares.write("stdata", "scratch", "a.txt", b"mine")
    job = await restored(world, backup, point, copyOptions="Skip")
    assert world.file_shares.files("stdata", "scratch")["a.txt"] == b"mine"
    assert counted(job) == {"Restored": "1", "Skipped": "1", "Failed": "0"}


async def test_a_restore_may_corrupt_a_file_without_a_warning(world: World, backup: Any) -> None:
    def flipped(file: Content) -> Content:
        return (file[0], b"damaged") if file[0] == "a.txt" else file

    point = await last_point(world, backup)
    world.recovery_vaults.jobs.outcomes["Restore"].append(JobOutcome[Content](restored=flipped))
    operation = await triggered(world, backup, point)
    await world.clock.advance(timedelta(minutes=5))
    job = (await backup.job_details.get(**VAULT, job_name=operation)).properties
    assert job.status == "Completed"
    assert world.file_shares.files("stdata", "scratch")["a.txt"] == b"damaged"


async def test_a_restore_may_fail_or_hang(world: World, backup: Any) -> None:
    point = await last_point(world, backup)
    world.recovery_vaults.jobs.outcomes["Restore"].extend(
        [JobOutcome(status="Failed", seconds=60), JobOutcome(seconds=None)]
    )
    failed, hung = [await restored(world, backup, point) for _ in range(2)]
    assert (failed.status, hung.status) == ("Failed", "InProgress")
    assert failed.error_details[0].error_code == 1073871825
    assert world.file_shares.files("stdata", "scratch") == {}


async def test_a_restore_into_a_share_that_is_gone_fails(world: World, backup: Any) -> None:
    point = await last_point(world, backup)
    world.file_shares.delete_share("stdata", "scratch")
    job = await restored(world, backup, point)
    assert job.status == "Failed"


async def test_access_by_identity_needs_a_role_for_backup_and_another_for_restore(world: World, backup: Any) -> None:
    protected = world.recovery_vaults.items.protecting("stdata", "orders")
    container = world.arm.find(protected["id"].rpartition("/protectedItems/")[0])
    vault = world.arm.find(vault_of(protected["id"]))
    assert container
    assert vault
    container["properties"]["accessType"] = "IdentityBased"
    account = world.file_shares.account("stdata")["id"]
    refused = world.recovery_vaults.complete_backup("stdata", "orders", seconds=30)
    await world.clock.advance(timedelta(minutes=1))
    world.roles.grant(vault["identity"]["principalId"], BACKUP_ROLE, account)
    allowed = world.recovery_vaults.complete_backup("stdata", "orders", seconds=30)
    await world.clock.advance(timedelta(minutes=1))
    point = str([p.name async for p in backup.recovery_points.list(**item(world))][-1])
    without = await restored(world, backup, point)
    world.roles.grant(vault["identity"]["principalId"], RESTORE_ROLE, account)
    with_role = await restored(world, backup, point)
    assert [refused["properties"]["status"], allowed["properties"]["status"]] == ["Failed", "Completed"]
    assert [without.status, with_role.status] == ["Failed", "Completed"]


async def test_the_eleventh_restore_of_a_day_is_refused(world: World, backup: Any) -> None:
    point = await last_point(world, backup)
    for _ in range(Shares.limits["Restore"]):
        await triggered(world, backup, point)
    with pytest.raises(HttpResponseError) as caught:
        await triggered(world, backup, point)
    assert caught.value.status_code == 400


async def test_a_cancelled_backup_leaves_no_point(world: World, backup: Any) -> None:
    job = world.recovery_vaults.complete_backup("stdata", "orders", status="Cancelled")
    assert job["properties"]["status"] == "Cancelled"
    assert [p async for p in backup.recovery_points.list(**item(world))] == []
