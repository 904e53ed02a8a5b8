"""The app in a simulated Azure whose clusters are real, and let it do what their infra teams grant."""

import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from local.cloud.world import World
from local.manifests import manifests
from local.scenario import KEY_VAULT, cluster_names, install_linkerd, seed_trust, workloads
from local.stage import DUTIES, RunningApp
from tests.real.control_plane import control_plane
from tests.real.duties import policies
from tests.real.twin import Gateway, Twin, joined
from tests.worlds.app import open_app
from tests.worlds.times import MINUTE


def seed(world: World, clusters: int) -> None:
    """As the simulated trust domain, but on clusters that are real."""
    seed_trust(world, clusters)
    for name in cluster_names(clusters):
        world.kubernetes.remove(name)
        twin = world.kubernetes.clusters[name] = Twin(world, name)
        install_linkerd(world, world.key_vaults.vaults[KEY_VAULT], name)
        for manifest in workloads():
            twin.apply(manifest)
    world.linkerd.traffic_every = 300


@asynccontextmanager
async def on_real_clusters(
    folder: Path, seed: Callable[[World], None], settings: Mapping[str, str]
) -> AsyncIterator[tuple[RunningApp, list[Gateway]]]:
    """The stage, with the way to each of its real clusters."""
    async with AsyncExitStack() as stack:
        stage = await stack.enter_async_context(open_app(start=time.time(), seed=seed, settings=settings))
        world, gateways = stage.world, list[Gateway]()
        ids = {duty: world.entra.named(duty).object_id for duty in DUTIES}
        twins = [name for name, cluster in world.kubernetes.clusters.items() if isinstance(cluster, Twin)]
        real = await stack.enter_async_context(control_plane(world, twins, folder))
        for name, server in real.servers.items():
            gateways.append(await stack.enter_async_context(joined(world, name, server)))
            for manifest in (*policies(), *manifests("linkerd", **ids)):
                await server.apply(manifest)
            await gateways[-1].catch_up()
        await stage.clock.advance(10 * MINUTE)
        yield stage, gateways
