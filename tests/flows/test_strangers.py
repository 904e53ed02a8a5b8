"""A cluster that wears the tags of a trust domain which doesn't list it: whatever runs, nobody contacts it."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from local import scenario
from local.cloud.arm import SUBSCRIPTION
from local.cloud.world import World
from local.scenario import TRUST_DOMAIN
from local.stage import RunningApp
from tests.worlds.app import call, open_app
from tests.worlds.strangers import BY_TAG, LINE, STRANGER, STRANGER_ID, come, contacts
from tests.worlds.times import DAY, HOUR, MINUTE

SUBNET = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/g/providers/Microsoft.Network/virtualNetworks/v/subnets/s"


def seed(world: World) -> None:
    """A trust domain of one cluster, and a stranger that asks for protection and is backed up already."""
    scenario.seed_trust(world, 1)
    come(world, protect="true")
    world.backup_vaults.protect(STRANGER, group=scenario.BACKUP_GROUP)


@pytest.fixture
async def stage() -> AsyncIterator[RunningApp]:
    async with open_app(seed=seed) as stage:
        await stage.clock.advance(5 * MINUTE)
        yield stage


async def test_in_a_day_of_every_sweep_and_timer_nobody_contacts_it_and_the_census_names_it(stage: RunningApp) -> None:
    stage.world.aks.announce(next(r for r in stage.world.arm.resources.values() if r["id"] == STRANGER_ID))
    await stage.clock.advance(DAY)
    code, census = await call(stage, "GET", "census")
    assert code == 200, census
    (claim,) = census["not_admitted"]
    assert (claim["cluster"], claim["reason"]) == (STRANGER_ID, "NotAdmitted")
    assert LINE in claim["message"]
    assert contacts(stage) == []


async def test_its_backup_is_not_verified_and_the_verdict_says_why(stage: RunningApp) -> None:
    job = stage.world.backup_vaults.complete_backup(STRANGER)
    id = f"verify-{job['name']}"
    await stage.run(id, 8 * HOUR)
    run = stage.host.instance(id)
    assert run is not None
    assert run.output["verdict"] == "Inconclusive"
    assert any("NotAdmitted" in reason for reason in run.output["reasons"])
    assert contacts(stage) == []


async def test_if_the_tag_granted_its_backup_would_be_verified_there(tmp_path: Path) -> None:
    async with open_app(seed=seed, app=BY_TAG.grow(tmp_path)) as stage:
        stage.world.backup_vaults.complete_backup(STRANGER)
        await stage.run(lambda: bool(contacts(stage)), 8 * HOUR)


async def test_the_self_test_fails_with_the_line_that_would_admit_it(stage: RunningApp) -> None:
    _, started = await call(stage, "POST", "selftest")
    await stage.run(started["instance_id"], timedelta(hours=1))
    run = stage.host.instance(started["instance_id"])
    assert run is not None
    lines = [finding["line"] for finding in run.output["findings"] if STRANGER_ID in finding["line"]]
    assert len(lines) == 1
    assert lines[0].startswith(f"FAIL  admission {STRANGER_ID}")
    assert LINE in lines[0]
    assert contacts(stage) == []


async def test_it_gets_no_protection_and_no_knob_of_the_trust_domain(stage: RunningApp) -> None:
    members = scenario.policy()["trust_domains"][TRUST_DOMAIN]
    stage.say(trust_domains={TRUST_DOMAIN: {**members, "protect": {"subnet": SUBNET}}})
    before = len(stage.world.arm.resources)
    for method, route, body in (
        ("GET", f"plans/protections?cluster_id={STRANGER_ID}", None),
        ("POST", "protections", {"cluster_id": STRANGER_ID}),
    ):
        code, refused = await call(stage, method, route, body)
        assert (code, refused["reason"]) == (400, "NotAdmitted")
        assert LINE in refused["message"]
    assert len(stage.world.arm.resources) == before
    assert contacts(stage) == []
