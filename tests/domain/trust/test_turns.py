"""Which members work on a phase at the same time."""

from msgspec.structs import replace

from shared.domain.trust.membership import MemberProgress
from shared.domain.trust.phases import STAGES, Mode, Phase
from shared.domain.trust.policy import TrustPolicy
from shared.domain.trust.rounds import members_to_try
from shared.domain.trust.state import RotationState
from shared.domain.trust.turns import Turns, in_turn
from tests.worlds.facts.certificates import rotation

MEMBERS = [f"c{n:02}" for n in range(10)]
POLICIES = dict.fromkeys(MEMBERS, TrustPolicy())
HALF = Turns((), 0.5)


def waves(phase: Phase, turns: Turns, mode: Mode = Mode.ROUTINE) -> list[list[str]]:
    """The members that begin together, if each wave proves the phase."""
    found: list[list[str]] = []
    proven: set[str] = set()
    while len(proven) < len(MEMBERS):
        found.append(sorted(set(in_turn(phase, mode, MEMBERS, proven, turns)) - proven))
        proven |= {*found[-1]}
    return found


def test_one_member_is_changed_first_and_then_a_share_of_them() -> None:
    assert waves(Phase.DISTRIBUTE, HALF) == [MEMBERS[:1], MEMBERS[1:6], MEMBERS[6:]]
    assert [len(wave) for wave in waves(Phase.RETIRE, Turns((), 0))] == [1] * 10


def test_members_that_are_tagged_come_first() -> None:
    first = Turns(("c07", "c03", "elsewhere"), 1.0)
    assert waves(Phase.ACTIVATE, first) == [["c03", "c07"], [c for c in MEMBERS if c not in ("c03", "c07")]]


def test_who_waits_or_hurries_does_so_all_at_once() -> None:
    assert [phase for phase, stage in STAGES.items() if stage.in_turns] == [
        Phase.DISTRIBUTE,
        Phase.ACTIVATE,
        Phase.RETIRE,
    ]
    assert waves(Phase.SETTLE, HALF) == waves(Phase.DISTRIBUTE, HALF, Mode.SWIFT) == [MEMBERS]


def test_the_next_wave_begins_once_each_member_of_the_last_has_proven_the_phase() -> None:
    state = RotationState(rotation=rotation(2), phase=Phase.DISTRIBUTE)
    ready = replace(state, members={c: MemberProgress(proven=Phase.PREPARE) for c in MEMBERS})
    assert [m.cluster for m in members_to_try(ready, POLICIES, turns=HALF)] == ["c00"]
    first = replace(ready, members=ready.members | {"c00": MemberProgress(proven=Phase.DISTRIBUTE)})
    assert [m.cluster for m in members_to_try(first, POLICIES, turns=HALF)] == MEMBERS[1:6]
    all_but = {c: MemberProgress(proven=Phase.DISTRIBUTE) for c in MEMBERS[:5]}
    late = replace(ready, members=ready.members | all_but)
    assert [m.cluster for m in members_to_try(late, POLICIES, turns=HALF)] == ["c05"]


def test_what_all_have_proven_in_waves_they_prove_once_more_together() -> None:
    proven = {c: MemberProgress(proven=Phase.DISTRIBUTE) for c in MEMBERS}
    state = RotationState(rotation=rotation(2), phase=Phase.DISTRIBUTE, members=proven)
    assert [m.cluster for m in members_to_try(state, POLICIES, turns=HALF)] == MEMBERS
