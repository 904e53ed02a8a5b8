"""Every activity of a verification meets every fault: each backup gets the verdict it deserves, and is restored once.

A cluster from the vault tier, a share and a machine are verified side by side. The table names every activity that
functions/ registers for that; a fault is ordered when its activity first begins.
"""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from functions.restores import check_steps, plan_steps, restore_steps, staging_steps
from local import scenario
from local.cloud.resources.file_shares import DATA_ROLES
from local.cloud.wire import InjectedFault
from local.cloud.world import World
from local.stage import RunningApp
from tests.worlds.app import NO_TRUST, open_app
from tests.worlds.faults import FAULTS, Striking, activity, losing, registered
from tests.worlds.staging import ACCOUNT as STAGING
from tests.worlds.staging import back_up, staged, workloads
from tests.worlds.times import HOUR
from tests.worlds.verifications import ACCOUNT, CLUSTER, SHARE, SOON, isolated, restores, runs

K8S = rf"/k8s/{CLUSTER}/.*"
REQUESTS = {  # what each activity sends that matters most; one that looks at the store alone has none
    "find_verdict": "",
    "describe_source: cluster": "GET .*/backupVaults/[^/]+/backupInstances/[^/]+$",
    "describe_source: share, machine": "GET .*/vaults/[^/]+/backupProtectedItems",
    "take_manifest: cluster": f"GET {K8S}/persistentvolumeclaims",
    "take_manifest: share": f"GET /files/{ACCOUNT}/",
    "take_manifest: machine": "GET .*/virtualMachines/",
    "choose: cluster": "GET .*/backupInstances/[^/]+/recoveryPoints$",
    "choose: share, machine": "GET .*/protectedItems/[^/]+/recoveryPoints$",
    "record_sampled_out": "",
    "take_turn": "GET .*/snapshots$",
    "isolate: cluster": f"PATCH {K8S}namespaces/verify-",
    "isolate: share": "PUT .*/shares/verify-",
    "start_restore_validation: cluster": "POST .*/validateRestore$",
    "start_restore_validation: machine": "POST .*/backupTriggerValidateOperation$",
    "finish_restore_validation: cluster": "GET .*/backupVaults/[^/]+/operationStatus/",
    "finish_restore_validation: machine": "GET .*/backupValidateOperationsStatuses/",
    "start_restore: cluster": "POST .*/backupInstances/[^/]+/restore$",
    "start_restore: share, machine": "POST .*/recoveryPoints/[^/]+/restore$",
    "find_restore_job: cluster": "GET .*/backupVaults/[^/]+/operationStatus/",
    "find_restore_job: share, machine": "GET .*/vaults/[^/]+/backupOperations/",
    "follow_restore": "GET .*/backupJobs/",
    "settle": f"GET {K8S}/pods",
    "call_workloads": f"PATCH {K8S}/pods/",
    "check_restore": f"GET {K8S}/configmaps",
    "clean_up: cluster": f"DELETE {K8S}namespaces/verify-",
    "clean_up: share": "DELETE .*/shares/verify-",
    "clean_up: staged": "DELETE .*/snapshots/",
    "clean_up: machine": "DELETE .*/disks/vmledger1-",
    "record_verdict": "",
}
SENDING = {row for row, on in REQUESTS.items() if on}
SENT_TWICE = {row for row in SENDING if activity(row) == "start_restore"}  # by the network: test_verification has that
_FOLLOWED = {"find_restore_job: share, machine"}  # of a restore whose answer got lost, the job is found among all
UNMET = {"done but denied": _FOLLOWED, "answer lost": _FOLLOWED}


def seed(world: World) -> None:
    scenario.seed_trust(world, 1)
    for manifest in workloads():
        world.kubernetes.clusters[CLUSTER].apply(manifest)
    world.backup_vaults.protect(CLUSTER)
    scenario.seed_share(world)
    scenario.seed_machine(world)
    scenario.let_stage(world)
    world.storage.add_container(STAGING, "logs", ["notes.txt"])


@pytest.fixture
async def stage() -> AsyncIterator[RunningApp]:
    async with open_app(seed=seed, settings=NO_TRUST) as stage:
        knobs = {**scenario.SCRATCH, "sample_rate": 0}
        stage.policy.write_text(json.dumps({"default": {"verify": knobs}}))
        account = stage.world.file_shares.account(ACCOUNT)["id"]
        stage.world.roles.grant(stage.caller("verifier").object_id, DATA_ROLES[0], account)
        await stage.clock.advance(HOUR)  # what is to be backed up is older than the backup
        yield stage


async def verified(stage: RunningApp) -> None:
    """A backup of each kind is verified, once, and nothing is left; then one of the share isn't drawn."""
    vaults = stage.world.recovery_vaults
    jobs = [back_up(stage, CLUSTER), vaults.complete_backup(ACCOUNT, SHARE)]
    jobs += [vaults.complete_backup(scenario.MACHINE_GROUP, scenario.MACHINE)]
    outcomes = [await outcome(stage, job["name"]) for job in jobs]
    assert [(each["verdict"], each["left_over"]) for each in outcomes] == [("Verified", 0)] * 3, outcomes
    assert (await outcome(stage, vaults.complete_backup(ACCOUNT, SHARE)["name"]))["reason"] == "NotDrawn"
    assert (len(restores(stage)), isolated(stage), staged(stage)) == (3, [], ["logs"])


async def outcome(stage: RunningApp, job: str) -> dict[str, Any]:
    await stage.run(f"verify-{job}", SOON)
    (run,) = [i for i in runs(stage) if i.id == f"verify-{job}"]
    assert run.status == "Completed", run.failure
    found: dict[str, Any] = run.output
    return found


def test_every_activity_that_is_registered_is_in_the_table() -> None:
    modules = (plan_steps, staging_steps, restore_steps, check_steps)
    assert {activity(row) for row in REQUESTS} == registered(*modules)


@pytest.mark.parametrize("fault", FAULTS)
async def test_every_activity_gets_over_a_request_that_is(stage: RunningApp, fault: str) -> None:
    spared = SENT_TWICE if fault == "doubled" else set[str]()
    striking = Striking(stage, FAULTS[fault], {row: on for row, on in REQUESTS.items() if row not in spared})
    await verified(stage)
    assert striking.met | UNMET.get(fault, set()) == SENDING - spared, "a fault that strikes nothing proves nothing"


async def test_every_activity_gets_over_a_worker_that_is_killed_right_after_its_effect(stage: RunningApp) -> None:
    striking = Striking(stage, lambda on: InjectedFault(on, "lose", then=stage.host.kill_worker), REQUESTS)
    await verified(stage)
    assert striking.met == SENDING


@pytest.mark.parametrize("killed", [True, False], ids=["killed before it can say what it did", "run twice"])
async def test_every_activity_gets_over_being(stage: RunningApp, *, killed: bool) -> None:
    struck = losing(stage, {activity(row) for row in REQUESTS}, killed=killed)
    await verified(stage)
    assert struck == {activity(row) for row in REQUESTS}
