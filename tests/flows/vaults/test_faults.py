"""Every activity of a protection meets every fault: the cluster is protected all the same, nothing is there twice.

The table names every activity that functions/ registers for it. A fault is ordered when its activity first begins, so
that it strikes this activity and no earlier one that asks the same.
"""

import importlib
import pkgutil
from collections.abc import AsyncIterator, Callable, Mapping
from types import ModuleType

import pytest

import functions
from functions.engine.activities import Activity
from functions.vaults import bindings, planning, steps, volume_steps
from local.cloud.wire import Fault, Reply
from local.cloud.world import World
from local.host.process import Moment
from local.stage import Stage
from tests.flows.trust.test_rotation import NO_WATCH
from tests.flows.vaults import test_bindings
from tests.flows.vaults.test_bindings import FEDERATIONS, IDENTITIES, entries
from tests.flows.vaults.test_protection import cluster_of, of, protected
from tests.flows.vaults.test_upkeep import write_policy
from tests.oracle.conformance import conforms
from tests.worlds.app import open_app

REQUESTS = {  # what each activity sends that matters most; one that writes to the store alone has none
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
    "start_protecting: share": "PUT .*/protectedItems/(?i:azurefileshare)",
    "start_protecting: machine": "PUT .*/protectedItems/(?i:vm)",
    "finish_protecting": "GET .*/backupOperations/",
    "ensure_identity": "PUT .*/userAssignedIdentities/[^/]+$",
    "ensure_federation": "PUT .*/federatedIdentityCredentials/",
    "ensure_policies": "PATCH .*/k8s/",
    "record_binding": "",
}
SENDING = {row for row, on in REQUESTS.items() if on}
SPARED = {"done but denied": {"finish_protecting"}}  # whoever asks again finds it done, and has nothing to follow
FAULTS: dict[str, Callable[[str], Fault]] = {
    "throttled": lambda on: Fault(on, "answer", 2, Reply(status=429, headers={"Retry-After": "7"})),
    "broken": lambda on: Fault(on, "answer", 2, Reply(status=500)),
    "done but denied": lambda on: Fault(on, "after", 2),
    "answer lost": lambda on: Fault(on, "lose", 2),
    "doubled": lambda on: Fault(on, "double", 2),
}
ELSEWHERE = {  # modules whose activities are struck by the tests of their own flows
    "restores.check_steps", "restores.plan_steps", "restores.restore_steps", "restores.staging_steps", "selftest",
    "trust.fleet_steps", "trust.linkerd.bundle_steps", "trust.linkerd.issuer_steps", "trust.linkerd.issuers",
    "vaults.releases",
}  # fmt: skip


def seed(world: World) -> None:
    """A cluster of a mesh that names a share and a machine."""
    world.linkerd.traffic_every = 3600  # for weeks, and nobody rotates
    test_bindings.seed(world)
    world.file_shares.create("stshop", "carts")
    world.machines.add("vm-build", group="rg-tools")
    (cluster,) = of(world, "Microsoft.ContainerService/managedClusters")
    cluster["tags"] |= {"meshward:files": "rg-storage/stshop/carts", "meshward:machines": "rg-tools/vm-build"}


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with open_app(seed=seed, settings=NO_WATCH) as stage:
        guard, subnet = stage.world.resource_guards.add("guard-contoso"), stage.world.networks.add_subnet("backups")
        write_policy(stage, guard=guard["id"], subnet=subnet["id"])
        yield stage
        conforms(stage.world.wire.exchanges)


def activity(row: str) -> str:
    return row.partition(":")[0]


def registered(*modules: ModuleType) -> set[str]:
    """The activities that these modules define."""
    return {
        name
        for module in modules
        for name, found in vars(module).items()
        if isinstance(found, Activity) and found.work.__module__ == module.__name__
    }


class Striking:
    """Orders the fault of each row as its activity first begins; `met` are those that have met it."""

    def __init__(self, stage: Stage, fault: Callable[[str], Fault], requests: Mapping[str, str] = REQUESTS) -> None:
        self._stage, self._fault = stage, fault
        self._requests = {row: on for row, on in requests.items() if on}
        self._ordered: dict[str, Fault] = {}
        stage.host.on_invocation(self)

    def __call__(self, function: str, moment: Moment) -> None:
        for row in self._requests.keys() - self._ordered.keys():
            if moment == "before" and activity(row) == function:
                self._ordered[row] = self._stage.world.wire.order(self._fault(self._requests[row]))

    @property
    def met(self) -> set[str]:
        return {row for row, fault in self._ordered.items() if fault.times < self._fault("").times}


def losing(stage: Stage, names: set[str], *, killed: bool) -> set[str]:
    """Lose the first answer of each of these activities, perhaps with its worker; those that this has come to."""
    struck = set[str]()

    def strike(function: str, moment: str) -> bool:
        if moment == "before" or function in struck or function not in names:
            return False
        struck.add(function)
        if killed:
            stage.host.kill_worker()
        return True

    stage.host.on_invocation(strike)
    return struck


def settled(stage: Stage) -> None:
    """One of each thing, six roles for the cluster and two for the share."""
    assert len(of(stage.world, "Microsoft.DataProtection/backupVaults")) == 1
    assert len(of(stage.world, "Microsoft.Storage/storageAccounts")) == 2, "the backups' and the share's"
    assert len(of(stage.world, "Microsoft.Authorization/roleAssignments")) == 8
    items = of(stage.world, "Microsoft.RecoveryServices/vaults/backupFabrics/protectionContainers/protectedItems")
    assert sorted(item["properties"]["friendlyName"] for item in items) == ["carts", "vm-build"]
    assert (len(of(stage.world, IDENTITIES)), len(of(stage.world, FEDERATIONS))) == (1, 1)
    assert len(entries(stage)) == 1


def test_every_activity_that_is_registered_is_in_the_table_of_its_flow() -> None:
    modules = {
        info.name.removeprefix("functions."): importlib.import_module(info.name)
        for info in pkgutil.walk_packages(functions.__path__, "functions.")
    }
    assert {activity(row) for row in REQUESTS} == registered(planning, steps, volume_steps, bindings) - {
        "close_binding",
        "delete_identity",
    }, "which are steps of a release"
    others = {name for name, module in modules.items() if registered(module)}
    assert others == ELSEWHERE | {"vaults.planning", "vaults.steps", "vaults.volume_steps", "vaults.bindings"}


@pytest.mark.parametrize("fault", FAULTS)
async def test_every_activity_gets_over_a_request_that_is(stage: Stage, fault: str) -> None:
    striking = Striking(stage, FAULTS[fault])
    stage.world.aks.announce(cluster_of(stage))
    await protected(stage)
    assert striking.met | SPARED.get(fault, set()) == SENDING, "a fault that strikes nothing proves nothing"
    settled(stage)


async def test_every_activity_gets_over_a_worker_that_is_killed_right_after_its_effect(stage: Stage) -> None:
    striking = Striking(stage, lambda on: Fault(on, "lose", then=stage.host.kill_worker))
    stage.world.aks.announce(cluster_of(stage))
    await protected(stage)
    assert striking.met == SENDING
    settled(stage)


@pytest.mark.parametrize("killed", [True, False], ids=["killed before it can say what it did", "run twice"])
async def test_every_activity_gets_over_being(stage: Stage, *, killed: bool) -> None:
    struck = losing(stage, {activity(row) for row in REQUESTS}, killed=killed)
    stage.world.aks.announce(cluster_of(stage))
    await protected(stage)
    assert struck == {activity(row) for row in REQUESTS}
    settled(stage)
