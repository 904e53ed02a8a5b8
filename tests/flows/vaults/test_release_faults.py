"""Every activity of a release meets every fault: all that was the vault's is gone in the end, and nothing else."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from functions.vaults import bindings, releases
from functions.vaults.parts import ACCESS
from local.cloud.arm import Resource
from local.cloud.wire import InjectedFault
from local.stage import RunningApp
from tests.worlds.app import NO_WATCH, open_app
from tests.worlds.bindings import CLUSTER, IDENTITIES, entries, seed_with_volumes
from tests.worlds.faults import FAULTS, Striking, activity, losing, registered
from tests.worlds.protections import cluster_of, of, protected, write_policy
from tests.worlds.releases import releases as runs
from tests.worlds.times import DAY

REQUESTS = {  # what each activity sends that matters most; one that writes to the store alone has none
    "plan_release": f"GET .*/managedClusters/{CLUSTER}$",
    "close_binding": "",
    "delete_part: identity": "DELETE .*/userAssignedIdentities/[^/]+$",
    "delete_backups: instance": "DELETE .*/backupInstances/",
    "delete_backups: item": "DELETE .*/protectedItems/",
    "await_emptiness": "GET .*/deletedBackupInstances$",
    "delete_part: recovery_services_vault": "DELETE .*/vaults/rsv-[^/]+$",
    "delete_part: endpoint": "DELETE .*/privateEndpoints/[^/]+$",
    "delete_part: account": "DELETE .*/storageAccounts/[^/]+$",
    "delete_part: snapshots": "DELETE .*/resourcegroups/[^/]+$",
    "delete_part: backup_vault": "DELETE .*/backupVaults/[^/]+$",
    "record_release": "",
}
SENDING = {row for row, on in REQUESTS.items() if on}


@pytest.fixture
async def stage() -> AsyncIterator[RunningApp]:
    """A protected cluster of a mesh, with a share and a machine, is gone."""
    async with open_app(seed=seed_with_volumes, settings=NO_WATCH) as stage:
        subnet = stage.world.networks.add_subnet("backups")
        write_policy(stage, subnet=subnet["id"], release_after="P9D")
        stage.world.aks.announce(cluster_of(stage))
        await protected(stage)
        stage.world.aks.remove(CLUSTER)
        yield stage


async def released(stage: RunningApp) -> None:
    """The release has ended well; what was backed up, and what the vault was written down with, is still there."""
    await stage.run(lambda: any(run.status == "Completed" for run in runs(stage)), timedelta(days=60))
    await stage.clock.advance(2 * DAY)
    kinds = ("DataProtection/backupVaults", "RecoveryServices/vaults", "Network/privateEndpoints")
    assert [r["id"] for kind in kinds for r in of(stage.world, f"Microsoft.{kind}")] == []
    assert of(stage.world, IDENTITIES) == []
    left: list[Resource] = of(stage.world, "Microsoft.Storage/storageAccounts")
    assert [account["name"] for account in left] == ["stshop"]
    assert stage.world.file_shares.exists("stshop", "carts")
    assert [entry.actions for entry in entries(stage)][1:] == [()]
    assert len(list((stage.store / "releases").rglob("released.json"))) == 1


def test_every_activity_of_a_release_is_in_the_table() -> None:
    assert {activity(row) for row in REQUESTS} == registered(releases) | {"close_binding"}
    assert "close_binding" in registered(bindings)
    parts = {row.removeprefix("delete_part: ") for row in REQUESTS if row.startswith("delete_part: ")}
    assert parts == {name for name, access in ACCESS.items() if access.delete}


@pytest.mark.parametrize("fault", FAULTS)
async def test_every_activity_gets_over_a_request_that_is(stage: RunningApp, fault: str) -> None:
    striking = Striking(stage, FAULTS[fault], REQUESTS)
    await released(stage)
    assert striking.met == SENDING, "a fault that strikes nothing proves nothing"


async def test_every_activity_gets_over_a_worker_that_is_killed_right_after_its_effect(stage: RunningApp) -> None:
    striking = Striking(stage, lambda on: InjectedFault(on, "lose", then=stage.host.kill_worker), REQUESTS)
    await released(stage)
    assert striking.met == SENDING


@pytest.mark.parametrize("killed", [True, False], ids=["killed before it can say what it did", "run twice"])
async def test_every_activity_gets_over_being(stage: RunningApp, *, killed: bool) -> None:
    rows = {row.removesuffix(": instance").removesuffix(": item") for row in REQUESTS}  # one activity does both
    struck = losing(stage, rows, killed=killed)
    await released(stage)
    assert struck == rows
