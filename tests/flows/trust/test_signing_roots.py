"""Rotations whose new root, or old one on the way back, can't sign any more: nothing is given up for it."""

import asyncio
from pathlib import Path
from typing import Any

from local.scenario import OLD_ROOT
from local.stage import RunningApp
from tests.worlds.issuers import SWEPT
from tests.worlds.mutants import Mutant
from tests.worlds.rotations import DAYS, NEW_ROOT, RUN, announce, held, rotated, runs, status, vault
from tests.worlds.small_mesh import SWIFT, reach, send, small_mesh
from tests.worlds.times import HOUR


def enable(stage: RunningApp, name: str, enabled: bool) -> None:
    vault(stage).certificate(name).current.enabled = enabled


def enabled(stage: RunningApp) -> list[bool]:
    return [vault(stage).certificate(name).current.enabled for name in (OLD_ROOT, NEW_ROOT)]


async def test_the_old_root_is_kept_while_the_new_one_cannot_sign() -> None:
    async with small_mesh(left=SWIFT, traffic_every=60) as stage:
        announce(stage)
        await reach(stage, "settle")
        enable(stage, NEW_ROOT, False)
        found = await held(stage)
        assert (found["reason"], status(stage)["phase"]) == ("KeyUnusable", "settle")
        assert "--enabled true" in found["message"]
        await stage.clock.advance(5 * HOUR)
        assert enabled(stage) == [True, False]
        assert not stage.world.linkerd.failed
        enable(stage, NEW_ROOT, True)
        await rotated(stage)
        assert "held" not in status(stage)


async def test_a_new_root_that_is_disabled_while_the_old_one_is_dropped_leaves_the_old_one_s_key() -> None:
    async with small_mesh("aks-east", "aks-west", left=SWIFT) as stage:
        announce(stage)
        await reach(stage, "retire")
        enable(stage, NEW_ROOT, False)
        assert (await held(stage))["reason"] == "KeyUnusable"
        await stage.clock.advance(2 * HOUR)
        assert enabled(stage) == [True, False]
        assert not stage.world.linkerd.failed
        assert not stage.world.linkerd.violations


async def test_on_the_way_back_the_new_root_is_kept_while_the_old_one_cannot_sign() -> None:
    async with small_mesh() as stage:
        announce(stage)
        await reach(stage, "distribute")
        await send(stage, "abort")
        await reach(stage, "withdraw")
        enable(stage, OLD_ROOT, False)
        assert (await held(stage))["reason"] == "KeyUnusable"
        assert enabled(stage) == [False, True]


def unasked(real: Any, *_: Any) -> Any:
    return None


def unawaited(real: Any, *_: Any) -> Any:
    return asyncio.sleep(0)


async def test_without_the_proof_that_it_signs_both_roots_are_given_up(tmp_path: Path) -> None:
    mutant = Mutant("shared.domain.trust.moves.root_to_prove", unasked)
    bundles = Mutant("functions.trust.roots.require_signs", unawaited)
    async with small_mesh(left=SWIFT, app=mutant.grow(tmp_path, bundles)) as stage:
        announce(stage)
        await reach(stage, "settle")
        enable(stage, NEW_ROOT, False)
        await stage.run(RUN, DAYS)
        assert enabled(stage) == [False, False]


async def test_a_trust_domain_with_members_and_no_root_that_signs_is_told_every_hour() -> None:
    async with small_mesh(settings=SWEPT) as stage:
        enable(stage, OLD_ROOT, False)
        await stage.clock.advance(3 * HOUR)
        assert not runs(stage)
        assert len([line for line in stage.log if "no root signs" in line and OLD_ROOT in line]) >= 2
