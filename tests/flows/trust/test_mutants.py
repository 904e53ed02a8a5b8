"""Rotations that leave one of their safeguards out: the simulated world shows what each of them is for.

Gates and barriers hold the invariant that every pair that may talk shares a trusted root; waves hold that no workload
is restarted twice in a phase, and stateful ones last.
"""

from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest

from local.scenario import OLD_ROOT
from local.stage import APP, RunningApp
from shared.adapters.meshes.linkerd_objects import RESTARTED
from shared.domain.trust.moves import RotationEvent
from shared.domain.trust.phases import Mode, Phase
from tests.worlds.mutants import Mutant
from tests.worlds.rotations import BARE, DAYS, RUN, announce, writes
from tests.worlds.small_mesh import go_back_on_a_proof, join_at, reach, small_mesh
from tests.worlds.times import MINUTE


def proven(real: Any, proxies: Any, desired: Any, workloads: Any = ()) -> Any:
    return msgspec.structs.replace(real(proxies, desired, workloads), reason="Proven")


def always(real: Any, *_: Any) -> bool:
    return True


def unasked(real: Any, *_: Any) -> None:
    return None


def past_settle(real: Any, phase: Phase, event: RotationEvent, *mode: Mode) -> Any:
    return real(Phase.SETTLE if phase is Phase.ACTIVATE and event is RotationEvent.PROVEN else phase, event, *mode)


def without_newcomers(real: Any, state: Any, clusters: Any, *more: Any) -> Any:
    return real(state, {c: clusters[c] for c in clusters if c in state.proven or not state.proven}, *more)


def never(real: Any, *_: Any) -> bool:
    return False


def of_all_kinds(real: Any, workloads: Any, stale: Any, now: Any, policy: Any, *, since: Any) -> Any:
    stale = list(stale)
    kinds = {workload.kind for workload in workloads}
    return [one for kind in sorted(kinds) for one in real(workloads, stale, now, policy, since=since, waves=(kind,))]


NO_GATE_B1 = Mutant("shared.domain.trust.linkerd.gates.trusts", always)
NOT_AT_ONCE = Mutant("shared.domain.trust.rounds._all_proven", never)
NO_GATE_B2 = Mutant("shared.domain.trust.moves.phase_after", past_settle)
NO_PROOF_OF_ISSUERS = Mutant("shared.domain.trust.linkerd.gates.issuer_gate", proven)
TRUST_NOT_LOOKED_AT_AGAIN = Mutant("shared.domain.trust.linkerd.standing.require_trust_kept", unasked)
UNAWARE = Mutant("shared.domain.trust.rounds.members_to_try", without_newcomers)
IMPATIENT = Mutant("shared.domain.trust.rounds._too_far_behind", never)
NO_CONTROL_PLANE_FIRST = Mutant(
    "functions.trust.linkerd.bundle_steps.ensure_control_plane",
    by="functions.trust.linkerd.bundle_steps.ensure_workloads",
)
NO_WAVES = Mutant("shared.domain.trust.linkerd.waves.next_restarts", of_all_kinds)


async def violated(stage: RunningApp) -> None:
    """Pairs that may talk can't, before the rotation has ended."""
    await stage.run(lambda: bool(stage.world.linkerd.violations) or stage.ended(RUN), DAYS)
    assert stage.world.linkerd.violations


async def test_without_gate_b1_an_issuer_is_activated_that_a_forgotten_pod_does_not_trust(tmp_path: Path) -> None:
    async with small_mesh(app=NO_GATE_B1.grow(tmp_path)) as stage:
        stage.world.kubernetes.clusters["aks-east"].apply(BARE)
        await stage.clock.advance(MINUTE)
        announce(stage)
        await violated(stage)


async def test_without_proving_b1_of_all_clusters_at_once_one_that_has_changed_since_is_cut_off(tmp_path: Path) -> None:
    async with small_mesh("aks-east", "aks-west", app=NOT_AT_ONCE.grow(tmp_path, TRUST_NOT_LOOKED_AT_AGAIN)) as stage:
        await go_back_on_a_proof(stage)
        await violated(stage)


async def test_without_gate_b2_the_old_root_is_retired_while_leaves_under_it_live(tmp_path: Path) -> None:
    async with small_mesh(app=NO_GATE_B2.grow(tmp_path)) as stage:
        announce(stage)
        await violated(stage)


async def test_without_the_proof_of_the_issuer_replicas_that_missed_it_go_on_under_the_old_root(tmp_path: Path) -> None:
    async with small_mesh(app=NO_PROOF_OF_ISSUERS.grow(tmp_path)) as stage:
        announce(stage)
        await reach(stage, "activate")
        for pod in stage.world.kubernetes.clusters["aks-east"].objects("Pod", "linkerd"):
            stage.world.linkerd.miss_reload(pod)
        await violated(stage)


@pytest.mark.parametrize("mutant", [UNAWARE, IMPATIENT], ids=["unaware", "impatient"])
async def test_without_waiting_for_a_cluster_that_joins_the_others_retire_what_its_leaves_need(
    mutant: Mutant, tmp_path: Path
) -> None:
    async with small_mesh(app=mutant.grow(tmp_path)) as stage:
        join_at(stage, "retire", signer=OLD_ROOT)
        announce(stage)
        await violated(stage)


@pytest.mark.parametrize("mutated", [False, True])
async def test_without_the_control_plane_s_wave_workloads_are_restarted_in_vain(mutated: bool, tmp_path: Path) -> None:
    async with small_mesh(app=NO_CONTROL_PLANE_FIRST.grow(tmp_path) if mutated else APP) as stage:
        stage.world.kubernetes.clusters["aks-east"].mount_seconds = 900.0  # so that no injector is early by chance
        announce(stage)
        await reach(stage, "activate")
        restarts = Counter(line for line in writes(stage) if "/apps/v1/" in line)
        assert (max(restarts.values()) > 1) is mutated


@pytest.mark.parametrize("mutated", [False, True])
async def test_without_waves_by_kind_what_holds_state_is_restarted_before_the_rest_has_come_through(
    mutated: bool, tmp_path: Path
) -> None:
    async with small_mesh(app=NO_WAVES.grow(tmp_path) if mutated else APP) as stage:
        announce(stage)
        await reach(stage, "activate")
        cluster = stage.world.kubernetes.clusters["aks-east"]
        through = max(
            p["metadata"]["creationTimestamp"] for p in cluster.objects("Pod", "shop") if "web" in p["metadata"]["name"]
        )
        restarted = cluster.get("StatefulSet", "shop", "db")["spec"]["template"]["metadata"]["annotations"][RESTARTED]
        assert (restarted <= through) is mutated
