"""What the app logs arrives in Application Insights with its fields, and alerts and workbook find it there."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

from local import plays
from local.stage import INFRA, Stage, open_stage
from tests.conftest import START

PATIENCE = 20.0


async def seen(stage: Stage, query: str, enough: Callable[[list[dict[str, Any]]], bool] = bool) -> list[dict[str, Any]]:
    """The rows of a query once there are enough: telemetry is sent in real time, by a thread of the worker."""
    async with asyncio.timeout(PATIENCE):
        while not enough(rows := stage.world.insights.query(query)):
            await asyncio.sleep(0.05)
    return rows


async def test_x() -> None:
    async with open_stage(start=START, telemetry=True) as stage:
        await plays.all_three(stage, print)
        await seen(stage, "traces | where message == 'rotation ended'")
        await asyncio.sleep(2)
        for row in stage.world.insights.tables["traces"][:10]+stage.world.insights.tables["custommetrics"]:
            print(row)
        for name in ("alerts","workbook"):
            for e in json.loads((INFRA / f"{name}.json").read_text()):
                print(e["title"], stage.world.insights.query(e["query"])[:4])
        print([l for l in stage.log if "azure" in l or "opentel" in l][:10])
