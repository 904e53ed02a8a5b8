"""Whole flows under the roles that infra teams grant in their clusters, and under no others."""

from local.cloud.kubernetes.cluster import Object
from local.cloud.world import World
from local.stage import DUTIES
from tests.flows.restores import test_verification
from tests.flows.trust import test_rotation
from tests.flows.trust.test_rotation import NO_WATCH, announce, held, rotated, writes
from tests.worlds.app import open_app
from tests.worlds.manifests import manifests
from tests.worlds.times import MINUTE


def granted(world: World) -> list[Object]:
    """What an infra team applies, but for the policies, which the simulated API server doesn't judge by."""
    ids = {duty: world.entra.named(duty).object_id for duty in DUTIES}
    return [m for m in manifests("linkerd", **ids) if not m["kind"].startswith("ValidatingAdmissionPolicy")]


def grant(world: World) -> None:
    for cluster in world.kubernetes.clusters.values():
        for manifest in granted(world):
            cluster.apply(manifest)
        cluster.authorization_mode = "RBAC"


def seed_trust(world: World) -> None:
    test_rotation.seed(world)
    grant(world)


def seed_restores(world: World) -> None:
    test_verification.seed(world)
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
        await test_verification.prepare(stage)
        result = await test_verification.verdict(stage, test_verification.back_up(stage))
        assert (result["verdict"], result["reasons"]) == ("Verified", [])
