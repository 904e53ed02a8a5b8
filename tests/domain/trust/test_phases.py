"""The phases of a rotation: what is true in each, and which may follow which."""

from itertools import pairwise

import pytest

from shared.domain.trust.phases import ENDS, MOVES, STAGES, Mode, Phase, Roots, Slot, Word, get_along, moved, next_for

FORTH = [Phase.PREPARE, Phase.DISTRIBUTE, Phase.ACTIVATE, Phase.SETTLE, Phase.RETIRE]
BACK = [Phase.REISSUE, Phase.RESETTLE, Phase.WITHDRAW]


def test_no_move_lets_a_leaf_meet_a_proxy_that_does_not_trust_its_root() -> None:
    assert all(get_along(a, b) for (a, _), b in MOVES.items() if b not in ENDS)


@pytest.mark.parametrize("skipped", [Phase.DISTRIBUTE, Phase.SETTLE])
def test_no_proof_can_be_left_out_on_the_way_forth(skipped: Phase) -> None:
    way = [phase for phase in FORTH if phase is not skipped]
    assert not all(get_along(a, b) for a, b in pairwise(way))


def test_no_proof_can_be_left_out_on_the_way_back() -> None:
    assert not get_along(Phase.REISSUE, Phase.WITHDRAW)
    assert not get_along(Phase.SETTLE, Phase.WITHDRAW)


def test_only_the_replacement_of_an_expired_root_breaks_the_rule_and_only_in_its_mode() -> None:
    assert not get_along(Phase.PREPARE, Phase.REPLACE)
    assert Phase.REPLACE not in MOVES.values()
    assert moved(Phase.PREPARE, Word.PROVEN, Mode.REPLACE) is Phase.REPLACE


@pytest.mark.parametrize("phase", FORTH + BACK + [Phase.REPLACE])
def test_every_phase_that_is_proven_leads_to_an_end(phase: Phase) -> None:
    way = [phase]
    while way[-1] not in ENDS:
        way.append(moved(way[-1], Word.PROVEN))
        assert len(way) == len(set(way))
    assert way[-1] is (Phase.ABORTED if phase in BACK else Phase.ROTATED)


@pytest.mark.parametrize("phase", list(Phase))
def test_there_is_a_way_back_until_retire_begins(phase: Phase) -> None:
    abortable = phase in (Phase.PREPARE, Phase.DISTRIBUTE, Phase.ACTIVATE, Phase.SETTLE)
    assert ((phase, Word.ABORT) in MOVES) is abortable
    assert (moved(phase, Word.ABORT) is not phase) is abortable


def test_an_end_is_left_by_no_word_and_resume_moves_nothing() -> None:
    assert not [phase for phase, _ in MOVES if phase in ENDS]
    assert not [word for _, word in MOVES if word is Word.RESUME]


def test_a_rotation_leads_from_the_old_root_alone_to_the_new_one_alone_and_back() -> None:
    assert STAGES[Phase.PREPARE].trusted == STAGES[Phase.WITHDRAW].trusted == {Slot.OLD}
    assert STAGES[Phase.RETIRE].trusted == STAGES[Phase.RETIRE].leaves == {Slot.NEW}
    assert set(STAGES) | ENDS == set(Phase)


@pytest.mark.parametrize("phase", list(STAGES))
def test_new_issuers_are_signed_by_a_root_that_the_phase_lets_leaves_chain_to(phase: Phase) -> None:
    assert STAGES[phase].signer in STAGES[phase].leaves


def test_a_cluster_that_joins_catches_up_with_each_phase() -> None:
    done: list[Phase | None] = [None]
    while done[-1] is not Phase.SETTLE:
        done.append(next_for(done[-1], Phase.SETTLE, Mode.ROUTINE))
    assert done[1:] == [Phase.PREPARE, Phase.DISTRIBUTE, Phase.ACTIVATE, Phase.SETTLE]


@pytest.mark.parametrize("proven", [None, Phase.PREPARE, Phase.DISTRIBUTE, Phase.ACTIVATE])
@pytest.mark.parametrize("phase", [Phase.REISSUE, Phase.WITHDRAW])
def test_nobody_catches_up_on_the_way_back(proven: Phase | None, phase: Phase) -> None:
    assert next_for(proven, phase, Mode.ROUTINE) is phase


def test_an_expired_root_is_replaced_once_the_member_is_fit() -> None:
    assert next_for(None, Phase.REPLACE, Mode.REPLACE) is Phase.PREPARE
    assert next_for(Phase.PREPARE, Phase.REPLACE, Mode.REPLACE) is Phase.REPLACE


def test_slots_name_roots() -> None:
    roots = Roots(old="aa", new="bb", old_version="1", new_version="2")
    assert roots.of([Slot.OLD]) == {"aa"}
    assert roots.of(Slot) == {"aa", "bb"}
