"""Clusters that judge calls by what their infra teams have granted, and by nothing else."""

from local.cloud.world import World
from local.manifests import manifests
from local.stage import DUTIES
from shared.adapters.kubernetes.kinds import Object


def granted(world: World) -> list[Object]:
    """What an infra team applies."""
    return manifests("linkerd", **{duty: world.entra.named(duty).object_id for duty in DUTIES})


def grant(world: World) -> None:
    """Let every cluster judge calls by what its infra team has granted."""
    for cluster in world.kubernetes.clusters.values():
        for manifest in granted(world):
            cluster.apply(manifest)
        cluster.authorization_mode = "RBAC"
