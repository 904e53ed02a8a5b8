"""What follows from a round of a rotation: proofs move it, lateness and refusals put it on hold, words are heard."""

from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from shared.domain.trust.moves import MOVES, SPOKEN
from shared.domain.trust.phases import ENDS, Mode, Phase, Roots, Word
from shared.domain.trust.policy import TrustPolicy, Window
from shared.domain.trust.roots import Rotation
from shared.domain.trust.rounds import (
    HOLD_POLL,
    Hold,
    MemberOutcome,
    Reported,
    RotationState,
    Round,
    StepProof,
    apply_words,
    begun,
    judged,
    members_to_try,
    result,
)

NOW = datetime(2027, 1, 15, 8, tzinfo=UTC)
ROTATION = Rotation(trust_domain="prod.contoso.example", old="g1", new="g2", generation=2)
ROOTS = Roots(old="aa", new="bb", old_version="1", new_version="2")
POLICY = TrustPolicy()
COURSE = RotationState(rotation=ROTATION, phase=Phase.DISTRIBUTE, roots=ROOTS, entered=NOW)

SUBSCRIPTION = "11111111-1111-4111-8111-111111111111"
AT = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.ContainerService/managedClusters"


def proof(cluster: str, phase: Phase = Phase.DISTRIBUTE, at: datetime = NOW, count: int = 7) -> MemberOutcome:
    return MemberOutcome(cluster=cluster, phase=phase, proof=StepProof(at=at, count=count))


def waits(cluster: str = f"{AT}/east", **more: object) -> MemberOutcome:
    told = {"cluster": cluster, "phase": Phase.DISTRIBUTE, "reason": "RollingOut", "message": "slow", **more}
    return MemberOutcome(**told)  # type: ignore[arg-type]


def after(
    course: RotationState, *outcomes: MemberOutcome, at: datetime = NOW, unseen: tuple[MemberOutcome, ...] = ()
) -> RotationState:
    round = Round(course=course, members=[], unseen=list(unseen), policy=POLICY)
    return judged(Reported(round=round, outcomes=list(outcomes)), at)


def test_a_phase_is_left_only_when_every_member_has_proven_it_and_the_fleet_s_part_is_done() -> None:
    proven = after(COURSE, proof("east"), proof("west"))
    assert (proven.phase, proven.proven) == (Phase.DISTRIBUTE, {"east": Phase.DISTRIBUTE, "west": Phase.DISTRIBUTE})
    assert after(proven, MemberOutcome(cluster="", phase=Phase.DISTRIBUTE, fleet=True)).phase is Phase.ACTIVATE


@pytest.mark.parametrize(
    ("phase", "before"),
    [
        (Phase.DISTRIBUTE, Phase.PREPARE),
        (Phase.SETTLE, Phase.ACTIVATE),
        (Phase.RESETTLE, Phase.REISSUE),
    ],
)
def test_what_members_have_proven_in_different_rounds_they_prove_together_before_the_phase_is_left(
    phase: Phase, before: Phase
) -> None:
    fleet = dict.fromkeys(["east", "west"], POLICY)
    course = replace(COURSE, phase=phase, proven=dict.fromkeys(fleet, before))
    first = after(course, proof("east", phase), waits("west", phase=phase))
    assert [m.cluster for m in members_to_try(first, fleet)] == ["west"]
    second = after(first, proof("west", phase))
    assert [(m.cluster, m.phase) for m in members_to_try(second, fleet)] == [("east", phase), ("west", phase)]
    changed = after(second, proof("west", phase), waits("east", phase=phase))
    assert [m.cluster for m in members_to_try(changed, fleet)] == ["east", "west"]
    together = after(changed, proof("east", phase), proof("west", phase))
    assert members_to_try(together, fleet) == []
    assert together.seen == 14


def test_a_member_that_cannot_be_seen_does_not_make_the_others_prove_everything_again_and_again() -> None:
    course = replace(COURSE, proven={"east": Phase.DISTRIBUTE, "west": Phase.DISTRIBUTE})
    assert members_to_try(course, {"east": POLICY}, ["west"]) == []


def test_a_member_that_cannot_be_seen_keeps_the_phase_from_being_left() -> None:
    unseen = waits(f"{AT}/west", reason="MemberStopped", refused=True)
    course = after(COURSE, MemberOutcome(cluster="", phase=Phase.DISTRIBUTE, fleet=True), unseen=(unseen,))
    assert course.phase is Phase.DISTRIBUTE
    assert course.held
    assert (course.held.reason, course.held.blockers) == ("MemberStopped", ["west"])


def test_waiting_is_no_hold_until_the_phase_has_taken_longer_than_the_policy_allows() -> None:
    assert after(COURSE, waits(), at=NOW + POLICY.distribute_within).held is None
    held = after(COURSE, waits(blockers=["east/shop/a"]), at=NOW + POLICY.distribute_within + timedelta(seconds=1))
    assert held.held == Hold(reason="RollingOut", message="slow", blockers=["east/shop/a"])
    assert held.pause == HOLD_POLL


def test_a_refusal_holds_at_once_and_a_member_that_no_longer_refuses_resumes_the_rotation() -> None:
    held = after(COURSE, waits(reason="OwnedByOther", refused=True), waits(f"{AT}/west"))
    assert held.held
    assert held.held.reason == "OwnedByOther"
    assert held.held.blockers == ["east", "west"]
    assert after(held, waits()).held is None


def test_a_resume_gives_the_phase_its_time_anew() -> None:
    late = NOW + POLICY.distribute_within * 2
    course = begun(replace(COURSE, words=[Word.RESUME]), ["east"], late)
    assert course.phase is Phase.DISTRIBUTE
    assert after(course, waits(), at=late).held is None


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
    assert begun(replace(COURSE, phase=phase, words=[Word.ABORT]), ["east"], NOW).phase is then


@pytest.mark.parametrize(
    "others", [[Word.RESUME], [Word.SWIFT], [Word.REPLACE], [Word.REPLACE, Word.SWIFT, Word.RESUME]]
)
def test_whatever_is_said_together_with_an_abort_does_not_drown_it(others: list[Word]) -> None:
    late = NOW + timedelta(days=2)
    for words in ([*others, Word.ABORT], [Word.ABORT, *others]):
        course = begun(replace(COURSE, words=words), ["east"], late)
        assert course.phase is Phase.WITHDRAW
        assert course.words == []
        assert course.entered == late


def test_of_words_said_together_each_acts() -> None:
    late = NOW + timedelta(days=2)
    course = begun(replace(COURSE, phase=Phase.RETIRE, words=[Word.ABORT, Word.RESUME, Word.SWIFT]), ["east"], late)
    assert (course.phase, course.mode, course.entered) == (Phase.RETIRE, Mode.SWIFT, late)


def test_an_abort_before_a_root_was_made_ends_at_once() -> None:
    course = begun(RotationState(rotation=ROTATION, words=[Word.ABORT]), ["east"], NOW)
    assert course.phase is Phase.ABORTED
    assert members_to_try(course, {"east": POLICY}) == []
    assert after(course) == course
    assert after(course, unseen=(waits(reason="MemberStopped", refused=True),)) == course
    assert result(course, NOW).new_root == ""


def test_a_member_that_has_left_is_forgotten_and_one_that_joins_begins_at_the_beginning() -> None:
    course = begun(replace(COURSE, proven={"east": Phase.DISTRIBUTE, "gone": Phase.PREPARE}), ["east", "new"], NOW)
    assert set(course.proven) == {"east"}
    assert [(m.cluster, m.phase) for m in members_to_try(course, dict.fromkeys(["east", "new"], POLICY))] == [
        ("new", Phase.PREPARE)
    ]


@pytest.mark.parametrize(
    ("phase", "proven", "tried"),
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
    phase: Phase, proven: Phase | None, tried: list[str]
) -> None:
    before = {Phase.DISTRIBUTE: Phase.PREPARE, Phase.ACTIVATE: Phase.DISTRIBUTE, Phase.RETIRE: Phase.SETTLE}
    known = {"old": before.get(phase, Phase.PREPARE)} | ({"new": proven} if proven else {})
    mode = Mode.REPLACE if phase is Phase.REPLACE else Mode.ROUTINE
    course = replace(COURSE, phase=phase, mode=mode, proven=known)
    assert [m.cluster for m in members_to_try(course, dict.fromkeys(["old", "new"], POLICY))] == tried
    hidden = [m.cluster for m in members_to_try(course, {"old": POLICY}, ["new"])]
    assert hidden == [c for c in tried if c == "old"]


@pytest.mark.parametrize(
    ("phase", "word", "then"),
    [
        (Phase.SETTLE, Word.ABORT, Phase.REISSUE),
        (Phase.DISTRIBUTE, Word.REPLACE, Phase.REPLACE),
    ],
)
def test_no_proof_moves_a_rotation_that_a_word_is_about_to_move(phase: Phase, word: Word, then: Phase) -> None:
    course = after(replace(COURSE, phase=phase, words=[word]), done(phase))
    assert (course.phase, course.words) == (phase, [word])
    assert begun(course, ["east"], NOW).phase is then


@pytest.mark.parametrize("word", [Word.ABORT, Word.RESUME, Word.SWIFT, Word.REPLACE])
def test_a_word_that_moves_nothing_keeps_no_phase_from_being_left(word: Word) -> None:
    left = after(replace(COURSE, phase=Phase.RETIRE, words=[word]), done(Phase.RETIRE))
    assert (left.phase, left.words) == (Phase.ROTATED, [word])


def test_what_can_t_act_where_the_rotation_stands_is_refused_and_the_rest_is_heard() -> None:
    words = [Word.REPLACE, Word.ABORT, Word.SWIFT]
    course, refused = apply_words(replace(COURSE, phase=Phase.RETIRE, words=words))
    assert (course.phase, course.mode, course.words) == (Phase.RETIRE, Mode.SWIFT, [])
    assert {word: why.reason for word, why in refused.items()} == {
        Word.ABORT: "NotAbortable",
        Word.REPLACE: "NothingToReplace",
    }
    _, refused = apply_words(replace(COURSE, phase=Phase.ROTATED, words=words))
    assert {why.reason for why in refused.values()} == {"RotationEnded"}
    assert len(refused) == 3


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("phase", Phase)
@pytest.mark.parametrize("roots", [ROOTS, None], ids=["roots", "no roots"])
def test_any_words_together_act_or_are_refused_each_as_it_would_be_one_after_the_other(
    phase: Phase, mode: Mode, roots: Roots | None
) -> None:
    """An abort acts wherever it can, whatever is said with it."""
    for words in (list(some) for n in range(5) for some in permutations(SPOKEN, n)):
        course = replace(COURSE, phase=phase, mode=mode, roots=roots, words=words)
        heard, refused = apply_words(course)
        assert set(refused) <= set(words)
        assert (Word.ABORT in refused) is (Word.ABORT in words and (phase, Word.ABORT, mode) not in MOVES)
        if Word.ABORT in words and Word.ABORT not in refused:
            assert heard.phase in (Phase.REISSUE, Phase.WITHDRAW if roots else Phase.ABORTED)
        assert apply_words(heard) == (heard, {})


def done(phase: Phase) -> MemberOutcome:
    """The fleet's own part of a phase, which it does when every member has proven that."""
    return MemberOutcome(cluster="", phase=phase, fleet=True)


def test_a_cluster_that_joins_when_only_haste_is_left_to_replacement_catches_up_like_any_other() -> None:
    course = replace(COURSE, phase=Phase.SETTLE, mode=Mode.REPLACE, proven={"old": Phase.ACTIVATE})
    tried = members_to_try(course, dict.fromkeys(["old", "new"], POLICY))
    assert [(m.cluster, m.phase) for m in tried] == [("new", Phase.PREPARE)]


def test_leaves_count_as_renewed_only_since_the_last_member_s_issuer_was_proven() -> None:
    course = replace(COURSE, phase=Phase.ACTIVATE)
    early, late = NOW + timedelta(minutes=1), NOW + timedelta(minutes=9)
    course = after(course, proof("east", Phase.ACTIVATE, late), proof("west", Phase.ACTIVATE, early))
    assert course.since == late
    assert after(course, proof("north", Phase.ACTIVATE, early)).since == late


def test_what_the_last_gate_saw_is_what_the_result_counts() -> None:
    course = replace(COURSE, phase=Phase.RETIRE, started=NOW, since=NOW)
    course = after(course, proof("east", Phase.RETIRE, count=4), proof("west", Phase.RETIRE, count=5))
    ended = result(after(course, MemberOutcome(cluster="", phase=Phase.RETIRE, fleet=True)), NOW)
    assert (ended.outcome, ended.proxies, ended.members) == (Phase.ROTATED, 9, ["east", "west"])


def test_a_round_waits_as_long_as_all_who_are_blocked_ask_for() -> None:
    assert after(COURSE, waits(retry_after=3600), waits(retry_after=600)).pause == timedelta(minutes=10)
    assert after(COURSE, waits(retry_after=3600), waits()).pause == timedelta()


def test_maintenance_windows_are_for_rotations_that_have_time() -> None:
    policy = TrustPolicy(maintenance=(Window(opens="01:00", closes="02:00"),))
    swift = replace(COURSE, mode=Mode.SWIFT)
    assert members_to_try(COURSE, {"east": policy})[0].policy.maintenance
    assert not members_to_try(swift, {"east": policy})[0].policy.maintenance


@pytest.mark.parametrize(
    ("phase", "word", "then"),
    [
        (Phase.SETTLE, Word.SWIFT, Phase.SETTLE),
        (Phase.DISTRIBUTE, Word.SWIFT, Phase.DISTRIBUTE),
        (Phase.DISTRIBUTE, Word.REPLACE, Phase.REPLACE),
        (Phase.ACTIVATE, Word.REPLACE, Phase.ACTIVATE),  # the new root is everywhere: on, without waiting
    ],
)
def test_a_rotation_under_way_goes_on_in_the_mode_that_it_is_told(phase: Phase, word: Word, then: Phase) -> None:
    course = begun(replace(COURSE, phase=phase, words=[word]), ["east"], NOW)
    assert (course.mode, course.phase) == (Mode(word), then)
    assert begun(course, ["east"], NOW).mode is course.mode


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.booleans(), st.sampled_from([None, *Word]))))
def test_no_order_of_events_leaves_a_phase_that_a_member_has_not_proven(
    events: list[tuple[str, bool, Word | None]],
) -> None:
    course, clusters, last = RotationState(rotation=ROTATION, roots=ROOTS), {"a"}, set[str]()
    for name, proves, word in events:
        clusters ^= {name}
        clusters |= {"a"}
        course = begun(replace(course, words=[word] if word not in (None, Word.PROVEN) else []), sorted(clusters), NOW)
        open = members_to_try(course, dict.fromkeys(sorted(clusters), POLICY))
        outcomes = [proof(m.cluster, m.phase) if proves else waits(m.cluster, phase=m.phase) for m in open]
        before = course
        course = after(course, *(outcomes or [MemberOutcome(cluster="", phase=course.phase, fleet=True)]))
        if course.phase is not before.phase:
            assert not open
            assert {before.proven[c] for c in clusters} == {before.phase}
            assert clusters <= last or before.phase not in (Phase.DISTRIBUTE, Phase.SETTLE, Phase.RESETTLE)
        last = {o.cluster for o in outcomes if o.proof and o.phase is course.phase}
        if course.phase in ENDS:
            return
