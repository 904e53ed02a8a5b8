"""A trust domain over two real clusters is rotated under the roles of infra/cluster, and no handshake fails."""

import time
from contextlib import AsyncExitStack
from pathlib import Path

from local.cloud.scenario import KEY_VAULT, cluster_names, install_linkerd, seed_trust, workloads
from local.cloud.world import World
from local.stage import open_stage
from tests.flows.test_trust import MINUTE, NO_WATCH, announce, rotated
from tests.manifests import manifests
from tests.real.control_plane import control_plane
from tests.real.twin import Twin, joined

NAMES = cluster_names(2)


def seed(world: World) -> None:
    """As the simulated trust domain, but on clusters that are real."""
    seed_trust(world, len(NAMES))
    for name in NAMES:
        world.kubernetes.remove(name)
        twin = world.kubernetes.clusters[name] = Twin(world, name)
        install_linkerd(world, world.key_vaults.vaults[KEY_VAULT], name)
        for manifest in workloads():
            twin.apply(manifest)
    world.linkerd.traffic_every = 300


async def test_a_trust_domain_over_two_real_clusters_is_rotated_without_a_failed_handshake(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        stage = await stack.enter_async_context(open_stage(start=time.time(), seed=seed, settings=NO_WATCH))
        world = stage.world
        real = await stack.enter_async_context(control_plane(world, NAMES, tmp_path))
        for name, server in real.servers.items():
            await stack.enter_async_context(joined(world, name, server))
            ids = {duty: world.entra.named(duty).object_id for duty in ("rotator", "verifier")}
            for manifest in manifests("linkerd", **ids):
                await server.apply(manifest)
        await stage.clock.advance(10 * MINUTE)
        announce(stage)
        result = await rotated(stage)
        assert len(result["members"]) == 2
        assert result["proxies"] == 2 * (9 + 13)
