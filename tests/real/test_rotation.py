"""A trust domain over two real clusters is rotated under the roles of infra/cluster, and no handshake fails."""

import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from local.cloud.scenario import KEY_VAULT, cluster_names, install_linkerd, seed_trust, workloads
from local.cloud.world import World
from local.stage import Stage, open_stage
from tests.flows.test_trust import MINUTE, NO_WATCH, announce, rotated, status
from tests.manifests import manifests
from tests.real.control_plane import control_plane
from tests.real.twin import Gateway, Twin, joined

NAMES = cluster_names(2)
_PROXIES = 9 + 13  # of the control plane and of the workloads in each cluster


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


@asynccontextmanager
async def two_clusters(folder: Path) -> AsyncIterator[tuple[Stage, list[Gateway]]]:
    """The app, and two real clusters in its world that let it do what their infra teams grant."""
    async with AsyncExitStack() as stack:
        stage = await stack.enter_async_context(open_stage(start=time.time(), seed=seed, settings=NO_WATCH))
        world, gateways = stage.world, list[Gateway]()
        ids = {duty: world.entra.named(duty).object_id for duty in ("rotator", "verifier")}
        real = await stack.enter_async_context(control_plane(world, NAMES, folder))
        for name, server in real.servers.items():
            gateways.append(await stack.enter_async_context(joined(world, name, server)))
            for manifest in manifests("linkerd", **ids):
                await server.apply(manifest)
        await stage.clock.advance(10 * MINUTE)
        yield stage, gateways


async def test_a_trust_domain_over_two_real_clusters_is_rotated_without_a_failed_handshake(tmp_path: Path) -> None:
    async with two_clusters(tmp_path) as (stage, _):
        announce(stage)
        result = await rotated(stage)
        assert (len(result["members"]), result["proxies"]) == (len(NAMES), len(NAMES) * _PROXIES)


async def test_faults_of_api_servers_and_webhooks_delay_a_rotation_and_change_nothing_else(tmp_path: Path) -> None:
    async with two_clusters(tmp_path) as (stage, gateways):
        announce(stage)
        for phase in ("distribute", "settle", "retire"):
            await stage.run(lambda phase=phase: status(stage).get("phase") == phase)  # type: ignore[misc]
            for gateway in gateways:
                gateway.faults.update(lost=3, throttled=3, expired=2, down=4)
        result = await rotated(stage)
        assert result["proxies"] == len(NAMES) * _PROXIES
        assert not [gateway.faults for gateway in gateways if gateway.faults.total()]
