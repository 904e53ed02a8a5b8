"""Restores of a cluster into another one and from the vault tier, and what the simulated Azure leaves staged."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError

from local.cloud.backup.content import Object
from local.cloud.vaults import JobOutcome
from local.cloud.world import World
from tests.worlds.backups import AT, backed_up, names, protected_shop, request, sent

VAULT_TIER = "KubernetesClusterVaultTierRestoreCriteria"
CONTRIBUTOR = "b24988ac-6180-42a0-ab88-20f7382dd24c"
ACCOUNT_CONTRIBUTOR = "17d1049b-9a84-46fb-8f53-869881c3d3ab"
BLOB_OWNER = "b7e6dc6d-f1e8-4753-8033-0f276bb0955b"


@pytest.fixture
async def client(world: World) -> AsyncIterator[Any]:
    async with protected_shop(world) as client:
        yield client


def scratch(world: World, **options: Any) -> str:
    """A second cluster that has nothing yet; its resource id."""
    return str(world.aks.add("scratch", **options)["id"])


def into(restore: Any, cluster: str) -> Any:
    """The request with another cluster as its target."""
    restore["restoreTargetInfo"]["datasourceInfo"]["resourceID"] = cluster
    return restore


def staging(world: World) -> dict[str, str]:
    """A staging group with an account in it, which the vault may fill; their resource ids by what they are."""
    group = world.resource_groups.add("rg-staging")["id"]
    account = f"{group}/providers/Microsoft.Storage/storageAccounts/ststaging"
    world.arm.store({"id": account, "name": "ststaging", "type": "Microsoft.Storage/storageAccounts", "properties": {}})
    return {"group": group, "account": account}


def let_fill(world: World, staging_ids: dict[str, str]) -> None:
    vault = next(v for v in world.arm.of_type("Microsoft.DataProtection/backupVaults"))
    for role, at in ((CONTRIBUTOR, "group"), (ACCOUNT_CONTRIBUTOR, "account"), (BLOB_OWNER, "account")):
        world.roles.grant(vault["identity"]["principalId"], role, staging_ids[at])


def from_vault(world: World, point: str, staging_ids: dict[str, str]) -> Any:
    """A restore request for the vault tier's copy of a point."""
    named = {"stagingResourceGroupId": staging_ids["group"], "stagingStorageAccountId": staging_ids["account"]}
    return {**request(world, point, objectType=VAULT_TIER, **named), "sourceDataStoreType": "VaultStore"}


def staged(world: World, staging_ids: dict[str, str]) -> list[str]:
    """What is in the staging group and account, by type."""
    kinds = ("Microsoft.Compute/snapshots", "Microsoft.Compute/disks")
    left = [r["type"] for kind in kinds for r in world.arm.of_type(kind, f"{staging_ids['group']}/")]
    return [*left, *(["container"] * len(world.storage.containers(staging_ids["account"])))]


async def test_a_restore_into_another_cluster_needs_there_what_a_backup_needs(world: World, client: Any) -> None:
    cluster = scratch(world)
    restore = into(request(world, backed_up(world)), cluster)
    checked: Any = {"restoreRequestObject": restore}
    with pytest.raises(HttpResponseError):
        await (await client.backup_instances.begin_validate_for_restore(**AT, parameters=checked)).result()
    without = await sent(world, client, restore)
    world.backup_vaults.accept("scratch")
    await (await client.backup_instances.begin_validate_for_restore(**AT, parameters=checked)).result()
    ready = await sent(world, client, restore)
    assert (without.status, without.error_details[0].code) == ("Failed", "KubernetesBackupListExtensionsError")
    assert (ready.status, ready.extended_info.recovery_destination) == ("Completed", cluster)
    assert world.kubernetes.clusters["scratch"].find("Deployment", "verify-shop", "web")
    assert world.kubernetes.clusters["shop"].find("Namespace", "", "verify-shop") is None


async def test_the_other_cluster_s_identity_must_reach_the_snapshots(world: World, client: Any) -> None:
    cluster = scratch(world)
    mine = world.backup_vaults.accept("scratch")["identity"]["principalId"]
    for grant in list(world.arm.of_type("Microsoft.Authorization/roleAssignments")):
        if grant["properties"]["principalId"] == mine:
            world.arm.remove(grant["id"])
    job = await sent(world, client, into(request(world, backed_up(world)), cluster))
    assert job.error_details[0].code == "UserErrorMissingPermissionsOnSnapshotResourceGroup"


async def test_the_operational_tier_restores_within_its_region_only(world: World, client: Any) -> None:
    cluster = scratch(world, location="northeurope")
    world.backup_vaults.accept("scratch")
    job = await sent(world, client, into(request(world, backed_up(world)), cluster))
    assert (job.status, job.error_details[0].code) == ("Failed", "UserErrorTargetClusterNotInSameRegion")


async def test_a_point_lists_its_stores(world: World, client: Any) -> None:
    point = backed_up(world, vaulted=True)
    found = await client.recovery_points.get(**AT, recovery_point_id=point)
    stores = [s["type"] for s in found.properties["recoveryPointDataStoresDetails"]]
    assert stores == ["OperationalStore", "VaultStore"]


async def test_a_restore_from_the_vault_tier_leaves_its_staged_resources(world: World, client: Any) -> None:
    staging_ids, point = staging(world), backed_up(world, vaulted=True)
    let_fill(world, staging_ids)
    job = await sent(world, client, from_vault(world, point, staging_ids))
    assert (job.status, job["sourceDataStoreType"]) == ("Completed", "VaultStore")
    assert names(world, "PersistentVolumeClaim", "verify-shop") == ["data"]
    assert staged(world, staging_ids) == ["Microsoft.Compute/snapshots", "Microsoft.Compute/disks", "container"]


@pytest.mark.parametrize("outcome", [JobOutcome(status="Failed"), JobOutcome(seconds=None)], ids=["fails", "hangs"])
async def test_staged_resources_stay_even_if_the_restore_fails(
    world: World, client: Any, outcome: JobOutcome[Object]
) -> None:
    staging_ids, point = staging(world), backed_up(world, vaulted=True)
    let_fill(world, staging_ids)
    world.backup_vaults.jobs.outcomes["Restore"].append(outcome)
    await sent(world, client, from_vault(world, point, staging_ids))
    assert len(staged(world, staging_ids)) == 3


async def test_staging_without_roles_of_the_vault_fails_the_restore(world: World, client: Any) -> None:
    staging_ids, point = staging(world), backed_up(world, vaulted=True)
    job = await sent(world, client, from_vault(world, point, staging_ids))
    assert job.error_details[0].code == "UserErrorVaultMSIMissingPermissionsOnStagingLocation"
    assert staged(world, staging_ids) == []


async def test_a_store_without_the_point_and_criteria_of_the_other_store_are_refused(world: World, client: Any) -> None:
    staging_ids, point, vaulted = staging(world), backed_up(world), backed_up(world, vaulted=True)
    wrong = request(world, vaulted)
    refused = [from_vault(world, point, staging_ids), {**wrong, "sourceDataStoreType": "VaultStore"}]
    for restore in refused:
        with pytest.raises(HttpResponseError) as caught:
            await client.backup_instances.begin_trigger_restore(**AT, parameters=restore)
        assert caught.value.status_code == 400


async def test_a_point_expires_in_one_store_or_in_all(world: World, client: Any) -> None:
    point = backed_up(world, vaulted=True)
    world.backup_vaults.jobs.expire(point, "OperationalStore")
    left = await client.recovery_points.get(**AT, recovery_point_id=point)
    with pytest.raises(HttpResponseError):
        await client.backup_instances.begin_trigger_restore(**AT, parameters=request(world, point))
    world.backup_vaults.jobs.expire(point)
    listed = [p async for p in client.recovery_points.list(**AT)]
    assert [s["type"] for s in left.properties["recoveryPointDataStoresDetails"]] == ["VaultStore"]
    assert listed == []
