"""Measures the app against an empty durable app, side by side, and writes `out/bench.json`.

What is compared runs in turns on the same machine, and ratios are taken pair by pair, so that a figure doesn't depend
on what else the machine does at that time.
"""

import asyncio
import json
import statistics
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
from rich.console import Console
from rich.table import Table

from local import bench_restores, bench_rotation, bench_vaults, scenario
from local.cloud.clock import Clock
from local.cloud.event_grid.topics import EventGrid
from local.explorer.figures import measured as figures_of_explorer
from local.host.host import FunctionsHost
from local.plays import all_three
from local.stage import APP, open_stage

EMPTY = Path(__file__).parent / "empty_app"
OUT = APP / "out" / "bench.json"
PAIRS = 7
NOWHERE = "InstrumentationKey=00000000-0000-0000-0000-000000000000;IngestionEndpoint=https://localhost:1"
EVENTS = 2_000
CONNECTIONS = 16
TARGETS = {
    "cold_start_ratio": ("at most", 1.3),
    "events_ratio": ("at least", 0.8),
    "worker_rss_mib": ("at most", 120.0),
    "worker_flows_rss_mib": ("at most", 220.0),
    "vaults_calls_fresh": ("less than az:", sum(bench_vaults.AZ.values())),
    "vaults_unchanged_reads": ("at most", 8),
    "vaults_unchanged_writes": ("at most", 0),
    "restores_restored_twice": ("at most", 0),
    "restores_left_over": ("at most", 0),
    "restores_queries_per_idle_tick": ("at most", 1),
    "explorer_broken": ("at most", 0),
}
_OTHER_WRITE = {
    "id": "1",
    "topic": "/subscriptions/s",
    "subject": "/subscriptions/s/storage",
    "eventType": "Microsoft.Resources.ResourceWriteSuccess",
    "eventTime": "2027-01-15T08:00:00Z",
    "dataVersion": "2",
    "data": {"operationName": "Microsoft.Storage/storageAccounts/write", "resourceUri": "/subscriptions/s/storage"},
}
NO_RESOURCE = {**_OTHER_WRITE, "data": {"operationName": "Microsoft.ContainerService/managedClusters/write"}}


def main(fleets: Sequence[int]) -> None:
    figures = asyncio.run(measured()) | {"rotation": bench_rotation.rotations(fleets)}
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps(figures, indent=2) + "\n")
    show(figures)


async def measured() -> dict[str, Any]:
    """All figures but those of fleets, by the keys of `out/bench.json`."""
    cold = [await started(APP) / await started(EMPTY) for _ in range(PAIRS)]
    async with open_stage(telemetry=True) as stage, empty_host(stage.clock) as empty:
        rates = [await rate(stage.host, "on_cluster_event") / await rate(empty, "ignore") for _ in range(3)]
        await all_three(stage, print)
        flows = stage.host.worker_rss()
    declining = await declined_once()
    small, large = await rotated(2), await rotated(20)
    return {
        "cold_start_ratio": round(statistics.median(cold), 2),
        "events_ratio": round(statistics.median(rates), 2),
        "worker_rss_mib": round(declining, 1),
        "worker_flows_rss_mib": round(flows, 1),
        "rotation_2_s": round(small, 2),
        "rotation_20_s": round(large, 2),
        "rotation_20_over_2": round(large / small, 2),
        "vaults": await bench_vaults.measured(),
        "restores": await bench_restores.measured(),
        "explorer": figures_of_explorer(),
    }


async def started(folder: Path) -> float:
    """Seconds until the app in the folder is indexed and served; as deployed, it would send telemetry."""
    settings = {"APPLICATIONINSIGHTS_CONNECTION_STRING": NOWHERE, "PYTHON_ENABLE_OPENTELEMETRY": "true"}
    host = FunctionsHost(folder, settings, Clock(0.0))
    begun = time.perf_counter()
    await host.start()
    taken = time.perf_counter() - begun
    await host.stop()
    return taken


@asynccontextmanager
async def empty_host(clock: Clock) -> AsyncIterator[FunctionsHost]:
    """The empty app; engines of one process share a clock."""
    host = FunctionsHost(EMPTY, {}, clock)
    await host.start()
    try:
        yield host
    finally:
        await host.stop()


async def declined_once() -> float:
    """The worker's memory in MiB after an event that it declined, once that has reached Application Insights."""
    async with open_stage(seed=partial(scenario.seed_trust, clusters=1), telemetry=True) as stage:
        stage.world.event_grid.publish(EventGrid.SUBSCRIPTION, NO_RESOURCE)
        await stage.clock.advance(timedelta(seconds=5))
        await stage.world.insights.found("traces | where message == 'event declined'")
        return stage.host.worker_rss()


async def rate(host: FunctionsHost, function: str) -> float:
    """Events per second that a function takes over some connections."""
    await deliver(host, function, 100)
    begun = time.perf_counter()
    await deliver(host, function, EVENTS)
    return EVENTS / (time.perf_counter() - begun)


async def deliver(host: FunctionsHost, function: str, count: int) -> None:
    url = f"{host.url}/runtime/webhooks/eventgrid?functionName={function}"
    left = iter(range(count))

    async def connection(http: aiohttp.ClientSession) -> None:
        for _ in left:
            async with http.post(url, json=[_OTHER_WRITE], headers={"aeg-event-type": "Notification"}) as answer:
                assert answer.status == 202, await answer.text()

    async with aiohttp.ClientSession() as http:
        await asyncio.gather(*(connection(http) for _ in range(min(CONNECTIONS, count))))


async def rotated(clusters: int) -> float:
    """Seconds that the rotation of a trust domain over so many clusters takes."""
    async with open_stage(
        seed=partial(scenario.seed_trust, clusters=clusters), settings=bench_rotation.SETTINGS
    ) as stage:
        return float((await bench_rotation.rotated(stage))["wall_s"])


def show(figures: dict[str, Any]) -> None:
    table, vaults = Table("figure", "measured", "target"), figures["vaults"]
    bursts = {f"vaults_{b['clusters']}_{key}": b[key] for b in vaults["bursts"] for key in b if key != "clusters"}
    flat = {f"vaults_{name}": value for name, value in vaults.items() if name != "bursts"}
    flat |= {f"restores_{name}": value for name, value in figures["restores"].items()}
    flat |= {f"explorer_{name}": value for name, value in figures["explorer"].items()}
    fleets = bench_rotation.rows(figures["rotation"])
    for name, value in {**figures, **flat, **bursts, **fleets}.items():
        bound, target = {**TARGETS, **bench_rotation.targets(fleets)}.get(name, ("", ""))
        if not isinstance(value, dict | list):
            table.add_row(name, str(value), f"{bound} {target}".strip())
    Console().print(table)


if __name__ == "__main__":
    main([int(clusters) for clusters in sys.argv[1:]])
