"""A cluster that asks for protection gets it: the real runtime, the durable engine and the simulated Azure together."""

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import aiohttp
import pytest

from local.cloud.arm import Resource
from local.cloud.resources.aks import cluster_id
from local.cloud.wire import InjectedFault, Reply
from local.host.management import PREFIX
from local.stage import RunningApp
from shared.domain.vaults.roles import CONTRIBUTOR
from tests.worlds.app import NO_TRUST, open_app
from tests.worlds.protections import CLUSTER, SOON, cluster_of, finished, of, protected, runs, seed, writes


@pytest.fixture
async def stage() -> AsyncIterator[RunningApp]:
    async with open_app(seed=seed, settings=NO_TRUST) as stage:
        yield stage


async def test_a_new_cluster_is_protected_by_a_vault_of_its_own(stage: RunningApp) -> None:
    stage.world.aks.announce(cluster_of(stage))
    result = await protected(stage)
    vault = stage.world.arm.find(result["vault_id"])
    assert vault is not None
    assert vault["properties"]["securitySettings"]["softDeleteSettings"]["state"] == "On"
    assert result["cluster_id"].lower() == cluster_of(stage)["id"].lower()
    assert result["protection"] == "ProtectionConfigured"
    assert len(of(stage.world, "Microsoft.Authorization/roleAssignments")) == 6


async def test_a_second_run_over_the_same_cluster_changes_nothing(stage: RunningApp) -> None:
    stage.world.aks.announce(cluster_of(stage))
    await protected(stage)
    before = writes(stage.world)
    (run,) = runs(stage)
    async with aiohttp.ClientSession() as http, http.delete(f"{stage.host.url}{PREFIX}{run.id}") as answer:
        assert answer.status == 200
    stage.world.aks.announce(cluster_of(stage))
    await protected(stage)
    assert writes(stage.world) == before


async def test_each_thing_is_written_once(stage: RunningApp) -> None:
    stage.world.aks.announce(cluster_of(stage))
    await protected(stage)
    sent = writes(stage.world)
    assert len(sent) == len(set(sent)) == 14, sent


async def test_the_same_event_three_times_out_of_order_starts_one_run(stage: RunningApp) -> None:
    stage.world.event_grid.hold_back(600, 5)
    stage.world.event_grid.deliver_twice()
    for _ in range(2):
        stage.world.aks.announce(cluster_of(stage))
    await protected(stage)
    await stage.clock.advance(SOON)
    assert len(stage.world.event_grid.deliveries) == 3
    assert len(runs(stage)) == 1
    assert len(writes(stage.world)) == len(set(writes(stage.world)))


async def test_the_events_of_many_clusters_are_read_before_their_plans_use_up_azures_limits(stage: RunningApp) -> None:
    for number in range(150):
        stage.world.aks.announce(stage.world.aks.add(f"aks-{number:03}", tags={"meshward:protect": "true"}))
    await stage.clock.advance(timedelta(seconds=1))
    assert [d.status for d in stage.world.event_grid.deliveries] == [202] * 150
    assert len(runs(stage)) == 150


WRITE = "Microsoft.ContainerService/managedClusters/write"
ELSEWHERE = "/subscriptions/99999999-9999-4999-8999-999999999999/resourceGroups/rg/providers/"
MALFORMED = {
    "operationname is missing": {},
    "resourceuri is missing": {"operationName": WRITE},
    "resourceuri is missing or not a text": {"operationName": WRITE, "resourceUri": 7},
    "NotACluster": {"operationName": WRITE, "resourceUri": "/not/a/cluster"},
    "NotOurs": {"operationName": WRITE, "resourceUri": f"{ELSEWHERE}Microsoft.ContainerService/managedClusters/aks"},
    "NoSuchCluster": {"operationName": WRITE, "resourceUri": cluster_id("aks-gone", "rg-clusters")},
}


def unfiltered(stage: RunningApp, **options: Any) -> None:
    """Let the app's own judgement be asked about every event."""
    topic = stage.world.event_grid.topic(stage.world.event_grid.SUBSCRIPTION)
    topic.subscriptions = {n: replace(s, advanced_filters=(), **options) for n, s in topic.subscriptions.items()}


async def test_events_that_cant_be_right_are_dead_lettered_with_their_reason_and_start_nothing(
    stage: RunningApp,
) -> None:
    unfiltered(stage, max_attempts=3)
    for number, data in enumerate(MALFORMED.values()):
        stage.world.aks.announce(cluster_of(stage), data=data, id=f"event-{number}")
    await stage.run(lambda: len(stage.world.event_grid.dead_letters) == len(MALFORMED))
    assert {e["id"] for e in stage.world.event_grid.dead_letters} == {f"event-{n}" for n in range(len(MALFORMED))}
    assert stage.host.instances() == []
    assert writes(stage.world) == []
    told = "\n".join(stage.log)
    assert [reason for reason in MALFORMED if reason not in told] == []


@pytest.mark.parametrize("child", ["agentPools", "trustedAccessRoleBindings"])
async def test_a_write_of_something_else_is_taken_and_starts_nothing(stage: RunningApp, child: str) -> None:
    data = {
        "operationName": f"Microsoft.ContainerService/managedClusters/{child}/write",
        "resourceUri": cluster_of(stage)["id"],
    }
    stage.world.aks.announce(cluster_of(stage), data=data)
    await stage.clock.advance(timedelta(minutes=1))
    assert stage.world.event_grid.deliveries == []  # Event Grid filters it out
    unfiltered(stage)
    stage.world.aks.announce(cluster_of(stage), data=data)
    await stage.clock.advance(timedelta(minutes=1))
    assert [d.status for d in stage.world.event_grid.deliveries] == [202]
    assert stage.host.instances() == []


async def test_a_cluster_without_the_tag_is_left_alone(stage: RunningApp) -> None:
    stage.world.aks.announce(stage.world.aks.add("aks-plain"))
    await stage.clock.advance(SOON)
    await stage.host.invoke_timer("cluster_sweep")
    assert not [i for i in stage.host.instances() if "aks-plain" in i.id]


async def test_a_cluster_in_the_making_is_protected_once_it_is_made(stage: RunningApp) -> None:
    cluster_of(stage)["properties"]["provisioningState"] = "Creating"
    stage.world.aks.announce(cluster_of(stage))
    await stage.clock.advance(timedelta(seconds=20))
    assert stage.host.instances() == []
    cluster_of(stage)["properties"]["provisioningState"] = "Succeeded"
    await protected(stage)


async def test_a_cluster_of_the_longest_names_is_protected(stage: RunningApp) -> None:
    cluster = stage.world.aks.add("c" * 63, group="g" * 90, tags={"meshward:protect": "true"})
    stage.world.aks.announce(cluster)
    await protected(stage)


async def test_the_sweep_finds_what_no_event_told(stage: RunningApp) -> None:
    await stage.host.invoke_timer("cluster_sweep")
    await stage.host.invoke_timer("cluster_sweep")
    await protected(stage)


async def test_a_cluster_created_again_is_another_life_that_the_old_vault_must_release_first(stage: RunningApp) -> None:
    stage.world.aks.announce(cluster_of(stage))
    first = await protected(stage)
    stage.world.aks.remove(CLUSTER)
    await stage.clock.advance(timedelta(hours=1))
    again = stage.world.aks.add(CLUSTER, tags={"meshward:protect": "true"})
    stage.world.aks.announce(again)
    await stage.run(lambda: len([i for i in runs(stage) if i.ended]) == 2, SOON)
    second = runs(stage)[1]
    assert second.status == "Failed"
    assert first["vault_id"] in (second.failure or "")


@pytest.mark.parametrize("step", ["ensure_vault", "ensure_role", "ensure_instance"])
async def test_a_worker_killed_in_a_step_is_made_good(stage: RunningApp, step: str) -> None:
    killed: list[str] = []

    def kill(function: str, moment: str) -> bool:
        if function == step and moment == "after" and not killed:
            killed.append(function)
            stage.host.kill_worker()
            return True
        return False

    stage.host.on_invocation(kill)
    stage.world.aks.announce(cluster_of(stage))
    await protected(stage)
    assert killed == [step]
    assert len(of(stage.world, "Microsoft.DataProtection/backupVaults")) == 1
    assert len(of(stage.world, "Microsoft.Authorization/roleAssignments")) == 6


@pytest.mark.parametrize(
    "fault",
    [
        InjectedFault(on="PUT", kind="answer", times=5, reply=Reply(status=429, headers={"Retry-After": "40"})),
        InjectedFault(on="(PUT|GET) .*(storageAccounts|backupVaults/)", kind="answer", times=12),
        InjectedFault(on="PUT", kind="answer", times=5, reply=Reply(status=500)),
        InjectedFault(on="PUT", kind="after", times=20),
        InjectedFault(on="PUT", kind="lose", times=20),
        InjectedFault(on="PUT|POST", kind="double", times=50),
        InjectedFault(on="POST .*validateForBackup", kind="after", times=3),
    ],
    ids=["throttled", "unavailable", "broken", "done but denied", "answer lost", "doubled", "validation denied"],
)
async def test_faults_on_the_way_delay_protection_and_change_nothing_else(
    stage: RunningApp, fault: InjectedFault
) -> None:
    stage.world.wire.inject(fault)
    stage.world.aks.announce(cluster_of(stage))
    await protected(stage)
    assert len(of(stage.world, "Microsoft.DataProtection/backupVaults")) == 1
    assert len(of(stage.world, "Microsoft.Authorization/roleAssignments")) == 6
    assert fault.times < 50


async def test_roles_may_take_long_to_act_and_reads_may_go_backward(stage: RunningApp) -> None:
    stage.world.roles.lag = timedelta(minutes=15).total_seconds()
    stage.world.backup_vaults.instances.backward_reads = 1
    stage.world.aks.announce(cluster_of(stage))
    await protected(stage)
    validations = [e for e in stage.world.wire.exchanges if e.url.partition("?")[0].endswith("/validateForBackup")]
    assert len(validations) > 3


async def test_a_role_that_never_acts_ends_the_run_with_what_azure_says(stage: RunningApp) -> None:
    stage.world.roles.lags[CONTRIBUTOR] = timedelta(days=9).total_seconds()
    stage.world.aks.announce(cluster_of(stage))
    run = await finished(stage)
    assert run.status == "Failed"
    assert re.search("UserErrorMissingPermissionsOnSnapshotResourceGroup.*lacks the role", run.failure or "")
    assert not of(stage.world, "Microsoft.DataProtection/backupVaults/backupInstances")


async def test_a_failed_installation_ends_the_run_and_is_taken_up_again_once_it_is_removed(stage: RunningApp) -> None:
    stage.world.extensions.fail_next(message="The nodes run Windows.")
    stage.world.aks.announce(cluster_of(stage))
    run = await finished(stage)
    assert "The nodes run Windows." in (run.failure or "")
    assert "remove it and start again" in (run.failure or "")

    stage.world.aks.announce(cluster_of(stage))
    await stage.clock.advance(timedelta(minutes=5))
    assert [i.id for i in runs(stage)] == [run.id], "an event doesn't repeat what failed"

    (extension,) = of(stage.world, "Microsoft.KubernetesConfiguration/extensions")
    stage.world.arm.remove(extension["id"])
    await stage.host.invoke_timer("cluster_sweep")
    again = await finished(stage, suffix="-2")
    assert (again.status, again.id) == ("Completed", f"{run.id}-2")


async def test_a_cluster_that_another_vault_holds_is_not_taken(stage: RunningApp) -> None:
    stage.world.backup_vaults.protect(CLUSTER, vault="bv-theirs")
    stage.world.aks.announce(cluster_of(stage))
    run = await finished(stage)
    assert re.search("ProtectedElsewhere.*bv-theirs", run.failure or "")
    assert writes(stage.world) == []


async def test_a_vault_that_somebody_weakens_on_the_way_is_hardened_again(stage: RunningApp) -> None:
    weakened: list[Resource] = []

    def weaken(function: str, moment: str) -> None:
        if not weakened and (vaults := of(stage.world, "Microsoft.DataProtection/backupVaults")):
            vaults[0]["properties"]["securitySettings"]["softDeleteSettings"]["state"] = "Off"
            weakened.extend(vaults)

    stage.host.on_invocation(weaken)
    stage.world.aks.announce(cluster_of(stage))
    vault = stage.world.arm.find((await protected(stage))["vault_id"])
    assert vault is weakened[0]
    assert vault["properties"]["securitySettings"]["softDeleteSettings"]["state"] == "On"


async def test_the_run_and_the_log_hold_no_token_and_no_signed_address(stage: RunningApp) -> None:
    stage.world.aks.announce(cluster_of(stage))
    await protected(stage)
    kept = str(stage.host.instances()) + "\n".join(stage.log)
    assert "AAAAAAAA" not in kept
    assert "eyJ" not in kept
