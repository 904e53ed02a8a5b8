"""When a root is due, in which mode it is rotated, and by which hash its plan is known."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.errors import Conflict, PermanentError
from shared.domain.trust.mesh import Mesh
from shared.domain.trust.phases import Mode
from shared.domain.trust.plan import (
    MemberPlan,
    RotationPlan,
    Upcoming,
    plan_rotation,
    require_same_plan,
    starts_unattended,
    swift_duration,
    unattended_mode,
    upcoming,
)
from shared.domain.trust.policy import TrustPolicy, Window
from shared.domain.trust.roots import Root, Rotation

BORN = datetime(2027, 1, 15, 8, tzinfo=UTC)
SECOND, MINUTE, HOUR, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
YEARS = 3650 * DAY
DOMAIN = "prod.contoso.example"
ROTATION = Rotation(mesh=Mesh.LINKERD, trust_domain=DOMAIN, old="root-g0001", new="root-g0002", generation=2)


def seen(lifetime: timedelta, age: timedelta, policy: TrustPolicy | None = None, members: int = 0) -> Upcoming:
    """What is upcoming for a root that lives so long and is so old."""
    root = Root(
        mesh=Mesh.LINKERD,
        trust_domain=DOMAIN,
        generation=1,
        certificate="root-g0001",
        version="1",
        fingerprint="ab" * 32,
        enabled=True,
        starts_at=BORN,
        expires_at=BORN + lifetime,
    )
    return upcoming(root, policy or TrustPolicy(), BORN + age, members)


@pytest.mark.parametrize("lifetime", [HOUR, 48 * HOUR, 365 * DAY, YEARS])
def test_a_root_of_any_lifetime_is_due_at_half_of_it_and_overdue_with_a_sixth_left(lifetime: timedelta) -> None:
    before, at_half = seen(lifetime, lifetime / 2 - SECOND), seen(lifetime, lifetime / 2)
    assert (before.reason, at_half.reason) == ("NotDue", "HalfLived")
    assert (before.due, before.activate_by) == (BORN + lifetime / 2, BORN + lifetime * 5 / 6)
    if lifetime > HOUR:
        assert [seen(lifetime, lifetime * 5 / 6 + late).reason for late in (-SECOND, SECOND * 0)] == [
            "HalfLived",
            "Overdue",
        ]


@pytest.mark.parametrize(
    ("left", "mode"),
    [
        (9 * DAY, Mode.ROUTINE),
        (4.5 * DAY, Mode.SWIFT),  # a window would open in time, but not early enough
        (3 * DAY, Mode.SWIFT),
    ],
)
def test_the_wait_for_a_maintenance_window_counts_as_time_of_a_routine_rotation(left: timedelta, mode: Mode) -> None:
    weekly = TrustPolicy(maintenance=(Window(days=("fri",), opens="07:00", closes="08:00"),))
    assert seen(365 * DAY, 365 * DAY - left, weekly).mode is mode


@pytest.mark.parametrize(
    ("left", "mode"),
    [
        (74 * HOUR, Mode.ROUTINE),  # the times of distribute, activate and settle
        (74 * HOUR - SECOND, Mode.SWIFT),
        (swift_duration(0), Mode.SWIFT),
        (swift_duration(0) - SECOND, Mode.REPLACE),
        (SECOND * 0, Mode.REPLACE),
        (-DAY, Mode.REPLACE),
    ],
)
def test_the_mode_is_the_gentlest_that_ends_before_the_root_does(left: timedelta, mode: Mode) -> None:
    assert seen(365 * DAY, 365 * DAY - left).mode is mode


def test_the_larger_a_fleet_is_the_earlier_it_is_too_late_for_a_swift_rotation() -> None:
    modes = [seen(DAY, 23 * HOUR, members=members).mode for members in (2, 100, 800, 801)]
    assert modes == [Mode.SWIFT, Mode.SWIFT, Mode.SWIFT, Mode.REPLACE]


def test_the_policy_says_how_long_a_routine_rotation_may_take() -> None:
    patient = TrustPolicy(settle_within=100 * DAY)
    assert [seen(365 * DAY, 300 * DAY, p).mode for p in (None, patient)] == [Mode.ROUTINE, Mode.SWIFT]


def test_a_root_that_is_not_due_yet_shows_the_mode_in_which_it_will_be_rotated() -> None:
    assert [seen(lifetime, MINUTE).mode for lifetime in (HOUR, 6 * DAY, 7 * DAY, YEARS)] == [
        Mode.SWIFT,
        Mode.SWIFT,
        Mode.ROUTINE,
        Mode.ROUTINE,
    ]


def test_an_hour_is_long_enough_for_a_root_that_is_looked_at_every_ten_minutes() -> None:
    assert seen(HOUR, HOUR / 2 + 10 * MINUTE).mode is Mode.SWIFT


@pytest.mark.parametrize(("left", "reason"), [(SECOND * 0, "RootExpired"), (SECOND, "RootExpiring")])
def test_a_root_that_can_only_be_replaced_is_not_rotated_unasked(left: timedelta, reason: str) -> None:
    found = seen(365 * DAY, 365 * DAY - left)
    assert found.reason == reason
    with pytest.raises(PermanentError, match="GET /api/plans/rotations/root-g0001") as refused:
        unattended_mode(found)
    assert refused.value.reason == "RootExpired"


@pytest.mark.parametrize(("aborted", "starts"), [(False, [True, True]), (True, [False, True])])
def test_what_was_aborted_is_started_unattended_only_when_it_is_overdue(aborted: bool, starts: list[bool]) -> None:
    lifetime = timedelta(days=360)
    half, late = seen(lifetime, lifetime / 2), seen(lifetime, lifetime * 5 / 6)
    found = [(half, half.due), (late, late.activate_by)]
    assert [starts_unattended(root, at, aborted=aborted) for root, at in found] == starts


def test_every_other_root_may_be_rotated_unasked() -> None:
    for age in (DAY, 200 * DAY, 364 * DAY):
        found = seen(365 * DAY, age)
        assert unattended_mode(found) is found.mode


@given(
    lifetime=st.timedeltas(min_value=MINUTE, max_value=YEARS),
    ages=st.tuples(st.floats(0, 1.2), st.floats(0, 1.2)).map(sorted),
    settle=st.timedeltas(min_value=MINUTE, max_value=YEARS),
)
def test_as_time_goes_by_a_root_gets_more_urgent_and_never_less(
    lifetime: timedelta, ages: list[float], settle: timedelta
) -> None:
    order = [Mode.ROUTINE, Mode.SWIFT, Mode.REPLACE]
    sooner, later = (seen(lifetime, lifetime * age, TrustPolicy(settle_within=settle)) for age in ages)
    assert order.index(sooner.mode) <= order.index(later.mode)
    assert (sooner.due, sooner.activate_by) == (later.due, later.activate_by)
    assert BORN < sooner.due < sooner.activate_by < sooner.expires


def planned(
    *members: str, roots: tuple[str, ...] = ("ab",), age: timedelta = 200 * DAY, compromised: bool = False
) -> RotationPlan:
    clusters = [MemberPlan(cluster=name) for name in members or ("blue", "green")]
    return plan_rotation(seen(365 * DAY, age), ROTATION, roots, clusters, compromised=compromised)


def test_a_plan_keeps_its_hash_while_time_goes_by_pods_change_and_members_are_listed_otherwise() -> None:
    busy = [MemberPlan(cluster="Green", restarts=("Deployment/shop/web",)), MemberPlan(cluster="blue")]
    later = plan_rotation(seen(365 * DAY, 210 * DAY), ROTATION, ["ab"], busy)
    assert later.hash == planned().hash


def test_a_plan_gets_another_hash_with_its_members_its_roots_and_its_mode() -> None:
    others = [planned("blue"), planned(roots=("ab", "cd")), planned(compromised=True), planned(age=364 * DAY)]
    assert planned().hash not in {other.hash for other in others}
    assert others[2].hash == others[3].hash, "swift is swift, whatever the cause"


def test_each_mode_says_what_it_costs() -> None:
    routine, swift, replace = planned(), planned(compromised=True), planned(age=366 * DAY)
    assert [p.restarts_each for p in (routine, swift, replace)] == [2, 3, 1]
    assert [p.impact.partition(":")[0] for p in (routine, swift, replace)] == ["none", "only restarts", "downtime"]


def test_a_compromised_root_that_has_expired_is_replaced_all_the_same() -> None:
    assert planned(age=366 * DAY, compromised=True).mode is Mode.REPLACE


def test_only_the_plan_that_was_seen_can_be_started_and_only_in_its_mode() -> None:
    swift = planned(compromised=True)
    require_same_plan(swift, Mode.SWIFT, swift.hash)
    for mode, hash in ((Mode.SWIFT, planned().hash), (Mode.SWIFT, ""), (Mode.REPLACE, swift.hash)):
        with pytest.raises(Conflict) as refused:
            require_same_plan(swift, mode, hash)
        assert refused.value.reason == "PlanChanged"
