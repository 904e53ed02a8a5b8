"""Shares that a cluster names by tag are protected by a Recovery Services vault of the cluster's own."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from local.cloud.arm import Resource
from local.cloud.wire import InjectedFault
from local.cloud.world import World
from local.stage import RunningApp
from shared.domain.vaults.roles import CONTRIBUTOR
from shared.domain.vaults.shares import FILE_BACKUP_CONTRIBUTOR
from tests.worlds.app import NO_WATCH, call, open_app
from tests.worlds.consents import agree
from tests.worlds.protections import (
    CLUSTER,
    asked,
    cluster_of,
    finished,
    of,
    protected,
    runs,
    stops_with,
    swept,
    write_policy,
    writes,
)
from tests.worlds.times import DAY

ACCOUNT, OTHER = "stshop", "storders"
VAULTS = "Microsoft.RecoveryServices/vaults"
ITEMS = f"{VAULTS}/backupFabrics/protectionContainers/protectedItems"
CONTAINERS = f"{VAULTS}/backupFabrics/protectionContainers"
POLICIES = f"{VAULTS}/backupPolicies"


def seed(world: World) -> None:
    """A cluster that names three shares of two accounts, none of which hands out a key."""
    for account, share in ((ACCOUNT, "carts"), (ACCOUNT, "images"), (OTHER, "orders"), (OTHER, "unnamed")):
        world.file_shares.create(account, share)
        world.file_shares.account(account)["properties"]["allowSharedKeyAccess"] = False
        agree(world.file_shares.account(account))
    tags = {
        "meshward:protect": "true",
        "meshward:files": f"rg-storage/{ACCOUNT}/carts, rg-storage/{ACCOUNT}/images",
        "meshward:files-2": f"rg-storage/{OTHER}/orders",
    }
    world.aks.add(CLUSTER, tags=tags)


@pytest.fixture
async def stage() -> AsyncIterator[RunningApp]:
    async with open_app(seed=seed, settings=NO_WATCH) as stage:
        yield stage


def one(stage: RunningApp, type: str) -> Resource:
    (found,) = of(stage.world, type)
    return found


def states(stage: RunningApp) -> dict[str, str]:
    """The protected shares and their protection states."""
    return {i["properties"]["friendlyName"]: i["properties"]["protectionState"] for i in of(stage.world, ITEMS)}


async def protect(stage: RunningApp) -> None:
    stage.world.aks.announce(cluster_of(stage))
    await protected(stage)


async def refused(stage: RunningApp, reason: str) -> None:
    """The cluster itself is protected all the same, and the run ends with the reason."""
    await stops_with(stage, reason)
    held = one(stage, "Microsoft.DataProtection/backupVaults/backupInstances")
    assert held["properties"]["currentProtectionState"] == "ProtectionConfigured"


async def test_each_named_share_is_protected_and_no_other_by_a_hardened_vault(stage: RunningApp) -> None:
    await protect(stage)
    assert states(stage) == dict.fromkeys(("carts", "images", "orders"), "IRPending")
    vault = one(stage, VAULTS)
    assert vault["name"].startswith("rsv-aks-new-")
    assert vault["tags"]["meshward:cluster"] == "rg-clusters/aks-new"
    held = vault["properties"]
    assert held["redundancySettings"] == {
        "standardTierStorageRedundancy": "GeoRedundant",
        "crossRegionRestore": "Disabled",
    }
    assert held["securitySettings"]["softDeleteSettings"]["softDeleteState"] == "Enabled"
    lasting = {"state": "Unlocked", "configuration": {"type": "AsPerPolicy"}}
    assert held["securitySettings"]["immutabilitySettings"] == lasting
    (run,) = runs(stage)
    assert set(run.output["volumes"]) == {"share storders/orders", "share stshop/carts", "share stshop/images"}


async def test_an_account_is_registered_by_the_vault_s_identity_alone(stage: RunningApp) -> None:
    await protect(stage)
    vault = one(stage, VAULTS)
    assert len(of(stage.world, CONTAINERS)) == 2
    for container in of(stage.world, CONTAINERS):
        held = container["properties"]
        assert (held["accessType"], held["identityInfo"]) == ("IdentityBased", {"isSystemAssignedIdentity": True})
        account = held["sourceResourceId"]
        assert stage.world.roles.effective(vault["identity"]["principalId"], FILE_BACKUP_CONTRIBUTOR, account)


async def test_each_thing_is_asked_for_once_and_a_second_run_changes_nothing(stage: RunningApp) -> None:
    await protect(stage)
    sent = [line for line in writes(stage.world) if "RecoveryServices" in line]
    # a failed registration is asked for again: that is how it is seen that the role acts
    puts = {line for line in sent if line.startswith("PUT")}
    assert len(puts) == 1 + 1 + 2 + 3
    assert sum("/inquire" in line for line in sent) == 2
    assert sum("/protectedItems/" in line for line in sent) == 3
    before = writes(stage.world)
    assert (await swept(stage))["changes"] == []
    assert writes(stage.world) == before


async def test_an_unchanged_run_costs_eight_reads_one_of_each_consent_and_no_write(stage: RunningApp) -> None:
    agree(stage.world.machines.add("vm-build", group="rg-tools"))
    cluster_of(stage)["tags"]["meshward:machines"] = "rg-tools/vm-build"
    await protect(stage)
    await stage.clock.advance(timedelta(minutes=5))
    written, before = writes(stage.world), len(asked(stage))
    await stage.host.invoke_timer("cluster_sweep")
    assert (await finished(stage, suffix=f"{stage.clock.now():%Y%m%d}")).output["changes"] == []
    reads = [e.url.partition("?")[0] for e in asked(stage)[before:]]
    lists = ("/managedClusters", "/backupVaults")  # one for all clusters
    consents = [url for url in reads if url.rpartition("/")[2] in (ACCOUNT, OTHER, "vm-build")]
    assert len(consents) == 3
    assert len([url for url in reads if not url.endswith(lists)]) == 8 + 3, reads
    assert writes(stage.world) == written


async def test_the_policy_for_shares_says_what_the_policy_document_asks_for(stage: RunningApp) -> None:
    write_policy(stage, backup_every="PT4H", keep="P30D", redundancy="ZoneRedundant", soft_delete="AlwaysOn")
    await protect(stage)
    policy = next(p for p in of(stage.world, POLICIES) if p["name"] == "files-every-4h-keep-30d")
    assert policy["properties"]["schedulePolicy"]["hourlySchedule"]["interval"] == 4
    kept = policy["properties"]["retentionPolicy"]["dailySchedule"]["retentionDuration"]
    assert kept == {"count": 30, "durationType": "Days"}
    held = one(stage, VAULTS)["properties"]
    assert held["redundancySettings"]["standardTierStorageRedundancy"] == "ZoneRedundant"
    assert held["securitySettings"]["softDeleteSettings"]["softDeleteState"] == "AlwaysON"


async def test_another_schedule_is_another_policy_and_the_shares_move_to_it(stage: RunningApp) -> None:
    await protect(stage)
    write_policy(stage, keep="P14D")
    changes = (await swept(stage))["changes"]
    assert sum(line.startswith("move share") for line in changes) == 3
    policies = {item["properties"]["policyId"].rpartition("/")[2] for item in of(stage.world, ITEMS)}
    assert policies == {"files-every-24h-keep-14d"}
    assert (await swept(stage))["changes"] == []


async def test_a_role_that_acts_late_shows_in_the_registration(stage: RunningApp) -> None:
    stage.world.roles.lags[FILE_BACKUP_CONTRIBUTOR] = timedelta(minutes=20).total_seconds()
    await protect(stage)
    assert set(states(stage)) == {"carts", "images", "orders"}
    tried = [line for line in writes(stage.world) if "/protectionContainers/" in line and line.startswith("PUT")]
    assert len(tried) > 2 * 10


async def test_the_plan_names_the_volumes_and_its_hash_covers_them(stage: RunningApp) -> None:
    route = f"plans/protections?cluster_id={cluster_of(stage)['id']}"
    _, shown = await call(stage, "GET", route)
    acts = [(c["act"], c["what"]) for c in shown["changes"]]
    assert ("protect", f"share {ACCOUNT}/carts by policy files-every-24h-keep-7d") in acts
    assert any(act == "create" and what.startswith("Recovery Services vault rsv-") for act, what in acts)
    stage.world.file_shares.delete_share(OTHER, "orders")
    body = {"cluster_id": cluster_of(stage)["id"], "plan": shown["plan"]}
    status, answer = await call(stage, "POST", "protections", body)
    assert (status, answer["reason"]) == (409, "PlanChanged")


async def test_drift_of_the_recovery_services_vault_is_mended(stage: RunningApp) -> None:
    await protect(stage)
    held = one(stage, VAULTS)["properties"]
    held["securitySettings"]["softDeleteSettings"]["softDeleteState"] = "Disabled"
    held["securitySettings"]["immutabilitySettings"] = {"state": "Disabled"}
    role = next(
        r
        for r in of(stage.world, "Microsoft.Authorization/roleAssignments")
        if r["properties"]["roleDefinitionId"].endswith(FILE_BACKUP_CONTRIBUTOR)
    )
    stage.world.arm.remove(role["id"])
    assert [line.split()[0] for line in (await swept(stage))["changes"]] == ["harden", "grant"]
    assert held["securitySettings"]["softDeleteSettings"]["softDeleteState"] == "Enabled"
    assert (await swept(stage))["changes"] == []


@pytest.mark.parametrize("takes", [100, 300])
async def test_a_vault_is_asked_to_change_once_however_long_azure_takes(stage: RunningApp, takes: float) -> None:
    await protect(stage)
    stage.world.recovery_vaults.update_seconds = takes
    one(stage, VAULTS)["properties"]["securitySettings"]["immutabilitySettings"] = {"state": "Disabled"}
    (change,) = (await swept(stage))["changes"]
    assert "immutability is Disabled, not Unlocked" in change
    assert [e.status for e in stage.world.wire.exchanges if e.method == "PATCH"] == [202]
    assert (await swept(stage))["changes"] == []


async def test_the_recovery_services_vault_is_locked_in_two_steps(stage: RunningApp) -> None:
    await protect(stage)
    vault = one(stage, VAULTS)
    vault["properties"]["securitySettings"]["immutabilitySettings"] = {"state": "Disabled"}
    write_policy(stage, lock=[vault["name"]])
    await swept(stage)
    assert vault["properties"]["securitySettings"]["immutabilitySettings"]["state"] == "Locked"
    assert (await swept(stage))["changes"] == []


async def test_a_change_that_the_network_doubles_is_made_once(stage: RunningApp) -> None:
    await protect(stage)
    one(stage, VAULTS)["properties"]["securitySettings"]["immutabilitySettings"] = {"state": "Disabled"}
    stage.world.wire.inject(InjectedFault("PATCH .*/vaults/[^/]+$", "double"))
    assert len((await swept(stage))["changes"]) == 1
    assert 409 in [e.status for e in stage.world.wire.exchanges if e.method == "PATCH"]
    assert (await swept(stage))["changes"] == []


async def test_public_networks_are_shut_out_of_the_vault_when_the_policy_document_says_so(stage: RunningApp) -> None:
    await protect(stage)
    assert one(stage, VAULTS)["properties"]["publicNetworkAccess"] == "Enabled"
    write_policy(stage, public_network=False)
    (change,) = (await swept(stage))["changes"]
    assert "it is open to public networks" in change
    assert one(stage, VAULTS)["properties"]["publicNetworkAccess"] == "Disabled"


async def test_a_resource_guard_watches_over_the_recovery_services_vault_too(stage: RunningApp) -> None:
    write_policy(stage, guard=stage.world.resource_guards.add("guard-contoso")["id"])
    await protect(stage)
    assert one(stage, VAULTS)["properties"]["securitySettings"]["multiUserAuthorization"] == "Enabled"
    assert (await swept(stage))["changes"] == []


async def test_a_share_that_is_named_later_is_protected_by_the_sweep(stage: RunningApp) -> None:
    await protect(stage)
    cluster_of(stage)["tags"]["meshward:files-3"] = f"rg-storage/{OTHER}/unnamed"
    assert [line.split()[0] for line in (await swept(stage))["changes"]] == ["protect"]
    assert "unnamed" in states(stage)


async def test_an_account_that_another_vault_holds_is_refused_and_the_rest_is_protected(stage: RunningApp) -> None:
    stage.world.recovery_vaults.protect("rsv-theirs", OTHER, "unnamed")
    await refused(stage, "VolumesRefused: refuse share storders/orders: ")
    assert set(states(stage)) == {"carts", "images", "unnamed"}


@pytest.mark.parametrize(
    ("state", "why"),
    [
        ({"isScheduledForDeferredDelete": True, "protectionState": "ProtectionStopped"}, "undelete it"),
        ({"protectionState": "ProtectionStopped"}, "its protection was stopped; resume it"),
    ],
)
async def test_a_share_whose_protection_somebody_ended_is_told_and_not_taken_up_again(
    stage: RunningApp, state: dict[str, object], why: str
) -> None:
    await protect(stage)
    item = next(i for i in of(stage.world, ITEMS) if i["properties"]["friendlyName"] == "carts")
    item["properties"].update(state)
    await stage.clock.advance(DAY)
    run = await finished(stage, suffix=f"{stage.clock.now():%Y%m%d}")
    assert why in (run.failure or "")
    assert item["properties"]["protectionState"] == "ProtectionStopped"


async def test_a_share_that_is_not_there_is_refused_by_name(stage: RunningApp) -> None:
    stage.world.file_shares.delete_share(OTHER, "orders")
    await refused(stage, "refuse share storders/orders: it doesn't exist")
    assert set(states(stage)) == {"carts", "images"}


async def test_an_account_elsewhere_than_the_vault_is_refused(stage: RunningApp) -> None:
    stage.world.file_shares.account(OTHER)["location"] = "northeurope"
    await refused(stage, "it is in northeurope, and the vault in westeurope")


async def test_a_tag_that_names_no_share_is_told_before_anything_is_made(stage: RunningApp) -> None:
    cluster_of(stage)["tags"]["meshward:files"] = "not a share"
    route = f"plans/protections?cluster_id={cluster_of(stage)['id']}"
    status, answer = await call(stage, "GET", route)
    assert (status, answer["reason"]) == (400, "BadTag")
    await stage.host.invoke_timer("cluster_sweep")
    assert stage.host.instances() == []
    assert writes(stage.world) == []


async def test_volumes_do_not_wait_for_a_cluster_that_can_not_be_protected(stage: RunningApp) -> None:
    stage.world.roles.lags[CONTRIBUTOR] = (9 * DAY).total_seconds()
    await stops_with(stage, "UserErrorMissingPermissionsOnSnapshotResourceGroup")
    assert set(states(stage)) == {"carts", "images", "orders"}


async def test_the_vault_of_a_cluster_that_is_gone_is_released_with_its_shares_backups(stage: RunningApp) -> None:
    stage.world.backup_vaults.delete_seconds = 0.0
    write_policy(stage, release_after="P9D")
    await protect(stage)
    stage.world.aks.remove(CLUSTER)
    await stage.clock.advance(11 * DAY)
    assert set(states(stage).values()) == {"ProtectionStopped"}, "deleted softly, and waited for"
    assert len(of(stage.world, VAULTS)) == 1
    release = next(i for i in stage.host.instances() if i.name == "release_cluster")
    assert release.custom_status["reason"] == "SoftDeleted"
    await stage.clock.advance(16 * DAY)
    release = next(i for i in stage.host.instances() if i.name == "release_cluster")
    assert release.status == "Completed", release.failure
    assert (of(stage.world, ITEMS), of(stage.world, CONTAINERS), of(stage.world, VAULTS)) == ([], [], [])
    deleted = [e.status for e in stage.world.wire.exchanges if e.method == "DELETE" and "backupVaults/bv-" in e.url]
    assert deleted[-1] == 200, "the one vault was gone at once"
    assert stage.world.file_shares.exists(ACCOUNT, "carts"), "what was backed up is somebody else's"


async def test_a_machine_that_the_cluster_names_is_protected_by_a_policy_of_its_own(stage: RunningApp) -> None:
    machine = stage.world.machines.add("vm-build", group="rg-tools")
    agree(machine)
    cluster_of(stage)["tags"]["meshward:machines"] = "rg-tools/vm-build"
    await protect(stage)
    item = next(i for i in of(stage.world, ITEMS) if i["properties"]["friendlyName"] == "vm-build")
    assert item["properties"]["sourceResourceId"].lower() == machine["id"].lower()
    assert item["properties"]["policyId"].endswith("/machines-every-24h-keep-7d")
    assert set(states(stage)) == {"carts", "images", "orders", "vm-build"}
    before = writes(stage.world)
    assert (await swept(stage))["changes"] == []
    assert writes(stage.world) == before


async def test_a_machine_that_another_vault_holds_is_refused(stage: RunningApp) -> None:
    machine = stage.world.machines.add("vm-build", group="rg-tools")
    agree(machine)
    theirs = stage.world.recovery_vaults.add("rsv-theirs", location="westeurope")
    stage.world.recovery_vaults.items.machines.protect(theirs["id"], machine, f"{theirs['id']}/backupPolicies/p")
    cluster_of(stage)["tags"]["meshward:machines"] = "rg-tools/vm-build"
    await refused(stage, "refuse machine rg-tools/vm-build: ")
    assert "rsv-theirs" in (runs(stage)[0].failure or "")
