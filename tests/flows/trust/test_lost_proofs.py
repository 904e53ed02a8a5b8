"""Proofs that don't count any more: objects put back from a backup, clusters made again; with every sweep on."""

import pytest

from local.scenario import OLD_ROOT
from tests.worlds.app import NO_WATCH
from tests.worlds.put_back import bundle_backup, issuer_backup, put_back
from tests.worlds.rotations import RUN, announce, rotated, runs, status
from tests.worlds.small_mesh import SWIFT, bundle_of, join, reach, small_mesh
from tests.worlds.times import HOUR, MINUTE

SWEPT = {name: value for name, value in NO_WATCH.items() if "backup_watch" in name}


@pytest.mark.parametrize("annotated", [True, False])
async def test_an_issuer_put_back_while_leaves_are_renewed_is_replaced_before_the_old_root_is_retired(
    annotated: bool,
) -> None:
    """Meshward wrote it once, so it passes as no drift; or nobody has, and it is nobody's."""
    async with small_mesh("aks-east", "aks-west", settings=SWEPT) as stage:
        backup = issuer_backup(stage, annotated=annotated)
        announce(stage)
        await reach(stage, "settle")
        await stage.clock.advance(10 * MINUTE)
        put_back(stage, backup)
        result = await rotated(stage)
        assert len(result["members"]) == 2
        assert any("member begins again" in line and "aks-east" in line for line in stage.log)


async def test_a_bundle_put_back_while_leaves_are_renewed_is_replaced_and_so_are_pods_made_meanwhile() -> None:
    async with small_mesh("aks-east", "aks-west", settings=SWEPT) as stage:
        backup = bundle_backup(stage)
        announce(stage)
        await reach(stage, "settle")
        put_back(stage, backup)
        await stage.clock.advance(5 * MINUTE)
        east = stage.world.kubernetes.clusters["aks-east"]
        pod = next(p["metadata"]["name"] for p in east.objects("Pod", "shop") if "web" in p["metadata"]["name"])
        east.delete("Pod", "shop", pod)
        await rotated(stage)
        assert any("member begins again" in line and "aks-east" in line for line in stage.log)


async def test_a_bundle_put_back_while_issuers_are_activated_is_noticed_before_leaves_are_waited_for() -> None:
    async with small_mesh(left=SWIFT) as stage:
        backup = bundle_backup(stage)
        announce(stage)
        await reach(stage, "activate")
        put_back(stage, backup)
        await stage.run(RUN)
        (run,) = runs(stage)
        assert (run.status, run.output["outcome"]) == ("Completed", "rotated"), run.failure
        assert not stage.world.linkerd.failed
        assert not stage.world.linkerd.violations
        assert any("member begins again" in line and "aks-east" in line for line in stage.log)


@pytest.mark.parametrize("phase", ["activate", "settle"])
async def test_a_cluster_made_again_under_its_name_inherits_no_proof(phase: str) -> None:
    async with small_mesh("aks-east", "aks-west", settings=SWEPT) as stage:
        announce(stage)
        await reach(stage, phase)
        if phase == "settle":
            await stage.clock.advance(2 * HOUR)
        bundle = bundle_of(stage, "aks-east")
        stage.world.aks.remove("aks-west")
        del stage.world.linkerd.control_planes["aks-west"]
        join(stage, "aks-west", bundle=bundle, signer=OLD_ROOT)
        result = await rotated(stage)
        assert len(result["members"]) == 2
        assert any("member begins again" in line and "aks-west" in line for line in stage.log)
        assert (status(stage)["phase"], len(runs(stage))) == ("retire", 1)
