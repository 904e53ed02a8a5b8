from collections.abc import AsyncIterator
from copy import deepcopy
from datetime import timedelta
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError
from azure.mgmt.dataprotection.aio import DataProtectionMgmtClient

from local.cloud.arm import OperationFailed, Resource
from local.cloud.backup import seed
from local.cloud.backup.readiness import DISK_SNAPSHOT_CONTRIBUTOR
from local.cloud.clock import Clock
from local.cloud.world import REGION, World
from tests.worlds import sdk

RG, VAULT = "rg-backup", "bv-one"
POLICY: dict[str, Any] = deepcopy({"properties": seed.POLICY})
del POLICY["properties"]["policyRules"][0]["trigger"]["taggingCriteria"][0]["tagInfo"]["id"]  # the service adds it
SECURITY = {"softDeleteSettings": {"state": "On"}, "immutabilitySettings": {"state": "Unlocked"}}
AT: dict[str, Any] = {"resource_group_name": RG, "vault_name": VAULT}


@pytest.fixture
async def client(world: World) -> AsyncIterator[Any]:
    world.resource_groups.add(RG)
    async with opened(world, "2025-07-01") as client:
        yield client


def opened(world: World, api_version: str) -> Any:
    """A client that speaks this version of the API."""
    return DataProtectionMgmtClient(
        **sdk.arm(world, world.entra.add("caller")), custom_hook_policy=sdk.OfVersion(api_version)
    )


def body(redundancy: str = "GeoRedundant", **security: Any) -> dict[str, Any]:
    storage = [{"datastoreType": "VaultStore", "type": redundancy}]
    properties = {"storageSettings": storage, "securitySettings": {**SECURITY, **security}}
    return {"location": REGION, "identity": {"type": "SystemAssigned"}, "properties": properties}


async def created(client: Any, **changes: Any) -> Any:
    poller = await client.backup_vaults.begin_create_or_update(**AT, parameters=body(**changes))
    return await poller.result()


def code(caught: pytest.ExceptionInfo[HttpResponseError]) -> str | None:
    return caught.value.error.code if caught.value.error else None


async def prepared(world: World, client: Any) -> tuple[Resource, dict[str, Any]]:
    """A cluster and what the PUT of its instance carries, with everything granted."""
    await created(client)
    vault = next(world.arm.of_type("Microsoft.DataProtection/backupVaults"))
    cluster = world.aks.add("shop")
    snapshots = world.backup_vaults.seed.grant_all(vault, cluster, group=RG)
    await client.backup_policies.create_or_update(**AT, backup_policy_name="aks-daily", parameters=POLICY)
    return cluster, seed.instance_properties(cluster, vault, snapshots)


async def test_a_new_vault_is_provisioned_after_a_while_and_has_an_identity(client: Any) -> None:
    poller = await client.backup_vaults.begin_create_or_update(**AT, parameters=body())
    early = await client.backup_vaults.get(**AT)
    vault = await poller.result()
    assert early.properties.provisioning_state == "Provisioning"
    assert vault.properties.provisioning_state == "Succeeded"
    assert vault.identity is not None
    assert vault.identity.principal_id


async def test_a_redundancy_that_the_region_lacks_is_refused(world: World, client: Any) -> None:
    world.backup_vaults.unsupported_redundancy.add("GeoRedundant")
    with pytest.raises(HttpResponseError) as caught:
        await created(client)
    vault = await created(client, redundancy="ZoneRedundant")
    assert caught.value.status_code == 400
    assert vault.properties.storage_settings[0].type == "ZoneRedundant"


async def test_later_versions_of_the_api_take_no_soft_delete_that_can_be_switched_off(
    world: World, client: Any
) -> None:
    vault = await created(client)
    async with opened(world, "2026-06-01") as later:
        with pytest.raises(HttpResponseError, match="Always-On") as caught:
            await created(later)
        assert caught.value.status_code == 400
        with pytest.raises(HttpResponseError, match="Always-On"):
            await later.backup_vaults.begin_update(**AT, parameters={"properties": {"securitySettings": SECURITY}})
        await created(later, softDeleteSettings={"state": "AlwaysOn"})
    assert vault.properties.security_settings.soft_delete_settings.state == "On"


async def test_soft_delete_that_is_always_on_cannot_be_switched_off(client: Any) -> None:
    await created(client, softDeleteSettings={"state": "AlwaysOn"})
    with pytest.raises(HttpResponseError) as caught:
        await created(client, softDeleteSettings={"state": "Off"})
    assert code(caught) == "UserErrorDisableSoftDeleteNotAllowed"


@pytest.mark.parametrize("state", ["OFF", "Off"])
async def test_soft_delete_that_is_off_in_whatever_casing_takes_effect(world: World, client: Any, state: str) -> None:
    await created(client, softDeleteSettings={"state": "Off"})
    (held,) = world.arm.of_type("Microsoft.DataProtection/backupVaults")
    held["properties"]["securitySettings"]["softDeleteSettings"]["state"] = state
    vault = await client.backup_vaults.get(**AT)
    assert vault.properties.security_settings.soft_delete_settings.state == state
    await (await client.backup_vaults.begin_delete(**AT)).result()
    assert world.backup_vaults.deleted == {}


async def test_a_deleted_vault_keeps_its_name(world: World, client: Any) -> None:
    await created(client)
    await (await client.backup_vaults.begin_delete(**AT)).result()
    with pytest.raises(HttpResponseError) as caught:
        await created(client)
    assert [v["name"] for v in world.backup_vaults.deleted.values()] == [VAULT]
    assert code(caught) == "UserErrorSoftDeletedVaultExists"


async def test_an_aks_policy_cannot_be_changed(client: Any) -> None:
    await created(client)
    put = client.backup_policies.create_or_update
    await put(**AT, backup_policy_name="p", parameters=POLICY)
    await put(**AT, backup_policy_name="p", parameters=POLICY)
    changed = {**POLICY["properties"], "policyRules": POLICY["properties"]["policyRules"][:1]}
    with pytest.raises(HttpResponseError):
        await put(**AT, backup_policy_name="p", parameters={"properties": changed})


async def test_validation_succeeds_only_when_every_role_is_effective(world: World, client: Any) -> None:
    _, instance = await prepared(world, client)
    late = next(
        r
        for r in world.arm.of_type("Microsoft.Authorization/roleAssignments")
        if r["properties"]["roleDefinitionId"].endswith(DISK_SNAPSHOT_CONTRIBUTOR)
    )
    world.arm.remove(late["id"])
    request: Any = {"backupInstance": instance}
    poller = await client.backup_instances.begin_validate_for_backup(**AT, parameters=request)
    with pytest.raises(HttpResponseError) as caught:
        await poller.result()
    world.arm.store(late)
    await (await client.backup_instances.begin_validate_for_backup(**AT, parameters=request)).result()
    assert code(caught) == "UserErrorMissingPermissionsOnSnapshotResourceGroup"


@pytest.mark.parametrize(
    ("type", "expected"),
    [
        ("Microsoft.KubernetesConfiguration/extensions", "UserErrorKubernetesBackupExtensionNotFoundError"),
        (
            "Microsoft.ContainerService/managedClusters/trustedAccessRoleBindings",
            "UserErrorTrustedAccessGatewayReturnedForbidden",
        ),
        ("Microsoft.Authorization/roleAssignments", "KubernetesBackupListExtensionsError"),
    ],
)
async def test_validation_names_what_is_missing(world: World, client: Any, type: str, expected: str) -> None:
    _, instance = await prepared(world, client)
    for resource in list(world.arm.of_type(type)):
        world.arm.remove(resource["id"])
    request: Any = {"backupInstance": instance}
    poller = await client.backup_instances.begin_validate_for_backup(**AT, parameters=request)
    with pytest.raises(HttpResponseError) as caught:
        await poller.result()
    assert code(caught) == expected


async def test_of_a_vault_without_an_identity_the_roles_are_missing(world: World, client: Any) -> None:
    _, instance = await prepared(world, client)
    del next(world.arm.of_type("Microsoft.DataProtection/backupVaults"))["identity"]
    request: Any = {"backupInstance": instance}
    poller = await client.backup_instances.begin_validate_for_backup(**AT, parameters=request)
    with pytest.raises(HttpResponseError) as caught:
        await poller.result()
    assert code(caught) == "KubernetesBackupListExtensionsError"


@pytest.mark.parametrize("type", ["Microsoft.DataProtection/backupVaults", "Microsoft.RecoveryServices/vaults"])
async def test_a_vault_with_unknown_states_answers_every_call(clock: Clock, type: str) -> None:
    world = World(clock)  # one that isn't held against recordings, which know no such states
    await world.start()
    url = f"{world.resource_groups.add(RG)['id']}/providers/{type}/v?api-version=2024-04-01"
    states = {"softDeleteSettings": {"state": "Paused", "softDeleteState": "Paused"}}
    security = {**states, "immutabilitySettings": {"state": "Sealed"}}
    sent = {"location": REGION, "properties": {"storageSettings": [], "securitySettings": security}}
    async with sdk.Raw(world, world.entra.add("caller")) as client:
        made = await client.call("PUT", url, sent)
        await world.clock.advance(timedelta(minutes=1))
        shown = await client.call("GET", url)
        again = await client.call("PATCH", url, {"properties": {"securitySettings": security}})
        gone = await client.call("DELETE", url)
    assert [answer.status_code for answer in (made, shown, again, gone)] == [201, 200, 200, 202]
    assert (shown.json()["properties"]["secureScore"], "identity" in shown.json()) == ("None", False)
    await world.stop()


async def test_an_instance_is_protected_only_some_time_after_its_put_has_succeeded(world: World, client: Any) -> None:
    _, properties = await prepared(world, client)
    put = client.backup_instances.begin_create_or_update
    where: dict[str, Any] = {**AT, "backup_instance_name": "shop-shop-1"}
    await (await put(**where, parameters={"properties": properties})).result()
    early = await client.backup_instances.get(**where)
    with pytest.raises(HttpResponseError) as caught:
        await client.backup_instances.begin_adhoc_backup(
            **where, parameters={"backupRuleOptions": {"ruleName": "BackupDaily", "triggerOption": {}}}
        )
    await world.clock.advance(timedelta(minutes=2))
    world.backup_vaults.instances.backward_reads = 1
    reads = [(await client.backup_instances.get(**where)).properties.current_protection_state for _ in range(2)]
    assert early.properties.provisioning_state == "Succeeded"
    assert early.properties.current_protection_state == "ConfiguringProtection"
    assert code(caught) == "UserErrorInvalidBackupInstanceOperation"
    assert reads == ["ConfiguringProtection", "ProtectionConfigured"]


async def test_a_later_api_takes_no_instance_of_a_vault_whose_soft_delete_isn_t_always_on(
    world: World, client: Any
) -> None:
    _, properties = await prepared(world, client)
    where: dict[str, Any] = {**AT, "backup_instance_name": "shop-shop-1"}
    async with opened(world, "2025-09-01") as later:
        with pytest.raises(HttpResponseError) as caught:
            await later.backup_instances.begin_create_or_update(**where, parameters={"properties": properties})
    assert code(caught) == "UserErrorSoftDeleteNotAlwaysOn"


async def test_a_cluster_belongs_to_one_instance_only_and_is_found_by_its_id(world: World, client: Any) -> None:
    cluster, properties = await prepared(world, client)
    put = client.backup_instances.begin_create_or_update
    await (await put(**AT, backup_instance_name="one", parameters={"properties": properties})).result()
    with pytest.raises(HttpResponseError) as caught:
        await put(**AT, backup_instance_name="two", parameters={"properties": properties})
    found = [i async for i in client.backup_instances_extension_routing.list(cluster["id"])]
    assert code(caught) == "UserErrorDppDatasourceAlreadyHasBackupInstance"
    assert [i.name for i in found] == ["one"]


async def test_deleting_an_absent_instance_is_no_error(world: World, client: Any) -> None:
    await created(client)
    await (await client.backup_instances.begin_delete(**AT, backup_instance_name="gone")).result()
    assert world.wire.exchanges[-1].status == 204


async def test_an_instance_of_a_cluster_that_is_not_ready_ends_as_a_protection_error(world: World, client: Any) -> None:
    _, properties = await prepared(world, client)
    for binding in list(world.arm.of_type("Microsoft.ContainerService/managedClusters/trustedAccessRoleBindings")):
        world.arm.remove(binding["id"])
    where = {**AT, "backup_instance_name": "shop-shop-1"}
    put = client.backup_instances.begin_create_or_update
    await (await put(**where, parameters={"properties": properties})).result()
    await world.clock.advance(timedelta(minutes=2))
    found = (await client.backup_instances.get(**where)).properties
    assert found.current_protection_state == "ProtectionError"
    assert found.protection_error_details.code == "UserErrorTrustedAccessGatewayReturnedForbidden"


async def test_a_protection_in_error_stays_so_until_a_sync_finds_everything_there(world: World, client: Any) -> None:
    cluster = world.aks.add("shop")
    instance = world.backup_vaults.protect("shop", vault=VAULT, group=RG)
    where = {**AT, "backup_instance_name": instance["name"], "parameters": {"syncType": "Default"}}
    world.backup_vaults.instances.fail_protection(instance, OperationFailed("UserError", "down"))
    cluster["properties"]["powerState"] = {"code": "Stopped"}
    with pytest.raises(HttpResponseError, match="in stopped state"):
        await (await client.backup_instances.begin_sync_backup_instance(**where)).result()
    assert instance["properties"]["currentProtectionState"] == "ProtectionError"
    cluster["properties"]["powerState"] = {"code": "Running"}
    await (await client.backup_instances.begin_sync_backup_instance(**where)).result()
    await world.clock.advance(timedelta(minutes=2))
    assert instance["properties"]["currentProtectionState"] == "ProtectionConfigured"
    await (await client.backup_instances.begin_sync_backup_instance(**where)).result()
    assert instance["properties"]["currentProtectionState"] == "ProtectionConfigured", "nothing was in error"


@pytest.mark.parametrize("state", ["Unlocked", "Locked", "Disabled"])
async def test_an_immutable_vault_keeps_an_instance_until_its_recovery_points_expire(
    world: World, client: Any, state: str
) -> None:
    world.aks.add("shop")
    instance = world.backup_vaults.protect("shop", vault=VAULT, group=RG)
    vault = next(world.arm.of_type("Microsoft.DataProtection/backupVaults"))
    vault["properties"]["securitySettings"]["immutabilitySettings"] = {"state": state}
    world.backup_vaults.complete_backup("shop")
    where = {**AT, "backup_instance_name": instance["name"]}
    if state != "Disabled":
        with pytest.raises(HttpResponseError) as caught:
            await client.backup_instances.begin_delete(**where)
        assert code(caught) == "UserErrorOperationNotAllowedOnImmutableVault"
        await world.clock.advance(timedelta(days=7))
    await (await client.backup_instances.begin_delete(**where)).result()
    assert world.arm.find(instance["id"]) is None


async def test_protection_can_be_stopped_and_a_vault_with_an_instance_is_not_deleted(world: World, client: Any) -> None:
    world.aks.add("shop")
    instance = world.backup_vaults.protect("shop", vault=VAULT, group=RG)
    where = {**AT, "backup_instance_name": instance["name"]}
    await (await client.backup_instances.begin_stop_protection(**where)).result()
    stopped = (await client.backup_instances.get(**where)).properties.current_protection_state
    with pytest.raises(HttpResponseError) as caught:
        await client.backup_vaults.begin_delete(**AT)
    await (await client.backup_instances.begin_delete(**where)).result()
    (deleted,) = [i async for i in client.deleted_backup_instances.list(**AT)]
    with pytest.raises(HttpResponseError, match="keeps deleted instances"):
        await client.backup_vaults.begin_delete(**AT)
    await world.clock.advance(timedelta(days=14))
    assert [i async for i in client.deleted_backup_instances.list(**AT)] == []
    await (await client.backup_vaults.begin_delete(**AT)).result()
    assert deleted.name == instance["name"]
    assert stopped == "ProtectionStopped"
    assert caught.value.status_code == 400


async def test_resuming_needs_nothing_while_protected_and_is_refused_beside_another_vault(
    world: World, client: Any
) -> None:
    world.aks.add("shop")
    instance = world.backup_vaults.protect("shop", vault=VAULT, group=RG)
    where = {**AT, "backup_instance_name": instance["name"]}
    await (await client.backup_instances.begin_resume_protection(**where)).result()
    assert (world.wire.exchanges[-1].status, world.wire.exchanges[-1].headers) == (200, {})
    world.backup_vaults.protect("shop", vault="bv-other", group=RG)
    with pytest.raises(HttpResponseError) as caught:
        await client.backup_instances.begin_resume_protection(**where)
    assert code(caught) == "UserErrorDppDatasourceAlreadyHasBackupInstance"
