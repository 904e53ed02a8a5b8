"""What Azure Backup says in words that nobody knows, and restores that go on beside the one that is followed."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from local import scenario
from local.cloud.resources.machines import MachineDisk
from local.cloud.vaults import JobOutcome
from local.cloud.wire import InjectedFault, Reply
from local.stage import APP, RunningApp
from tests.worlds.app import NO_TRUST, open_app
from tests.worlds.mutants import Mutant
from tests.worlds.times import HOUR
from tests.worlds.verifications import SOON, back_up, prepare, restores, run_of, runs, sent, verdict

POLICY = json.dumps({"default": {"verify": scenario.SCRATCH}})


@pytest.fixture
async def calm() -> AsyncIterator[RunningApp]:
    """The app in a world with a protected share, which may say what Azure was never heard to say."""
    async with open_app(seed=scenario.seed_share, settings=NO_TRUST, judged=False) as stage:
        await prepare(stage)
        yield stage


def deletions(stage: RunningApp) -> list[str]:
    return [e.url for e in stage.world.wire.exchanges if e.method == "DELETE" and "/subscriptions/" in e.url]


async def test_a_restore_job_in_a_state_that_nobody_knows_is_given_up_with_a_reason_and_nothing_is_judged(
    calm: RunningApp,
) -> None:
    calm.world.recovery_vaults.jobs.outcomes["Restore"].append(JobOutcome(status="Dreaming"))
    job = back_up(calm, "share")
    await calm.run(run_of(job), SOON)
    (run,) = runs(calm)
    assert run.output["verdict"] == "Inconclusive"
    assert all(word in run.output["reasons"][0] for word in ("DeadlinePassed", "StateUnknown", "Dreaming"))
    await calm.clock.advance(2 * HOUR)
    assert list((calm.store / "leases").glob("*/*.gone")) == [], "it may go on"
    assert any("restore left over" in line and "StateUnknown" in line for line in calm.log)


async def test_what_stays_though_its_deletion_was_accepted_is_deleted_twice_a_day_and_named(calm: RunningApp) -> None:
    ignored = calm.world.wire.inject(InjectedFault("DELETE .*/shares/verify-", "answer", 1000, Reply()))
    job = back_up(calm, "share")
    await calm.run(run_of(job), SOON)
    (run,) = runs(calm)
    assert (run.output["verdict"], run.output["left_over"]) == ("Verified", 1)
    assert any("WithoutEffect" in line and "clean_up" in line for line in calm.log)
    await calm.clock.advance(5 * HOUR)
    assert any("restore left over" in line and "WithoutEffect" in line for line in calm.log)
    assert len(deletions(calm)) == 2
    await calm.clock.advance(24 * HOUR)
    assert len(deletions(calm)) == 4
    ignored.times = 0
    await calm.clock.advance(24 * HOUR)
    assert any("restore cleared away" in line for line in calm.log)


def at_each_look(real: Any, vault: Any, what: Any, request: Any, **_: Any) -> Any:
    return request()


async def test_without_memory_what_stays_is_deleted_at_each_look(tmp_path: Path) -> None:
    app = Mutant("functions.engine.asking.ask", at_each_look).grow(tmp_path)
    async with open_app(seed=scenario.seed_share, settings=NO_TRUST, app=app) as stage:
        await prepare(stage)
        stage.world.wire.inject(InjectedFault("DELETE .*/shares/verify-", "answer", 1000, Reply()))
        await stage.run(run_of(back_up(stage, "share")), SOON)
        assert len(deletions(stage)) > 2


async def test_a_backup_job_in_a_state_that_nobody_knows_is_told_as_overdue_and_as_nothing_else(
    calm: RunningApp,
) -> None:
    back_up(calm, "share", status="Dreaming")
    await calm.clock.advance(14 * HOUR)
    assert [event["type"] for event in sent(calm)] == ["Meshward.Backup.Overdue"]
    assert runs(calm) == []


async def test_a_restore_that_was_accepted_without_an_operation_is_found_by_its_job(calm: RunningApp) -> None:
    calm.world.wire.inject(InjectedFault("POST .*/restore$", "after", reply=Reply(status=202)))
    assert (await verdict(calm, back_up(calm, "share")))["verdict"] == "Verified"
    assert len(restores(calm)) == 1


@asynccontextmanager
async def doubled(app: Path) -> AsyncIterator[tuple[RunningApp, str]]:
    """A machine's restore that Azure took twice, and the verification's id: the job that isn't followed takes hours."""
    async with open_app(seed=scenario.seed_machine, settings=NO_TRUST, app=app, judged=False) as stage:
        stage.policy.write_text(POLICY)
        await stage.clock.advance(HOUR)
        outcomes = stage.world.recovery_vaults.jobs.outcomes["Restore"]
        outcomes += [JobOutcome[MachineDisk](seconds=seconds) for seconds in (8 * 3600, 2_100)]
        stage.world.wire.inject(InjectedFault("POST .*/restore$", "double"))
        job = stage.world.recovery_vaults.complete_backup(scenario.MACHINE_GROUP, scenario.MACHINE)
        yield stage, run_of(job)


def none(real: Any, *_: Any) -> list[str]:
    return []


NO_LOOK_AT_OPEN_JOBS = Mutant("shared.domain.restores.verification.still_open", none)


async def test_disks_of_a_restore_are_removed_only_once_none_of_its_jobs_is_open() -> None:
    async with doubled(APP) as (stage, id):
        await stage.run(id, timedelta(hours=5))
        assert [job["properties"]["status"] for job in restores(stage)] == ["InProgress", "Completed"]
        assert deletions(stage) == []
        await stage.clock.advance(8 * HOUR)
        assert deletions(stage) != []


async def test_without_a_look_at_open_jobs_disks_are_removed_while_a_restore_runs(tmp_path: Path) -> None:
    async with doubled(NO_LOOK_AT_OPEN_JOBS.grow(tmp_path)) as (stage, id):
        await stage.run(id, timedelta(hours=5))
        assert "InProgress" in [job["properties"]["status"] for job in restores(stage)]
        assert deletions(stage) != []
