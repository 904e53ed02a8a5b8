"""Which phase follows which, and what an event does in every state that a rotation can come to."""

from itertools import pairwise
from typing import NamedTuple

import pytest

from shared.domain.errors import Conflict
from shared.domain.trust.moves import (
    COMMANDS,
    MOVES,
    TABLE,
    RotationEvent,
    mode_after,
    next_phase,
    phase_after,
    phase_after_loss,
    phase_without_root,
    root_to_prove,
    routine_duration,
)
from shared.domain.trust.phases import ENDS, FIRST_PHASE, STAGES, Mode, Phase, Slot, compatible
from shared.domain.trust.policy import TrustPolicy

FORTH = [Phase.PREPARE, Phase.DISTRIBUTE, Phase.ACTIVATE, Phase.SETTLE, Phase.RETIRE]
BACK = [Phase.REISSUE, Phase.RESETTLE, Phase.WITHDRAW]


class MoveState(NamedTuple):
    phase: Phase
    mode: Mode


def after(state: MoveState, event: RotationEvent) -> MoveState:
    return MoveState(phase_after(state.phase, event, state.mode), mode_after(event, state.mode))


def reachable() -> list[MoveState]:
    """Every state that events lead to from any beginning."""
    found = [MoveState(FIRST_PHASE, mode) for mode in Mode]
    for state in found:
        nexts = [after(state, event) for event in RotationEvent if (state.phase, event, state.mode) in MOVES]
        found += dict.fromkeys(then for then in nexts if then not in found)
    return found


REACHABLE = reachable()


def way(state: MoveState) -> list[Phase]:
    """The phases from a state to its end, if all is proven."""
    phases = [state.phase]
    while phases[-1] not in ENDS:
        phases.append(phase_after(phases[-1], RotationEvent.PROVEN, state.mode))
        assert len(phases) == len(set(phases))
    return phases


def test_every_phase_can_be_come_to() -> None:
    assert {state.phase for state in REACHABLE} == set(Phase)


@pytest.mark.parametrize("event", RotationEvent)
@pytest.mark.parametrize("state", REACHABLE, ids="-".join)
def test_in_every_state_an_event_leads_to_a_state_or_is_refused_with_a_reason(
    state: MoveState, event: RotationEvent
) -> None:
    if (state.phase, event, state.mode) in MOVES:
        assert after(state, event) in REACHABLE
        return
    with pytest.raises(Conflict) as refused:
        phase_after(state.phase, event, state.mode)
    assert refused.value.reason in {"RotationEnded", "NotAbortable", "NothingToHurry", "NothingToReplace"}
    assert f"phase {state.phase}, mode {state.mode}: " in refused.value.message
    assert (refused.value.reason == "RotationEnded") is (state.phase in ENDS)


@pytest.mark.parametrize("state", REACHABLE, ids="-".join)
def test_whatever_moves_a_rotation_no_leaf_meets_a_proxy_that_does_not_trust_its_root(state: MoveState) -> None:
    thens = {after(state, event).phase for event in RotationEvent if (state.phase, event, state.mode) in MOVES} - ENDS
    parted = [then for then in thens if not compatible(state.phase, then)]
    assert all(STAGES[then].downtime for then in parted)


def test_downtime_is_declared_by_one_mode_alone() -> None:
    down = [phase for phase, stage in STAGES.items() if stage.downtime]
    assert down == [Phase.REPLACE]
    assert {state.mode for state in REACHABLE if state.phase in down} == {Mode.REPLACE}
    assert not compatible(Phase.PREPARE, Phase.REPLACE)


@pytest.mark.parametrize("skipped", [Phase.DISTRIBUTE, Phase.SETTLE])
def test_no_proof_can_be_left_out_on_the_way_forth(skipped: Phase) -> None:
    rest = [phase for phase in FORTH if phase is not skipped]
    assert not all(compatible(a, b) for a, b in pairwise(rest))


def test_no_proof_can_be_left_out_on_the_way_back() -> None:
    assert not compatible(Phase.REISSUE, Phase.WITHDRAW)
    assert not compatible(Phase.SETTLE, Phase.WITHDRAW)


@pytest.mark.parametrize("state", REACHABLE, ids="-".join)
def test_every_state_that_is_proven_leads_to_an_end(state: MoveState) -> None:
    assert way(state)[-1] is (Phase.ABORTED if state.phase in [*BACK, Phase.ABORTED] else Phase.ROTATED)


@pytest.mark.parametrize("state", REACHABLE, ids="-".join)
def test_there_is_a_way_back_as_long_as_the_old_root_is_trusted_and_it_was_not_taken_yet(state: MoveState) -> None:
    forth = way(state)[-1] is Phase.ROTATED and state.phase is not Phase.ROTATED
    abortable = forth and Slot.OLD in STAGES[state.phase].trusted
    assert ((state.phase, RotationEvent.ABORT, state.mode) in MOVES) is abortable
    if abortable:
        assert way(after(state, RotationEvent.ABORT))[-1] is Phase.ABORTED


@pytest.mark.parametrize("state", [state for state in REACHABLE if state.phase not in ENDS], ids="-".join)
def test_a_mode_is_only_left_for_a_hastier_one_and_may_be_asked_for_again(state: MoveState) -> None:
    hastier = list(Mode)[list(Mode).index(state.mode) :]
    commands = [event for event in COMMANDS if (state.phase, event, state.mode) in MOVES]
    assert {after(state, event).mode for event in commands} <= set(hastier)
    assert state.mode is Mode.ROUTINE or RotationEvent(state.mode) in commands
    assert after(state, RotationEvent.RESUME) == state


@pytest.mark.parametrize("state", REACHABLE, ids="-".join)
def test_replacement_gives_up_the_old_root_until_the_new_one_is_trusted_everywhere(state: MoveState) -> None:
    early = state.phase in (Phase.PREPARE, Phase.DISTRIBUTE)
    if early:
        assert Phase.REPLACE in way(after(state, RotationEvent.REPLACE))
    elif (state.phase, RotationEvent.REPLACE, state.mode) in MOVES:
        assert after(state, RotationEvent.REPLACE) == (state.phase, Mode.REPLACE)


def test_an_abort_before_a_root_was_made_has_nothing_to_withdraw() -> None:
    assert phase_without_root(phase_after(Phase.PREPARE, RotationEvent.ABORT)) is Phase.ABORTED
    others = [move.then for move in TABLE if move.event is RotationEvent.PROVEN and move.then is not Phase.WITHDRAW]
    assert [phase_without_root(phase) for phase in others] == others


def test_a_cluster_that_joins_catches_up_with_each_phase() -> None:
    done: list[Phase | None] = [None]
    while done[-1] is not Phase.SETTLE:
        done.append(next_phase(done[-1], Phase.SETTLE))
    assert done[1:] == [Phase.PREPARE, Phase.DISTRIBUTE, Phase.ACTIVATE, Phase.SETTLE]


@pytest.mark.parametrize(
    ("phase", "slot"),
    [
        (Phase.SETTLE, Slot.NEW),
        (Phase.RETIRE, Slot.NEW),
        (Phase.REPLACE, Slot.NEW),
        (Phase.RESETTLE, Slot.OLD),
        (Phase.WITHDRAW, Slot.OLD),
        (Phase.DISTRIBUTE, None),
    ],
)
def test_before_a_root_is_given_up_the_other_one_has_to_sign(phase: Phase, slot: Slot | None) -> None:
    assert root_to_prove(phase) is slot


@pytest.mark.parametrize("proven", [None, Phase.PREPARE, Phase.DISTRIBUTE])
def test_nobody_catches_up_with_a_root_that_is_being_withdrawn(proven: Phase | None) -> None:
    assert next_phase(proven, Phase.WITHDRAW) is Phase.WITHDRAW


@pytest.mark.parametrize("proven", [None, Phase.PREPARE])
@pytest.mark.parametrize("phase", [Phase.REISSUE, Phase.RESETTLE])
def test_on_the_way_back_who_joins_has_to_trust_both_roots_before_anything_else(
    proven: Phase | None, phase: Phase
) -> None:
    assert next_phase(proven, phase) is Phase.DISTRIBUTE
    assert next_phase(Phase.DISTRIBUTE, phase) is Phase.REISSUE


@pytest.mark.parametrize("proven", [Phase.ACTIVATE, Phase.SETTLE])
@pytest.mark.parametrize("phase", [Phase.REISSUE, Phase.RESETTLE, Phase.WITHDRAW])
def test_on_the_way_back_what_may_have_an_issuer_of_the_new_root_gets_one_of_the_old_root_first(
    proven: Phase, phase: Phase
) -> None:
    assert next_phase(proven, phase) is Phase.REISSUE


def test_nobody_s_leaves_are_waited_for_before_it_has_an_issuer_to_renew_them() -> None:
    assert next_phase(Phase.DISTRIBUTE, Phase.RESETTLE) is Phase.REISSUE
    assert next_phase(Phase.REISSUE, Phase.RESETTLE) is Phase.RESETTLE


@pytest.mark.parametrize("phase", [Phase.ACTIVATE, Phase.SETTLE, Phase.RETIRE])
def test_a_member_that_has_lost_a_proof_begins_again_at_the_beginning(phase: Phase) -> None:
    assert next_phase(phase_after_loss(phase), phase) is Phase.PREPARE


@pytest.mark.parametrize("phase", [Phase.RESETTLE, Phase.WITHDRAW])
def test_on_the_way_back_a_member_that_has_lost_a_proof_gets_its_issuer_anew_while_the_others_wait(
    phase: Phase,
) -> None:
    lost = phase_after_loss(phase)
    assert next_phase(lost, phase) is Phase.REISSUE
    assert lost
    assert compatible(lost, phase) is (phase is Phase.RESETTLE)


def test_an_expired_root_is_replaced_once_the_member_is_fit() -> None:
    assert next_phase(None, Phase.REPLACE) is Phase.PREPARE
    assert next_phase(Phase.PREPARE, Phase.REPLACE) is Phase.REPLACE


def test_routine_has_the_times_of_all_phases_until_the_old_root_is_retired() -> None:
    policy = TrustPolicy()
    assert routine_duration(policy) == policy.distribute_within + policy.activate_within + policy.settle_within
