"""What the app logs arrives in Application Insights with its fields, and alerts, metrics and workbook find it there."""

import asyncio
import json
from functools import partial

from local import plays, scenario
from local.bench import NO_RESOURCE
from local.cloud.clock import Clock
from local.cloud.event_grid.topics import EventGrid
from local.cloud.world import World
from local.stage import INFRA, open_stage
from shared.adapters.azure.telemetry import METRICS
from tests.worlds.times import MINUTE, START

ALERTS = {each["name"]: each["query"] for each in json.loads((INFRA / "alerts.json").read_text())}
PANELS = {each["title"]: each["query"] for each in json.loads((INFRA / "workbook.json").read_text())}
EMPTY_SOMETIMES = {"reason", "outcome", "phase"}  # the panel of rotations mixes lines, each with fields of its own


async def test_alerts_and_workbook_find_in_telemetry_what_the_flows_went_through() -> None:
    async with open_stage(start=START, telemetry=True) as stage:
        await plays.all_three(stage, print)
        await stage.world.insights.found("traces | where message == 'rotation ended'")
        await stage.world.insights.found("customMetrics | where name == 'meshward.verifications.passed'")
        for title, query in PANELS.items():
            rows = stage.world.insights.query(query)
            assert rows or title.startswith("Refusals"), title
            for row in rows:
                assert all(value not in ("", None) for name, value in row.items() if name not in EMPTY_SOMETIMES), row
        (root,) = stage.world.insights.query(PANELS["Roots: when each is due"])
        assert (root["root"], root["days_to_expiry"]) == (scenario.OLD_ROOT, 29)
        assert stage.world.insights.query(ALERTS["unprotected"]), "aks-west asks for no protection"
        assert {
            row["outcome"] for row in stage.world.insights.query(PANELS["Rotations: phases proven, holds, ends"])
        } > {"rotated"}
        days = await stage.world.insights.found("customMetrics | where name == 'meshward.root.days_to_expiry'")
        assert days[0]["customDimensions"] == {"certificate": scenario.OLD_ROOT}


async def test_what_is_declined_is_told_of_with_its_reason_and_counted() -> None:
    async with open_stage(start=START, seed=partial(scenario.seed_trust, clusters=1), telemetry=True) as stage:
        stage.world.event_grid.publish(EventGrid.SUBSCRIPTION, NO_RESOURCE)
        await stage.clock.advance(MINUTE)
        told = await stage.world.insights.found(ALERTS["declined"])
        assert told[0]["customDimensions"]["reason"] == "MalformedEvent"
        counted = await stage.world.insights.found("customMetrics | where name == 'meshward.events.declined'")
        assert counted[0]["customDimensions"] == {"reason": "MalformedEvent"}
        refusals = stage.world.insights.query(PANELS["Refusals: steps, calls and events"])
        assert {(row["message"], row["reason"]) for row in refusals} == {("event declined", "MalformedEvent")}


async def test_without_its_role_the_host_s_identity_is_told_which_one_it_lacks() -> None:
    async with open_stage(start=START, seed=partial(scenario.seed_trust, clusters=1), telemetry=True) as stage:
        permissions, host = stage.world.permissions, stage.world.entra.named("host")
        role = permissions.roles["Monitoring Metrics Publisher"]
        permissions.granted -= {(host.object_id, role, stage.world.insights.id)}
        stage.world.event_grid.publish(EventGrid.SUBSCRIPTION, NO_RESOURCE)
        await stage.clock.advance(MINUTE)
        async with asyncio.timeout(60):
            while not any("`Monitoring Metrics Publisher` role" in line for line in stage.log):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        assert stage.world.insights.tables["traces"] == []


def span(**facts: object) -> dict[str, object]:
    return {"success": False, "resultCode": "0", "itemType": "dependency", "type": "", **facts}


def test_an_invocation_that_fails_is_found_however_it_arrives_and_what_callers_do_wrong_is_not() -> None:
    insights = World(Clock(START)).insights
    failed = [span(itemType="request", resultCode="500"), span(itemType="request"), span(type="InProc")]
    others = [span(itemType="request", resultCode=code) for code in ("400", "401", "404", "409")]
    others += [span(type="HTTP", resultCode="500"), span(type="InProc | Microsoft.KeyVault")]
    others += [span(itemType="request", resultCode="200", success=True), span(type="InProc", success=True)]
    for each in [*others, *failed]:
        insights.tables["requests" if each["itemType"] == "request" else "dependencies"].append(each)
    assert insights.query(ALERTS["failed"]) == failed


def test_each_metric_is_asked_for_by_some_panel_or_alert() -> None:
    asked = " ".join([*ALERTS.values(), *PANELS.values()])
    assert [m.name for m in METRICS if m.name not in asked and m.signal.message() not in asked] == []
