"""What leaving a member out breaks, and when it is done."""

from datetime import timedelta

import pytest

from shared.domain.errors import Conflict, NotFound
from shared.domain.trust.exclusions import ExclusionPlan, is_left_out, plan_exclusion, with_exclusion
from shared.domain.trust.membership import MemberProgress, Membership
from shared.domain.trust.phases import Mode, Phase
from tests.worlds.times import NOW

RUN, EXPIRES = "rotate-prod-g2", NOW + timedelta(days=9)


def members(**proven: Phase | None) -> Membership:
    progress = {f"/{name}": MemberProgress(proven=phase) for name, phase in proven.items()}
    return Membership(trust_domain="prod", generation=2, members=progress)


def plan(
    proven: Phase | None, phase: Phase = Phase.DISTRIBUTE, mode: Mode = Mode.ROUTINE, **others: Phase | None
) -> ExclusionPlan:
    known = members(west=proven, **(others or {"east": Phase.PREPARE, "north": Phase.PREPARE}))
    return plan_exclusion(RUN, "/WEST", known, phase, mode, EXPIRES)


@pytest.mark.parametrize(
    ("proven", "phase", "mode", "parted_in"),
    [
        (None, Phase.PREPARE, Mode.ROUTINE, Phase.ACTIVATE),  # it trusts the old root alone
        (Phase.PREPARE, Phase.DISTRIBUTE, Mode.ROUTINE, Phase.ACTIVATE),
        (Phase.DISTRIBUTE, Phase.DISTRIBUTE, Mode.ROUTINE, Phase.RETIRE),  # its leaves are of the old root
        (Phase.ACTIVATE, Phase.SETTLE, Mode.ROUTINE, Phase.RETIRE),
        (Phase.SETTLE, Phase.RETIRE, Mode.ROUTINE, None),
        (Phase.PREPARE, Phase.PREPARE, Mode.REPLACE, Phase.REPLACE),
        (Phase.ACTIVATE, Phase.REISSUE, Mode.ROUTINE, Phase.WITHDRAW),
        (Phase.DISTRIBUTE, Phase.WITHDRAW, Mode.ROUTINE, None),
    ],
)
def test_a_plan_says_from_which_phase_on_no_root_is_shared(
    proven: Phase | None, phase: Phase, mode: Mode, parted_in: Phase | None
) -> None:
    found = plan(proven, phase, mode)
    assert found.parted_in is parted_in
    assert found.parted_from == (("/east", "/north") if parted_in else ())
    assert found.alone_until == (EXPIRES if parted_in else None)
    assert (f"from phase {parted_in} on" in found.message) is (parted_in is not None)
    assert (f"{EXPIRES:%Y-%m-%d %H:%M}" in found.message) is (parted_in is not None)
    assert bool(found.until) is (parted_in is not None)


def test_what_is_no_member_and_the_last_member_cannot_be_left_out() -> None:
    with pytest.raises(NotFound, match="NoSuchMember"):
        plan_exclusion(RUN, "/south", members(west=None), Phase.PREPARE, Mode.ROUTINE, EXPIRES)
    with pytest.raises(Conflict, match="LastMember"):
        plan_exclusion(RUN, "/west", members(west=None), Phase.PREPARE, Mode.ROUTINE, EXPIRES)
    two = members(west=None, east=None)
    one = with_exclusion(two, found := plan_for(two, "/east"), found.hash, "toy", NOW)
    with pytest.raises(Conflict, match="LastMember"):
        plan_for(one, "/west")


def plan_for(known: Membership, cluster: str) -> ExclusionPlan:
    return plan_exclusion(RUN, cluster, known, Phase.PREPARE, Mode.ROUTINE, EXPIRES)


def test_a_member_is_left_out_by_the_plan_that_was_seen_alone_and_the_record_keeps_it() -> None:
    known, seen = members(west=None, east=None), plan(None, Phase.PREPARE, east=None)
    with pytest.raises(Conflict, match="PlanChanged"):
        with_exclusion(known, seen, "00", "stopped", NOW)
    without = with_exclusion(known, seen, seen.hash, "stopped", NOW)
    ((cluster, exclusion),) = without.excluded.items()
    assert (cluster, exclusion.reason, exclusion.plan, exclusion.at) == ("/west", "stopped", seen.hash, NOW)
    assert exclusion.in_force
    assert is_left_out(without, "/West", seen.hash)
    assert not is_left_out(without, "/west", "00")
    assert not is_left_out(known, "/west", seen.hash)


def test_a_plan_is_another_one_once_the_rotation_or_the_member_has_gone_on() -> None:
    seen = plan(Phase.PREPARE)
    others = [
        plan(Phase.DISTRIBUTE),
        plan(Phase.PREPARE, Phase.ACTIVATE),
        plan(Phase.PREPARE, east=Phase.PREPARE),
        plan(Phase.PREPARE, Phase.DISTRIBUTE, Mode.SWIFT),
    ]
    assert len({seen.hash, *(other.hash for other in others)}) == 5
    assert plan(Phase.PREPARE).hash == seen.hash
