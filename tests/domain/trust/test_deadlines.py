"""What the old root's expiry forbids, and what it turns round."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from shared.domain.errors import Conflict
from shared.domain.incarnation import Incarnation
from shared.domain.trust.deadlines import has_to_hurry, has_to_turn, outranks_windows, require_time_back, time_back
from shared.domain.trust.moves import RotationEvent
from shared.domain.trust.phases import Mode, Phase, Roots
from shared.domain.trust.plan import swift_duration
from shared.domain.trust.policy import TrustPolicy, Window
from shared.domain.trust.rounds import apply_commands, begin_round, members_to_try
from shared.domain.trust.state import RotationState, Validity
from tests.worlds.facts.certificates import rotation
from tests.worlds.times import DAY, HOUR, MINUTE, NOW, SECOND

POLICY = TrustPolicy()
ROOTS = Roots(old="aa", new="bb", old_version="1", new_version="2")


def state(phase: Phase, left: timedelta, mode: Mode = Mode.ROUTINE, *commands: RotationEvent) -> RotationState:
    validity = Validity(starts_at=NOW - 30 * DAY, expires_at=NOW + left)
    return RotationState(
        rotation=rotation(2), phase=phase, mode=mode, roots=ROOTS, old_root=validity, commands=list(commands)
    )


@pytest.mark.parametrize(
    ("phase", "mode", "hours"),
    [
        (Phase.DISTRIBUTE, Mode.ROUTINE, 24),
        (Phase.SETTLE, Mode.ROUTINE, 2 + 48 + 24),
        (Phase.SETTLE, Mode.SWIFT, swift_duration(3) / HOUR),
    ],
)
def test_the_way_back_needs_the_time_of_its_phases_and_of_another_rotation(
    phase: Phase, mode: Mode, hours: float
) -> None:
    needed = time_back(phase, mode, POLICY, 3)
    assert needed == timedelta(hours=hours) + swift_duration(3)
    require_time_back(phase, mode, POLICY, 3, NOW + needed, NOW)
    with pytest.raises(Conflict, match="OldRootEnding"):
        require_time_back(phase, mode, POLICY, 3, NOW + needed - SECOND, NOW)


@pytest.mark.parametrize("phase", [Phase.DISTRIBUTE, Phase.ACTIVATE, Phase.SETTLE])
def test_an_abort_that_the_old_root_would_not_outlive_does_not_act(phase: Phase) -> None:
    found, refused = apply_commands(state(phase, 30 * MINUTE, Mode.SWIFT, RotationEvent.ABORT), NOW, POLICY)
    assert (found.phase, [str(why.reason) for why in refused.values()]) == (phase, ["OldRootEnding"])


def test_an_abort_before_a_new_root_is_made_acts_whatever_is_left_of_the_old_one() -> None:
    early = replace(state(Phase.PREPARE, MINUTE, Mode.ROUTINE, RotationEvent.ABORT), roots=None)
    assert apply_commands(early, NOW, POLICY)[0].phase is Phase.ABORTED


@pytest.mark.parametrize("phase", [Phase.REISSUE, Phase.RESETTLE])
@pytest.mark.parametrize("left", [timedelta(), 15 * MINUTE])
def test_on_the_way_back_a_rotation_turns_round_before_the_old_root_expires(phase: Phase, left: timedelta) -> None:
    turned = begin_round(state(phase, left), {"east": Incarnation()}, NOW)
    assert (turned.phase, turned.mode) == (Phase.ACTIVATE, Mode.SWIFT)
    assert begin_round(state(phase, HOUR), {"east": Incarnation()}, NOW).phase is phase


def test_once_a_root_is_withdrawn_nothing_turns_round() -> None:
    assert not has_to_turn(Phase.WITHDRAW, 1, NOW, NOW)


WEEKLY = TrustPolicy(maintenance=(Window(days=("wed",), opens="02:00", closes="04:00"),))  # in 4.75 days


@pytest.mark.parametrize(
    ("phase", "left", "outranked"),
    [
        (Phase.DISTRIBUTE, 4.5 * DAY, True),
        (Phase.DISTRIBUTE, 7 * DAY, True),  # the later phases need their time, too
        (Phase.DISTRIBUTE, 8 * DAY, False),
        (Phase.SETTLE, 7 * DAY, False),
        (Phase.RETIRE, timedelta(), False),  # no leaf needs the old root any more
    ],
)
def test_restarts_do_not_wait_for_a_window_that_opens_too_late_for_the_old_root(
    phase: Phase, left: timedelta, outranked: bool
) -> None:
    assert outranks_windows(phase, WEEKLY, NOW + left, NOW) is outranked
    (member,) = members_to_try(state(phase, left), {"east": WEEKLY}, now=NOW)
    assert (member.policy.maintenance == ()) is outranked


def test_a_routine_rotation_hurries_once_there_is_no_time_left_to_wait_for_leaves() -> None:
    enough = DAY + swift_duration(1)
    for phase in (Phase.DISTRIBUTE, Phase.ACTIVATE, Phase.SETTLE):
        assert begin_round(state(phase, enough), {"east": Incarnation()}, NOW).mode is Mode.ROUTINE
    assert not has_to_hurry(Phase.RETIRE, Mode.ROUTINE, 1, NOW, NOW)
    hurried = begin_round(replace(state(Phase.SETTLE, 20 * HOUR), members={}), {"east": Incarnation()}, NOW)
    assert (hurried.phase, hurried.mode) == (Phase.SETTLE, Mode.SWIFT)
