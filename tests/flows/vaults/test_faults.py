"""Every activity of a protection meets every fault: the cluster is protected all the same, nothing is there twice.

The table names every activity that functions/ registers for it. A fault is ordered when its activity first begins, so
that it strikes this activity and no earlier one that asks the same.
"""

import importlib
import pkgutil
from collections.abc import AsyncIterator

import pytest

import functions
from functions.vaults import bindings, planning, source_steps, steps
from local.cloud.wire import InjectedFault
from local.stage import RunningApp
from tests.worlds.app import NO_WATCH, open_app
from tests.worlds.bindings import FEDERATIONS, IDENTITIES, entries, seed_with_volumes
from tests.worlds.faults import FAULTS, Striking, activity, losing, registered
from tests.worlds.protections import cluster_of, of, protected, write_policy

REQUESTS = {  # what each activity sends that matters most; one that writes to the store alone has none
    "plan_protection": "GET .*/managedClusters/[^/]+/providers/Microsoft.DataProtection/backupInstances$",
    "ensure_group": "PUT .*/resourcegroups/[^/]+$",
    "ensure_storage": "PUT .*/storageAccounts/",
    "ensure_endpoint": "PUT .*/privateEndpoints/[^/]+$",
    "ensure_vault: Backup vault": "PUT .*/backupVaults/[^/]+$",
    "ensure_vault: Recovery Services vault": "PUT .*/vaults/rsv-[^/]+$",
    "ensure_policy": "PUT .*/backupVaults/[^/]+/backupPolicies/",
    "ensure_guard: Backup vault": "PUT .*/backupVaults/[^/]+/backupResourceGuardProxies/[^/]+$",
    "ensure_guard: Recovery Services vault": "PUT .*/vaults/rsv-[^/]+/backupResourceGuardProxies/[^/]+$",
    "ensure_extension": "PUT .*/extensions/",
    "ensure_trusted_access": "PUT .*/trustedAccessRoleBindings/",
    "ensure_role": "PUT .*/roleAssignments/",
    "start_validation": "POST .*/validateForBackup$",
    "finish_validation": "GET .*/backupVaults/[^/]+/operationStatus/",
    "ensure_instance": "PUT .*/backupInstances/",
    "ensure_source_role": "PUT .*/stshop/.*/roleAssignments/",
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
ELSEWHERE = {  # modules whose activities are struck by the tests of their own flows
    "restores.check_steps", "restores.plan_steps", "restores.restore_steps", "restores.staging_steps", "selftest",
    "trust.fleet_steps", "trust.linkerd.bundle_steps", "trust.linkerd.issuer_steps", "trust.linkerd.issuers",
    "trust.root_steps", "vaults.releases",
}  # fmt: skip


@pytest.fixture
async def stage() -> AsyncIterator[RunningApp]:
    async with open_app(seed=seed_with_volumes, settings=NO_WATCH) as stage:
        guard, subnet = stage.world.resource_guards.add("guard-contoso"), stage.world.networks.add_subnet("backups")
        write_policy(stage, guard=guard["id"], subnet=subnet["id"])
        yield stage


def settled(stage: RunningApp) -> None:
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
    of_others = {"close_binding", "start_sync", "finish_sync"}  # of a release, and of an instance in error
    assert {activity(row) for row in REQUESTS} == registered(planning, steps, source_steps, bindings) - of_others
    others = {name for name, module in modules.items() if registered(module)}
    assert others == ELSEWHERE | {"vaults.planning", "vaults.steps", "vaults.source_steps", "vaults.bindings"}


@pytest.mark.parametrize("fault", FAULTS)
async def test_every_activity_gets_over_a_request_that_is(stage: RunningApp, fault: str) -> None:
    striking = Striking(stage, FAULTS[fault], REQUESTS)
    stage.world.aks.announce(cluster_of(stage))
    await protected(stage)
    assert striking.met | SPARED.get(fault, set()) == SENDING, "a fault that strikes nothing proves nothing"
    settled(stage)


async def test_every_activity_gets_over_a_worker_that_is_killed_right_after_its_effect(stage: RunningApp) -> None:
    striking = Striking(stage, lambda on: InjectedFault(on, "lose", then=stage.host.kill_worker), REQUESTS)
    stage.world.aks.announce(cluster_of(stage))
    await protected(stage)
    assert striking.met == SENDING
    settled(stage)


@pytest.mark.parametrize("killed", [True, False], ids=["killed before it can say what it did", "run twice"])
async def test_every_activity_gets_over_being(stage: RunningApp, *, killed: bool) -> None:
    struck = losing(stage, REQUESTS, killed=killed)
    stage.world.aks.announce(cluster_of(stage))
    await protected(stage)
    assert struck == REQUESTS.keys()
    settled(stage)
