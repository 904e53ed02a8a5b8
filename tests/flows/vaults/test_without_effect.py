"""What Azure accepts and doesn't do is asked for once or twice, then named: no vault is written to for ever."""

from collections.abc import AsyncIterator

import pytest

from local.cloud.wire import InjectedFault, Reply
from local.host.durable import OrchestrationState
from local.stage import RunningApp
from tests.worlds.app import NO_WATCH, open_app
from tests.worlds.bindings import CLUSTER, seed_with_volumes
from tests.worlds.protections import finished, protect, write_policy
from tests.worlds.releases import releases
from tests.worlds.times import DAY

EVERY = 1000


@pytest.fixture
async def stage() -> AsyncIterator[RunningApp]:
    """A cluster with a share and a machine, in a world that may accept what it doesn't do."""
    async with open_app(seed=seed_with_volumes, settings=NO_WATCH, judged=False) as stage:
        yield stage


def ignore(stage: RunningApp, request: str, status: int) -> InjectedFault:
    """Let Azure accept such requests, and do nothing."""
    return stage.world.wire.inject(InjectedFault(request, "answer", EVERY, Reply(status=status)))


async def next_day(stage: RunningApp) -> OrchestrationState:
    """The protection that the next day's sweep begins."""
    await stage.clock.advance(DAY)
    return await finished(stage, suffix=f"{stage.clock.now():%Y%m%d}")


@pytest.mark.parametrize(
    ("type", "sent", "status"),
    [
        ("Microsoft.DataProtection/backupVaults", "PATCH .*/backupVaults/[^/]+$", 202),
        ("Microsoft.RecoveryServices/vaults", "PATCH .*RecoveryServices/vaults/[^/]+$", 202),
        ("Microsoft.Storage/storageAccounts", "PUT .*/storageAccounts/[^/]+$", 202),
    ],
)
async def test_what_stays_weak_is_corrected_once_a_run_and_named(
    stage: RunningApp, type: str, sent: str, status: int
) -> None:
    await protect(stage)
    weaken(stage, type)
    ignored = ignore(stage, sent, status)
    for day in (1, 2):
        run = await next_day(stage)
        assert "WithoutEffect" in (run.failure or "")
        assert EVERY - ignored.times == day, "a run asks once"
    stage.world.wire.faults.remove(ignored)
    assert (await next_day(stage)).status == "Completed"


def weaken(stage: RunningApp, type: str) -> None:
    ours = [each for each in stage.world.arm.of_type(type) if each["name"] != "stshop"]
    properties = ours[0]["properties"]
    if "allowSharedKeyAccess" in properties:
        properties["allowSharedKeyAccess"] = True
    else:
        soft_delete = properties["securitySettings"]["softDeleteSettings"]
        soft_delete |= {"state": "OFF"} if "state" in soft_delete else {"softDeleteState": "Disabled"}


DELETIONS = {  # in the order of a release: what Azure answers, and for how many resources
    "userAssignedIdentities/[^/]+$": (200, 1),
    "(backupInstances|protectedItems)/[^/]+$": (202, 3),
    "protectionContainers/[^/]+$": (202, 1),
    "vaults/rsv-[^/]+$": (202, 1),
    "storageAccounts/[^/]+$": (200, 1),
    "resourcegroups/[^/]+$": (202, 1),
    "backupVaults/[^/]+$": (202, 1),
}


async def test_what_stays_though_its_deletion_was_accepted_is_deleted_twice_a_run_at_most_and_named(
    stage: RunningApp,
) -> None:
    write_policy(stage, release_after="P9D")
    await protect(stage)
    stage.world.aks.remove(CLUSTER)
    for number, (what, (status, resources)) in enumerate(DELETIONS.items(), start=1):
        ignored = ignore(stage, f"DELETE .*/{what}", status)
        stage.world.wire.faults[:] = [ignored]
        await stage.run(lambda ended=number: len(failed(stage)) == ended, 40 * DAY)  # type: ignore[misc]
        assert "WithoutEffect" in (failed(stage)[-1].failure or ""), what
        assert 1 <= EVERY - ignored.times <= 2 * resources, what
    stage.world.wire.faults.clear()
    await stage.run(lambda: any(run.status == "Completed" for run in releases(stage)), 40 * DAY)


def failed(stage: RunningApp) -> list[OrchestrationState]:
    return [run for run in releases(stage) if run.status == "Failed"]
