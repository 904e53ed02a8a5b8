"""Measures restore testing: many clusters are backed up over a virtual day, and each backup is verified, or has a
reason why it isn't.

Rules:
- A cluster has one namespace with two workloads, and a vault of its own; every fifth belongs to the mesh.
- The policy document is empty: the default sample rate decides what is verified.
- Of 25 backups one fails, the point of one expires before it is verified, one restore fails, one cluster is stopped
  for two hours right after its backup, and seven times a call is throttled, fails or loses its answer.
- `explained` are verdicts that aren't good, each with its reasons, and backups whose failure the app has published.
- `calls_per_verification` are all requests of that day, to Azure and to clusters, divided by the restores. They include
  those of the watch and of backups that aren't verified.
- The results are read from the world and from the app's store: restores sent for the same isolated namespace, and what
  is left over three hours after the last run, when the janitor has run twice.
- `queries_per_idle_tick` are the requests to Resource Graph in an hour without a new backup, divided by the watch's
  ticks.
"""

import json
import time
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from local import scenario
from local.cloud.arm import Resource
from local.cloud.vaults import JobOutcome
from local.cloud.wire import Exchange, InjectedFault, Reply
from local.cloud.world import World
from local.host.durable import OrchestrationState
from local.observe import left_over
from local.stage import RunningApp, open_stage

CLUSTERS, COMPLETIONS = 100, 1_000
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
_MESHED = 5  # one of so many
_SETTLE_TIME, _LIMIT, _TICKS = timedelta(minutes=10), timedelta(days=4), 12
_JANITOR_TIME, _STOPPED_TIME = timedelta(hours=3), timedelta(hours=2)
_THROTTLED, _BROKEN = Reply(status=429, headers={"Retry-After": "40"}), Reply(status=500)
_ROUND = 25  # of so many backups each of these happens once
_FAILS, _EXPIRES, _FAILS_TO_RESTORE, _STOPS = 4, 9, 14, 19
_FAULTS = {
    2: InjectedFault(on="POST .*/restore$", kind="answer", reply=_THROTTLED),
    6: InjectedFault(on="POST .*/restore$", kind="lose"),
    10: InjectedFault(on="GET .*/(operationStatus|backupJobs)/", kind="answer", times=3, reply=_BROKEN),
    12: InjectedFault(on="GET .*/recoveryPoints", kind="answer", reply=_THROTTLED),
    16: InjectedFault(on="POST .*/Microsoft.ResourceGraph/resources$", kind="answer", reply=_THROTTLED),
    20: InjectedFault(on="DELETE .*/namespaces/verify-", kind="lose"),
    23: InjectedFault(on=f"POST /topics/{scenario.TOPIC}", kind="lose"),
}
_TRAFFIC_SECONDS = 3_600.0
_TIMERS = ("issuer_sweep", "expiry_sweep", "cluster_sweep", "daily_census")
_SETTINGS = {f"AzureWebJobs.{timer}.Disabled": "true" for timer in _TIMERS}


async def measured(clusters: int = CLUSTERS, completions: int = COMPLETIONS) -> dict[str, Any]:
    """The figures under the key `restores` of `out/bench.json`."""
    async with open_stage(seed=partial(seed, clusters=clusters), settings=_SETTINGS) as stage:
        tally = stage.world.wire.exchanges = Tally()
        ended: set[str] = set()
        stage.host.on_change(partial(_note_end, ended))
        await stage.clock.advance(_SETTLE_TIME)
        begun, stage.world.wire.calls = time.perf_counter(), 0
        back_up(stage, clusters, completions)
        await stage.run(lambda: len(ended) + len(tally.failed) >= completions, _LIMIT)
        wall, calls = time.perf_counter() - begun, stage.world.wire.calls
        await stage.clock.advance(_JANITOR_TIME)
        tally.queries = 0
        await stage.clock.advance(HOUR)
        verdicts = Counter(each["verdict"].startswith("Verified") for each in _stored(stage.evidence, "verdicts"))
        return {
            "completions": completions,
            "verified": verdicts[True],
            "sampled_out": len(list(_stored(stage.store, "sampled"))),
            "explained": verdicts[False] + len(tally.failed),
            "restored_twice": sum(count - 1 for count in tally.isolated.values()),
            "left_over": len(left_over(stage.world)),
            "calls_per_verification": round(calls / max(1, len(tally.isolated)), 1),
            "queries_per_idle_tick": round(tally.queries / _TICKS, 2),
            "wall_s": round(wall, 1),
        }


class Tally(deque[Exchange]):
    """Counts exchanges instead of keeping them: `isolated` namespaces of accepted restores, queries of Resource Graph,
    and backups that `failed`, by the ids of their events.
    """

    def __init__(self) -> None:
        super().__init__(maxlen=1)  # of none, the wire records nothing
        self.isolated: Counter[str] = Counter()
        self.failed: set[str] = set()
        self.queries = 0

    def append(self, exchange: Exchange) -> None:
        path = exchange.url.partition("?")[0]
        self.queries += path.endswith("/Microsoft.ResourceGraph/resources")
        if path.endswith("/restore") and exchange.status == 202:
            (criteria,) = json.loads(exchange.request)["restoreTargetInfo"]["restoreCriteria"]
            self.isolated.update(criteria["namespaceMappings"].values())
        if f"/topics/{scenario.TOPIC}/" in path:
            published = json.loads(exchange.request)
            self.failed |= {event["id"] for event in published if event["type"] == "Meshward.Backup.Failed"}


def seed(world: World, *, clusters: int) -> None:
    world.linkerd.traffic_every = _TRAFFIC_SECONDS
    scenario.seed_trust(world, 0)
    world.file_shares.create(scenario.STORAGE_ACCOUNT, scenario.SHARE)
    for number in range(clusters):
        name = _name(number)
        if number % _MESHED == 0:
            scenario.add_cluster(world, name, list(_workloads("enabled")))
        else:
            world.aks.add(name)
            for manifest in _workloads("disabled"):
                world.kubernetes.clusters[name].apply(manifest)
        world.backup_vaults.protect(name, vault=f"bv-{name}")


def back_up(stage: RunningApp, clusters: int, completions: int) -> None:
    """Let backups end, evenly over a day, of one cluster after the other, and something go wrong now and then."""
    for number in range(completions):
        at = number / completions * DAY.total_seconds()
        stage.clock.after(at, partial(_back_up, stage.world, _name(number % clusters), number % _ROUND))


def _back_up(world: World, cluster: str, turn: int) -> None:
    """A backup of the cluster ends, and what belongs to this turn of the round happens."""
    vaults = world.backup_vaults
    if fault := _FAULTS.get(turn):
        world.wire.inject(replace(fault))
    if turn == _FAILS_TO_RESTORE:
        vaults.jobs.outcomes["Restore"].append(JobOutcome(status="Failed"))
    job = vaults.complete_backup(cluster, status="Failed" if turn == _FAILS else "Completed")
    if turn == _EXPIRES:
        vaults.jobs.expire(_point(job))
    if turn == _STOPS:
        world.aks.stop(cluster)
        world.clock.after(_STOPPED_TIME.total_seconds(), partial(world.aks.start, cluster))


def _point(job: Resource) -> str:
    return str(job["properties"]["extendedInfo"]["targetRecoverPoint"]["recoveryPointID"])


def _name(number: int) -> str:
    return f"aks-{number:03}"


def _workloads(injection: str) -> Iterator[dict[str, Any]]:
    metadata = {"name": "shop", "annotations": {"linkerd.io/inject": injection}}
    yield {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}
    yield scenario.workload("Deployment", "shop", "web", 1)
    yield scenario.workload("Deployment", "shop", "cart", 1)


def _note_end(ended: set[str], run: OrchestrationState) -> None:
    if run.name == "verify_restore" and run.ended:
        ended.add(run.id)


def _stored(store: Path, folder: str) -> Iterator[dict[str, Any]]:
    return (json.loads(file.read_text()) for file in store.glob(f"{folder}/*.json"))
