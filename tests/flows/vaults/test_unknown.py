"""What Azure says in words that nobody knows: no vault is changed and nothing is deleted because of it."""

from collections.abc import AsyncIterator

import pytest

from local.cloud.arm import Resource
from local.stage import RunningApp
from tests.worlds.app import NO_WATCH, open_app
from tests.worlds.protections import INSTANCES, VAULTS, asked, finished, one, protect, seed, write_policy, writes
from tests.worlds.releases import left_behind, releases
from tests.worlds.times import DAY


@pytest.fixture
async def stage() -> AsyncIterator[RunningApp]:
    """The app in a world that may say what Azure was never heard to say."""
    async with open_app(seed=seed, settings=NO_WATCH, judged=False) as stage:
        yield stage


def sealed(vault: Resource) -> None:
    vault["properties"]["securitySettings"]["immutabilitySettings"]["state"] = "Sealed"


def kept_for_ever(vault: Resource) -> None:
    vault["properties"]["securitySettings"]["softDeleteSettings"]["state"] = "Forever"


def on_the_moon(vault: Resource) -> None:
    vault["properties"]["storageSettings"][0]["type"] = "MoonRedundant"


@pytest.mark.parametrize("change", [sealed, kept_for_ever, on_the_moon])
async def test_a_vault_set_in_a_word_that_nobody_knows_is_named_and_left_as_it_is(
    stage: RunningApp, change: object
) -> None:
    await protect(stage)
    change(one(stage, VAULTS))  # type: ignore[operator]
    before = writes(stage.world)
    await stage.clock.advance(DAY)
    run = await finished(stage, suffix=f"{stage.clock.now():%Y%m%d}")
    assert run.status == "Failed"
    assert "SettingUnknown" in (run.failure or "")
    assert writes(stage.world) == before


def deletions(stage: RunningApp, resource: Resource) -> int:
    return sum(
        e.method == "DELETE" and e.url.lower().partition("?")[0].endswith(resource["id"].lower()) for e in asked(stage)
    )


@pytest.mark.parametrize(("type", "state"), [(INSTANCES, "currentProtectionState"), (VAULTS, "provisioningState")])
async def test_a_release_deletes_nothing_in_a_state_that_nobody_knows(stage: RunningApp, type: str, state: str) -> None:
    write_policy(stage, release_after="P9D")
    await left_behind(stage)
    held = one(stage, type)
    known, held["properties"][state] = held["properties"][state], "Dreaming"
    await stage.run(lambda: any(run.status == "Failed" for run in releases(stage)), 30 * DAY)
    (failed,) = [run for run in releases(stage) if run.status == "Failed"]
    assert "StateUnknown" in (failed.failure or "")
    assert deletions(stage, held) == 0
    held["properties"][state] = known
    await stage.run(lambda: deletions(stage, held) > 0, 30 * DAY)
