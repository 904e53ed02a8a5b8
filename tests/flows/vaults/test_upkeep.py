"""Protected clusters are looked after: the sweep sees what has drifted, mends it, and costs little."""

import re
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from local.cloud.arm import OperationFailed, error
from local.cloud.backup.protocol import refusal
from local.cloud.resources.networks import ENDPOINTS, ZONE_GROUPS
from local.cloud.wire import InjectedFault
from local.host.process import InvocationFailed
from local.stage import RunningApp
from tests.worlds.app import NO_WATCH, call, open_app
from tests.worlds.consents import agree
from tests.worlds.protections import (
    CLUSTER,
    INSTANCES,
    VAULTS,
    asked,
    cluster_of,
    finished,
    of,
    one,
    protect,
    protected,
    runs,
    seed,
    stops_with,
    swept,
    write_policy,
    writes,
)
from tests.worlds.times import DAY

ROLES = "Microsoft.Authorization/roleAssignments"


@pytest.fixture
async def stage() -> AsyncIterator[RunningApp]:
    async with open_app(seed=seed, settings=NO_WATCH) as stage:
        yield stage


async def test_a_protected_cluster_costs_eight_reads_and_no_write(stage: RunningApp) -> None:
    await protect(stage)
    await stage.clock.advance(timedelta(minutes=5))
    before, written = len(asked(stage)), writes(stage.world)
    status, answer = await call(stage, "POST", "protections", {"cluster_id": cluster_of(stage)["id"]})
    assert status == 202
    await stage.run(answer["instance_id"])
    assert runs(stage)[-1].output["changes"] == []
    assert len(asked(stage)) - before == 8, [e.url.partition("?")[0] for e in asked(stage)[before:]]
    assert [line for line in writes(stage.world) if line not in written] == []


async def test_the_plan_is_shown_before_it_is_applied_and_applied_only_as_shown(stage: RunningApp) -> None:
    cluster = cluster_of(stage)["id"]
    status, shown = await call(stage, "GET", f"plans/protections?cluster_id={cluster}")
    assert (status, len(shown["changes"])) == (200, 11)
    assert shown["vault"].rpartition("/")[2].startswith("bv-aks-new-")
    assert writes(stage.world) == []

    stage.world.resource_groups.add("rg-backup")
    stage.world.extensions.fail_next()
    status, refused = await call(stage, "POST", "protections", {"cluster_id": cluster, "plan": "0" * 64})
    assert (status, refused["reason"]) == (409, "PlanChanged")
    assert stage.host.instances() == []

    status, started = await call(stage, "POST", "protections", {"cluster_id": cluster, "plan": shown["plan"]})
    assert status == 202
    await stage.run(started["instance_id"])
    assert "The extension's pods didn't start" in (runs(stage)[-1].failure or "")
    status, refused = await call(stage, "POST", "protections", {"cluster_id": cluster, "plan": shown["plan"]})
    assert status == 400, "what is found can't be taken over: no plan"
    assert "remove it" in refused["message"]

    stage.world.arm.remove(one(stage, "Microsoft.KubernetesConfiguration/extensions")["id"])
    status, refused = await call(stage, "POST", "protections", {"cluster_id": cluster, "plan": shown["plan"]})
    assert (status, refused["reason"]) == (409, "PlanChanged")
    _, shown = await call(stage, "GET", f"plans/protections?cluster_id={cluster}")
    _, started = await call(stage, "POST", "protections", {"cluster_id": cluster, "plan": shown["plan"]})
    await stage.run(started["instance_id"])
    assert runs(stage)[-1].output["changes"][0].startswith("install the backup extension")


async def test_a_sweep_while_a_cluster_is_being_protected_starts_nothing_beside_it(stage: RunningApp) -> None:
    stage.world.aks.announce(cluster_of(stage))
    await stage.clock.advance(timedelta(minutes=3))
    await stage.host.invoke_timer("cluster_sweep")
    await protected(stage)
    assert len(writes(stage.world)) == len(set(writes(stage.world)))


async def test_what_has_drifted_is_mended_and_told(stage: RunningApp) -> None:
    await protect(stage)
    vault = one(stage, VAULTS)
    vault["properties"]["securitySettings"] = {
        "softDeleteSettings": {"state": "OFF", "retentionDurationInDays": 14.0},
        "immutabilitySettings": {"state": "Disabled"},
    }
    account = next(a for a in of(stage.world, "Microsoft.Storage/storageAccounts"))
    account["properties"]["allowSharedKeyAccess"] = True
    stage.world.arm.remove(of(stage.world, ROLES)[0]["id"])
    binding = one(stage, "Microsoft.ContainerService/managedClusters/trustedAccessRoleBindings")
    stage.world.arm.remove(binding["id"])

    result = await swept(stage)
    assert [change.split()[0] for change in result["changes"]] == ["close", "harden", "grant", "grant"]
    assert vault["properties"]["securitySettings"]["softDeleteSettings"]["state"] == "On"
    assert vault["properties"]["securitySettings"]["immutabilitySettings"]["state"] == "Unlocked"
    assert of(stage.world, "Microsoft.Storage/storageAccounts")[0]["properties"]["allowSharedKeyAccess"] is False
    assert len(of(stage.world, ROLES)) == 6
    assert any("a protection has drifted" in line for line in stage.log)
    assert (await swept(stage))["changes"] == []


async def test_a_protection_that_somebody_stopped_is_told_and_not_taken_up_again(stage: RunningApp) -> None:
    await protect(stage)
    instance = one(stage, INSTANCES)
    instance["properties"]["currentProtectionState"] = "ProtectionStopped"
    await stage.clock.advance(DAY)
    run = await finished(stage, suffix=f"{stage.clock.now():%Y%m%d}")
    assert "ProtectionStopped" in (run.failure or "")
    assert instance["properties"]["currentProtectionState"] == "ProtectionStopped"


async def lose_roles(stage: RunningApp, lag: timedelta) -> int:
    """Let the roles on the storage account be gone and Azure fail the protection; how many roles there were."""
    account = one(stage, "Microsoft.Storage/storageAccounts")["id"]
    lost = [role["id"] for role in of(stage.world, ROLES) if role["properties"]["scope"] == account]
    for role in lost:
        stage.world.arm.remove(role)
    stage.world.roles.lag = lag.total_seconds()
    stage.world.backup_vaults.instances.fail_protection(one(stage, INSTANCES), OperationFailed("UserError", "No role."))
    return len(lost)


async def test_a_protection_that_azure_failed_is_taken_up_again_once_its_cause_is_gone(stage: RunningApp) -> None:
    await protect(stage)
    lost = await lose_roles(stage, lag=timedelta(minutes=10))
    stage.world.wire.inject(InjectedFault(on="POST .*/sync$", kind="lose", times=2))
    changes = (await swept(stage))["changes"]
    assert [change.split()[0] for change in changes] == ["sync", *["grant"] * lost]
    assert one(stage, INSTANCES)["properties"]["currentProtectionState"] == "ProtectionConfigured"
    assert (await swept(stage))["changes"] == []


async def test_a_protection_whose_cause_stays_ends_the_run_with_what_azure_says(stage: RunningApp) -> None:
    await protect(stage)
    await lose_roles(stage, lag=9 * DAY)
    await stage.clock.advance(DAY)
    run = await finished(stage, suffix=f"{stage.clock.now():%Y%m%d}")
    assert re.search("can't be protected.*lacks the role", run.failure or "")
    assert one(stage, INSTANCES)["properties"]["currentProtectionState"] == "ProtectionError"


async def test_a_stopped_cluster_that_asks_for_protection_is_told_so_at_once(stage: RunningApp) -> None:
    stage.world.aks.stop(CLUSTER)
    status, refused = await call(stage, "GET", f"plans/protections?cluster_id={cluster_of(stage)['id']}")
    assert (status, refused["reason"]) == (400, "ClusterStopped")
    stage.world.aks.announce(cluster_of(stage))
    run = await finished(stage, limit=timedelta(minutes=1))
    assert "start it with az aks start" in (run.failure or "")
    assert writes(stage.world) == []
    stage.world.aks.start(CLUSTER)
    await goes_on(stage)


async def test_a_protected_cluster_that_is_stopped_stays_protected_and_its_vault_is_looked_after(
    stage: RunningApp,
) -> None:
    await protect(stage)
    stage.world.aks.stop(CLUSTER)
    one(stage, VAULTS)["properties"]["securitySettings"]["softDeleteSettings"]["state"] = "Off"
    assert [change.split()[0] for change in (await swept(stage))["changes"]] == ["harden"]


async def test_a_backup_extension_by_another_name_is_refused_in_the_plan(stage: RunningApp) -> None:
    stage.world.extensions.add(cluster_of(stage), name="backups-of-others", account="stothers")
    status, refused = await call(stage, "GET", f"plans/protections?cluster_id={cluster_of(stage)['id']}")
    assert (status, refused["reason"]) == (400, "ExtensionElsewhere")
    assert "backups-of-others" in refused["message"]
    await stops_with(stage, "ExtensionElsewhere")
    assert writes(stage.world) == []


async def test_another_schedule_is_another_policy_beside_the_first(stage: RunningApp) -> None:
    await protect(stage)
    write_policy(stage, backup_every="PT4H", keep="P30D")
    result = await swept(stage)
    assert len(result["changes"]) == 1
    names = {policy["name"] for policy in of(stage.world, f"{VAULTS}/backupPolicies")}
    assert names == {"every-24h-keep-7d", "every-4h-keep-30d"}
    assert one(stage, INSTANCES)["properties"]["policyInfo"]["policyId"].endswith("/every-4h-keep-30d")
    assert (await swept(stage))["changes"] == []


def instance_puts(stage: RunningApp) -> int:
    """How often a backup instance was asked for."""
    return sum(line.startswith("PUT ") and "/backupInstances/" in line for line in writes(stage.world))


async def test_an_instance_is_asked_for_once_though_it_can_t_be_read_until_its_operation_ends(
    stage: RunningApp,
) -> None:
    stage.world.backup_vaults.instances.create_seconds = 400.0
    await protect(stage)
    assert instance_puts(stage) == 1


async def test_another_policy_is_asked_for_once_though_the_former_one_is_shown_meanwhile(
    stage: RunningApp,
) -> None:
    stage.world.backup_vaults.instances.update_seconds = 400.0
    await protect(stage)
    write_policy(stage, backup_every="PT4H", keep="P30D")
    before = instance_puts(stage)
    await swept(stage)
    assert instance_puts(stage) - before == 1
    assert one(stage, INSTANCES)["properties"]["policyInfo"]["policyId"].endswith("/every-4h-keep-30d")


async def test_a_request_that_fails_ends_the_run_with_what_azure_says_and_is_sent_again_by_the_next(
    stage: RunningApp,
) -> None:
    await protect(stage)
    write_policy(stage, backup_every="PT4H", keep="P30D")
    failed = OperationFailed("UserErrorPolicyNotAllowed", "This policy isn't for it.")
    stage.world.backup_vaults.instances.failing = failed
    await stage.clock.advance(DAY)
    run = await finished(stage, suffix=f"{stage.clock.now():%Y%m%d}")
    assert "UserErrorPolicyNotAllowed" in (run.failure or "")
    await swept(stage)
    assert one(stage, INSTANCES)["properties"]["policyInfo"]["policyId"].endswith("/every-4h-keep-30d")


async def test_a_vault_is_locked_once_the_policy_document_names_it(stage: RunningApp) -> None:
    await protect(stage)
    vault = one(stage, VAULTS)
    write_policy(stage, lock=["bv-of-another-cluster"])
    assert (await swept(stage))["changes"] == []
    write_policy(stage, lock=[vault["name"]])
    (change,) = (await swept(stage))["changes"]
    assert "immutability is Unlocked, not Locked" in change
    assert vault["properties"]["securitySettings"]["immutabilitySettings"]["state"] == "Locked"
    write_policy(stage)
    assert (await swept(stage))["changes"] == []
    assert vault["properties"]["securitySettings"]["immutabilitySettings"]["state"] == "Locked"


async def test_less_redundancy_is_taken_only_where_the_policy_document_allows_it(stage: RunningApp) -> None:
    stage.world.backup_vaults.unsupported_redundancy.add("GeoRedundant")
    stage.world.aks.announce(cluster_of(stage))
    run = await finished(stage)
    assert "GeoRedundant isn't supported in this region" in (run.failure or "")
    assert of(stage.world, VAULTS) == []

    write_policy(stage, redundancy_fallback="ZoneRedundant")
    await stage.host.invoke_timer("cluster_sweep")
    again = await finished(stage, suffix="-2")
    assert again.status == "Completed", again.failure
    assert again.output["redundancy"] == "ZoneRedundant"
    assert one(stage, VAULTS)["properties"]["storageSettings"][0]["type"] == "ZoneRedundant"
    assert any("redundancy falls back" in line for line in stage.log)
    assert (await swept(stage))["redundancy"] == "ZoneRedundant"


async def goes_on(stage: RunningApp) -> None:
    await stage.host.invoke_timer("cluster_sweep")
    again = await finished(stage, suffix="-2")
    assert again.status == "Completed", again.failure
    assert one(stage, INSTANCES)["properties"]["currentProtectionState"] == "ProtectionConfigured"


QUOTAS = {
    "storageAccounts": error(409, "MaxStorageAccountsCountPerSubscriptionExceeded", "250 accounts are there already."),
    "backupVaults": refusal("QuotaExceeded", "500 vaults are there already."),
}


@pytest.mark.parametrize("type", QUOTAS)
async def test_a_quota_that_is_reached_ends_the_run_with_it_and_a_retry_finishes_once_it_is_raised(
    stage: RunningApp, type: str
) -> None:
    reply = QUOTAS[type]
    quota = stage.world.wire.inject(InjectedFault(on=f"PUT .*/{type}/[^/]+$", kind="answer", times=10_000, reply=reply))
    await stops_with(stage, reply.body["error"]["message"])
    assert reply.body["error"]["code"] in (runs(stage)[0].failure or "")
    quota.times = 0
    await goes_on(stage)


async def test_a_soft_deleted_vault_of_the_same_name_ends_the_run_and_a_retry_finishes_once_it_is_gone(
    stage: RunningApp,
) -> None:
    _, shown = await call(stage, "GET", f"plans/protections?cluster_id={cluster_of(stage)['id']}")
    stage.world.backup_vaults.deleted[shown["vault"].lower()] = {}
    await stops_with(stage, "A soft-deleted vault with the same name exists")
    stage.world.backup_vaults.deleted.clear()
    await goes_on(stage)


async def test_a_backup_that_somebody_deleted_is_told_and_made_anew_once_nothing_is_left_of_it(
    stage: RunningApp,
) -> None:
    await protect(stage)
    instance = one(stage, INSTANCES)
    stage.world.arm.remove(instance["id"])
    stage.world.backup_vaults.instances.soft_deleted[instance["id"].lower()] = {
        **instance,
        "properties": {**instance["properties"], "deletionInfo": {"scheduledPurgeTime": "2027-01-29T08:00:00Z"}},
    }
    written = writes(stage.world)
    await stage.clock.advance(DAY)
    run = await finished(stage, suffix=f"{stage.clock.now():%Y%m%d}")
    assert "InstanceSoftDeleted" in (run.failure or "")
    assert "keeps it until 2027-01-29; undelete it" in (run.failure or "")
    assert writes(stage.world) == written
    stage.world.backup_vaults.instances.soft_deleted.clear()
    assert [line.split()[0] for line in (await swept(stage))["changes"]] == ["create"]
    assert one(stage, INSTANCES)["properties"]["currentProtectionState"] == "ProtectionConfigured"


async def test_a_read_that_goes_backward_changes_nothing(stage: RunningApp) -> None:
    await protect(stage)
    written = writes(stage.world)
    stage.world.backup_vaults.instances.backward_reads = 2
    assert (await swept(stage))["changes"] == []
    assert stage.world.backup_vaults.instances.backward_reads == 0
    assert writes(stage.world) == written


async def test_a_cluster_that_moved_gets_a_vault_where_it_is_and_the_old_one_is_kept(stage: RunningApp) -> None:
    old = await protect(stage)
    cluster = cluster_of(stage)
    stage.world.aks.remove(CLUSTER)
    moved = stage.world.aks.add(CLUSTER, group="rg-moved", tags=cluster["tags"])
    moved["identity"] = cluster["identity"]
    stage.world.aks.announce(moved)
    await stage.run(lambda: len([i for i in runs(stage) if i.ended]) == 2)
    new = runs(stage)[-1]
    assert new.status == "Completed", new.failure
    assert new.output["vault_id"] != old["vault_id"]
    assert new.output["cluster_id"].lower() == moved["id"].lower()
    await stage.clock.advance(2 * DAY)
    assert stage.world.arm.find(old["vault_id"]), "it outlives its cluster by 30 days"


async def test_names_that_need_escaping_make_no_difference(stage: RunningApp) -> None:
    group = "rg-(one)_1.x"
    stage.world.aks.remove(CLUSTER)
    agree(stage.world.machines.add("vm-build", group=group), cluster=f"{group}/AKS_New-1")
    tags = {"meshward:protect": "true", "meshward:machines": f"{group}/vm-build"}
    made = stage.world.aks.add("AKS_New-1", group=group, tags=tags)
    result = await protect(stage)
    assert result["cluster_id"].lower() == made["id"].lower()
    item = one(stage, "Microsoft.RecoveryServices/vaults/backupFabrics/protectionContainers/protectedItems")
    assert item["properties"]["friendlyName"] == "vm-build"
    written = writes(stage.world)
    assert (await swept(stage))["changes"] == []
    assert writes(stage.world) == written


GUARD = "guard-contoso"


async def test_a_resource_guard_watches_over_the_vault_when_the_policy_document_names_one(stage: RunningApp) -> None:
    guard = stage.world.resource_guards.add(GUARD)["id"]
    await protect(stage)
    write_policy(stage, guard=guard)
    (change,) = (await swept(stage))["changes"]
    assert change.startswith("guard Backup vault bv-aks-new-")
    vault = one(stage, VAULTS)
    assert vault["properties"]["isVaultProtectedByResourceGuard"] is True
    assert stage.world.resource_guards.refuse(vault["id"]) is not None
    assert (await swept(stage))["changes"] == []
    write_policy(stage, guard=stage.world.resource_guards.add("guard-other")["id"])
    await stage.clock.advance(DAY)
    run = await finished(stage, suffix=f"{stage.clock.now():%Y%m%d}")
    assert "GuardedByAnother" in (run.failure or "")
    assert GUARD in (run.failure or "")


async def test_the_storage_account_is_reached_by_a_private_endpoint_alone_when_the_policy_document_names_a_subnet(
    stage: RunningApp,
) -> None:
    subnet, zone = stage.world.networks.add_subnet("backups"), stage.world.networks.add_zone("privatelink.blob")
    await protect(stage)
    write_policy(stage, subnet=subnet["id"], dns_zone=zone["id"])
    assert [change.split()[0] for change in (await swept(stage))["changes"]] == ["close", "create"]
    held = one(stage, "Microsoft.Storage/storageAccounts")["properties"]
    assert held["publicNetworkAccess"] == "Disabled"
    assert held["networkAcls"]["defaultAction"] == "Deny"
    endpoint = one(stage, ENDPOINTS)
    assert endpoint["properties"]["subnet"]["id"] == subnet["id"]
    assert held["privateEndpointConnections"][0]["properties"]["privateEndpoint"]["id"] == endpoint["id"]
    (record,) = one(stage, ZONE_GROUPS)["properties"]["privateDnsZoneConfigs"]
    assert record["properties"]["privateDnsZoneId"] == zone["id"]
    written = writes(stage.world)
    assert (await swept(stage))["changes"] == []
    assert writes(stage.world) == written


async def test_a_whole_subscription_can_be_protected_and_a_cluster_still_say_no(stage: RunningApp) -> None:
    plain, unwilling = (
        stage.world.aks.add("aks-plain"),
        stage.world.aks.add("aks-no", tags={"meshward:protect": "false"}),
    )
    write_policy(stage, subscriptions=[plain["id"].split("/")[2]])
    stage.world.aks.announce(unwilling)
    stage.world.aks.announce(plain)
    run = await finished(stage)
    assert run.status == "Completed", run.failure
    assert [i.output["cluster_id"] for i in runs(stage)] == [plain["id"]]


async def test_a_policy_document_with_an_unknown_knob_starts_nothing(stage: RunningApp) -> None:
    write_policy(stage, imutability="Locked")
    with pytest.raises(InvocationFailed, match=r"BadPolicy.*\$\.default\.protect\.imutability"):
        await stage.host.invoke_timer("cluster_sweep")
    assert stage.host.instances() == []
    assert writes(stage.world) == []


async def test_a_cluster_deleted_on_the_way_ends_its_run_with_a_reason(stage: RunningApp) -> None:
    stage.world.aks.announce(cluster_of(stage))
    await stage.clock.advance(timedelta(minutes=3))
    stage.world.aks.remove(CLUSTER)
    run = await finished(stage)
    assert run.status == "Failed"
    assert CLUSTER in (run.failure or "")


AZURE_TAKES = 25 + 240 + 45 + 10 + 60  # account, extension, validation; instance: to be made, to be configured


@pytest.mark.parametrize("lag", [timedelta(0), timedelta(minutes=7), timedelta(minutes=20)])
async def test_less_than_a_minute_is_lost_beside_what_azure_itself_and_the_slowest_role_take(
    stage: RunningApp, lag: timedelta
) -> None:
    """The extension's identity is the last to be known, so its role is the last to act."""
    stage.world.roles.lag = lag.total_seconds()
    begun = stage.clock.now()
    await protect(stage)
    (run,) = runs(stage)
    assert run.updated - begun - lag - timedelta(seconds=AZURE_TAKES) < timedelta(minutes=1)
