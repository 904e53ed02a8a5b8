"""Rotations that leave one of their safeguards out: the simulated world shows what each of them is for.

A mutant is the app with one piece of its text replaced, run as the real one is. Gates and barriers hold the invariant
that every pair that may talk shares a trusted root; waves hold that no workload is restarted twice in a phase, and
stateful ones last.
"""

import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from local.scenario import OLD_ROOT
from local.stage import APP, Stage
from shared.adapters.meshes.linkerd_objects import RESTARTED
from tests.worlds.rotations import BARE, DAYS, RUN, announce, writes
from tests.worlds.small_mesh import go_back_on_a_proof, join_at, reach, small_mesh
from tests.worlds.times import MINUTE


class Mutant(NamedTuple):
    """In which file what is replaced by what."""

    file: str
    text: str
    by: str

    def grow(self, folder: Path) -> Path:
        """The mutated app; fails if it is the same as the real one."""
        for part in ("functions", "shared"):
            shutil.copytree(APP / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
        for part in ("function_app.py", "host.json"):
            shutil.copy(APP / part, folder)
        real = (folder / self.file).read_text()
        assert real.count(self.text) == 1, f"{self.file} doesn't say once: {self.text}"
        (folder / self.file).write_text(real.replace(self.text, self.by))
        return folder


async def violated(stage: Stage) -> None:
    """Pairs that may talk can't, before the rotation has ended."""
    await stage.run(lambda: bool(stage.world.linkerd.violations) or stage.ended(RUN), DAYS)
    assert stage.world.linkerd.violations


async def test_without_gate_b1_an_issuer_is_activated_that_a_forgotten_pod_does_not_trust(tmp_path: Path) -> None:
    judged = "            verdict = trust_gate(proxies, wanted, await mesh.workloads())\n"
    mutant = Mutant("functions/trust/linkerd/bundle_steps.py", judged, "            return Done(at=services().now())\n")
    async with small_mesh(app=mutant.grow(tmp_path)) as stage:
        stage.world.kubernetes.clusters["aks-east"].apply(BARE)
        await stage.clock.advance(MINUTE)
        announce(stage)
        await violated(stage)


async def test_without_proving_b1_of_all_clusters_at_once_one_that_has_changed_since_is_cut_off(tmp_path: Path) -> None:
    at_once = "_AT_ONCE = frozenset({Phase.DISTRIBUTE, Phase.SETTLE, Phase.RESETTLE})"
    mutant = Mutant("shared/domain/trust/course.py", at_once, "_AT_ONCE: frozenset[Phase] = frozenset()")
    async with small_mesh("aks-east", "aks-west", app=mutant.grow(tmp_path)) as stage:
        await go_back_on_a_proof(stage)
        await violated(stage)


async def test_without_gate_b2_the_old_root_is_retired_while_leaves_under_it_live(tmp_path: Path) -> None:
    settle, retire = "(Phase.ACTIVATE, Word.PROVEN): Phase.SETTLE", "(Phase.ACTIVATE, Word.PROVEN): Phase.RETIRE"
    async with small_mesh(app=Mutant("shared/domain/trust/phases.py", settle, retire).grow(tmp_path)) as stage:
        announce(stage)
        await violated(stage)


async def test_without_the_proof_of_the_issuer_replicas_that_missed_it_go_on_under_the_old_root(tmp_path: Path) -> None:
    proof, none = "(yield from run.step(verify_issuer, member))", "(yield from run.step(ensure_issuer, member))"
    async with small_mesh(app=Mutant("functions/trust/members.py", proof, none).grow(tmp_path)) as stage:
        announce(stage)
        await reach(stage, "activate")
        for pod in stage.world.kubernetes.clusters["aks-east"].objects("Pod", "linkerd"):
            stage.world.linkerd.miss_reload(pod)
        await violated(stage)


def unaware() -> Mutant:
    begins = "    course = begun(course, [*seen, *unseen], services().now())\n"
    first = "    seen = [c for c in seen if c in course.proven or not course.proven]\n"
    return Mutant("functions/trust/fleet_steps.py", begins, first + begins)


def impatient() -> Mutant:
    return Mutant("shared/domain/trust/course.py", "        if _too_far_behind(course, c) or not newcomers\n", "")


@pytest.mark.parametrize("mutant", [unaware, impatient])
async def test_without_waiting_for_a_cluster_that_joins_the_others_retire_what_its_leaves_need(
    mutant: Callable[[], Mutant], tmp_path: Path
) -> None:
    async with small_mesh(app=mutant().grow(tmp_path)) as stage:
        join_at(stage, "retire", signer=OLD_ROOT)
        announce(stage)
        await violated(stage)


@pytest.mark.parametrize("mutated", [False, True])
async def test_without_the_control_plane_s_wave_workloads_are_restarted_in_vain(mutated: bool, tmp_path: Path) -> None:
    wave, next = "(ensure_control_plane, member, every=MINUTE / 2)", "\n    yield from run.step(ensure_workloads"
    mutant = Mutant("functions/trust/members.py", wave + next, "(ensure_workloads, member)" + next)
    async with small_mesh(app=mutant.grow(tmp_path) if mutated else APP) as stage:
        announce(stage)
        await reach(stage, "activate")
        restarts = Counter(line for line in writes(stage) if "/apps/v1/" in line)
        assert (max(restarts.values()) > 1) is mutated


@pytest.mark.parametrize("mutated", [False, True])
async def test_without_waves_by_kind_what_holds_state_is_restarted_before_the_rest_has_come_through(
    mutated: bool, tmp_path: Path
) -> None:
    wave = "next(([w for w in due if w.kind == kind] for kind in waves if any(w.kind == kind for w in due)), [])"
    mutant = Mutant("shared/domain/trust/linkerd/waves.py", wave, "due")
    async with small_mesh(app=mutant.grow(tmp_path) if mutated else APP) as stage:
        announce(stage)
        await reach(stage, "activate")
        cluster = stage.world.kubernetes.clusters["aks-east"]
        through = max(
            p["metadata"]["creationTimestamp"] for p in cluster.objects("Pod", "shop") if "web" in p["metadata"]["name"]
        )
        restarted = cluster.get("StatefulSet", "shop", "db")["spec"]["template"]["metadata"]["annotations"][RESTARTED]
        assert (restarted <= through) is mutated
