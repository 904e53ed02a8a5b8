"""Restarts of workloads in clusters that live: a restart needs a reason that is newer than the last one."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from local.cloud.kubernetes.cluster import SimulatedCluster
from local.cloud.kubernetes.nodes import lose, take_out
from local.cloud.kubernetes.objects import Object
from local.stage import APP, RunningApp
from tests.worlds.issuers import SWEPT, half_lived
from tests.worlds.mutants import Mutant
from tests.worlds.rotations import RUN, announce, rotated, runs, status, steps, writes
from tests.worlds.small_mesh import SWIFT, reach, small_mesh
from tests.worlds.times import DAY, HOUR, MINUTE

SLOW: Object = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "slow", "namespace": "shop"},
    "spec": {
        "replicas": 1,
        "strategy": {"type": "Recreate"},
        "selector": {"matchLabels": {"app": "slow"}},
        "template": {
            "metadata": {"labels": {"app": "slow"}},
            "spec": {"containers": [{"name": "slow", "image": "registry.example/slow"}]},
        },
    },
}


def any_reason(real: Any, proxy: Any, workload: Any, since: Any, now: Any) -> bool:
    return bool(proxy.workload == workload.id)


def unless_started_after(real: Any, proxy: Any, moment: Any) -> bool:
    return not (proxy.started_at and proxy.started_at > moment)


RESTLESS = Mutant("shared.domain.trust.linkerd.waves.is_reason", any_reason)
LEAVES_OF_WHAT_RUNS_NOT = Mutant("shared.domain.trust.linkerd.gates.holds_older_leaf", unless_started_after)


def east(stage: RunningApp) -> SimulatedCluster:
    return stage.world.kubernetes.clusters["aks-east"]


def node_of(stage: RunningApp, part: str) -> str:
    """The node of a pod whose name has this part."""
    found = (p for p in east(stage).objects("Pod") if part in p["metadata"]["name"])
    return str(next(found)["spec"]["nodeName"])


def restarts(stage: RunningApp) -> Counter[str]:
    """How often each workload was restarted."""
    return Counter(line.rpartition("/")[2] for line in writes(stage) if "/apps/v1/" in line)


@pytest.mark.parametrize("mutated", [False, True])
async def test_a_pod_on_a_dead_node_is_waited_for_and_named_and_its_workload_restarts_once(
    mutated: bool, tmp_path: Path
) -> None:
    async with small_mesh(app=RESTLESS.grow(tmp_path) if mutated else APP, traffic_every=60) as stage:
        node = node_of(stage, "web-")
        lose(east(stage), node)
        await stage.clock.advance(10 * MINUTE)
        announce(stage)
        await stage.clock.advance(3 * HOUR)
        assert status(stage)["phase"] == "distribute"
        assert (max(restarts(stage).values()) > 1) is mutated
        if not mutated:
            shown = str(steps(stage)) + str(status(stage))
            assert "about to end" in shown
            take_out(east(stage), node)
            await rotated(stage)
            assert max(restarts(stage).values()) == 2


@pytest.mark.parametrize("mutated", [False, True])
async def test_an_identity_replica_on_a_dead_node_restarts_nothing_hour_by_hour(mutated: bool, tmp_path: Path) -> None:
    app = RESTLESS.grow(tmp_path) if mutated else APP
    async with small_mesh(seeded=half_lived, settings=SWEPT, app=app) as stage:
        lose(east(stage), node_of(stage, "linkerd-identity"))
        await stage.clock.advance(5 * HOUR)
        assert not runs(stage)
        assert (restarts(stage)["linkerd-identity"] > 0) is mutated


@pytest.mark.parametrize("mutated", [False, True])
async def test_a_deployment_that_takes_long_to_start_anew_is_restarted_once_in_a_phase(
    mutated: bool, tmp_path: Path
) -> None:
    app = RESTLESS.grow(tmp_path, LEAVES_OF_WHAT_RUNS_NOT) if mutated else APP
    async with small_mesh(left=SWIFT, app=app) as stage:
        east(stage).apply(SLOW)
        await stage.clock.advance(MINUTE)
        announce(stage)
        await reach(stage, "activate")
        east(stage).unpullable.add("registry.example/slow")
        await stage.clock.advance(2 * HOUR)
        assert (restarts(stage)["slow"] > 3) is mutated  # in distribute, settle and retire
        east(stage).unpullable.clear()
        if not mutated:
            await stage.run(RUN, DAY)
            assert restarts(stage)["slow"] == 3
