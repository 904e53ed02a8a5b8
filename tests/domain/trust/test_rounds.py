"""What follows from a round of a rotation: proofs move it, lateness and refusals put it on hold, commands act."""

from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from shared.domain.incarnation import Incarnation
from shared.domain.trust.holds import HOLD_POLL_INTERVAL
from shared.domain.trust.membership import Exclusion, MemberProgress
from shared.domain.trust.mesh import Mesh
from shared.domain.trust.moves import COMMANDS, MOVES, RotationEvent
from shared.domain.trust.phases import ENDS, STAGES, Mode, Phase, Roots
from shared.domain.trust.policy import TrustPolicy, Window
from shared.domain.trust.roots import Rotation
from shared.domain.trust.rounds import (
    LEAST_PAUSE,
    apply_commands,
    begin_round,
    conclude_round,
    members_to_try,
    record_of,
)
from shared.domain.trust.state import Hold, MemberOutcome, RotationState, Round, RoundReport, StepProof, Validity
from shared.domain.trust.warnings import EXCLUDE_ADVICE

NOW = datetime(2027, 1, 15, 8, tzinfo=UTC)
ROTATION = Rotation(mesh=Mesh.LINKERD, trust_domain="prod.contoso.example", old="g1", new="g2", generation=2)
ROOTS = Roots(old="aa", new="bb", old_version="1", new_version="2")
POLICY = TrustPolicy()
STATE = RotationState(rotation=ROTATION, phase=Phase.DISTRIBUTE, roots=ROOTS, phase_started_at=NOW)

SUBSCRIPTION = "11111111-1111-4111-8111-111111111111"
AT = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.ContainerService/managedClusters"


def proof(cluster: str, phase: Phase = Phase.DISTRIBUTE, at: datetime = NOW, seen: int = 7) -> MemberOutcome:
    return MemberOutcome(cluster=cluster, phase=phase, proof=StepProof(at=at, seen=seen))


def alive(*clusters: str) -> dict[str, Incarnation]:
    """Clusters of which Azure says nothing that tells their lives apart."""
    return dict.fromkeys(clusters, Incarnation())


def proven(phases: dict[str, Phase]) -> dict[str, MemberProgress]:
    """Members that have proven these phases."""
    return {cluster: MemberProgress(proven=phase) for cluster, phase in phases.items()}


def waits(cluster: str = f"{AT}/east", **more: object) -> MemberOutcome:
    facts = {"cluster": cluster, "phase": Phase.DISTRIBUTE, "reason": "RollingOut", "message": "slow", **more}
    return MemberOutcome(**facts)  # type: ignore[arg-type]


def after(
    state: RotationState, *outcomes: MemberOutcome, at: datetime = NOW, unavailable: tuple[MemberOutcome, ...] = ()
) -> RotationState:
    round = Round(state=state, members=[], unavailable=list(unavailable), policy=POLICY)
    return conclude_round(RoundReport(round=round, outcomes=list(outcomes)), at)


def test_a_phase_is_left_only_when_every_member_has_proven_it_and_the_fleet_s_part_is_done() -> None:
    state = after(STATE, proof("east"), proof("west"))
    assert (state.phase, state.proven) == (Phase.DISTRIBUTE, {"east": Phase.DISTRIBUTE, "west": Phase.DISTRIBUTE})
    assert after(state, MemberOutcome(cluster="", phase=Phase.DISTRIBUTE, fleet_done=True)).phase is Phase.ACTIVATE


@pytest.mark.parametrize(
    ("phase", "before"),
    [
        (Phase.DISTRIBUTE, Phase.PREPARE),
        (Phase.SETTLE, Phase.ACTIVATE),
        (Phase.RESETTLE, Phase.REISSUE),
        (Phase.RETIRE, Phase.SETTLE),  # then a key is disabled
        (Phase.WITHDRAW, Phase.RESETTLE),
    ],
)
def test_what_members_have_proven_in_different_rounds_they_prove_together_before_the_phase_is_left(
    phase: Phase, before: Phase
) -> None:
    fleet = dict.fromkeys(["east", "west"], POLICY)
    state = replace(STATE, phase=phase, members=proven(dict.fromkeys(fleet, before)))
    first = after(state, proof("east", phase), waits("west", phase=phase))
    assert [m.cluster for m in members_to_try(first, fleet)] == ["west"]
    second = after(first, proof("west", phase))
    assert [(m.cluster, m.phase) for m in members_to_try(second, fleet)] == [("east", phase), ("west", phase)]
    changed = after(second, proof("west", phase), waits("east", phase=phase))
    assert [m.cluster for m in members_to_try(changed, fleet)] == ["east", "west"]
    together = after(changed, proof("east", phase), proof("west", phase))
    assert members_to_try(together, fleet) == []
    assert together.seen == 14


def test_a_member_that_cannot_be_seen_does_not_make_the_others_prove_everything_again_and_again() -> None:
    state = replace(STATE, members=proven({"east": Phase.DISTRIBUTE, "west": Phase.DISTRIBUTE}))
    assert members_to_try(state, {"east": POLICY}, ["west"]) == []


def test_a_member_that_cannot_be_seen_keeps_the_phase_from_being_left() -> None:
    unavailable = waits(f"{AT}/west", reason="MemberStopped", refused=True)
    state = after(STATE, MemberOutcome(cluster="", phase=Phase.DISTRIBUTE, fleet_done=True), unavailable=(unavailable,))
    assert state.phase is Phase.DISTRIBUTE
    assert state.hold
    assert (state.hold.reason, state.hold.blockers) == ("MemberStopped", ["west"])


def test_waiting_is_no_hold_until_the_phase_has_taken_longer_than_the_policy_allows() -> None:
    assert after(STATE, waits(), at=NOW + POLICY.distribute_within).hold is None
    on_hold = after(STATE, waits(blockers=["east/shop/a"]), at=NOW + POLICY.distribute_within + timedelta(seconds=1))
    assert on_hold.hold == Hold(reason="RollingOut", message="slow", blockers=["east/shop/a"], advice=EXCLUDE_ADVICE)
    assert on_hold.pause == HOLD_POLL_INTERVAL


def test_a_refusal_holds_at_once_and_a_member_that_no_longer_refuses_resumes_the_rotation() -> None:
    on_hold = after(STATE, waits(reason="OwnedByOther", refused=True), waits(f"{AT}/west"))
    assert on_hold.hold
    assert on_hold.hold.reason == "OwnedByOther"
    assert on_hold.hold.blockers == ["east", "west"]
    assert after(on_hold, waits()).hold is None


def test_a_resume_gives_the_phase_its_time_anew() -> None:
    late = NOW + POLICY.distribute_within * 2
    state = begin_round(replace(STATE, commands=[RotationEvent.RESUME]), alive("east"), late)
    assert state.phase is Phase.DISTRIBUTE
    assert after(state, waits(), at=late).hold is None


@pytest.mark.parametrize(
    ("phase", "then"),
    [
        (Phase.DISTRIBUTE, Phase.WITHDRAW),
        (Phase.ACTIVATE, Phase.REISSUE),
        (Phase.SETTLE, Phase.REISSUE),
        (Phase.RETIRE, Phase.RETIRE),
    ],
)
def test_an_abort_goes_back_to_where_the_old_root_is_enough(phase: Phase, then: Phase) -> None:
    assert begin_round(replace(STATE, phase=phase, commands=[RotationEvent.ABORT]), alive("east"), NOW).phase is then


@pytest.mark.parametrize(
    "others",
    [
        [RotationEvent.RESUME],
        [RotationEvent.SWIFT],
        [RotationEvent.REPLACE],
        [RotationEvent.REPLACE, RotationEvent.SWIFT, RotationEvent.RESUME],
    ],
)
def test_an_abort_acts_whatever_other_commands_come_with_it(others: list[RotationEvent]) -> None:
    late = NOW + timedelta(days=2)
    for commands in ([*others, RotationEvent.ABORT], [RotationEvent.ABORT, *others]):
        state = begin_round(replace(STATE, commands=commands), alive("east"), late)
        assert state.phase is Phase.WITHDRAW
        assert state.commands == []
        assert state.phase_started_at == late


def test_of_commands_that_come_together_each_acts() -> None:
    late = NOW + timedelta(days=2)
    state = begin_round(
        replace(STATE, phase=Phase.RETIRE, commands=[RotationEvent.ABORT, RotationEvent.RESUME, RotationEvent.SWIFT]),
        alive("east"),
        late,
    )
    assert (state.phase, state.mode, state.phase_started_at) == (Phase.RETIRE, Mode.SWIFT, late)


def test_an_abort_before_a_root_was_made_ends_at_once() -> None:
    state = begin_round(RotationState(rotation=ROTATION, commands=[RotationEvent.ABORT]), alive("east"), NOW)
    assert state.phase is Phase.ABORTED
    assert members_to_try(state, {"east": POLICY}) == []
    assert after(state) == state
    assert after(state, unavailable=(waits(reason="MemberStopped", refused=True),)) == state
    assert record_of(state, NOW).new_root == ""


def test_a_member_that_has_left_is_forgotten_and_one_that_joins_begins_at_the_beginning() -> None:
    members = proven({"east": Phase.DISTRIBUTE, "gone": Phase.PREPARE})
    state = begin_round(replace(STATE, members=members), alive("east", "new"), NOW)
    assert set(state.proven) == {"east"}
    assert [(m.cluster, m.phase) for m in members_to_try(state, dict.fromkeys(["east", "new"], POLICY))] == [
        ("new", Phase.PREPARE)
    ]


@pytest.mark.parametrize(
    ("phase", "done", "tried"),
    [
        (Phase.DISTRIBUTE, None, ["old", "new"]),  # both roots beside the old one alone: fine
        (Phase.ACTIVATE, None, ["new"]),
        (Phase.ACTIVATE, Phase.PREPARE, ["new"]),
        (Phase.ACTIVATE, Phase.DISTRIBUTE, ["old", "new"]),
        (Phase.RETIRE, Phase.ACTIVATE, ["new"]),
        (Phase.RETIRE, Phase.SETTLE, ["old", "new"]),
        (Phase.WITHDRAW, None, ["old", "new"]),
        (Phase.REPLACE, None, ["old", "new"]),  # downtime is over the sooner
    ],
)
def test_nobody_does_what_the_proxies_of_a_newcomer_could_not_bear_yet(
    phase: Phase, done: Phase | None, tried: list[str]
) -> None:
    before = {Phase.DISTRIBUTE: Phase.PREPARE, Phase.ACTIVATE: Phase.DISTRIBUTE, Phase.RETIRE: Phase.SETTLE}
    by_cluster = {"old": before.get(phase, Phase.PREPARE)} | ({"new": done} if done else {})
    mode = Mode.REPLACE if phase is Phase.REPLACE else Mode.ROUTINE
    state = replace(STATE, phase=phase, mode=mode, members=proven(by_cluster))
    assert [m.cluster for m in members_to_try(state, dict.fromkeys(["old", "new"], POLICY))] == tried
    hidden = [m.cluster for m in members_to_try(state, {"old": POLICY}, ["new"])]
    assert hidden == [c for c in tried if c == "old"]


@pytest.mark.parametrize(
    ("phase", "command", "then"),
    [
        (Phase.SETTLE, RotationEvent.ABORT, Phase.REISSUE),
        (Phase.DISTRIBUTE, RotationEvent.REPLACE, Phase.REPLACE),
    ],
)
def test_no_proof_moves_a_rotation_that_a_command_is_about_to_move(
    phase: Phase, command: RotationEvent, then: Phase
) -> None:
    state = after(replace(STATE, phase=phase, commands=[command]), done(phase))
    assert (state.phase, state.commands) == (phase, [command])
    assert begin_round(state, alive("east"), NOW).phase is then


@pytest.mark.parametrize(
    "command", [RotationEvent.ABORT, RotationEvent.RESUME, RotationEvent.SWIFT, RotationEvent.REPLACE]
)
def test_a_command_that_moves_nothing_keeps_no_phase_from_being_left(command: RotationEvent) -> None:
    left = after(replace(STATE, phase=Phase.RETIRE, commands=[command]), done(Phase.RETIRE))
    assert (left.phase, left.commands) == (Phase.ROTATED, [command])


def test_what_can_t_act_where_the_rotation_stands_is_refused_and_the_rest_acts() -> None:
    commands = [RotationEvent.REPLACE, RotationEvent.ABORT, RotationEvent.SWIFT]
    state, refused = apply_commands(replace(STATE, phase=Phase.RETIRE, commands=commands), NOW, POLICY)
    assert (state.phase, state.mode, state.commands) == (Phase.RETIRE, Mode.SWIFT, [])
    assert {command: why.reason for command, why in refused.items()} == {
        RotationEvent.ABORT: "NotAbortable",
        RotationEvent.REPLACE: "NothingToReplace",
    }
    _, refused = apply_commands(replace(STATE, phase=Phase.ROTATED, commands=commands), NOW, POLICY)
    assert {why.reason for why in refused.values()} == {"RotationEnded"}
    assert len(refused) == 3


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("phase", Phase)
@pytest.mark.parametrize("roots", [ROOTS, None], ids=["roots", "no roots"])
def test_any_commands_together_act_or_are_refused_each_as_it_would_be_one_after_the_other(
    phase: Phase, mode: Mode, roots: Roots | None
) -> None:
    """An abort acts wherever it can, whatever is said with it."""
    for commands in (list(some) for n in range(5) for some in permutations(COMMANDS, n)):
        state = replace(STATE, phase=phase, mode=mode, roots=roots, commands=commands)
        then, refused = apply_commands(state, NOW, POLICY)
        assert set(refused) <= set(commands)
        assert (RotationEvent.ABORT in refused) is (
            RotationEvent.ABORT in commands and (phase, RotationEvent.ABORT, mode) not in MOVES
        )
        if RotationEvent.ABORT in commands and RotationEvent.ABORT not in refused:
            assert then.phase in (Phase.REISSUE, Phase.WITHDRAW if roots else Phase.ABORTED)
        assert apply_commands(then, NOW, POLICY) == (then, {})


def done(phase: Phase) -> MemberOutcome:
    """The fleet's own part of a phase, which it does when every member has proven that."""
    return MemberOutcome(cluster="", phase=phase, fleet_done=True)


def test_a_cluster_that_joins_when_only_haste_is_left_to_replacement_catches_up_like_any_other() -> None:
    state = replace(STATE, phase=Phase.SETTLE, mode=Mode.REPLACE, members=proven({"old": Phase.ACTIVATE}))
    tried = members_to_try(state, dict.fromkeys(["old", "new"], POLICY))
    assert [(m.cluster, m.phase) for m in tried] == [("new", Phase.PREPARE)]


def test_leaves_of_a_member_count_as_renewed_since_its_own_issuer_was_proven() -> None:
    state = replace(STATE, phase=Phase.ACTIVATE)
    early, late = NOW + timedelta(minutes=1), NOW + timedelta(minutes=9)
    state = after(state, proof("east", Phase.ACTIVATE, late), proof("west", Phase.ACTIVATE, early))
    assert {c: one.activated_at for c, one in state.members.items()} == {"east": late, "west": early}
    settling = replace(state, phase=Phase.SETTLE)
    tried = members_to_try(settling, dict.fromkeys(["east", "west"], POLICY))
    assert {m.cluster: m.activated_at for m in tried} == {"east": late, "west": early}
    assert record_of(state, NOW).activated == late


def test_what_the_last_gate_saw_is_what_the_result_counts() -> None:
    state = replace(STATE, phase=Phase.RETIRE, started_at=NOW)
    state = after(state, proof("east", Phase.RETIRE, seen=4), proof("west", Phase.RETIRE, seen=5))
    ended = record_of(after(state, MemberOutcome(cluster="", phase=Phase.RETIRE, fleet_done=True)), NOW)
    assert (ended.outcome, ended.proxies, ended.members) == (Phase.ROTATED, 9, ["east", "west"])


def outcome(cluster: str, phase: Phase, **more: object) -> MemberOutcome:
    return waits(cluster, phase=phase, **more)


def out(*clusters: str, at: datetime = NOW) -> dict[str, Exclusion]:
    return dict.fromkeys(clusters, Exclusion(reason="toy", plan="aa", at=at, phase=Phase.PREPARE))


def test_another_incarnation_of_a_member_starts_at_prepare_and_the_others_wait_for_it() -> None:
    first, second = Incarnation(principal="1"), Incarnation(principal="2")
    members = dict.fromkeys(["east", "west"], MemberProgress(incarnation=first, proven=Phase.SETTLE, activated_at=NOW))
    state = replace(STATE, phase=Phase.SETTLE, members=members)
    state = begin_round(state, {"east": first, "west": second}, NOW)
    assert state.proven == {"east": Phase.SETTLE}
    tried = members_to_try(replace(state, phase=Phase.RETIRE), dict.fromkeys(["east", "west"], POLICY))
    assert [(m.cluster, m.phase, m.activated_at) for m in tried] == [("west", Phase.PREPARE, None)]


def test_a_member_that_has_lost_a_proof_begins_again_at_once_and_is_named_if_that_never_ends() -> None:
    state = replace(STATE, phase=Phase.SETTLE, members=proven(dict.fromkeys(["east", "west"], Phase.ACTIVATE)))
    lost = outcome("west", Phase.SETTLE, reason="ProofLost", lost=True)
    then = after(state, outcome("east", Phase.SETTLE, retry_after=3600), lost)
    assert (then.proven, then.members["west"].activated_at, then.pause) == ({"east": Phase.ACTIVATE}, None, LEAST_PAUSE)
    assert then.hold is None
    tried = members_to_try(then, dict.fromkeys(["east", "west"], POLICY))
    assert [(m.cluster, m.phase) for m in tried] == [("west", Phase.PREPARE)]
    late = after(state, lost, at=NOW + POLICY.settle_within + timedelta(seconds=1))
    assert late.hold
    assert late.hold.reason == "ProofLost"


def test_nobody_waits_for_a_member_that_is_left_out() -> None:
    fleet = dict.fromkeys(["east", "toy"], POLICY)
    prepared = replace(STATE, members=proven(dict.fromkeys(fleet, Phase.PREPARE)))
    state = begin_round(prepared, alive("east", "toy"), NOW, out("toy"))
    assert [(m.cluster, m.phase) for m in members_to_try(state, fleet)] == [
        ("east", Phase.DISTRIBUTE),
        ("toy", Phase.PREPARE),
    ]
    then = after(state, proof("east"), outcome("toy", Phase.PREPARE, reason="NoMesh", refused=True))
    assert (then.hold, then.pause, then.proven_together) == (None, LEAST_PAUSE, True)
    assert members_to_try(then, fleet) == []
    unseen = outcome("toy", Phase.DISTRIBUTE, reason="MemberStopped", refused=True)
    left = after(then, MemberOutcome(cluster="", phase=Phase.DISTRIBUTE, fleet_done=True), unavailable=(unseen,))
    assert left.phase is Phase.ACTIVATE
    assert [(m.cluster, m.phase) for m in members_to_try(left, {"east": POLICY}, ["toy"])] == [("east", left.phase)]


def test_a_member_that_is_left_out_has_proven_nothing_any_more_and_is_awaited_again_once_it_has_caught_up() -> None:
    state = replace(STATE, phase=Phase.ACTIVATE, members=proven(dict.fromkeys(["east", "toy"], Phase.DISTRIBUTE)))
    state = begin_round(state, alive("east", "toy"), NOW, out("toy"))
    assert state.proven == {"east": Phase.DISTRIBUTE}
    state = after(state, outcome("east", Phase.ACTIVATE), proof("toy", Phase.PREPARE))
    state = begin_round(state, alive("east", "toy"), NOW, out("toy"))
    assert (state.proven["toy"], set(state.waited_for)) == (Phase.PREPARE, {"east"})
    state = after(state, outcome("east", Phase.ACTIVATE, retry_after=3600), proof("toy", Phase.ACTIVATE))
    state = begin_round(state, alive("east", "toy"), NOW, out("toy"))
    assert set(state.waited_for) == {"east", "toy"}
    assert state.excluded["toy"].caught_up_at == NOW
    again = begin_round(state, alive("east", "toy"), NOW, out("toy", at=NOW + timedelta(hours=1)))
    assert (set(again.waited_for), again.proven) == ({"east"}, {"east": Phase.DISTRIBUTE})


@pytest.mark.parametrize(
    ("left_out_in", "proves", "waited_for"),
    [
        (Phase.DISTRIBUTE, Phase.PREPARE, False),
        (Phase.DISTRIBUTE, Phase.DISTRIBUTE, False),  # it lacks activate
        (Phase.DISTRIBUTE, Phase.ACTIVATE, True),
        (Phase.SETTLE, Phase.ACTIVATE, False),  # that is what it was left out for
        (Phase.SETTLE, Phase.SETTLE, True),
    ],
)
def test_a_member_is_waited_for_again_once_it_has_proven_what_it_was_left_out_for_and_lacks_only_the_others_phase(
    left_out_in: Phase, proves: Phase, waited_for: bool
) -> None:
    exclusion = Exclusion(reason="stopped", plan="aa", at=NOW, phase=left_out_in)
    state = begin_round(replace(STATE, phase=Phase.SETTLE), alive("east", "west"), NOW, {"west": exclusion})
    state = after(state, outcome("east", Phase.SETTLE), proof("west", proves))
    assert ("west" in state.waited_for) is waited_for


def test_a_member_that_is_left_out_and_gets_on_shortens_the_wait_for_others_but_never_moves_the_rotation() -> None:
    state = begin_round(replace(STATE, phase=Phase.SETTLE), alive("east", "toy"), NOW, out("toy"))
    slow = outcome("east", Phase.SETTLE, retry_after=3600)
    assert after(state, slow, proof("toy", Phase.PREPARE)).pause == LEAST_PAUSE
    assert after(state, slow, outcome("toy", Phase.PREPARE, refused=True)).pause == timedelta(hours=1)
    assert after(state, slow, outcome("toy", Phase.PREPARE, retry_after=60)).pause == timedelta(minutes=1)


def test_the_record_says_who_was_left_out_and_why_and_counts_it_as_no_member() -> None:
    state = begin_round(replace(STATE, phase=Phase.RETIRE), alive("east", "toy"), NOW, out("toy"))
    state = after(state, proof("east", Phase.RETIRE), proof("toy", Phase.PREPARE))
    record = record_of(after(state, done(Phase.RETIRE)), NOW)
    assert (record.outcome, record.members) == (Phase.ROTATED, ["east"])
    assert (record.excluded["toy"].reason, record.excluded["toy"].plan) == ("toy", "aa")


def test_a_hold_says_how_to_go_on_without_the_member_and_how_long_the_old_root_is_valid() -> None:
    validity = Validity(starts_at=NOW - timedelta(days=5), expires_at=NOW + timedelta(days=1, hours=2))
    state = replace(STATE, old_root=validity)
    on_hold = after(state, outcome("toy", Phase.DISTRIBUTE, reason="NoMesh", refused=True))
    assert on_hold.hold
    assert on_hold.hold.advice == EXCLUDE_ADVICE
    assert on_hold.hold.time_left == "1 days and 2 hours until the old root expires"
    assert on_hold.warned_at == NOW
    of_the_fleet = after(state, outcome("", Phase.PREPARE, reason="ForeignRoot", refused=True))
    assert of_the_fleet.hold
    assert of_the_fleet.hold.advice == ""


def test_a_round_waits_as_long_as_all_who_are_blocked_ask_for() -> None:
    assert after(STATE, waits(retry_after=3600), waits(retry_after=600)).pause == timedelta(minutes=10)
    assert after(STATE, waits(retry_after=3600), waits()).pause == LEAST_PAUSE


def test_maintenance_windows_are_for_rotations_that_have_time() -> None:
    policy = TrustPolicy(maintenance=(Window(opens="01:00", closes="02:00"),))
    swift = replace(STATE, mode=Mode.SWIFT)
    assert members_to_try(STATE, {"east": policy})[0].policy.maintenance
    assert not members_to_try(swift, {"east": policy})[0].policy.maintenance


@pytest.mark.parametrize(
    ("phase", "command", "then"),
    [
        (Phase.SETTLE, RotationEvent.SWIFT, Phase.SETTLE),
        (Phase.DISTRIBUTE, RotationEvent.SWIFT, Phase.DISTRIBUTE),
        (Phase.DISTRIBUTE, RotationEvent.REPLACE, Phase.REPLACE),
        (Phase.ACTIVATE, RotationEvent.REPLACE, Phase.ACTIVATE),  # the new root is everywhere: on, without waiting
    ],
)
def test_a_rotation_under_way_goes_on_in_the_mode_that_is_asked_for(
    phase: Phase, command: RotationEvent, then: Phase
) -> None:
    state = begin_round(replace(STATE, phase=phase, commands=[command]), alive("east"), NOW)
    assert (state.mode, state.phase) == (Mode(command), then)
    assert begin_round(state, alive("east"), NOW).mode is state.mode


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.booleans(), st.sampled_from([None, *RotationEvent]))))
def test_no_order_of_events_leaves_a_phase_that_a_member_has_not_proven(
    events: list[tuple[str, bool, RotationEvent | None]],
) -> None:
    state, clusters, last = RotationState(rotation=ROTATION, roots=ROOTS), {"a"}, set[str]()
    for name, proves, command in events:
        clusters ^= {name}
        clusters |= {"a"}
        state = begin_round(
            replace(state, commands=[command] if command not in (None, RotationEvent.PROVEN) else []),
            alive(*sorted(clusters)),
            NOW,
        )
        open = members_to_try(state, dict.fromkeys(sorted(clusters), POLICY))
        outcomes = [proof(m.cluster, m.phase) if proves else waits(m.cluster, phase=m.phase) for m in open]
        before = state
        state = after(state, *(outcomes or [MemberOutcome(cluster="", phase=state.phase, fleet_done=True)]))
        if state.phase is not before.phase:
            assert not open
            assert {before.proven[c] for c in clusters} == {before.phase}
            assert clusters <= last or not STAGES[before.phase].proven_together
        last = {o.cluster for o in outcomes if o.proof and o.phase is state.phase}
        if state.phase in ENDS:
            return


def test_a_hold_names_who_refuses_first_then_who_cannot_be_seen_and_counts_the_others_by_kind() -> None:
    slow = [waits(f"{AT}/slow{n}", blockers=[f"slow{n}/shop/{p}" for p in range(40)]) for n in range(2)]
    unseen, stopped = (
        waits(f"{AT}/dark", reason="Unreachable"),
        waits(f"{AT}/off", reason="MemberStopped", refused=True),
    )
    on_hold = after(STATE, *slow, unseen, stopped).hold
    assert on_hold
    assert on_hold.blockers[:3] == ["off", "dark", "slow0/shop/0"]
    assert (on_hold.reason, on_hold.message) == ("MemberStopped", "slow (and 3 more: 1 Unreachable, 2 RollingOut)")
    late = after(STATE, *slow, unseen, at=NOW + 2 * POLICY.distribute_within).hold
    assert late
    assert (late.reason, late.blockers[0]) == ("Unreachable", "dark")


def test_no_round_pauses_beyond_the_moment_at_which_the_phase_s_time_is_over() -> None:
    soon = after(STATE, waits(retry_after=4 * 3600.0), at=NOW + POLICY.distribute_within - timedelta(minutes=5))
    assert soon.hold is None
    assert soon.pause == timedelta(minutes=5, seconds=1)


def test_a_round_that_waits_for_a_window_looks_again_soon_as_the_policy_may_change() -> None:
    assert after(STATE, waits(reason="WindowClosed", retry_after=16 * 3600.0)).pause == HOLD_POLL_INTERVAL
