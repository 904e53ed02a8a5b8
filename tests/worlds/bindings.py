"""A meshed cluster whose backup workloads get an identity, and the map of identities."""

import msgspec

from local import scenario
from local.cloud.world import World
from local.host.durable import OrchestrationState
from local.stage import RunningApp
from shared.domain.vaults.binding import IdentityMapEntry
from tests.worlds.consents import agree
from tests.worlds.manifests import grant
from tests.worlds.protections import cluster_of, finished, of

CLUSTER, DOMAIN = "aks-new", scenario.TRUST_DOMAIN
IDENTITIES = "Microsoft.ManagedIdentity/userAssignedIdentities"
FEDERATIONS = f"{IDENTITIES}/federatedIdentityCredentials"


def seed(world: World, version: str = "2.19") -> None:
    """A meshed cluster that asks for protection; its infra team granted what infra/cluster says, and no more."""
    scenario.seed_trust(world, 0)
    tags = {"meshward:protect": "true", "meshward:mesh": "linkerd", "meshward:trust-domain": DOMAIN}
    world.aks.add(CLUSTER, tags=tags)
    scenario.install_linkerd(world, world.key_vaults.vaults[scenario.KEY_VAULT], CLUSTER, version=version)
    grant(world)


def seed_with_volumes(world: World) -> None:
    """The same, and the cluster names a share and a machine."""
    world.linkerd.traffic_every = 3600  # for weeks, and nobody rotates
    seed(world)
    world.file_shares.create("stshop", "carts")
    agree(world.file_shares.account("stshop"), world.machines.add("vm-build", group="rg-tools"))
    (cluster,) = of(world, "Microsoft.ContainerService/managedClusters")
    cluster["tags"] |= {"meshward:files": "rg-storage/stshop/carts", "meshward:machines": "rg-tools/vm-build"}


def entries(stage: RunningApp) -> list[IdentityMapEntry]:
    """The identity map, its versions in order."""
    paths = sorted((stage.store / "identities").rglob("*.json"))
    return [msgspec.json.decode(path.read_bytes(), type=IdentityMapEntry) for path in paths]


async def bound(stage: RunningApp) -> OrchestrationState:
    """The protection of the cluster, which has gone well."""
    stage.world.aks.announce(cluster_of(stage))
    run = await finished(stage)
    assert run.status == "Completed", run.failure
    return run
