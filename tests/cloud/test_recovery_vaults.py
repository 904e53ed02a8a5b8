from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError
from azure.mgmt.recoveryservices.aio import RecoveryServicesClient
from azure.mgmt.recoveryservicesbackup.aio import RecoveryServicesBackupClient

from local.cloud.world import REGION, World
from tests.worlds import sdk

AT: dict[str, Any] = {"resource_group_name": "rg-backup", "vault_name": "rsv-one"}
BODY: dict[str, Any] = {"location": REGION, "sku": {"name": "Standard"}, "identity": {"type": "SystemAssigned"}}
SHARES = "backupManagementType eq 'AzureStorage'"
POLICY: dict[str, Any] = {
    "properties": {
        "backupManagementType": "AzureStorage",
        "workLoadType": "AzureFileShare",
        "schedulePolicy": {
            "schedulePolicyType": "SimpleSchedulePolicy",
            "scheduleRunFrequency": "Daily",
            "scheduleRunTimes": ["2027-01-15T20:30:00.000Z"],
        },
        "retentionPolicy": {
            "retentionPolicyType": "LongTermRetentionPolicy",
            "dailySchedule": {
                "retentionTimes": ["2027-01-15T20:30:00.000Z"],
                "retentionDuration": {"count": 30, "durationType": "Days"},
            },
        },
        "timeZone": "UTC",
    }
}


@pytest.fixture
async def vaults(world: World) -> AsyncIterator[Any]:
    world.resource_groups.add("rg-backup")
    async with RecoveryServicesClient(**sdk.arm(world, world.entra.add("caller"))) as client:
        yield client.vaults


@pytest.fixture
async def backup(world: World) -> AsyncIterator[Any]:
    async with RecoveryServicesBackupClient(**sdk.arm(world, world.entra.add("operator"))) as client:
        yield client


def parameters(**properties: Any) -> dict[str, Any]:
    return {**BODY, "properties": {"publicNetworkAccess": "Enabled", **properties}}


async def made(vaults: Any, **properties: Any) -> Any:
    return await (await vaults.begin_create_or_update(**AT, vault=parameters(**properties))).result()


async def registered(world: World, backup: Any) -> str:
    """An account with the share `orders`, registered with the vault; the name of its container."""
    account = world.file_shares.account("stdata")
    world.file_shares.create("stdata", "orders")
    container = f"StorageContainer;Storage;rg-storage;{account['name']}"
    body = {
        "containerType": "StorageContainer",
        "backupManagementType": "AzureStorage",
        "sourceResourceId": account["id"],
    }
    poller = await backup.protection_containers.begin_register(
        **AT, fabric_name="Azure", container_name=container, parameters={"properties": body}
    )
    await poller.result()
    return container


async def inquired(world: World, backup: Any, container: str) -> list[Any]:
    await backup.protection_containers.inquire(**AT, fabric_name="Azure", container_name=container)
    await world.clock.advance(timedelta(minutes=1))
    found = backup.backup_protectable_items.list(**AT, filter=f"{SHARES} and workloadType eq 'AzureFileShare'")
    return [item async for item in found]


async def protected(world: World, backup: Any) -> Any:
    """The item of the share `orders`, protected over the wire."""
    container = await registered(world, backup)
    item = (await inquired(world, backup, container))[0]
    await backup.protection_policies.create_or_update(**AT, policy_name="daily", parameters=POLICY)
    policy = await backup.protection_policies.get(**AT, policy_name="daily")
    properties = {
        "protectedItemType": "AzureFileShareProtectedItem",
        "sourceResourceId": world.file_shares.account("stdata")["id"],
        "policyId": policy.id,
    }
    await backup.protected_items.begin_create_or_update(
        **AT,
        fabric_name="Azure",
        container_name=container,
        protected_item_name=item.name,
        parameters={"properties": properties},
        polling=False,
    )
    await world.clock.advance(timedelta(minutes=1))
    return await anext(backup.backup_protected_items.list(**AT, filter=SHARES))


async def test_a_new_vault_is_geo_redundant_has_an_identity_and_no_policy_for_shares(vaults: Any, backup: Any) -> None:
    vault = await made(vaults)
    policies = [p.name async for p in backup.backup_policies.list(**AT)]
    assert vault.properties.provisioning_state == "Succeeded"
    assert vault.properties.redundancy_settings.standard_tier_storage_redundancy == "GeoRedundant"
    assert vault.identity.principal_id
    assert policies == ["DefaultPolicy", "EnhancedPolicy", "HourlyLogBackup"]


async def test_deleting_a_vault_ends_in_a_404_of_its_poll_as_often_as_in_success(world: World, vaults: Any) -> None:
    await made(vaults)
    poller = await vaults.begin_delete(**AT)
    with pytest.raises(HttpResponseError) as caught:
        await poller.result()
    assert caught.value.status_code == 404
    assert not list(world.arm.of_type("Microsoft.RecoveryServices/vaults"))
    await made(vaults)
    await (await vaults.begin_delete(**AT)).result()
    last = world.wire.exchanges[-1]
    assert (last.status, last.body["status"], dict(last.headers)) == (200, "Succeeded", {})
    assert not list(world.arm.of_type("Microsoft.RecoveryServices/vaults"))


def changed(soft_delete: str = "Enabled", immutability: str = "Unlocked") -> dict[str, Any]:
    """A vault's security settings, as a change of the vault."""
    soft = {"softDeleteState": soft_delete, "softDeleteRetentionPeriodInDays": 14}
    lasting = {"configuration": {"type": "AsPerPolicy"}} if immutability != "Disabled" else {}
    security = {"softDeleteSettings": soft, "immutabilitySettings": {"state": immutability, **lasting}}
    return {"properties": {"securitySettings": security}}


def patched(world: World) -> list[tuple[int, set[str]]]:
    """Status and headers of each answer to a PATCH."""
    return [(e.status, set(e.headers)) for e in world.wire.exchanges if e.method == "PATCH"]


async def test_a_change_of_a_vault_is_202_until_its_operation_ends_and_then_200(world: World, vaults: Any) -> None:
    await made(vaults)
    poller = await vaults.begin_update(**AT, vault=changed())
    meanwhile = (await vaults.get(**AT)).properties
    await poller.result()
    after = (await vaults.get(**AT)).properties
    await vaults.begin_update(**AT, vault=changed())
    assert patched(world) == [(202, {"Azure-AsyncOperation", "Location"}), (200, set())]
    assert (meanwhile.provisioning_state, meanwhile.security_settings.immutability_settings) == ("Succeeded", None)
    assert after.security_settings.immutability_settings.state == "Unlocked"


async def test_a_second_change_while_one_runs_is_refused_and_changes_nothing(world: World, vaults: Any) -> None:
    await made(vaults)
    first = await vaults.begin_update(**AT, vault=changed())
    with pytest.raises(HttpResponseError) as caught:
        await vaults.begin_update(**AT, vault=changed(immutability="Locked"))
    await first.result()
    after = (await vaults.get(**AT)).properties
    assert caught.value.status_code == 409
    assert after.security_settings.immutability_settings.state == "Unlocked"
    await (await vaults.begin_update(**AT, vault=changed(immutability="Locked"))).result()
    assert [status for status, _ in patched(world)] == [202, 409, 202]


async def test_what_others_change_during_a_change_stays(world: World, vaults: Any) -> None:
    await made(vaults)
    vault = next(world.arm.of_type("Microsoft.RecoveryServices/vaults"))
    poller = await vaults.begin_update(**AT, vault=changed())
    vault["properties"]["securitySettings"]["multiUserAuthorization"] = "Enabled"
    await poller.result()
    after = (await vaults.get(**AT)).properties.security_settings
    assert (after.multi_user_authorization, after.immutability_settings.state) == ("Enabled", "Unlocked")


@pytest.mark.parametrize(
    ("soft_delete", "immutability", "score"),
    [
        ("Enabled", "Disabled", ("None", "Poor")),
        ("Enabled", "Unlocked", ("Minimum", "Fair")),
        ("Enabled", "Locked", ("Adequate", "Good")),
        ("AlwaysON", "Locked", ("Adequate", "Good")),
        ("Disabled", "Disabled", ("None", "Poor")),
    ],
)
async def test_a_vault_is_rated_by_soft_delete_and_immutability(
    vaults: Any, soft_delete: str, immutability: str, score: tuple[str, str]
) -> None:
    await made(vaults)
    if immutability == "Locked":
        await (await vaults.begin_update(**AT, vault=changed())).result()
    await (await vaults.begin_update(**AT, vault=changed(soft_delete, immutability))).result()
    rated = (await vaults.get(**AT)).properties
    assert (rated.secure_score, rated.bcdr_security_level) == score


async def test_a_vault_is_locked_only_once_it_is_unlocked(vaults: Any) -> None:
    with pytest.raises(HttpResponseError) as caught:
        await made(vaults, **changed(immutability="Locked")["properties"])
    assert (caught.value.error and caught.value.error.code) == "UserErrorUnsupportedVaultImmutabilityStateChange"
    await made(vaults)
    with pytest.raises(HttpResponseError):
        await vaults.begin_update(**AT, vault=changed(immutability="Locked"))
    for state in ("Unlocked", "Locked"):
        await (await vaults.begin_update(**AT, vault=changed(immutability=state))).result()
    assert (await vaults.get(**AT)).properties.security_settings.immutability_settings.state == "Locked"


async def test_an_immutability_that_doesn_t_say_how_long_it_lasts_is_refused(vaults: Any) -> None:
    with pytest.raises(HttpResponseError, match="configuration is required"):
        await made(vaults, securitySettings={"immutabilitySettings": {"state": "Unlocked"}})


async def test_soft_delete_that_is_always_on_stays(vaults: Any) -> None:
    await made(vaults, securitySettings={"softDeleteSettings": {"softDeleteState": "AlwaysON"}})
    with pytest.raises(HttpResponseError) as caught:
        await made(vaults, securitySettings={"softDeleteSettings": {"softDeleteState": "Disabled"}})
    assert caught.value.status_code == 400


async def test_times_of_a_policy_come_back_without_milliseconds(vaults: Any, backup: Any) -> None:
    await made(vaults)
    policy = await backup.protection_policies.create_or_update(**AT, policy_name="daily", parameters=POLICY)
    assert policy.as_dict()["properties"]["schedulePolicy"]["scheduleRunTimes"] == ["2027-01-15T20:30:00Z"]


async def test_accounts_are_found_only_after_a_refresh(world: World, vaults: Any, backup: Any) -> None:
    await made(vaults)
    world.file_shares.create("stdata", "orders")
    listing: dict[str, Any] = {**AT, "fabric_name": "Azure", "filter": SHARES}
    before = [c async for c in backup.protectable_containers.list(**listing)]
    await backup.protection_containers.refresh(**listing)
    await world.clock.advance(timedelta(minutes=1))
    after = [c.properties.friendly_name async for c in backup.protectable_containers.list(**listing)]
    assert (before, after) == ([], ["stdata"])


async def test_shares_are_protectable_only_after_an_inquiry(world: World, vaults: Any, backup: Any) -> None:
    await made(vaults)
    container = await registered(world, backup)
    before = [i async for i in backup.backup_protectable_items.list(**AT, filter=SHARES)]
    after = await inquired(world, backup, container)
    assert before == []
    assert [i.properties.friendly_name for i in after] == ["orders"]
    assert "orders" not in after[0].name


async def test_an_account_belongs_to_one_vault(world: World, vaults: Any, backup: Any) -> None:
    world.recovery_vaults.protect("rsv-other", "stdata", "orders")
    await made(vaults)
    with pytest.raises(HttpResponseError):
        await registered(world, backup)


async def test_a_protected_share_has_a_hash_for_a_name_and_a_job_for_its_protection(
    world: World, vaults: Any, backup: Any
) -> None:
    await made(vaults)
    item = await protected(world, backup)
    jobs = [(j.properties.operation, j.properties.status) async for j in backup.backup_jobs.list(**AT)]
    assert item.properties.friendly_name == "orders"
    assert item.properties.protection_state == "IRPending"
    assert item.name.startswith("AzureFileShare;")
    assert jobs == [("ConfigureBackup", "Completed")]


async def test_a_share_that_is_protected_is_not_protectable_any_more(world: World, vaults: Any, backup: Any) -> None:
    await made(vaults)
    world.file_shares.create("stdata", "returns")
    taken = (await protected(world, backup)).properties.get("friendlyName")
    found = [item.properties.friendly_name async for item in backup.backup_protectable_items.list(**AT, filter=SHARES)]
    assert (len(found), {*found, taken}) == (1, {"orders", "returns"})


async def test_a_deleted_item_stays_until_its_days_are_over_and_keeps_its_vault(
    world: World, vaults: Any, backup: Any
) -> None:
    await made(vaults)
    item = await protected(world, backup)
    names = item.id.split("/")
    await backup.protected_items.delete(
        **AT, fabric_name="Azure", container_name=names[-3], protected_item_name=names[-1]
    )
    await world.clock.advance(timedelta(minutes=1))
    left = [i.properties async for i in backup.backup_protected_items.list(**AT)]
    with pytest.raises(HttpResponseError) as caught:
        await vaults.begin_delete(**AT)
    await world.clock.advance(timedelta(days=14))
    gone = [i async for i in backup.backup_protected_items.list(**AT)]
    assert [i.is_scheduled_for_deferred_delete for i in left] == [True]
    assert caught.value.error
    assert caught.value.error.code == "ServiceResourceNotEmptyWithBackendMessage"
    assert gone == []


async def test_a_stopped_share_has_no_policy(world: World, vaults: Any, backup: Any) -> None:
    await made(vaults)
    item = await protected(world, backup)
    stop = {
        "protectedItemType": "AzureFileShareProtectedItem",
        "sourceResourceId": world.file_shares.account("stdata")["id"],
        "protectionState": "ProtectionStopped",
    }
    names = item.id.split("/")
    where = {**AT, "fabric_name": "Azure", "container_name": names[-3], "protected_item_name": names[-1]}
    await backup.protected_items.begin_create_or_update(**where, parameters={"properties": stop}, polling=False)
    await world.clock.advance(timedelta(minutes=1))
    stopped = (await anext(backup.backup_protected_items.list(**AT, filter=SHARES))).as_dict()["properties"]
    assert (stopped["protectionState"], "policyId" in stopped) == ("ProtectionStopped", False)


async def test_in_a_vault_with_items_cross_region_restore_is_enabled_and_redundancy_not_changed(
    world: World, vaults: Any, backup: Any
) -> None:
    await made(vaults)
    await protected(world, backup)
    settings = {"standardTierStorageRedundancy": "GeoRedundant", "crossRegionRestore": "Enabled"}
    await (await vaults.begin_update(**AT, vault={"properties": {"redundancySettings": settings}})).result()
    enabled = (await vaults.get(**AT)).properties.redundancy_settings
    settings = {"standardTierStorageRedundancy": "LocallyRedundant"}
    with pytest.raises(HttpResponseError) as caught:
        await vaults.begin_update(**AT, vault={"properties": {"redundancySettings": settings}})
    assert enabled.cross_region_restore == "Enabled"
    assert caught.value.status_code == 400


async def test_what_is_deleted_from_a_vault_without_soft_delete_is_gone_at_once(
    world: World, vaults: Any, backup: Any
) -> None:
    await made(vaults, securitySettings={"softDeleteSettings": {"softDeleteState": "Disabled"}})
    names = (await protected(world, backup)).id.split("/")
    await backup.protected_items.delete(
        **AT, fabric_name="Azure", container_name=names[-3], protected_item_name=names[-1]
    )
    await world.clock.advance(timedelta(minutes=1))
    assert [i async for i in backup.backup_protected_items.list(**AT)] == []
    containers = [c.properties async for c in backup.backup_protection_containers.list(**AT, filter=SHARES)]
    assert [container.protected_item_count for container in containers] == [0]


async def test_a_deleted_item_can_be_brought_back(world: World, vaults: Any, backup: Any) -> None:
    await made(vaults)
    item = await protected(world, backup)
    names = item.id.split("/")
    where = {**AT, "fabric_name": "Azure", "container_name": names[-3], "protected_item_name": names[-1]}
    await backup.protected_items.delete(**where)
    await world.clock.advance(timedelta(minutes=1))
    undo = {"protectedItemType": "AzureFileShareProtectedItem", "isRehydrate": True, "policyId": ""}
    await backup.protected_items.begin_create_or_update(**where, parameters={"properties": undo}, polling=False)
    await world.clock.advance(timedelta(days=15))
    found = await anext(backup.backup_protected_items.list(**AT, filter=SHARES))
    jobs = [j.properties.operation async for j in backup.backup_jobs.list(**AT)]
    assert not found.properties.is_scheduled_for_deferred_delete
    assert jobs == ["ConfigureBackup", "DeleteBackupData", "Undelete"]


async def test_a_container_that_is_unregistered_is_gone_though_its_location_is_malformed(
    world: World, vaults: Any, backup: Any
) -> None:
    await made(vaults)
    container = await registered(world, backup)
    await backup.protection_containers.unregister(**AT, fabric_name="Azure", container_name=container)
    location = world.wire.exchanges[-1].headers["Location"]
    await world.clock.advance(timedelta(minutes=1))
    left = [c async for c in backup.backup_protection_containers.list(**AT, filter=SHARES)]
    assert "?fabricName=Azure%3fapi-version" in location
    assert left == []
