"""A trust domain over two real clusters is rotated under the roles of infra/cluster, and no handshake fails."""

from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from functools import partial
from pathlib import Path

from local.stage import RunningApp
from tests.real.trust_domain import on_real_clusters, seed
from tests.real.twin import Gateway
from tests.worlds.app import NO_WATCH
from tests.worlds.rotations import announce, rotated, status

CLUSTERS = 2
_PROXIES = 9 + 13  # of the control plane and of the workloads in each cluster
FAULTS = {"lost": 3, "throttled": 3, "expired": 2, "down": 4}
_HALF_A_MINUTE = timedelta(seconds=30)


def two_clusters(folder: Path) -> AbstractAsyncContextManager[tuple[RunningApp, list[Gateway]]]:
    return on_real_clusters(folder, partial(seed, clusters=CLUSTERS), NO_WATCH)


async def test_a_trust_domain_over_two_real_clusters_is_rotated_without_a_failed_handshake(tmp_path: Path) -> None:
    async with two_clusters(tmp_path) as (stage, _):
        announce(stage)
        result = await rotated(stage)
        assert (len(result["members"]), result["proxies"]) == (CLUSTERS, CLUSTERS * _PROXIES)


async def test_api_servers_that_are_killed_and_faults_of_others_and_of_webhooks_only_delay_a_rotation(
    tmp_path: Path,
) -> None:
    async with two_clusters(tmp_path) as (stage, gateways):
        announce(stage)
        for phase, dying, other in zip(("distribute", "settle"), gateways, reversed(gateways), strict=True):
            await stage.run(lambda phase=phase: status(stage).get("phase") == phase)  # type: ignore[misc]
            other.faults.update(FAULTS)
            dying.faults.update(killed=1)
            lost = dying.lost
            await stage.run(lambda dying=dying, lost=lost: dying.lost > lost + 1)  # type: ignore[misc]
            await stage.clock.advance(_HALF_A_MINUTE)
            await dying.recover()
        await stage.run(lambda: status(stage).get("phase") == "retire")
        gateways[-1].faults.update(FAULTS)  # the other cluster goes first, and is done by now
        result = await rotated(stage)
        assert result["proxies"] == CLUSTERS * _PROXIES
        assert not [gateway.faults for gateway in gateways if gateway.faults.total()]
