from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError
from azure.mgmt.recoveryservicesbackup.aio import RecoveryServicesBackupClient

from local.cloud.arm import Resource
from local.cloud.recovery.machines import ProtectedMachines
from local.cloud.resources.machines import GROUP, MachineDisk
from local.cloud.vaults import JobOutcome
from local.cloud.world import REGION, World
from tests.worlds import sdk

VAULT: dict[str, Any] = {"resource_group_name": "rg-backup", "vault_name": "rsv-one"}
MACHINES = "backupManagementType eq 'AzureIaasVM'"
BACKUP: dict[str, Any] = {"properties": {"objectType": "IaasVMBackupRequest"}}
VM = "vm-orders-1"
AN_HOUR = timedelta(hours=1)


@pytest.fixture
async def backup(world: World) -> AsyncIterator[Any]:
    """A client in a world with a machine that no vault protects, a scratch group and a staging account."""
    world.machines.add(VM)
    world.recovery_vaults.add("rsv-one", location=REGION)
    world.resource_groups.add("rg-scratch")
    world.file_shares.account("ststaging")
    async with RecoveryServicesBackupClient(**sdk.arm(world, world.entra.add("operator"))) as client:
        yield client


def where(vault: dict[str, Any] = VAULT) -> dict[str, Any]:
    name = f"iaasvmcontainerv2;{GROUP};{VM}"
    names = {"container_name": f"iaasvmcontainer;{name}", "protected_item_name": f"vm;{name}"}
    return {**vault, "fabric_name": "Azure", **names}


async def protect(world: World, backup: Any, vault: dict[str, Any] = VAULT, **changes: Any) -> str:
    """Protect the machine over the wire; the status of the operation that did it."""
    policy = await backup.protection_policies.get(**vault, policy_name="EnhancedPolicy")
    source = world.machines.find(VM)["id"]
    body = {"protectedItemType": "Microsoft.Compute/virtualMachines", "sourceResourceId": source, "policyId": policy.id}
    await backup.protected_items.begin_create_or_update(
        **where(vault), parameters={"properties": body | changes}, polling=False
    )
    await world.clock.advance(timedelta(minutes=1))
    status: Any = await backup.backup_operation_statuses.get(**vault, operation_id=operation_of(world))
    return str(status.status.value)


def operation_of(world: World) -> str:
    """The id of the operation that the last accepted request started."""
    headers = next(e.headers for e in reversed(world.wire.exchanges) if "Azure-AsyncOperation" in e.headers)
    return headers["Azure-AsyncOperation"].partition("?")[0].rpartition("/")[2]


async def the_item(backup: Any) -> dict[str, Any]:
    """The item as the wire has it: the SDK knows no class of a machine's items, since it looks one level deep."""
    listed = backup.backup_protected_items.list(**VAULT, filter=f"{MACHINES} and itemType eq 'VM'")
    item: dict[str, Any] = (await anext(listed)).as_dict()["properties"]
    return item


async def last_point(world: World, backup: Any) -> str:
    """The name of the point of a scheduled backup that has just completed; the machine is protected first."""
    world.recovery_vaults.protect_machine("rsv-one", VM)
    world.recovery_vaults.complete_backup(GROUP, VM)
    return str([p.name async for p in backup.recovery_points.list(**where())][-1])


def request(world: World, point: str, **changes: Any) -> dict[str, Any]:
    return {
        "objectType": "IaasVMRestoreRequest",
        "recoveryPointId": point,
        "recoveryType": "RestoreDisks",
        "sourceResourceId": world.machines.find(VM)["id"],
        "storageAccountId": world.file_shares.account("ststaging")["id"],
        "targetResourceGroupId": scratch(world),
        "region": REGION,
        "createNewCloudService": False,
        "originalStorageAccountOption": False,
        "restoreWithManagedDisks": True,
        **changes,
    }


def scratch(world: World) -> str:
    return str(world.resource_groups.add("rg-scratch")["id"])


def made(world: World) -> list[Resource]:
    return world.machines.in_group(scratch(world))


async def triggered(world: World, backup: Any, point: str, **changes: Any) -> str:
    """The id of the operation that a restore request started."""
    body = {"properties": request(world, point, **changes)}
    await backup.restores.begin_trigger(**where(), recovery_point_id=point, parameters=body, polling=False)
    return operation_of(world)


async def restored(world: World, backup: Any, point: str, **changes: Any) -> Any:
    """The job of a restore that has run its time."""
    operation = await triggered(world, backup, point, **changes)
    await world.clock.advance(AN_HOUR)
    return (await backup.job_details.get(**VAULT, job_name=operation)).properties


async def test_a_machine_is_protectable_only_after_a_refresh_and_until_it_is_protected(
    world: World, backup: Any
) -> None:
    async def protectable() -> list[str]:
        listed = backup.backup_protectable_items.list(**VAULT, filter=MACHINES)
        return [item.properties.friendly_name async for item in listed]

    before = await protectable()
    await backup.protection_containers.refresh(**VAULT, fabric_name="Azure")
    await world.clock.advance(timedelta(minutes=1))
    found = await protectable()
    await protect(world, backup)
    assert (before, found, await protectable()) == ([], [VM], [])


async def test_a_refresh_finds_the_machines_of_the_vault_s_region_alone(world: World, backup: Any) -> None:
    world.machines.add("vm-far", location="eastus")
    await backup.protection_containers.refresh(**VAULT, fabric_name="Azure")
    await world.clock.advance(timedelta(minutes=1))
    found = [i.properties.friendly_name async for i in backup.backup_protectable_items.list(**VAULT, filter=MACHINES)]
    assert found == [VM]


async def test_protecting_makes_the_container_a_job_and_an_item_that_waits_for_its_first_copy(
    world: World, backup: Any
) -> None:
    assert await protect(world, backup) == "Succeeded"
    item = await the_item(backup)
    containers = [c.properties async for c in backup.backup_protection_containers.list(**VAULT, filter=MACHINES)]
    jobs = [(j.properties.operation, j.properties.status) async for j in backup.backup_jobs.list(**VAULT)]
    assert (item["friendlyName"], item["protectionState"], item["lastBackupStatus"]) == (VM, "IRPending", "")
    assert item["lastBackupTime"].startswith("2001")
    assert [(c.friendly_name, c.registration_status) for c in containers] == [(VM, "Registered")]
    assert jobs == [("ConfigureBackup", "Completed")]


async def test_protecting_a_machine_that_is_gone_fails_and_so_does_its_job(world: World, backup: Any) -> None:
    gone = world.machines.find(VM)["id"].replace(VM, "gone")
    status = await protect(world, backup, sourceResourceId=gone)
    jobs = [j.properties.status async for j in backup.backup_jobs.list(**VAULT)]
    assert (status, jobs) == ("Failed", ["Failed"])


async def test_a_machine_belongs_to_one_vault(world: World, backup: Any) -> None:
    world.recovery_vaults.protect_machine("rsv-other", VM)
    assert await protect(world, backup) == "Failed"


async def test_a_machine_isn_t_protected_by_a_vault_of_another_region(world: World, backup: Any) -> None:
    world.recovery_vaults.add("rsv-far", location="eastus")
    assert await protect(world, backup, VAULT | {"vault_name": "rsv-far"}) == "Failed"


async def test_a_deleted_machine_s_item_stays_for_its_days_and_can_be_brought_back(world: World, backup: Any) -> None:
    await protect(world, backup)
    await backup.protected_items.delete(**where())
    await world.clock.advance(timedelta(minutes=1))
    deleted = await the_item(backup)
    undo = {"protectedItemType": "Microsoft.Compute/virtualMachines", "isRehydrate": True, "policyId": ""}
    await backup.protected_items.begin_create_or_update(**where(), parameters={"properties": undo}, polling=False)
    await world.clock.advance(timedelta(days=15))
    back = await the_item(backup)
    assert (deleted["isScheduledForDeferredDelete"], deleted["protectionState"]) == (True, "ProtectionStopped")
    assert "isScheduledForDeferredDelete" not in back


async def test_a_deleted_machine_s_container_is_soft_deleted_until_the_item_is_brought_back(
    world: World, backup: Any
) -> None:
    await protect(world, backup)
    await backup.protected_items.delete(**where())
    await world.clock.advance(timedelta(minutes=1))
    deleted = [c.properties async for c in backup.backup_protection_containers.list(**VAULT, filter=MACHINES)]
    undo = {"protectedItemType": "Microsoft.Compute/virtualMachines", "isRehydrate": True, "policyId": ""}
    await backup.protected_items.begin_create_or_update(**where(), parameters={"properties": undo}, polling=False)
    await world.clock.advance(timedelta(minutes=1))
    back = [c.properties async for c in backup.backup_protection_containers.list(**VAULT, filter=MACHINES)]
    assert [container.registration_status for container in deleted + back] == ["SoftDeleted", "Registered"]


async def test_a_deleted_machine_s_item_is_gone_after_its_days_with_its_container(world: World, backup: Any) -> None:
    await protect(world, backup)
    await backup.protected_items.delete(**where())
    await world.clock.advance(timedelta(days=15))
    assert [i async for i in backup.backup_protected_items.list(**VAULT)] == []
    assert [c async for c in backup.backup_protection_containers.list(**VAULT, filter=MACHINES)] == []


async def test_a_backup_takes_its_snapshot_long_before_the_data_is_in_the_vault(world: World, backup: Any) -> None:
    await protect(world, backup)
    await backup.backups.trigger(**where(), parameters=BACKUP)
    await world.clock.advance(timedelta(minutes=5))
    status: Any = await backup.backup_operation_statuses.get(**VAULT, operation_id=operation_of(world))
    name = status.properties.job_id

    async def tasks() -> list[tuple[str, str]]:
        job: Any = (await backup.job_details.get(**VAULT, job_name=name)).properties
        return [(task.task_id, task.status) for task in job.extended_info.tasks_list]

    early = await tasks()
    await world.clock.advance(AN_HOUR)
    job: Any = (await backup.job_details.get(**VAULT, job_name=name)).properties
    point = (await anext(backup.recovery_points.list(**where()))).properties
    item = await the_item(backup)
    assert early == [("Take Snapshot", "Completed"), ("Transfer data to vault", "InProgress")]
    assert await tasks() == [("Take Snapshot", "Completed"), ("Transfer data to vault", "Completed")]
    assert job.start_time < point.recovery_point_time < job.start_time + timedelta(minutes=1)
    assert [tier.type for tier in point.recovery_point_tier_details] == ["InstantRP", "HardenedRP"]
    assert (item["protectionState"], item["lastBackupStatus"]) == ("Protected", "Completed")


async def test_a_failed_backup_leaves_no_point(world: World, backup: Any) -> None:
    world.recovery_vaults.protect_machine("rsv-one", VM)
    job = world.recovery_vaults.complete_backup(GROUP, VM, status="Failed")
    failed: Any = (await backup.job_details.get(**VAULT, job_name=job["name"])).properties
    assert failed.status == "Failed"
    assert failed.error_details[0].error_code == 1073871825
    assert [p async for p in backup.recovery_points.list(**where())] == []


async def test_a_restore_makes_the_disks_as_they_were_and_names_its_staging_container(
    world: World, backup: Any
) -> None:
    point = await last_point(world, backup)
    job = await restored(world, backup, point)
    bag = job.extended_info.property_bag
    names = [disk["name"] for disk in made(world)]
    assert job.status == "Completed"
    assert [disk["properties"]["diskSizeGB"] for disk in made(world)] == [30, 128, 64]
    assert [name.rpartition("-20")[0] for name in names] == [
        "vmorders1-osdisk",
        "vmorders1-datadisk-000",
        "vmorders1-datadisk-001",
    ]
    assert (bag["Target resource group"], bag["Target Storage Account Name"]) == ("rg-scratch", "ststaging")
    staging = world.file_shares.account("ststaging")["id"]
    assert world.storage.containers(staging) == [bag["Config Blob Container Name"]]


async def test_single_disks_may_be_restored(world: World, backup: Any) -> None:
    point = await last_point(world, backup)
    await restored(world, backup, point, restoreDiskLunList=[1])
    assert [disk["properties"]["diskSizeGB"] for disk in made(world)] == [30, 64]


async def test_a_restore_may_leave_a_disk_out_or_shrink_one_without_a_warning(world: World, backup: Any) -> None:
    def wrong(disk: MachineDisk) -> MachineDisk | None:
        return None if disk.lun == 1 else MachineDisk(lun=disk.lun, size=disk.size - 1)

    point = await last_point(world, backup)
    world.recovery_vaults.jobs.outcomes["Restore"].append(JobOutcome[MachineDisk](restored=wrong))
    job = await restored(world, backup, point)
    assert job.status == "Completed"
    assert [disk["properties"]["diskSizeGB"] for disk in made(world)] == [29, 127]


async def test_a_restore_that_fails_late_leaves_what_it_made_and_one_that_hangs_nothing(
    world: World, backup: Any
) -> None:
    point = await last_point(world, backup)
    ordered = [JobOutcome[MachineDisk](status="Failed", restored=lambda disk: disk if disk.system else None)]
    world.recovery_vaults.jobs.outcomes["Restore"].extend([*ordered, JobOutcome(seconds=None)])
    failed, hung = [await restored(world, backup, point) for _ in range(2)]
    assert (failed.status, hung.status) == ("Failed", "InProgress")
    assert failed.error_details[0].error_code == 1073871825
    assert len(made(world)) == 1
    assert len(world.storage.containers(world.file_shares.account("ststaging")["id"])) == 1


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"targetResourceGroupId": "/subscriptions/s/resourceGroups/gone"}, "UserErrorTargetResourceGroupNotFound"),
        ({"storageAccountId": "/subscriptions/s/resourceGroups/gone"}, "UserErrorStorageAccountNotFound"),
    ],
)
async def test_the_pre_flight_names_what_the_restore_would_fail_with(
    world: World, backup: Any, wrong: dict[str, str], says: str
) -> None:
    point = await last_point(world, backup)
    assert await found_wrong(world, backup, point) == []
    assert await found_wrong(world, backup, point, **wrong) == [says]
    job = await restored(world, backup, point, **wrong)
    assert job.status == "Failed"
    assert made(world) == []


async def found_wrong(world: World, backup: Any, point: str, **changes: Any) -> list[str]:
    """The codes of what the service's own pre-flight finds."""
    id = f"{world.recovery_vaults.items.protecting(GROUP, VM)['id']}/recoveryPoints/{point}"
    body = {
        "objectType": "ValidateIaasVMRestoreOperationRequest",
        "restoreRequest": request(world, point, **changes),
    }
    await backup.validate_operation.begin_trigger(**VAULT, parameters={"id": id, "properties": body}, polling=False)
    await world.clock.advance(timedelta(minutes=1))
    status: Any = await backup.validate_operation_statuses.get(**VAULT, operation_id=operation_of(world))
    return [result.code for result in status.properties.validate_operation_response.validation_results or ()]


async def test_a_zone_redundant_staging_account_fails_a_restore(world: World, backup: Any) -> None:
    point = await last_point(world, backup)
    world.file_shares.account("ststaging")["sku"]["name"] = "Standard_ZRS"
    assert await found_wrong(world, backup, point) == ["UserErrorZoneRedundantStorageNotSupported"]
    assert (await restored(world, backup, point)).status == "Failed"


async def test_a_restore_beyond_the_quota_of_disks_fails_half_done(world: World, backup: Any) -> None:
    point = await last_point(world, backup)
    world.machines.quota = 2
    job = await restored(world, backup, point)
    assert job.status == "Failed"
    assert len(made(world)) == 2


async def test_the_eleventh_restore_of_a_machine_s_day_is_refused(world: World, backup: Any) -> None:
    point = await last_point(world, backup)
    for _ in range(ProtectedMachines.limits["Restore"]):
        await triggered(world, backup, point)
    with pytest.raises(HttpResponseError) as caught:
        await triggered(world, backup, point)
    assert caught.value.status_code == 400


async def test_the_filter_distinguishes_jobs_of_shares_and_machines(world: World, backup: Any) -> None:
    await last_point(world, backup)
    world.recovery_vaults.protect("rsv-one", "stdata", "orders")
    world.recovery_vaults.complete_backup("stdata", "orders")
    found = [j.properties.entity_friendly_name async for j in backup.backup_jobs.list(**VAULT, filter=MACHINES)]
    assert found == [VM]


async def test_a_point_may_be_flagged_by_threat_detection(world: World, backup: Any) -> None:
    name = await last_point(world, backup)
    calm = await backup.recovery_points.get(**where(), recovery_point_id=name)
    (point,) = world.recovery_vaults.jobs.points(world.recovery_vaults.items.protecting(GROUP, VM))
    world.recovery_vaults.jobs.flag(point)
    flagged = await backup.recovery_points.get(**where(), recovery_point_id=name)
    assert calm.properties.threat_status == 0
    assert flagged.properties.threat_status == 2
    assert [threat.threat_state for threat in flagged.properties.threat_info] == ["Active"]
