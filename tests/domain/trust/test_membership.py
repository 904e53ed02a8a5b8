"""Who takes part in a rotation, and whose proofs count: what is remembered, what is gone, what was made again."""

from datetime import timedelta

import pytest

from shared.domain.errors import PermanentError, TemporaryError
from shared.domain.incarnation import Incarnation
from shared.domain.trust.membership import (
    Exclusion,
    MemberProgress,
    Membership,
    absent,
    left_out,
    progress_of,
    roll_of,
    spelled_as,
    still_left_out,
    with_caught_up,
)
from shared.domain.trust.mesh import Mesh
from shared.domain.trust.phases import Phase
from shared.domain.trust.roots import Rotation
from tests.worlds.facts.members import DOMAIN, cluster, fleet
from tests.worlds.times import NOW

ROTATION = Rotation(mesh=Mesh.LINKERD, trust_domain=DOMAIN, old="g1", new="g2", generation=2)
FIRST, SECOND, SILENT = Incarnation(principal="1"), Incarnation(principal="2"), Incarnation()
EAST, WEST = cluster("aks-east", incarnation=FIRST), cluster("aks-west", incarnation=FIRST)
KNOWN = {c.id: MemberProgress(incarnation=FIRST, proven=Phase.ACTIVATE, activated_at=NOW) for c in (EAST, WEST)}
UNTAGGED = cluster("aks-west", incarnation=FIRST, tags={})
OUT = Exclusion(reason="stopped", plan="aa", at=NOW, phase=Phase.PREPARE)


def test_a_member_that_lost_its_tags_is_named_as_long_as_its_cluster_is_there() -> None:
    roll = roll_of(ROTATION, KNOWN, fleet(EAST, UNTAGGED), {})
    assert roll.available == [EAST.id]
    ((id, (reason, message)),) = roll.unavailable.items()
    assert (id, reason) == (WEST.id, "MemberVanished")
    assert "aks-west is still there" in message
    assert f"meshward:trust-domain={DOMAIN}" in message
    assert roll.incarnations.keys() == {EAST.id, WEST.id}


def test_a_cluster_keeps_the_id_by_which_it_is_known_however_azure_writes_it_this_time() -> None:
    respelled = cluster(id=EAST.id.upper())
    assert [c.id for c in spelled_as(KNOWN, [respelled, cluster("aks-new")])] == [EAST.id, cluster("aks-new").id]


def test_a_member_that_is_gone_is_not_waited_for() -> None:
    roll = roll_of(ROTATION, KNOWN, fleet(EAST), {})
    assert roll.incarnations.keys() == {EAST.id}
    assert not roll.unavailable


def test_a_cluster_made_again_without_tags_is_no_member_that_has_vanished() -> None:
    roll = roll_of(ROTATION, KNOWN, fleet(EAST, cluster("aks-west", incarnation=SECOND, tags={})), {})
    assert roll.incarnations.keys() == {EAST.id}
    assert not roll.unavailable


def test_a_member_of_which_nobody_knows_whether_it_is_there_is_neither_gone_nor_vanished() -> None:
    roll = roll_of(ROTATION, KNOWN, fleet(EAST), {WEST.id: TemporaryError("Forbidden", "no right")})
    assert (roll.incarnations[WEST.id], roll.available, roll.unavailable) == (FIRST, [EAST.id], {})


def test_the_last_member_that_lost_its_tags_is_named_too_and_nobody_at_all_is_refused() -> None:
    assert roll_of(ROTATION, {WEST.id: KNOWN[WEST.id]}, fleet(UNTAGGED), {}).unavailable.keys() == {WEST.id}
    with pytest.raises(PermanentError, match="NoMembers"):
        roll_of(ROTATION, {}, fleet(UNTAGGED), {})


def test_ids_are_the_same_member_in_whatever_case() -> None:
    assert absent(KNOWN, [c.upper() for c in KNOWN]) == []
    assert absent(KNOWN, [EAST.id.upper()]) == [WEST.id]
    ((id, progress),) = progress_of({EAST.id: KNOWN[EAST.id]}, {EAST.id.upper(): FIRST}).items()
    assert (id, progress.proven) == (EAST.id.upper(), Phase.ACTIVATE)


@pytest.mark.parametrize(("found", "kept"), [(FIRST, True), (SILENT, True), (SECOND, False)])
def test_another_incarnation_of_a_cluster_inherits_no_proof(found: Incarnation, kept: bool) -> None:
    (progress,) = progress_of({EAST.id: KNOWN[EAST.id]}, {EAST.id: found}).values()
    assert (progress.proven, progress.activated_at) == ((Phase.ACTIVATE, NOW) if kept else (None, None))
    assert progress.incarnation == (found if found.text else FIRST)


def test_who_is_to_begin_again_has_proven_nothing() -> None:
    assert progress_of(KNOWN, {EAST.id: FIRST}, [EAST.id]) == {EAST.id: MemberProgress(incarnation=FIRST)}


def test_an_exclusion_ends_when_the_member_has_caught_up_and_counts_again_when_it_is_asked_for_again() -> None:
    ended = Exclusion(reason="stopped", plan="aa", at=NOW, phase=Phase.PREPARE, caught_up_at=NOW)
    assert left_out({"west": OUT}) == {"west"}
    assert left_out(with_caught_up({"west": OUT}, {"west": ended})) == set()
    again = Exclusion(reason="once more", plan="bb", at=NOW + timedelta(hours=1), phase=Phase.SETTLE)
    assert left_out(with_caught_up({"west": again}, {"west": ended})) == {"west"}
    assert with_caught_up({}, {"west": ended}) == {}


def membership(generation: int, members: dict[str, MemberProgress], *out: str) -> Membership:
    excluded = dict.fromkeys(out, OUT)
    return Membership(trust_domain=DOMAIN, generation=generation, members=members, excluded=excluded)


def test_who_was_left_out_is_named_until_it_has_proven_something_in_a_later_rotation() -> None:
    first = membership(2, {"/East": MemberProgress(proven=Phase.RETIRE), "/West": MemberProgress()}, "/West")
    assert still_left_out([first]) == {"/west": OUT}
    waiting = membership(3, {"/West": MemberProgress()})
    assert still_left_out([waiting, first]) == {"/west": OUT}
    back = membership(10, {"/west": MemberProgress(proven=Phase.PREPARE)})
    assert still_left_out([back, waiting, first]) == {}
    assert still_left_out([back, membership(11, {}, "/west")]) == {"/west": OUT}
