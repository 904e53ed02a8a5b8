"""The scenarios of `make run`: three events, and on demand a failure on the way (`make run SCENARIO=hold`)."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import NamedTuple

import aiohttp

from local import scenario
from local.cloud.backup.content import Object
from local.cloud.vaults import JobOutcome
from local.progress import FLOWS
from local.stage import RunningApp

LIMIT = timedelta(days=7)
RUNS = {"rotate_trust_root": 1, "protect_cluster": 1, "verify_restore": 2}
_ROTATION = "rotate-prod-contoso-example-g2"
_BARE_POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "debug", "namespace": "shop"},
    "spec": {"containers": [{"name": "shell", "image": "busybox"}]},
}

type Say = Callable[[str], object]
type Play = Callable[[RunningApp, Say], Awaitable[None]]


class Scenario(NamedTuple):
    """What happens, and the verdicts on the two restores in it."""

    play: Play
    verdicts: tuple[str, str] = ("Verified", "Verified")


async def all_three(stage: RunningApp, say: Say) -> None:  # noqa: ARG001  # all plays have the same parameters
    """Publish the three events and wait until every flow has ended."""
    publish(stage)
    await stage.run(lambda: _all_ended(stage), LIMIT)


async def hold(stage: RunningApp, say: Say) -> None:
    """The same, but a pod without a workload, which no restart replaces, holds the rotation until it is deleted."""
    cluster = stage.world.kubernetes.clusters["aks-west"]
    stage.policy.write_text('{"default": {"trust": {"distribute_within": "PT1H"}}}')
    cluster.apply(_BARE_POD)
    await stage.clock.advance(timedelta(minutes=1))
    publish(stage)
    await stage.run(lambda: "held" in _status(stage), LIMIT)
    say(f"operator           sees what blocks it: {', '.join(_status(stage)['held']['blockers'])}")
    say("operator           kubectl -n shop delete pod debug")
    cluster.delete("Pod", "shop", "debug")
    say(f"operator           POST /api/rotations/{_ROTATION}/resume: {await _command(stage, 'resume')}")
    await stage.run(lambda: _all_ended(stage), LIMIT)


async def bad_restore(stage: RunningApp, say: Say) -> None:
    """The same, but the copy of the cluster differs from its backup, although the restore job completes."""
    stage.world.backup_vaults.jobs.outcomes["Restore"].append(JobOutcome(restored=_damaged))
    say("backup             the copy of the cluster lacks StatefulSet shop/db, and ConfigMap orders/api is altered")
    publish(stage)
    await stage.run(lambda: _all_ended(stage), LIMIT)


def _damaged(obj: Object) -> Object | None:
    """The object as the copy holds it, None for what it lacks."""
    if obj["kind"] == "StatefulSet":
        return None
    return {**obj, "data": {"queue": "orders-2019"}} if obj.get("data", {}).get("queue") else obj


SCENARIOS = {
    "all": Scenario(all_three),
    "hold": Scenario(hold),
    "bad-restore": Scenario(bad_restore, ("Failed", "Verified")),
}


def publish(stage: RunningApp) -> None:
    """A root nears its expiry, a cluster is created, and two backups complete."""
    world = stage.world
    world.key_vaults.vaults[scenario.KEY_VAULT].announce_near_expiry(scenario.OLD_ROOT)
    world.aks.announce(next(c for c in world.arm.resources.values() if c["name"] == scenario.NEW_CLUSTER))
    world.backup_vaults.complete_backup(scenario.BACKED_UP_CLUSTER, seconds=600)
    world.recovery_vaults.complete_backup(scenario.STORAGE_ACCOUNT, scenario.SHARE, seconds=600)


def _all_ended(stage: RunningApp) -> bool:
    """Whether each flow has run as often as it should, and none is running."""
    runs = [i for i in stage.host.instances() if i.name in FLOWS]
    enough = all(sum(i.name == name for i in runs) >= times for name, times in RUNS.items())
    return enough and all(i.ended for i in runs)


def _status(stage: RunningApp) -> dict[str, dict[str, list[str]]]:
    run = stage.host.instance(_ROTATION)
    return (run.custom_status or {}) if run else {}


async def _command(stage: RunningApp, command: str) -> int:
    token = stage.token("operator")
    url = f"{stage.host.url}/api/rotations/{_ROTATION}/{command}"
    async with aiohttp.ClientSession() as http, http.post(url, headers={"Authorization": f"Bearer {token}"}) as answer:
        return answer.status
