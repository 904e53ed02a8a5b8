"""How often somebody hears of a hold: the nearer the old root's expiry is, the more often."""

from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from msgspec.structs import replace

from shared.domain.trust.mesh import Mesh
from shared.domain.trust.phases import Phase
from shared.domain.trust.roots import Rotation
from shared.domain.trust.state import Hold, RotationState, Validity
from shared.domain.trust.warnings import endangers, silence, time_left, warned
from tests.worlds.times import NOW

EXPIRES = NOW + timedelta(days=30)
HOLD = Hold(reason="MemberStopped", message="west is stopped", blockers=["west"])
STATE = RotationState(
    rotation=Rotation(mesh=Mesh.LINKERD, trust_domain="prod", old="g1", new="g2", generation=2),
    old_root=Validity(starts_at=EXPIRES - timedelta(days=60), expires_at=EXPIRES),
    phase=Phase.DISTRIBUTE,
    hold=HOLD,
)


def warnings(until: datetime, state: RotationState = STATE) -> list[datetime]:
    """When somebody hears of a hold that stays, as the rotation looks every ten minutes."""
    heard, now, before = [], NOW, None
    while now < until:
        state = warned(replace(state, hold=replace(HOLD, time_left=time_left(state, now))), before, now)
        heard += [now] if state.warned_at == now else []
        before, now = state.hold, now + timedelta(minutes=10)
    return heard


def test_a_hold_that_stays_is_told_of_at_least_daily_and_ever_more_often_as_the_root_s_expiry_nears() -> None:
    heard = warnings(EXPIRES)
    pauses = [later - earlier for earlier, later in pairwise(heard)]
    assert heard[0] == NOW
    assert max(pauses) <= timedelta(days=1)
    assert pauses == sorted(pauses, reverse=True)
    assert pauses[-1] == timedelta(minutes=10)
    assert len([at for at in heard if at < NOW + timedelta(days=4)]) >= 4
    assert len([at for at in heard if at > EXPIRES - timedelta(days=1)]) >= 10


def test_what_changes_of_a_hold_is_told_of_at_once_but_not_that_time_passes() -> None:
    at, later = replace(STATE, warned_at=NOW), NOW + timedelta(minutes=10)
    assert warned(replace(at, hold=replace(HOLD, time_left="less")), HOLD, later).warned_at == NOW
    for change in ({"reason": "NoMesh"}, {"blockers": ["west", "east"]}, {"message": "north is stopped"}):
        assert warned(replace(at, hold=replace(HOLD, **change)), HOLD, later).warned_at == later
    assert warned(replace(at, hold=None), HOLD, later).warned_at is None
    assert warned(at, None, later).warned_at == later


@pytest.mark.parametrize(
    ("phase", "left", "danger", "words"),
    [
        (Phase.PREPARE, timedelta(days=11), False, "11 days and 0 hours until the old root expires"),
        (Phase.SETTLE, timedelta(days=9, hours=5, minutes=59), True, "9 days and 5 hours until the old root expires"),
        (Phase.SETTLE, timedelta(), True, "none: the old root has expired"),
        (Phase.RETIRE, timedelta(days=1), False, ""),  # the new root is trusted everywhere
        (Phase.ROTATED, timedelta(days=1), False, ""),
    ],
)
def test_a_hold_says_what_is_left_and_is_a_danger_in_the_last_sixth_of_the_root_s_life(
    phase: Phase, left: timedelta, danger: bool, words: str
) -> None:
    state = replace(STATE, phase=phase)
    assert endangers(state, EXPIRES - left) is danger
    assert time_left(state, EXPIRES - left) == words


def test_as_long_as_nobody_knows_the_expiry_a_hold_is_told_of_daily_and_is_no_danger() -> None:
    unknown = replace(STATE, old_root=None)
    assert silence(None) == timedelta(days=1)
    assert (time_left(unknown, NOW), endangers(unknown, NOW)) == ("", False)
    assert len(warnings(NOW + timedelta(days=4), unknown)) == 4
