"""A cluster that asks for protection, what its protections change, and what they leave."""

import json
from datetime import timedelta
from typing import Any

from local.cloud.arm import Resource
from local.cloud.wire import Exchange
from local.cloud.world import World
from local.host.durable import OrchestrationState
from local.stage import RunningApp
from tests.worlds.times import DAY

CLUSTER = "aks-new"
SOON = timedelta(hours=2)
VAULTS = "Microsoft.DataProtection/backupVaults"
INSTANCES = f"{VAULTS}/backupInstances"


def seed(world: World) -> None:
    """A new cluster whose tag asks for protection."""
    world.aks.add(CLUSTER, tags={"meshward:protect": "true"})


def cluster_of(stage: RunningApp) -> Resource:
    """The first cluster, as Resource Manager has it."""
    return next(stage.world.arm.of_type("Microsoft.ContainerService/managedClusters"))


def runs(stage: RunningApp) -> list[OrchestrationState]:
    """The protections, without the flows that are parts of them."""
    return [i for i in stage.host.instances() if i.name == "protect_cluster"]


async def finished(stage: RunningApp, suffix: str = "", limit: timedelta = SOON) -> OrchestrationState:
    """The protection whose id ends with `suffix`, once it has ended."""

    def ended() -> list[OrchestrationState]:
        return [i for i in runs(stage) if i.id.endswith(suffix) and i.ended]

    await stage.run(lambda: bool(ended()), limit)
    return ended()[-1]


async def protected(stage: RunningApp) -> dict[str, Any]:
    """The result of the one run that is there, which must have gone well."""
    run = await finished(stage)
    assert run.status == "Completed", run.failure
    (held,) = stage.world.arm.of_type("Microsoft.DataProtection/backupVaults/backupInstances")
    assert held["properties"]["currentProtectionState"] == "ProtectionConfigured"
    assert [i.id for i in runs(stage)] == [run.id]
    result: dict[str, Any] = run.output
    return result


def writes(world: World) -> list[str]:
    """What was written, in order; a validation changes nothing."""
    sent = [f"{e.method} {e.url.partition('?')[0]}" for e in world.wire.exchanges if e.method != "GET"]
    return [line for line in sent if "/subscriptions/" in line and not line.endswith("/validateForBackup")]


def of(world: World, type: str) -> list[Resource]:
    """All resources of a type."""
    return list(world.arm.of_type(type))


def write_policy(stage: RunningApp, **protect: Any) -> None:
    """Let the policy document say this about protections."""
    stage.policy.write_text(json.dumps({"default": {"protect": protect}}))


async def swept(stage: RunningApp) -> dict[str, Any]:
    """The result of the run that the sweep of another day starts."""
    await stage.clock.advance(DAY)
    run = await finished(stage, suffix=f"{stage.clock.now():%Y%m%d}")
    assert run.status == "Completed", run.failure
    result: dict[str, Any] = run.output
    return result


def asked(stage: RunningApp) -> list[Exchange]:
    """What was asked of Resource Manager so far."""
    return [e for e in stage.world.wire.exchanges if "/subscriptions/" in e.url or "ResourceGraph" in e.url]


def one(stage: RunningApp, type: str) -> Resource:
    """The only resource of a type."""
    (found,) = of(stage.world, type)
    return found


async def protect(stage: RunningApp) -> dict[str, Any]:
    """Let the cluster be protected; the result."""
    stage.world.aks.announce(cluster_of(stage))
    return await protected(stage)


async def stops_with(stage: RunningApp, reason: str) -> None:
    """The protection of the cluster fails, and says this."""
    stage.world.aks.announce(cluster_of(stage))
    run = await finished(stage)
    assert run.status == "Failed"
    assert reason in (run.failure or "")
