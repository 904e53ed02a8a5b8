"""Every activity of a protection meets every fault: the cluster is protected all the same, nothing is there twice."""

from collections.abc import AsyncIterator, Callable

import pytest

from functions import vault_planning, vault_steps, volume_steps
from functions.durable import Activity
from local.cloud.wire import Fault, Reply
from local.cloud.world import World
from local.stage import Stage
from tests.conformance import conforms
from tests.conftest import START
from tests.flows.test_trust import NO_WATCH
from tests.flows.test_vault_upkeep import write_policy
from tests.flows.test_vaults import CLUSTER, cluster_of, of, protected
from tests.stage import open_stage

REQUESTS = {  # what each activity sends that matters most
    "plan_protection": "GET .*/managedClusters/[^/]+/providers/Microsoft.DataProtection/backupInstances$",
    "ensure_group": "PUT .*/resourcegroups/[^/]+$",
    "ensure_storage": "PUT .*/storageAccounts/",
    "ensure_endpoint": "PUT .*/privateEndpoints/[^/]+$",
    "ensure_vault": "PUT .*/backupVaults/[^/]+$",
    "ensure_policy": "PUT .*/backupVaults/[^/]+/backupPolicies/",
    "ensure_guard": "PUT .*/backupResourceGuardProxies/[^/]+$",
    "ensure_extension": "PUT .*/extensions/",
    "ensure_trusted_access": "PUT .*/trustedAccessRoleBindings/",
    "ensure_role": "PUT .*/roleAssignments/",
    "start_validation": "POST .*/validateForBackup$",
    "finish_validation": "GET .*/backupVaults/[^/]+/operationStatus/",
    "ensure_instance": "PUT .*/backupInstances/",
    "ensure_recovery_vault": "PUT .*/vaults/rsv-[^/]+$",
    "ensure_source_policy": "PUT .*/vaults/rsv-[^/]+/backupPolicies/",
    "start_registration": "PUT .*/protectionContainers/[^/]+$",
    "finish_registration": "GET .*/protectionContainers/[^/]+/operationResults/",
    "start_inquiry": "POST .*/inquire$",
    "finish_inquiry": "GET .*/protectionContainers/[^/]+/operationResults/",
    "start_protecting": "PUT .*/protectedItems/",
    "finish_protecting": "GET .*/backupOperations/",
}
SPARED = {"done but denied": {"finish_protecting"}}  # whoever asks again finds it done, and has nothing to follow
FAULTS: dict[str, Callable[[str], Fault]] = {
    "throttled": lambda on: Fault(on, "answer", 2, Reply(status=429, headers={"Retry-After": "7"})),
    "broken": lambda on: Fault(on, "answer", 2, Reply(status=500)),
    "done but denied": lambda on: Fault(on, "after", 2),
    "answer lost": lambda on: Fault(on, "lose", 2),
    "doubled": lambda on: Fault(on, "double", 2),
}


def seed(world: World) -> None:
    """A cluster that names a share."""
    world.file_shares.create("stshop", "carts")
    world.aks.add(CLUSTER, tags={"meshward:protect": "true", "meshward:files": "rg-storage/stshop/carts"})


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with open_stage(start=START, seed=seed, settings=NO_WATCH) as stage:
        guard, subnet = stage.world.resource_guards.add("guard-contoso"), stage.world.networks.add_subnet("backups")
        write_policy(stage, guard=guard["id"], subnet=subnet["id"])
        yield stage
        conforms(stage.world.wire.exchanges)


def activities() -> list[str]:
    modules = (vault_planning, vault_steps, volume_steps)
    return [name for module in modules for name, found in vars(module).items() if isinstance(found, Activity)]


def settled(stage: Stage) -> None:
    """One of each thing, six roles for the cluster and two for the share."""
    assert len(of(stage.world, "Microsoft.DataProtection/backupVaults")) == 1
    assert len(of(stage.world, "Microsoft.Storage/storageAccounts")) == 2, "the backups' and the share's"
    assert len(of(stage.world, "Microsoft.Authorization/roleAssignments")) == 8
    (item,) = of(stage.world, "Microsoft.RecoveryServices/vaults/backupFabrics/protectionContainers/protectedItems")
    assert item["properties"]["friendlyName"] == "carts"


def test_every_activity_is_in_the_table() -> None:
    assert sorted(REQUESTS) == sorted(activities())


@pytest.mark.parametrize("fault", FAULTS)
async def test_every_activity_gets_over_a_request_that_is(stage: Stage, fault: str) -> None:
    faults = {name: stage.world.wire.order(FAULTS[fault](on)) for name, on in REQUESTS.items()}
    stage.world.aks.announce(cluster_of(stage))
    await protected(stage)
    met = {name for name, ordered in faults.items() if ordered.times < 2}
    spared = SPARED.get(fault, set())
    assert met | spared == set(REQUESTS), "a fault that strikes nothing proves nothing"
    settled(stage)


async def test_every_activity_gets_over_a_worker_that_is_killed_before_it_can_say_what_it_did(stage: Stage) -> None:
    killed: list[str] = []

    def kill(function: str, moment: str) -> bool:
        if function in REQUESTS and moment == "after" and function not in killed:
            killed.append(function)
            stage.host.kill_worker()
            return True
        return False

    stage.host.on_invocation(kill)
    stage.world.aks.announce(cluster_of(stage))
    await protected(stage)
    assert sorted(killed) == sorted(REQUESTS)
    settled(stage)
