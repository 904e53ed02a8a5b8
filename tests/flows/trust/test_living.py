"""Rotations while clusters live: pods that come and go, replicas that can't be reached for a moment."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from local.cloud.kubernetes.objects import Object
from local.cloud.resources.aks import cluster_id
from local.cloud.wire import InjectedFault, Reply
from local.host.process import Moment
from local.stage import APP, RunningApp
from tests.worlds.issuers import ISSUER, SWEPT, half_lived
from tests.worlds.mutants import Mutant
from tests.worlds.rotations import announce, status, writes
from tests.worlds.small_mesh import reach, small_mesh
from tests.worlds.times import DAY, HOUR, MINUTE

EVERY_MINUTE: Object = {
    "apiVersion": "batch/v1",
    "kind": "CronJob",
    "metadata": {"name": "every-minute", "namespace": "shop"},
    "spec": {
        "schedule": "* * * * *",
        "jobTemplate": {
            "spec": {
                "template": {
                    "metadata": {"annotations": {"local/run-seconds": "20"}},
                    "spec": {
                        "restartPolicy": "Never",
                        "containers": [{"name": "job", "image": "registry.example/job"}],
                    },
                }
            }
        },
    },
}
NEVER_STARTS: Object = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "absent", "namespace": "shop"},
    "spec": {
        "replicas": 1,
        "selector": {"matchLabels": {"app": "absent"}},
        "template": {
            "metadata": {"labels": {"app": "absent"}},
            "spec": {"containers": [{"name": "absent", "image": "registry.example/absent"}]},
        },
    },
}


def unless_started_after(real: Any, proxy: Any, moment: Any) -> bool:
    return not (proxy.started_at and proxy.started_at > moment)


LEAVES_OF_WHAT_RUNS_NOT = Mutant("shared.domain.trust.linkerd.gates.holds_older_leaf", unless_started_after)


def restarted(stage: RunningApp) -> list[str]:
    return [line.rpartition("/")[2] for line in writes(stage) if "/apps/v1/" in line]


@pytest.mark.parametrize("mutated", [False, True])
async def test_leaves_are_settled_although_pods_come_and_go_every_minute_and_some_never_start(
    mutated: bool, tmp_path: Path
) -> None:
    async with small_mesh(app=LEAVES_OF_WHAT_RUNS_NOT.grow(tmp_path) if mutated else APP) as stage:
        east = stage.world.kubernetes.clusters["aks-east"]
        east.unpullable.add("registry.example/absent")
        east.apply(EVERY_MINUTE)
        await stage.clock.advance(5 * MINUTE)
        announce(stage)
        await reach(stage, "activate")
        east.apply(NEVER_STARTS)
        await reach(stage, "settle")
        begun = stage.clock.time()
        await stage.run(lambda: status(stage).get("phase") == "retire", 3 * DAY)
        assert (timedelta(seconds=stage.clock.time() - begun) > 23 * HOUR) is mutated
        assert not stage.world.linkerd.violations


def unreadable(stage: RunningApp) -> InjectedFault:
    """Readings of the identity replicas' metrics are answered with 503."""
    return stage.world.wire.inject(InjectedFault(":9990/proxy/metrics", "answer", 1_000_000, Reply(status=503)))


async def test_minutes_in_which_replicas_cannot_be_read_restart_nothing() -> None:
    async with small_mesh(seeded=half_lived, settings=SWEPT) as stage:
        await stage.clock.advance(2 * HOUR)
        assert ISSUER in [line.rpartition("/")[2] for line in writes(stage)]
        outage, looks = unreadable(stage), list[str]()

        def mend(function: str, moment: Moment) -> bool:
            if function == "look_for_missed_renewal" and moment == "after":
                looks.append(function)
                outage.times = 0
            return False

        stage.host.on_invocation(mend)
        await stage.clock.advance(2 * HOUR)
        assert len(looks) == 2
        assert restarted(stage) == []


async def test_a_replica_that_has_missed_the_issuer_is_restarted_once_two_looks_agree() -> None:
    async with small_mesh(seeded=half_lived, settings=SWEPT) as stage:
        for pod in stage.world.kubernetes.clusters["aks-east"].objects("Pod", "linkerd"):
            stage.world.linkerd.miss_reload(pod)
        await stage.clock.advance(3 * HOUR)
        assert restarted(stage) == ["linkerd-identity"]
        (line,) = (line for line in stage.log if "restarted for a missed reload" in line)
        assert "linkerd-identity" in line
        assert not stage.world.linkerd.failed


async def test_replicas_that_stay_unreadable_are_restarted_once_for_an_issuer_and_not_again() -> None:
    async with small_mesh(seeded=half_lived, settings=SWEPT) as stage:
        unreadable(stage)
        await stage.clock.advance(9 * HOUR)
        assert restarted(stage) == ["linkerd-identity"]


@pytest.mark.parametrize(
    ("window", "waits"),
    [
        ({"days": ["sat"], "from": "14:00", "to": "16:00"}, False),  # the issuers in use end first
        ({"days": ["fri"], "from": "18:00", "to": "20:00"}, True),
    ],
)
async def test_replicas_that_missed_an_issuer_wait_for_a_window_unless_theirs_would_expire_first(
    window: dict[str, Any], waits: bool
) -> None:
    async with small_mesh(seeded=half_lived, settings=SWEPT) as stage:
        stage.say(default={"trust": {"maintenance": [window]}})
        for pod in stage.world.kubernetes.clusters["aks-east"].objects("Pod", "linkerd"):
            stage.world.linkerd.miss_reload(pod)
        await stage.clock.advance(9 * HOUR)  # until 17:10
        assert restarted(stage) == ([] if waits else ["linkerd-identity"])
        await stage.clock.advance(2.5 * HOUR)
        assert restarted(stage) == ["linkerd-identity"]
        await stage.clock.advance(20 * HOUR)
        assert not stage.world.linkerd.failed


async def test_clusters_are_changed_one_first_and_the_others_once_that_has_gone_well() -> None:
    names = [f"aks-{part}" for part in ("east", "north", "south", "west")]
    async with small_mesh(*names) as stage:
        south = stage.world.arm.resources[cluster_id("aks-south").lower()]
        south["tags"] = {**south["tags"], "meshward:rotate-first": "true"}
        announce(stage)
        await reach(stage, "activate")
        first: dict[str, int] = {}
        for number, line in enumerate(writes(stage)):
            if "/apps/v1/" in line:
                first.setdefault(next(name for name in names if name in line), number)
        order = sorted(first, key=lambda name: first[name])
        assert order[0] == "aks-south"
        last_of_south = max(n for n, line in enumerate(writes(stage)) if "aks-south" in line and "/apps/v1/" in line)
        assert last_of_south < first[order[1]]
        assert not stage.world.linkerd.violations
