"""Each role assignment of infra/roles.json is needed: without it a flow says what is missing and where."""

import json
import re
from collections.abc import AsyncIterator, Iterable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from local import plays, scenario
from local.cloud.resources.permissions import matches
from local.cloud.world import World
from local.stage import RunningApp, scopes
from tests.worlds.app import open_app
from tests.worlds.roles import ASSIGNMENTS, SIMULATED, TABLE

# test_telemetry; the data planes of Azure Storage and of the scheduler know no roles here
ELSEWHERE = ("insights", "ledger", "evidence", "policy", "hostStorage", "scheduler")
SOON = timedelta(hours=12)


@pytest.fixture(params=ASSIGNMENTS, ids=lambda each: f"{each['role']} at {each['at']}")
def assignment(request: pytest.FixtureRequest) -> dict[str, str]:
    found: dict[str, str] = request.param
    return found


@pytest.fixture
async def stage(assignment: dict[str, str]) -> AsyncIterator[RunningApp]:
    def seed(world: World) -> None:
        scenario.seed(world, clusters=1)
        scenario.seed_machine(world)

    async with open_app(seed=seed) as stage:
        stage.say(default={"verify": scenario.SCRATCH})
        yield stage


def test_no_assignment_is_left_out_unseen() -> None:
    assert {each["at"] for each in TABLE["assignments"]} == {*SIMULATED, *ELSEWHERE}


async def test_without_it_a_flow_names_the_action_and_the_scope(stage: RunningApp, assignment: dict[str, str]) -> None:
    world, where = stage.world, scopes(stage.world)[assignment["at"]]
    role = world.permissions.roles[assignment["role"]]
    holder = world.entra.named(assignment["identity"]).object_id
    world.permissions.granted -= {(holder, role, scope) for scope in where}
    for held in list(world.arm.of_type("Microsoft.Authorization/roleAssignments")):
        if held["properties"]["principalId"] == holder:  # what the scenario's infra team has granted
            world.arm.remove(held["id"])
    plays.publish(stage)
    world.recovery_vaults.complete_backup(scenario.MACHINE_GROUP, scenario.MACHINE)
    patterns = world.permissions.definitions.get(role, ["AuthorizationPermissionMismatch"])
    await stage.run(lambda: any(matches(word, patterns) for word in named(stage, where)), SOON)


def named(stage: RunningApp, scopes: Iterable[str]) -> Iterator[str]:
    """The actions that refusals name with a scope, in the log and in what flows show of themselves.

    Azure Files names neither.
    """
    shown = [json.dumps(said(i)) for i in stage.host.instances()]
    for text in [*stage.log[-200:], *shown]:
        if any(scope.lower() in text.lower() for scope in scopes):
            yield from re.findall(r"Microsoft\.[\w./]+/\w+", text)
        yield from re.findall("AuthorizationPermissionMismatch", text)


def said(instance: Any) -> Any:
    return [instance.custom_status, str(instance.failure), instance.output]
