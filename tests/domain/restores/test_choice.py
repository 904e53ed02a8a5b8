"""Which finished backups are verified, and by which recovery point."""

from datetime import datetime, timedelta

import msgspec
import pytest

from shared.domain.errors import NotConverged, PermanentError
from shared.domain.restores.choice import (
    ChosenPoint,
    choose_point,
    draw,
    manifest_for,
    older_point,
    plan_of,
    sampling_reason,
)
from shared.domain.restores.history import MOST_TRIALS, History, Trial, empty_history, waiting_longest
from shared.domain.restores.items import ClusterItem, RecoveryPoint
from shared.domain.restores.policy import VerifyPolicy
from shared.domain.restores.verification import BackupJob, RestoreSource, Verification
from tests.worlds.facts.plans import KNOBS, a_plan
from tests.worlds.times import NOW

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
ITEM = ClusterItem(id="/instance", source_id="/cluster", policy="/policies/daily")
JOB = BackupJob(
    kind="cluster", id="/jobs/1", operation="Backup", status="Completed", item="i", source="s", started=NOW, ended=NOW
)
NEVER = VerifyPolicy(sample_rate=0)
SCRATCH = "/subscriptions/11111111-1111-4111-8111-111111111111/resourceGroups/rg-scratch"


def point(minutes: float, *, complete: bool = True, threat: bool = False, vaulted: bool = False) -> RecoveryPoint:
    time = NOW + minutes * MINUTE
    return RecoveryPoint(id=f"p{minutes}", time=time, complete=complete, threat=threat, vaulted=vaulted)


def source(
    name: str = "a",
    *names: str,
    job: BackupJob | None = JOB,
    point: str = "",
    asked: bool = False,
    staging: str = "",
) -> RestoreSource:
    return RestoreSource(
        verification=Verification(name=name, point_id=point, asked=asked),
        item=ITEM,
        job=job,
        staging="stscratch" if staging else "",
        staging_group=staging,
        names=names or ("shop",),
        manifest=f"manifests/x/{name}.json",
    )


def trial(days_ago: float, *names: str, verdict: str = "Verified", point: str = "", policy: str = ITEM.policy) -> Trial:
    return Trial(
        name=f"t{days_ago}",
        at=NOW - days_ago * DAY,
        verdict=verdict,
        reasons=(),
        point=point,
        policy=policy,
        names=names or ("shop",),
        rpo_s=60,
        rto_s=60,
    )


def history(*trials: Trial) -> History:
    return msgspec.structs.replace(empty_history(ITEM), trials=trials)


def reason(found: History, knobs: VerifyPolicy = NEVER, *names: str, asked: bool = False) -> str:
    return sampling_reason(source("a", *names, asked=asked), found, knobs, NOW).reason


def test_an_item_that_was_never_verified_is_verified() -> None:
    assert reason(history()) == "NeverVerified"
    assert reason(history(trial(1, verdict="Failed"), trial(0.5, verdict="Inconclusive"))) == "NeverVerified"


def test_an_item_whose_backup_policy_has_changed_is_verified() -> None:
    assert reason(history(trial(1, policy="/policies/hourly"))) == "PolicyChanged"
    assert reason(history(trial(1, policy="/POLICIES/daily"))) == "NotDrawn"


def test_an_item_of_which_a_namespace_has_waited_too_long_is_verified() -> None:
    assert reason(history(trial(7.1))) == "Overdue"
    assert reason(history(trial(8, "orders"), trial(1, "shop")), NEVER, "shop", "orders") == "Overdue"
    assert reason(history(trial(1)), NEVER, "shop", "new") == "Overdue"
    assert reason(history(trial(6.9)), NEVER) == "NotDrawn"


def test_what_somebody_asks_for_is_verified_whatever_was_verified_before() -> None:
    assert reason(history(trial(0.1)), NEVER, asked=True) == "Asked"


def test_of_all_other_backups_the_policy_document_s_share_is_verified() -> None:
    found, knobs = history(trial(1)), VerifyPolicy(sample_rate=0.25)
    drawn = [sampling_reason(source(f"job-{n}"), found, knobs, NOW).verify for n in range(2_000)]
    assert 0.22 < sum(drawn) / len(drawn) < 0.28
    assert drawn == [sampling_reason(source(f"job-{n}"), found, knobs, NOW).verify for n in range(2_000)], "drawn twice"
    assert sampling_reason(source(), found, VerifyPolicy(sample_rate=1), NOW).reason == "Drawn"


def test_draws_for_different_questions_have_nothing_to_do_with_each_other() -> None:
    pairs = [(draw(f"n{i}", "verify") < 0.5, draw(f"n{i}", "older") < 0.5) for i in range(2_000)]
    assert 0.45 < sum(a == b for a, b in pairs) / len(pairs) < 0.55


def test_the_point_of_the_backup_itself_is_chosen_even_if_it_is_younger_than_the_job_s_end() -> None:
    chosen = choose_point([point(-60), point(600), point(5)], source())
    assert (chosen.point.id, chosen.latest) == ("p5", NOW + 600 * MINUTE)


@pytest.mark.parametrize(("started", "taken"), [("17.2402", "17"), ("08.6731", "08"), ("59.9999", "59")])
def test_a_point_that_is_told_in_whole_seconds_is_of_the_job_that_began_within_its_second(
    started: str, taken: str
) -> None:
    job = msgspec.structs.replace(JOB, started=datetime.fromisoformat(f"2026-11-30T08:00:{started}+00:00"))
    time = datetime.fromisoformat(f"2026-11-30T08:00:{taken}+00:00")
    own = RecoveryPoint(id="own", time=time, complete=True)
    assert choose_point([point(-600), own], source(job=job)).point == own
    earlier = msgspec.structs.replace(own, time=time - timedelta(seconds=5))
    with pytest.raises(NotConverged):
        choose_point([earlier], source(job=job))


def test_a_point_that_isn_t_listed_yet_is_waited_for() -> None:
    for listed in ([], [point(-60)]):
        with pytest.raises(NotConverged):
            choose_point(listed, source())


def test_incomplete_points_and_points_with_a_threat_are_passed_over_and_the_latter_told() -> None:
    chosen = choose_point([point(3, complete=False), point(2, threat=True), point(-60)], source())
    assert (chosen.point.id, chosen.flagged) == ("p-60", ("p2",))


def test_partial_points_are_passed_over_and_those_after_the_chosen_one_told() -> None:
    partial = [msgspec.structs.replace(point(at, complete=False), partial=True) for at in (3, -90)]
    chosen = choose_point([*partial, point(-60)], source())
    assert (chosen.point.id, chosen.partial) == ("p-60", ("p3",))


def test_a_point_whose_threat_status_nobody_knows_is_neither_passed_over_nor_flagged() -> None:
    chosen = choose_point([msgspec.structs.replace(point(3), unclear="7"), point(-60)], source())
    assert (chosen.point.id, chosen.flagged, chosen.point.unclear) == ("p3", (), "7")


def test_without_a_usable_point_there_is_nothing_to_wait_for() -> None:
    with pytest.raises(PermanentError, match="NoUsablePoint"):
        choose_point([point(3, complete=False), point(2, threat=True)], source())


def test_by_hand_the_point_that_is_named_is_chosen_or_the_latest() -> None:
    listed = [point(-600), point(-60)]
    assert choose_point(listed, source(job=None)).point.id == "p-60"
    assert choose_point(listed, source(job=None, point="p-600")).point.id == "p-600"
    for absent in ("p7", "p-60"):
        with pytest.raises(PermanentError, match="NoSuchPoint"):
            choose_point([point(-600), point(-60, threat=True)], source(job=None, point=absent))


def test_an_older_point_is_taken_only_where_it_has_a_manifest_and_an_untested_one_first() -> None:
    listed = [point(-900), point(-600), point(-300), point(5), point(-200, threat=True)]
    manifests = [NOW - 590 * MINUTE, NOW - 290 * MINUTE, NOW - 190 * MINUTE, NOW + 10 * MINUTE]
    found = {older_point(listed, source(f"n{i}"), NOW, manifests, history()) for i in range(50)}
    assert {p.id for p in found if p} == {"p-600", "p-300"}
    known = history(trial(1, point="p-300"))
    again = (older_point(listed, source(f"n{i}"), NOW, manifests, known) for i in range(50))
    assert {p.id for p in again if p} == {"p-600"}
    assert older_point(listed, source(), NOW, [], history()) is None
    assert older_point([point(5)], source(), NOW, manifests, history()) is None


def test_a_point_in_the_vault_tier_alone_is_taken_where_there_is_a_place_to_stage_it() -> None:
    listed, group = (
        [point(-600), point(-60, vaulted=True)],
        SCRATCH,
    )
    assert choose_point(listed, source(job=None)).point.id == "p-600"
    assert choose_point(listed, source(job=None, staging=group)).point.id == "p-60"
    old = [point(-600, vaulted=True), point(5)]
    manifests = [NOW - 590 * MINUTE]
    assert older_point(old, source(), NOW, manifests, history()) is None
    assert older_point(old, source(staging=group), NOW, manifests, history()) == old[0]


@pytest.mark.parametrize("named", ["", "p-60"])
def test_without_a_place_to_stage_it_the_refusal_says_what_to_set(named: str) -> None:
    listed = [point(-60, vaulted=True), *([point(-600)] if named else [])]
    with pytest.raises(PermanentError, match=r"verify\.scratch_group"):
        choose_point(listed, source(job=None, point=named))


def test_a_plan_passes_through_the_staging_group_only_from_the_vault_tier() -> None:
    points = [point(1), point(1, vaulted=True)]
    plans = [plan_of(source(staging=SCRATCH), ChosenPoint(p, NOW, ()), history(), KNOBS, NOW) for p in points]
    assert [(plan.staging_group, plan.staging) for plan in plans] == [("", ""), (SCRATCH, "stscratch")]


def test_the_namespaces_that_have_waited_longest_are_restored() -> None:
    found = history(trial(3, "b"), trial(2, "a"), trial(1, "c"))
    assert waiting_longest(["a", "b", "c", "d"], found, 2) == ["b", "d"]
    assert waiting_longest(["a", "b", "c"], found, 10) == ["a", "b", "c"]
    plan = plan_of(
        source("v", "a", "b"), ChosenPoint(point(1), NOW, ()), found, VerifyPolicy(namespaces_at_once=1), NOW
    )
    assert list(plan.isolated) == ["b"]


def test_the_recovery_point_objective_is_measured_by_the_latest_point_also_if_an_older_one_is_restored() -> None:
    old = plan_of(source(), ChosenPoint(point(-6_000), NOW, ()), history(), KNOBS, NOW + 30 * MINUTE)
    assert old.rpo_s == 1_800
    assert old.taken < old.point.time, "changes of its last hour may or may not be in an older point"


def test_what_a_copy_must_hold_says_the_first_manifest_that_was_taken_after_its_point() -> None:
    plan = a_plan(point=point(-120))
    manifests = [(NOW - 300 * MINUTE, "before"), (NOW - 100 * MINUTE, "after"), (NOW, "later")]
    assert manifest_for(manifests, plan, own="own") == "after"
    assert manifest_for([], plan, own="own") == "own"


def test_a_history_keeps_the_newest_and_each_verification_once() -> None:
    first = history().with_trial(trial(1))
    assert first.with_trial(trial(1, verdict="Failed")) == first
    many = history()
    for n in range(MOST_TRIALS + 5):
        many = many.with_trial(trial(n))
    assert (len(many.trials), many.trials[-1].name) == (MOST_TRIALS, f"t{MOST_TRIALS + 4}")
