"""Measures rotations over fleets: `python -m local.bench_rotation CLUSTERS` prints the figures of one as JSON.

Rules:
- Each fleet has a process of its own, so that its peak memory (host and simulated cloud) is its own.
- A cluster has 20 workloads: 17 Deployments and 2 StatefulSets of one pod and a DaemonSet of three. With those of the
  control plane it has 31 proxies. They have been running for some minutes when the rotation begins.
- All timers are off: they would begin the rotation before it is measured, renew issuers, or look for backups.
- The critical path is the virtual time of the slowest cluster alone: the same world with no other cluster, rotated
  again. Slowest is the one whose tries, over all phases, took longest.
- Wall time depends on what else the machine does; the CPU seconds of both processes (`cpu_s`) hardly do.
- A fleet in which proxies that may talk shared no trusted root, at any moment, has no figures but an error.
"""

import asyncio
import json
import os
import resource
import subprocess
import sys
import time
from collections import Counter, deque
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from typing import Any

from rich.console import Console

from local import scenario
from local.cloud.world import World
from local.host.durable import OrchestrationState
from local.stage import RunningApp, open_stage

_ROTATION = "rotate-prod-contoso-example-702c5961d5b82e49-g2"
_RUNNING = timedelta(minutes=3)
_TRAFFIC_SECONDS = 50.0
_TARGETS = {
    "_virtual_over_critical": ("at most", 1.2),
    "_handshakes": ("at least", 100_000),
    "_failed_handshakes": ("at most", 0),
    "1000_wall_growth": ("at most", 1.5),  # per cluster, over the fleet before
}
_TIMERS = ("issuer_sweep", "expiry_sweep", "cluster_sweep", "backup_watch", "daily_census")
SETTINGS = {f"AzureWebJobs.{timer}.Disabled": "true" for timer in _TIMERS}


def rotations(fleets: Sequence[int]) -> list[dict[str, Any]]:
    """The figures of each fleet, with progress on standard error."""
    return [json.loads(_in_own_process(clusters)) for clusters in fleets]


def _in_own_process(clusters: int) -> bytes:
    command = [sys.executable, "-m", "local.bench_rotation", str(clusters)]
    return subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout


def rows(fleets: Sequence[dict[str, Any]]) -> dict[str, float]:
    """The figures with names of their own, and what the targets bound."""
    named = {f"rotation_{fleet['clusters']}_{key}": value for fleet in fleets for key, value in fleet.items()}
    for smaller, larger in zip([None, *fleets], fleets, strict=False):
        prefix = f"rotation_{larger['clusters']}_"
        named[prefix + "virtual_over_critical"] = round(larger["virtual_s"] / larger["critical_path_s"], 3)
        if smaller:
            each = [fleet["wall_s"] / fleet["clusters"] for fleet in (smaller, larger)]
            named[prefix + "wall_growth"] = round(each[1] / each[0], 2)
    return named


def targets(named: dict[str, float]) -> dict[str, tuple[str, float]]:
    """The bounds of those figures that have one, by the figure's name."""
    return {name: bound for name in named for ending, bound in _TARGETS.items() if name.endswith(ending)}


async def measured(clusters: int) -> dict[str, Any]:
    """One fleet's figures."""
    spent: Counter[str] = Counter()
    async with open_stage(seed=partial(seed, names=scenario.cluster_names(clusters)), settings=SETTINGS) as stage:
        stage.host.on_change(partial(_add_time, spent))
        stage.host.on_change(PhasePrinter(clusters))
        figures = await rotated(stage)
        figures |= {
            "api_calls_per_cluster": round(stage.world.wire.calls / clusters, 1),
            "peak_rss_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
            "worker_rss_mib": round(stage.host.worker_rss()),
        }
    [(slowest, _)] = spent.most_common(1)
    async with open_stage(seed=partial(seed, names=[slowest]), settings=SETTINGS) as stage:
        alone = await rotated(stage)
    return {"clusters": clusters, "critical_path_s": alone["virtual_s"], **figures}


async def rotated(stage: RunningApp) -> dict[str, Any]:
    """Rotate the root of the stage's trust domain to the end; the time that took and what proxies saw of it."""
    await stage.clock.advance(_RUNNING)
    assert stage.host.instance(_ROTATION) is None
    real, spent, virtual = time.perf_counter(), cpu_seconds(stage), stage.clock.time()
    stage.world.wire.calls = 0
    stage.world.key_vaults.vaults[scenario.KEY_VAULT].announce_near_expiry(scenario.OLD_ROOT)
    await stage.run(_ROTATION)
    instance = stage.host.instance(_ROTATION)
    assert instance
    assert instance.output["outcome"] == "rotated", instance
    assert not stage.world.linkerd.violations, stage.world.linkerd.violations
    return {
        "wall_s": round(time.perf_counter() - real, 1),
        "cpu_s": round(cpu_seconds(stage) - spent, 1),
        "virtual_s": round(stage.clock.time() - virtual),
        "handshakes": stage.world.linkerd.handshakes,
        "failed_handshakes": len(stage.world.linkerd.failed),
    }


def cpu_seconds(stage: RunningApp) -> float:
    """What host and simulated cloud, and the worker, have spent until now."""
    return sum(os.times()[:2]) + stage.host.worker_cpu_seconds()


def seed(world: World, *, names: Sequence[str]) -> None:
    """A trust domain over these clusters, whose calls are counted and not kept."""
    world.wire.exchanges = deque(maxlen=0)
    world.linkerd.traffic_every = _TRAFFIC_SECONDS
    scenario.seed_trust(world, 0)
    for name in names:
        scenario.add_cluster(world, name, workloads())


def workloads() -> list[dict[str, Any]]:
    """What runs in each cluster."""
    kinds = [("Deployment", 1)] * 17 + [("StatefulSet", 1)] * 2 + [("DaemonSet", None)]
    made = [
        scenario.workload(kind, "shop" if number % 2 else "orders", f"app-{number:02}", replicas)
        for number, (kind, replicas) in enumerate(kinds)
    ]
    return [scenario.namespace("shop"), scenario.namespace("orders"), *made]


def _add_time(spent: Counter[str], instance: OrchestrationState) -> None:
    """Add the virtual seconds of a cluster's try that has ended."""
    if instance.name == "rotate_member" and instance.ended:
        cluster = instance.input["cluster"].rpartition("/")[2]
        spent[cluster] += int((instance.updated - instance.created).total_seconds())


class PhasePrinter:
    """Tells when a fleet's rotation comes to another phase."""

    def __init__(self, clusters: int) -> None:
        self._clusters, self._phase, self._begun = clusters, "", time.perf_counter()
        self._console = Console(stderr=True)

    def __call__(self, instance: OrchestrationState) -> None:
        phase = (instance.custom_status or {}).get("phase", "")
        if instance.id == _ROTATION and phase != self._phase:
            self._phase = phase
            self._console.print(f"{self._clusters} clusters: {phase} after {time.perf_counter() - self._begun:.0f} s")


if __name__ == "__main__":
    print(json.dumps(asyncio.run(measured(int(sys.argv[1])))))
