"""Whole flows under the roles that infra teams grant in their clusters, and under no others."""

from local.cloud.world import World
from tests.worlds import rotations, verifications
from tests.worlds.app import NO_WATCH, open_app
from tests.worlds.manifests import grant, granted
from tests.worlds.rotations import announce, held, rotated, writes
from tests.worlds.times import MINUTE


def seed_trust(world: World) -> None:
    rotations.seed(world)
    grant(world)


def seed_restores(world: World) -> None:
    verifications.seed(world)
    grant(world)


async def test_a_rotation_holds_for_a_permission_that_it_names_and_needs_no_more_than_its_roles() -> None:
    async with open_app(seed=seed_trust, settings=NO_WATCH) as stage:
        await stage.clock.advance(9 * MINUTE)
        cluster = stage.world.kubernetes.clusters["aks-east"]
        role = next(m for m in granted(stage.world) if m["kind"] == "ClusterRole")
        cluster.apply({**role, "rules": [{**rule, "verbs": ["get", "list"]} for rule in role["rules"]]})
        announce(stage)
        found = await held(stage)
        assert found["reason"] == "MissingPermissions"
        assert "patch deployments.apps" in found["message"]
        assert writes(stage) == []
        grant(stage.world)
        await rotated(stage)


async def test_a_restore_check_needs_no_more_than_its_roles() -> None:
    async with open_app(seed=seed_restores) as stage:
        await verifications.prepare(stage)
        result = await verifications.verdict(stage, verifications.back_up(stage))
        assert (result["verdict"], result["reasons"]) == ("Verified", [])
