"""The self-test tells what a deployment lacks, and the command that mends it."""

from collections.abc import AsyncIterator
from datetime import timedelta
from functools import partial
from typing import Any

import aiohttp
import pytest

from local.cloud import scenario
from local.stage import Stage, open_stage, scopes
from tests.conformance import conforms
from tests.conftest import START
from tests.flows.test_roles import ASSIGNMENTS
from tests.flows.test_trust import NO_WATCH

TRIED = [each for each in ASSIGNMENTS if each["at"] != "shareAccount"]  # those are tried where they are needed


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with open_stage(start=START, seed=partial(scenario.seed_trust, clusters=1), settings=NO_WATCH) as stage:
        await stage.clock.advance(timedelta(minutes=5))
        yield stage
        conforms(stage.world.wire.exchanges)


async def report(stage: Stage) -> dict[str, Any]:
    await stage.clock.advance(timedelta(seconds=2))
    url, headers = f"{stage.host.url}/api/selftest", {"Authorization": f"Bearer {stage.token()}"}
    async with aiohttp.ClientSession() as http, http.post(url, headers=headers) as answer:
        assert answer.status == 202
        id = (await answer.json())["instance_id"]
    await stage.run(id, timedelta(hours=2))
    run = stage.host.instance(id)
    assert run is not None
    assert run.status == "Completed", run.failure
    found: dict[str, Any] = run.output
    return found


async def test_a_complete_deployment_passes(stage: Stage) -> None:
    found = await report(stage)
    assert [finding["line"] for finding in found["findings"] if not finding["passed"]] == []
    assert len(found["findings"]) == len(TRIED) + len(["store", "cluster"])


async def test_a_missing_role_is_named_with_its_scope_and_the_command_that_assigns_it(stage: Stage) -> None:
    permissions = stage.world.permissions
    complete = permissions.granted
    for each in TRIED:
        holder = stage.world.entra.named(each["identity"])
        (scope,) = scopes(stage.world)[each["at"]]
        permissions.granted = complete - {(holder.object_id, permissions.roles[each["role"]], scope)}
        found = await report(stage)
        lines = "\n".join(finding["line"] for finding in found["findings"] if not finding["passed"])
        assert not found["passed"]
        assert f'az role assignment create --assignee {holder.client_id} --role "{each["role"]}' in lines, each
        if each["at"] == "subscription":
            assert f"--scope {scope}" in lines


async def test_an_event_that_does_not_come_back_is_told(stage: Stage) -> None:
    stage.world.event_grid.topic(scenario.TOPIC).subscriptions.clear()
    found = await report(stage)
    (lost,) = [finding["line"] for finding in found["findings"] if not finding["passed"]]
    assert "no event came back" in lost
    assert "infra/after-code.sh" in lost
