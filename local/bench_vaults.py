"""Measures what protecting clusters costs and how long it takes, with roles that act late and Azure's limits on calls.

Rules:
- A call is any request to Resource Manager or Resource Graph, polls and refused ones included.
- Roles act 0 to 30 minutes after they are granted, each drawn by itself; the draws are the same in every run.
- A cluster's time goes from its event to ProtectionConfigured, in virtual time; `without_lag_s` is that of one cluster
  whose roles act at once. The simulated Azure itself takes 25 s for the account and 240 s for the extension, whose
  role can't be granted before, and after the last role acts 45 s to validate and 70 s to configure.
"""

import random
import statistics
from datetime import timedelta
from functools import partial
from typing import Any

import aiohttp

from local.cloud.world import World
from local.host.durable import OrchestrationState
from local.stage import RunningApp, open_stage

BURSTS = (1, 50, 200)
LIMIT = timedelta(hours=6)
LONGEST_LAG = timedelta(minutes=30).total_seconds()
# `az dataprotection enable-backup` for the first cluster of a region, read from the source of Azure's CLI extension
# (aks_helper.py): requests to Resource Manager, polls at the pace of the same simulated operations.
AZ = {
    "backup instances of the cluster, cluster, list of resource groups, new group": 4,
    "six roles: two searches for the definition, a list of assignments and a new assignment each": 24,
    "extensions, accounts; new account with 2 polls; new container": 6,
    "extensions again, new extension with 8 polls of its 4 minutes, result": 11,
    "vaults, new vault with a poll, result; policies, new policy": 6,
    "trusted access: list, new binding with a poll, result": 4,
    "validation with 2 polls, result; new instance with a poll, result": 7,
}
_SETTINGS = {f"AzureWebJobs.{t}.Disabled": "true" for t in ("backup_watch", "expiry_sweep", "issuer_sweep")}


async def measured() -> dict[str, Any]:
    """The figures under the key `vaults` of `out/bench.json`."""
    bursts = [await burst(clusters) for clusters in BURSTS]
    return {"calls_az": sum(AZ.values()), **await cost(), "without_lag_s": await without_lag(), "bursts": bursts}


async def cost() -> dict[str, Any]:
    """The calls for a new cluster, and for one that is protected already."""
    async with open_stage(seed=partial(seed, clusters=1), settings=_SETTINGS) as stage:
        announce(stage)
        await ended(stage, 1)
        fresh = len(calls(stage))
        await stage.clock.advance(timedelta(minutes=5))
        before = len(calls(stage))
        await ask(stage)
        await ended(stage, 1)
        sent = calls(stage)[before:]
    reads = sum(method == "GET" or "ResourceGraph" in url for method, url in sent)
    return {"calls_fresh": fresh, "unchanged_reads": reads, "unchanged_writes": len(sent) - reads}


async def burst(clusters: int) -> dict[str, Any]:
    """Clusters that are all created at the same moment."""
    async with open_stage(seed=partial(seed, clusters=clusters), settings=_SETTINGS) as stage:
        lags = draw_lags(stage.world)
        begun = stage.clock.now()
        announce(stage)
        runs = await ended(stage, clusters)
        instances = stage.world.arm.of_type("Microsoft.DataProtection/backupVaults/backupInstances")
        times = sorted((run.updated - begun).total_seconds() for run in runs)
        return {
            "clusters": clusters,
            "virtual_p50_s": round(statistics.median(times)),
            "virtual_p95_s": round(times[int(0.95 * (len(times) - 1))]),
            "virtual_max_s": round(times[-1]),
            "slowest_role_lag_s": round(max(lags)),
            "throttled": stage.world.arm.throttle.throttled,
            "protected": sum(
                instance["properties"]["currentProtectionState"] == "ProtectionConfigured" for instance in instances
            ),
        }


async def without_lag() -> int:
    """How many seconds one cluster takes whose roles act at once."""
    async with open_stage(seed=partial(seed, clusters=1), settings=_SETTINGS) as stage:
        stage.world.roles.lag = 0.0
        begun = stage.clock.now()
        announce(stage)
        (run,) = await ended(stage, 1)
        return round((run.updated - begun).total_seconds())


def seed(world: World, *, clusters: int) -> None:
    for number in range(clusters):
        world.aks.add(f"aks-{number:03}", tags={"meshward:protect": "true"})


def draw_lags(world: World) -> list[float]:
    """Let every role act when it is drawn to; the lags, as they are drawn."""
    drawn, source = list[float](), random.Random(7)

    def draw(_: str) -> float:
        drawn.append(source.uniform(0.0, LONGEST_LAG))
        return drawn[-1]

    world.roles.draw = draw
    return drawn


def announce(stage: RunningApp) -> None:
    for cluster in stage.world.arm.of_type("Microsoft.ContainerService/managedClusters"):
        stage.world.aks.announce(cluster)


async def ask(stage: RunningApp) -> None:
    """Ask by hand for the protection of the one cluster."""
    (cluster,) = stage.world.arm.of_type("Microsoft.ContainerService/managedClusters")
    url, headers = f"{stage.host.url}/api/protections", {"Authorization": f"Bearer {stage.token()}"}
    async with (
        aiohttp.ClientSession() as http,
        http.post(url, headers=headers, json={"cluster_id": cluster["id"]}) as answer,
    ):
        assert answer.status == 202, await answer.text()


async def ended(stage: RunningApp, count: int) -> list[OrchestrationState]:
    """The protections, once so many have ended."""
    runs: dict[str, OrchestrationState] = {}
    stage.host.on_change(partial(_note_end, runs))
    await stage.run(lambda: len(runs) == count, LIMIT)
    return list(runs.values())


def _note_end(runs: dict[str, OrchestrationState], run: OrchestrationState) -> None:
    if run.name == "protect_cluster" and run.ended:
        runs[run.id] = run


def calls(stage: RunningApp) -> list[tuple[str, str]]:
    """Method and URL of what was asked of Resource Manager and Resource Graph."""
    exchanges = ((e.method, e.url) for e in stage.world.wire.exchanges)
    return [(method, url) for method, url in exchanges if "/subscriptions/" in url or "ResourceGraph" in url]
