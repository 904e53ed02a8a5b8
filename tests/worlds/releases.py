"""A vault whose cluster is gone, and its release."""

from local.cloud.arm import Resource
from local.host.durable import Instance
from local.stage import Stage
from tests.worlds.protections import CLUSTER, VAULTS, one, protect


def releases(stage: Stage) -> list[Instance]:
    """The releases of vaults."""
    return [i for i in stage.host.instances() if i.name == "release_cluster"]


async def left_behind(stage: Stage) -> Resource:
    """The vault of a cluster that was protected and is gone."""
    await protect(stage)
    stage.world.aks.remove(CLUSTER)
    return one(stage, VAULTS)
