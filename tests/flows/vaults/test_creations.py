"""What was asked for is followed, and not asked for again while it can't be read yet or shows what was before."""

import re
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from local.cloud.arm import REGION, SUBSCRIPTION
from local.cloud.wire import InjectedFault, Reply
from local.stage import RunningApp
from tests.worlds.app import NO_WATCH, open_app
from tests.worlds.bindings import seed_with_volumes
from tests.worlds.protections import INSTANCES, asked, cluster_of, finished, one, protect, runs, write_policy
from tests.worlds.times import DAY

CREATIONS = {  # what is made, and how often a run reads it before
    "storageAccounts/(?!stshop)[^/]+$": 2,
    "backupVaults/[^/]+$": 2,
    "Microsoft.RecoveryServices/vaults/[^/]+$": 2,
    "extensions/[^/]+$": 2,
    "trustedAccessRoleBindings/[^/]+$": 2,
    "userAssignedIdentities/[^/]+$": 2,
}
ABSENT = Reply(status=404, body={"error": {"code": "ResourceNotFound", "message": "It isn't there."}})
EMPTY = Reply(body={"value": []})


@pytest.fixture
async def stage() -> AsyncIterator[RunningApp]:
    """A cluster with a share and a machine, in a world that may not show what it has made."""
    async with open_app(seed=seed_with_volumes, settings=NO_WATCH, judged=False) as stage:
        yield stage


def sent(stage: RunningApp, method: str, path: str) -> int:
    """How many requests of this kind there were."""
    lines = (f"{e.method} {e.url.partition('?')[0]}" for e in asked(stage))
    return sum(bool(re.match(f"{method} .*/{path}", line, re.IGNORECASE)) for line in lines)


def read_of(path: str) -> str:
    """What is read to see whether it is there: extensions are listed, as their names differ."""
    return "extensions$" if path.startswith("extensions") else path


def hide(stage: RunningApp, path: str, times: int) -> InjectedFault:
    """Answer so many reads as if nothing were there."""
    nothing = EMPTY if read_of(path) != path else ABSENT
    return stage.world.wire.inject(InjectedFault(f"GET .*/{read_of(path)}", "answer", times, nothing))


@pytest.mark.parametrize("path", CREATIONS)
async def test_what_can_t_be_read_yet_is_asked_for_once(stage: RunningApp, path: str) -> None:
    hide(stage, path, CREATIONS[path] + 4)
    stage.world.aks.announce(cluster_of(stage))
    run = await finished(stage)
    assert run.status == "Completed", run.failure
    assert sent(stage, "GET", read_of(path)) > CREATIONS[path] + 4
    assert sent(stage, "PUT", path) == 1


@pytest.mark.parametrize("path", CREATIONS)
async def test_what_never_shows_is_asked_for_once_a_run_and_named(stage: RunningApp, path: str) -> None:
    hidden = hide(stage, path, 10_000)
    stage.world.aks.announce(cluster_of(stage))
    assert "WithoutEffect" in ((await finished(stage)).failure or "")
    assert sent(stage, "PUT", path) == 1
    hidden.times = 0
    await stage.clock.advance(timedelta(hours=1))
    await stage.host.invoke_timer("cluster_sweep")
    assert (await finished(stage, suffix="-2")).status == "Completed"


@pytest.mark.parametrize(
    ("path", "operations"),
    [("backupVaults/[^/]+$", "DataProtection/backupVaults"), ("Microsoft.RecoveryServices/vaults/[^/]+$", "vaults")],
)
async def test_a_vault_whose_creation_fails_is_told_with_azure_s_code(
    stage: RunningApp, path: str, operations: str
) -> None:
    at = f"/subscriptions/{SUBSCRIPTION}/locations/{REGION}/operationStatus/b3BlcmF0aW9u"
    accepted = Reply(status=201, body={}, headers={"Azure-AsyncOperation": f"{stage.world.wire.url}{at}"})
    failed = {"status": "Failed", "error": {"code": "UserErrorQuotaSpent", "message": "There are too many."}}
    stage.world.wire.inject(InjectedFault(f"PUT .*/{path}", "answer", 1, accepted))
    status = f"GET .*{operations}/[^/]+/operationStatus/b3BlcmF0aW9u"
    stage.world.wire.inject(InjectedFault(status, "answer", 1, Reply(body=failed)))
    stage.world.aks.announce(cluster_of(stage))
    assert "UserErrorQuotaSpent" in ((await finished(stage)).failure or "")
    await stage.host.invoke_timer("cluster_sweep")
    assert (await finished(stage, suffix="-2")).status == "Completed", "the next run asks at once"


async def test_a_refusal_without_a_word_is_named_by_its_status(stage: RunningApp) -> None:
    """Azure Backup answers 406 without a body to what it finds invalid (azurerm issue 33194)."""
    stage.world.wire.inject(InjectedFault("PUT .*/backupInstances/[^/]+$", "answer", 1, Reply(status=406)))
    stage.world.aks.announce(cluster_of(stage))
    assert "Http406" in ((await finished(stage)).failure or "")


async def test_what_was_removed_after_it_had_been_made_is_made_again_at_once(stage: RunningApp) -> None:
    await protect(stage)
    stage.world.arm.remove(one(stage, "Microsoft.ContainerService/managedClusters/trustedAccessRoleBindings")["id"])
    await stage.host.invoke_timer("cluster_sweep")
    await stage.run(lambda: len([run for run in runs(stage) if run.ended]) == 2)
    assert runs(stage)[-1].status == "Completed", runs(stage)[-1].failure
    assert sent(stage, "PUT", "trustedAccessRoleBindings/[^/]+$") == 2


async def test_an_instance_that_keeps_its_policy_though_the_operation_has_ended_is_asked_for_once_a_run_and_named(
    stage: RunningApp,
) -> None:
    await protect(stage)
    instance = one(stage, INSTANCES)
    former = instance["properties"]["policyInfo"]["policyId"]
    write_policy(stage, backup_every="PT4H", keep="P30D")

    def undo(function: str, moment: str) -> None:
        instance["properties"]["policyInfo"]["policyId"] = former

    stage.host.on_invocation(undo)
    for day in (1, 2):
        before = sent(stage, "PUT", "backupInstances/[^/]+$")
        await stage.clock.advance(DAY)
        run = await finished(stage, suffix=f"{stage.clock.now():%Y%m%d}")
        assert "WithoutEffect" in (run.failure or ""), day
        assert sent(stage, "PUT", "backupInstances/[^/]+$") - before == 1
