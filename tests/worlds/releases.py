"""A vault whose cluster is gone, and its release."""

from local.cloud.arm import Resource
from local.host.durable import OrchestrationState
from local.stage import RunningApp
from tests.worlds.protections import CLUSTER, VAULTS, one, protect
from tests.worlds.times import DAY


def releases(stage: RunningApp) -> list[OrchestrationState]:
    """The releases of vaults."""
    return [i for i in stage.host.instances() if i.name == "release_cluster"]


async def left_behind(stage: RunningApp) -> Resource:
    """The vault of a cluster that was protected and is gone."""
    await protect(stage)
    stage.world.aks.remove(CLUSTER)
    return one(stage, VAULTS)


async def confirmed_gone(stage: RunningApp) -> None:
    """Let the cluster be seen to be gone twice, a day apart."""
    await stage.host.invoke_timer("cluster_sweep")
    await stage.clock.advance(DAY)
