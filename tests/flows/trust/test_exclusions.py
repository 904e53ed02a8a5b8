"""Members that hold up the others: named, left out by an operator's plan, and caught up with when they are back."""

from typing import Any

from local.cloud.resources.aks import cluster_id
from local.scenario import TRUST_DOMAIN
from local.stage import RunningApp
from tests.worlds.app import NO_WATCH, call
from tests.worlds.rotations import RUN, announce, held, rotated, runs, status
from tests.worlds.small_mesh import MESHED, SWIFT, reach, small_mesh
from tests.worlds.times import HOUR

SWEPT = {name: value for name, value in NO_WATCH.items() if "backup_watch" in name}


def untag(stage: RunningApp, name: str) -> None:
    cluster = next(r for r in stage.world.arm.resources.values() if r["name"] == name)
    cluster["tags"] = {}


def tag(stage: RunningApp, name: str) -> None:
    cluster = next(r for r in stage.world.arm.resources.values() if r["name"] == name)
    cluster["tags"] = MESHED


async def plan(stage: RunningApp, name: str) -> dict[str, Any]:
    answer = await call(stage, "GET", f"plans/exclusions/{RUN}?cluster_id={cluster_id(name)}")
    assert answer[0] == 200, answer
    found: dict[str, Any] = answer[1]
    return found


async def exclude(stage: RunningApp, name: str, hash: str, reason: str = "it is a toy") -> tuple[int, Any]:
    body = {"cluster_id": cluster_id(name), "plan": hash, "reason": reason}
    return await call(stage, "POST", f"rotations/{RUN}/exclude", body)


async def test_a_toy_cluster_that_is_tagged_as_a_member_holds_nothing_up_once_it_is_left_out() -> None:
    async with small_mesh(settings=SWEPT, left=SWIFT) as stage:
        stage.world.aks.add("aks-toy", tags=MESHED)
        announce(stage)
        found = await held(stage)
        assert (found["reason"], found["blockers"]) == ("NoMesh", ["aks-toy"])
        assert found["time_left"] == "2 days and 11 hours until the old root expires"
        assert "/exclude leaves a member out" in found["advice"]
        seen = await plan(stage, "aks-toy")
        assert (seen["parted_in"], [c.rpartition("/")[2] for c in seen["parted_from"]]) == ("activate", ["aks-east"])
        assert (await exclude(stage, "aks-toy", "00"))[1]["reason"] == "PlanChanged"
        for _ in range(2):  # the first answer may be lost
            assert await exclude(stage, "aks-toy", seen["hash"]) == (202, {**(await shown(stage))})
        result = await ended(stage)
        assert [member.rpartition("/")[2] for member in result["members"]] == ["aks-east"]
        ((cluster, exclusion),) = result["excluded"].items()
        assert cluster == cluster_id("aks-toy")
        assert (exclusion["reason"], exclusion["plan"]) == ("it is a toy", seen["hash"])
        assert exclusion["caught_up_at"] is None
        await stage.clock.advance(24 * HOUR)
        _, census = await call(stage, "GET", "census")
        assert [(one["cluster"], one["reason"]) for one in census["left_out"]] == [(cluster, "it is a toy")]
        assert any("clusters left out" in line for line in stage.log)


async def test_a_member_that_is_left_out_stays_so_in_whatever_case_azure_writes_its_id() -> None:
    async with small_mesh(settings=SWEPT, left=SWIFT) as stage:
        stage.world.aks.add("aks-toy", tags=MESHED)
        announce(stage)
        await held(stage)
        seen = await plan(stage, "aks-toy")
        assert (await exclude(stage, "aks-toy", seen["hash"]))[0] == 202
        stage.world.aks.spell = str.upper
        result = await ended(stage)
        assert [member.rpartition("/")[2] for member in result["members"]] == ["aks-east"]
        assert list(result["excluded"]) == [cluster_id("aks-toy")]


async def ended(stage: RunningApp) -> dict[str, Any]:
    """The result of the rotation, which nobody's proxies have noticed."""
    await stage.run(RUN)
    (run,) = runs(stage)
    assert (run.status, run.output["outcome"]) == ("Completed", "rotated"), run.failure
    linkerd = stage.world.linkerd
    assert not linkerd.failed
    assert not linkerd.violations
    result: dict[str, Any] = run.output
    return result


async def shown(stage: RunningApp) -> dict[str, str]:
    """The answer of a command."""
    return {"instance_id": RUN, "status_url": f"/api/instances/{RUN}"}


async def test_a_member_that_lost_its_tags_holds_by_name_and_one_that_was_deleted_does_not() -> None:
    async with small_mesh("aks-east", "aks-west", "aks-north") as stage:
        announce(stage)
        await reach(stage, "settle")
        untag(stage, "aks-west")
        found = await held(stage)
        assert (found["reason"], found["blockers"][0]) == ("MemberVanished", "aks-west")
        assert f"meshward:trust-domain={TRUST_DOMAIN}" in found["message"]
        await stage.clock.advance(26 * HOUR)  # every leaf is renewed
        assert status(stage)["phase"] == "settle"
        stage.world.aks.remove("aks-north")
        del stage.world.linkerd.control_planes["aks-north"]
        tag(stage, "aks-west")
        result = await rotated(stage)
        assert [member.rpartition("/")[2] for member in result["members"]] == ["aks-east", "aks-west"]


async def test_a_stopped_member_that_was_left_out_catches_up_from_prepare_when_it_is_back() -> None:
    async with small_mesh("aks-east", "aks-west") as stage:
        announce(stage)
        await reach(stage, "distribute")
        stage.world.aks.stop("aks-west")
        await held(stage)
        seen = await plan(stage, "aks-west")
        assert seen["parted_in"] == "activate"
        assert (await exclude(stage, "aks-west", seen["hash"], "stopped until May"))[0] == 202
        await reach(stage, "settle")
        await stage.clock.advance(3 * HOUR)
        stage.world.aks.start("aks-west")
        stage.world.linkerd.failed.clear()
        await stage.run(RUN)
        (run,) = runs(stage)
        assert run.output["outcome"] == "rotated"
        excluded = run.output["excluded"][cluster_id("aks-west")]
        assert excluded["reason"] == "stopped until May"
        assert excluded["caught_up_at"] is not None
        assert [member.rpartition("/")[2] for member in run.output["members"]] == ["aks-east", "aks-west"]
        assert not stage.world.linkerd.broken_pairs()


async def test_a_hold_is_told_of_again_and_again_and_louder_as_the_old_root_s_expiry_nears() -> None:
    async with small_mesh("aks-east", "aks-west", left=12 * HOUR) as stage:
        stage.world.aks.stop("aks-west")
        announce(stage)
        await held(stage)
        await stage.clock.advance(9 * HOUR)
        assert sum('rotation on hold"' in line or "rotation on hold near" in line for line in stage.log) >= 4
        assert sum("rotation on hold near expiry" in line for line in stage.log) >= 2
