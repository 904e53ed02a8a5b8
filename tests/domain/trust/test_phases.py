"""The phases of a rotation: what is true in each, and what else their rows say."""

import ast
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from functions.trust.meshes import MESHES
from local.stage import APP
from shared.domain.trust.moves import TABLE, RotationEvent
from shared.domain.trust.phases import ENDS, FIRST_PHASE, STAGES, Phase, Roots, Slot, Stage, compatible
from shared.domain.trust.policy import TrustPolicy

ROOTS = Roots(old="aa", new="bb", old_version="1", new_version="2")


def test_every_phase_is_an_end_or_has_a_row_and_a_part_in_every_mesh() -> None:
    assert set(STAGES) ^ ENDS == set(Phase)
    assert [set(STAGES)] * len(MESHES) == [set(parts.phases) for parts in MESHES.values()]


def test_a_rotation_leads_from_the_old_root_alone_to_the_new_one_alone_and_back() -> None:
    assert STAGES[Phase.PREPARE].trusted == STAGES[Phase.WITHDRAW].trusted == {Slot.OLD}
    assert STAGES[Phase.RETIRE].trusted == STAGES[Phase.RETIRE].leaves == {Slot.NEW}


@pytest.mark.parametrize("stage", STAGES.values(), ids=STAGES)
def test_issuers_are_signed_by_a_root_that_leaves_may_chain_to_and_leaves_chain_to_trusted_roots(stage: Stage) -> None:
    assert stage.signer in stage.leaves
    assert stage.leaves <= stage.trusted


def neighbours(phase: Phase) -> tuple[set[Phase], set[Phase]]:
    """The phases that are left for this one, and for which this one is left, by proofs."""
    proofs = [(m.phase, m.then) for m in TABLE if m.event is RotationEvent.PROVEN]
    return {a for a, b in proofs if b is phase}, {b for a, b in proofs if a is phase} - ENDS


@pytest.mark.parametrize("phase", STAGES)
def test_all_prove_a_phase_together_where_one_that_has_not_would_be_cut_off_by_what_follows(phase: Phase) -> None:
    """The next phase, or the end of a key: with downtime nobody waits for anybody."""
    before, after = neighbours(phase)
    parted = [(a, b) for a in before for b in after if not compatible(a, b)]
    ends_key = STAGES[phase].disables is not None and not STAGES[phase].downtime
    assert STAGES[phase].proven_together is (bool(parted) or ends_key)


@pytest.mark.parametrize("phase", STAGES)
def test_a_phase_activates_where_issuers_of_another_root_begin_to_sign_beside_those_of_the_one_before(
    phase: Phase,
) -> None:
    before = {m.phase for m in TABLE if m.then is phase}
    changes = any(STAGES[b].signer is not STAGES[phase].signer for b in before)
    assert STAGES[phase].activates is (changes and not STAGES[phase].downtime)


@pytest.mark.parametrize("phase", STAGES)
def test_the_root_that_nothing_trusts_any_more_is_disabled_as_an_end_is_reached(phase: Phase) -> None:
    ends = any(m.phase is phase and m.then in ENDS for m in TABLE)
    (gone,) = set(Slot) - STAGES[phase].trusted if ends else {None}
    assert STAGES[phase].disables is gone


def test_the_new_root_is_made_before_any_phase_that_needs_it() -> None:
    assert [phase for phase, stage in STAGES.items() if stage.creates_root] == [FIRST_PHASE]


def test_every_knob_of_time_is_about_a_phase_and_every_phase_has_its_time() -> None:
    knobs = [field.name for field in msgspec.structs.fields(TrustPolicy) if field.name.endswith("_within")]
    assert {stage.knob for stage in STAGES.values()} == {*knobs, None}
    for knob in knobs:
        longer = msgspec.structs.replace(TrustPolicy(), **{knob: TrustPolicy().settle_within * 3})
        changed = [
            stage.knob for stage in STAGES.values() if stage.time_limit(longer) != stage.time_limit(TrustPolicy())
        ]
        assert set(changed) == {knob}


def test_slots_name_roots() -> None:
    assert ROOTS.of([Slot.OLD]) == {"aa"}
    assert ROOTS.of(Slot) == {"aa", "bb"}
    assert [ROOTS.version(slot) for slot in Slot] == ["1", "2"]


PLACES = {
    ("shared/domain/trust/phases.py", "STAGES"),
    ("shared/domain/trust/moves.py", "TABLE"),
    ("functions/trust/linkerd/phases.py", "PHASES"),
}


def named(file: Path) -> Iterator[tuple[str, str]]:
    """Each phase that the file names, with what of the file names it."""
    for top in ast.parse(file.read_text()).body:
        target = top.targets[0] if isinstance(top, ast.Assign) else getattr(top, "target", None)
        name = target.id if isinstance(target, ast.Name) else getattr(top, "name", "")
        for node in ast.walk(top):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "Phase":
                yield node.attr, name


@pytest.mark.parametrize("phase", STAGES)
def test_what_a_phase_is_stands_in_three_places(phase: Phase) -> None:
    files = [file for room in ("functions", "shared") for file in (APP / room).rglob("*.py")]
    found = {
        (file.relative_to(APP).as_posix(), top) for file in files for name, top in named(file) if name == phase.name
    }
    assert found - {("shared/domain/trust/phases.py", "FIRST_PHASE")} == PLACES
