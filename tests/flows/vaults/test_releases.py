"""A vault outlives its cluster, and is then taken apart step by step, never sooner than somebody could want it back."""

import re
from collections.abc import AsyncIterator, Callable
from datetime import timedelta

import msgspec
import pytest

from local.cloud.arm import Resource
from local.cloud.resources.aks import cluster_id
from local.cloud.resources.identities import TYPE as IDENTITIES
from local.cloud.wire import InjectedFault, Reply
from local.host.durable import OrchestrationState
from local.stage import RunningApp
from shared.domain.incarnation import Incarnation
from shared.domain.vaults.ownership import Ownership
from tests.worlds import bindings
from tests.worlds.app import NO_WATCH, call, open_app
from tests.worlds.facts.protections import protection_named
from tests.worlds.protections import (
    CLUSTER,
    INSTANCES,
    VAULTS,
    cluster_of,
    finished,
    of,
    one,
    protect,
    runs,
    seed,
    write_policy,
)
from tests.worlds.releases import confirmed_gone, left_behind, releases
from tests.worlds.times import DAY


@pytest.fixture
async def stage() -> AsyncIterator[RunningApp]:
    async with open_app(seed=seed, settings=NO_WATCH) as stage:
        yield stage


async def test_a_vault_is_kept_for_its_time_and_then_released_with_all_that_belongs_to_it(stage: RunningApp) -> None:
    write_policy(stage, release_after="P9D")
    vault = await left_behind(stage)
    account = one(stage, "Microsoft.Storage/storageAccounts")
    (owner,) = stage.store.glob("vaults/bv-*.json")
    mark = msgspec.json.decode(owner.read_bytes(), type=Ownership).mark
    await stage.clock.advance(9 * DAY)
    assert releases(stage) == []
    assert one(stage, INSTANCES)["properties"]["currentProtectionState"] == "ProtectionConfigured"

    await stage.clock.advance(2 * DAY)
    (release,) = releases(stage)
    assert of(stage.world, INSTANCES) == []
    assert stage.world.arm.find(vault["id"])
    assert stage.world.arm.find(account["id"])
    status = release.custom_status
    assert (status["reason"], status["message"].rpartition(" until ")[2]) == ("SoftDeleted", "2027-02-08")

    await stage.clock.advance(16 * DAY)
    (release,) = releases(stage)
    assert release.status == "Completed", release.failure
    assert [stage.world.arm.find(r["id"]) for r in (vault, account)] == [None, None]
    assert not [g for g in of(stage.world, "Microsoft.Resources/resourceGroups") if "snapshots" in g["name"]]
    assert (stage.store / "releases" / vault["name"] / "released.json").exists()
    now = msgspec.json.decode(owner.read_bytes(), type=Ownership).mark
    assert now not in ("", mark), "anybody could read that of the snapshot group"
    await stage.clock.advance(3 * DAY)
    assert releases(stage) == [release]


async def test_a_release_by_hand_is_shown_first_and_done_only_as_shown(stage: RunningApp) -> None:
    cluster = cluster_of(stage)["id"]
    vault = await left_behind(stage)
    _, shown = await call(stage, "GET", f"plans/releases?cluster_id={cluster}")
    (plan,) = shown["releases"]
    assert [step.split()[0] for step in plan["steps"]] == ["delete"] * 4
    assert plan["vault"] == vault["id"]

    status, refused = await call(stage, "POST", "releases", {"cluster_id": cluster, "plan": "0" * 64})
    assert (status, refused["reason"]) == (409, "PlanChanged")
    status, refused = await call(stage, "POST", "releases", {"cluster_id": cluster, "plan": plan["plan"]})
    assert (status, refused["reason"]) == (409, "NotConfirmed")
    await stage.clock.advance(DAY)
    status, _ = await call(stage, "POST", "releases", {"cluster_id": cluster, "plan": plan["plan"]})
    assert status == 202
    await stage.clock.advance(timedelta(hours=1))
    assert of(stage.world, INSTANCES) == []
    _, shown = await call(stage, "GET", f"plans/releases?cluster_id={cluster}")
    assert any("kept until 2027-01-30" in step for step in shown["releases"][0]["steps"])


async def test_a_vault_whose_cluster_is_there_cant_be_released(stage: RunningApp) -> None:
    await protect(stage)
    cluster = cluster_of(stage)["id"]
    assert (await call(stage, "GET", f"plans/releases?cluster_id={cluster}"))[1] == {"releases": []}
    status, refused = await call(stage, "POST", "releases", {"cluster_id": cluster, "plan": "0" * 64})
    assert (status, refused["reason"]) == (404, "NothingToRelease")


async def test_a_cluster_created_again_is_protected_once_the_vault_of_its_first_life_is_released(
    stage: RunningApp,
) -> None:
    first = await left_behind(stage)
    await stage.clock.advance(timedelta(hours=1))
    again = await made_again(stage)
    await stage.clock.advance(40 * DAY)
    assert releases(stage) == [], "the sweep leaves it to people while the id is taken"
    _, shown = await call(stage, "GET", f"plans/releases?cluster_id={again['id']}")
    await call(stage, "POST", "releases", {"cluster_id": again["id"], "plan": shown["releases"][0]["plan"]})
    await stage.clock.advance(timedelta(hours=1))
    assert of(stage.world, INSTANCES) == []
    await stage.run(lambda: bool(of(stage.world, INSTANCES)), timedelta(days=2))
    assert not one(stage, INSTANCES)["id"].startswith(first["id"])
    assert len(of(stage.world, VAULTS)) == 2


async def test_a_cluster_whose_identity_was_replaced_keeps_its_backups_by_hand_and_by_sweep(stage: RunningApp) -> None:
    """Azure doesn't tell it from one that was created again, unless it tells resourceUIDs."""
    write_policy(stage, release_after="P9D")
    cluster = cluster_of(stage)
    del cluster["properties"]["resourceUID"]
    await protect(stage)
    cluster["identity"] = stage.world.arm.system_identity(CLUSTER)
    await stage.clock.advance(15 * DAY)
    assert releases(stage) == []
    _, shown = await call(stage, "GET", f"plans/releases?cluster_id={cluster['id']}")
    request = {"cluster_id": cluster["id"], "plan": shown["releases"][0]["plan"]}
    status, refused = await call(stage, "POST", "releases", request)
    assert (status, refused["reason"]) == (409, "NotProven")

    stage.world.arm.remove(cluster["id"])
    await stage.host.invoke_timer("cluster_sweep")
    assert releases(stage) == [], "one 404 isn't enough, however long another identity was seen"
    status, refused = await call(stage, "POST", "releases", request)
    assert (status, refused["reason"]) == (409, "NotConfirmed")
    await stage.clock.advance(2 * DAY)
    assert of(stage.world, INSTANCES) == []


async def test_an_id_that_was_free_for_a_day_proves_that_the_cluster_was_created_again(stage: RunningApp) -> None:
    del cluster_of(stage)["properties"]["resourceUID"]
    await left_behind(stage)
    await confirmed_gone(stage)
    await stage.host.invoke_timer("cluster_sweep")
    again = stage.world.aks.add(CLUSTER, tags={"meshward:protect": "true"})
    del again["properties"]["resourceUID"]
    await stage.clock.advance(DAY)
    await by_hand(stage)
    assert of(stage.world, INSTANCES) == []


async def made_again(stage: RunningApp) -> Resource:
    """Another cluster of the same name, which asks for protection."""
    again = stage.world.aks.add(CLUSTER, tags={"meshward:protect": "true"})
    stage.world.aks.announce(again)
    return again


@pytest.mark.parametrize("born", ["", "2026-11-02T08:00:00+00:00"], ids=["without a date", "with a date"])
async def test_the_vault_that_an_earlier_version_made_stays_its_cluster_s(stage: RunningApp, born: str) -> None:
    stage.world.aks.add("aks-other")
    stage.world.backup_vaults.protect("aks-other", vault="bv-earlier")
    vault, names = one(stage, VAULTS), protection_named(CLUSTER, Incarnation(earlier=born))
    tags = {"meshward:cluster": f"rg-clusters/{CLUSTER}", "meshward:cluster-created-at": born}
    earlier = stage.world.arm.store({**vault, "id": names.backup_vault_id, "name": names.backup_vault, "tags": tags})
    stage.world.aks.announce(cluster_of(stage))
    assert (await finished(stage)).output["vault_id"].lower() == earlier["id"].lower()
    await stage.clock.advance(40 * DAY)
    assert releases(stage) == []
    stage.world.aks.remove(CLUSTER)
    again = await made_again(stage)
    await stage.clock.advance(40 * DAY)
    assert releases(stage) == [], "whether it is another cluster is unknown"
    _, shown = await call(stage, "GET", f"plans/releases?cluster_id={again['id']}")
    assert shown == {"releases": []}


async def test_dates_of_creation_that_azure_begins_to_send_make_no_orphan(stage: RunningApp) -> None:
    written = (await protect(stage))["vault_id"]
    cluster_of(stage)["systemData"] = {"createdAt": "2026-11-02T08:00:00Z"}
    await stage.clock.advance(40 * DAY)
    assert releases(stage) == []
    assert one(stage, VAULTS)["id"].lower() == written.lower()
    assert runs(stage)[-1].status == "Completed"


async def test_a_cluster_that_lists_don_t_show_is_there_as_long_as_azure_finds_it(stage: RunningApp) -> None:
    write_policy(stage, release_after="P9D")
    await protect(stage)
    empty = Reply(body={"value": []})
    stage.world.wire.inject(InjectedFault("GET .*/Microsoft.ContainerService/managedClusters$", "answer", 1000, empty))
    await stage.clock.advance(15 * DAY)
    assert releases(stage) == []


async def test_a_cluster_that_is_seen_again_starts_the_time_anew(stage: RunningApp) -> None:
    write_policy(stage, release_after="P9D")
    await protect(stage)
    cluster = cluster_of(stage)
    stage.world.arm.remove(cluster["id"])
    await stage.clock.advance(8 * DAY)
    stage.world.arm.store(cluster)
    await stage.clock.advance(DAY)
    stage.world.arm.remove(cluster["id"])
    await stage.clock.advance(8 * DAY)
    assert releases(stage) == []
    await stage.clock.advance(3 * DAY)
    assert len(releases(stage)) == 1


async def test_the_identity_of_a_cluster_that_is_gone_is_deleted_and_its_last_entry_allows_nothing() -> None:
    async with open_app(seed=bindings.seed, settings=NO_WATCH) as stage:
        write_policy(stage, release_after="P9D")
        await bindings.bound(stage)
        stage.host.on_invocation(killing(stage, "close_binding", "delete_part"))
        stage.world.aks.remove(CLUSTER)
        _, shown = await call(stage, "GET", f"plans/releases?cluster_id={cluster_id(CLUSTER)}")
        assert re.match("revoke and delete identity id-aks-new-", shown["releases"][0]["steps"][0])
        await stage.clock.advance(11 * DAY)
        first, last = bindings.entries(stage)
        assert last == msgspec.structs.replace(first, items=(), actions=())
        assert of(stage.world, IDENTITIES) == []
        _, shown = await call(stage, "GET", f"plans/releases?cluster_id={cluster_id(CLUSTER)}")
        assert not [step for step in shown["releases"][0]["steps"] if "identity" in step]


def killing(stage: RunningApp, *names: str) -> Callable[[str, str], bool]:
    """Kill the worker once in each of these activities, before it can say what it did."""
    left = set(names)

    def kill(function: str, moment: str) -> bool:
        if moment == "after" and function in left:
            left.remove(function)
            stage.host.kill_worker()
            return True
        return False

    return kill


async def by_hand(stage: RunningApp) -> OrchestrationState:
    """The release of the cluster that is gone, by the plan that is shown for it, after an hour."""
    id = cluster_id(CLUSTER)
    _, shown = await call(stage, "GET", f"plans/releases?cluster_id={id}")
    status, _ = await call(stage, "POST", "releases", {"cluster_id": id, "plan": shown["releases"][0]["plan"]})
    assert status == 202
    await stage.clock.advance(timedelta(hours=1))
    return releases(stage)[-1]


async def test_a_release_by_hand_ends_with_what_an_immutable_vault_still_keeps_and_a_later_one_finishes(
    stage: RunningApp,
) -> None:
    await protect(stage)
    stage.world.backup_vaults.complete_backup(CLUSTER)
    stage.world.aks.remove(CLUSTER)
    await confirmed_gone(stage)
    refused = await by_hand(stage)
    assert refused.status == "Failed"
    assert "has recovery points that expire at 2027-01-22" in (refused.failure or "")
    assert one(stage, INSTANCES)["properties"]["currentProtectionState"] == "ProtectionConfigured"
    await stage.clock.advance(8 * DAY)
    again = await by_hand(stage)
    assert again.custom_status["reason"] == "SoftDeleted"
    assert of(stage.world, INSTANCES) == []


async def test_a_vault_of_somebody_else_is_left_alone(stage: RunningApp) -> None:
    stage.world.backup_vaults.protect(CLUSTER, vault="bv-theirs")
    stage.world.aks.remove(CLUSTER)
    await stage.clock.advance(60 * DAY)
    assert releases(stage) == []
    assert one(stage, VAULTS)["name"] == "bv-theirs"


async def test_a_vault_that_can_t_be_looked_at_holds_up_no_other(stage: RunningApp) -> None:
    write_policy(stage, release_after="P9D")
    ours = await left_behind(stage)
    for name, born in {"a": "the day before", "b": "2026-12-01T08:00:00+00:00"}.items():
        tags = {"meshward:cluster": f"rg-clusters/aks-{name}", "meshward:cluster-created-at": born}
        stage.world.arm.store({**ours, "id": f"{ours['id']}-{name}", "name": f"{ours['name']}-{name}", "tags": tags})
    refused = Reply(status=403, body={"error": {"code": "AuthorizationFailed", "message": "no"}})
    stage.world.wire.inject(InjectedFault("GET .*/backupVaults/bv-aks-b-", "answer", 1000, refused))
    await stage.clock.advance(11 * DAY)
    assert [release.id for release in releases(stage)] == [f"release-{ours['name']}"]


async def test_a_vault_that_is_listed_isn_t_taken_for_gone_by_one_answer(stage: RunningApp) -> None:
    write_policy(stage, release_after="P9D")
    vault = await left_behind(stage)
    account = one(stage, "Microsoft.Storage/storageAccounts")
    await stage.run(
        lambda: releases(stage) != [] and (releases(stage)[0].custom_status or {}).get("phase") == "keep", 12 * DAY
    )
    absent = Reply(status=404, body={"error": {"code": "ResourceNotFound", "message": "It was not found."}})
    stage.world.wire.inject(InjectedFault(f"GET .*/backupVaults/{vault['name']}$", "answer", 3, absent))
    await stage.clock.advance(2 * DAY)
    assert stage.world.arm.find(account["id"]), "the vault still keeps backups that are in it"
    await stage.clock.advance(20 * DAY)
    assert [release.status for release in releases(stage)] == ["Completed"]


@pytest.mark.parametrize("part", ["privateEndpoints", "storageAccounts", "resourcegroups", "backupVaults"])
async def test_a_release_that_fails_at_any_part_is_found_again_and_finished(stage: RunningApp, part: str) -> None:
    subnet = stage.world.networks.add_subnet("backups")
    write_policy(stage, release_after="P9D", subnet=subnet["id"])
    await left_behind(stage)
    refused = Reply(status=400, body={"error": {"code": "BadRequest", "message": "no"}})
    stage.world.wire.inject(InjectedFault(f"DELETE .*/{part}/[^/]+$", "answer", 1, refused))
    await stage.clock.advance(60 * DAY)
    assert [release.status for release in releases(stage)] == ["Failed", "Completed"]
    kinds = ("DataProtection/backupVaults", "Network/privateEndpoints", "Storage/storageAccounts")
    assert [r["id"] for kind in kinds for r in of(stage.world, f"Microsoft.{kind}")] == []


async def test_a_vault_that_a_resource_guard_watches_over_is_not_released_without_its_owners(stage: RunningApp) -> None:
    guard = stage.world.resource_guards.add("guard-contoso")["id"]
    write_policy(stage, release_after="P9D", guard=guard)
    await left_behind(stage)
    await stage.clock.advance(10 * DAY)
    (release,) = releases(stage)
    assert release.status == "Failed"
    assert f"The operation is protected by Resource Guard {guard}" in (release.failure or "")
    assert one(stage, INSTANCES)["properties"]["currentProtectionState"] == "ProtectionConfigured"
