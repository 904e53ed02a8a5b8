"""Whose turn at a staging group it is, and what in it a restore has made."""

from datetime import timedelta

import pytest

from shared.domain.errors import NotConverged, PermanentError
from shared.domain.restores.lease import LEASE_RETENTION, lease_path, release_path
from shared.domain.restores.staging import (
    Staged,
    StagingBefore,
    StagingTurn,
    require_turn,
    staged_by,
    staging_before,
    turn_path,
)
from shared.domain.restores.verification import RestoreJob
from tests.worlds.facts.plans import a_plan
from tests.worlds.times import NOW

TURN = "turns/11111111-1111-4111-8111-abcdefabcdef/rg-scratch.json"
GROUP = "/subscriptions/11111111-1111-4111-8111-ABCDEFABCDEF/resourceGroups/rg-Scratch"
PLAN, OTHER = a_plan(staging_group=GROUP), a_plan(name="other", staging_group=GROUP)
MINE, THEIRS = StagingTurn(lease=lease_path(PLAN)), StagingTurn(lease=lease_path(OTHER))
MINUTE = timedelta(minutes=1)
JOB = RestoreJob(id="j", status="Completed", started=NOW, ended=NOW + 10 * MINUTE)
DISK = Staged(kind="disk", name="shop-data-0f0e0d0c", made=NOW + MINUTE)
SNAPSHOT = Staged(kind="snapshot", name="shop-data-0f0e0d0c", made=NOW + MINUTE)
CONTAINER = Staged(kind="container", name="0f0e0d0c-1111-4222-8333-444455556666", made=NOW + MINUTE)
MACHINE_S = (
    Staged(kind="disk", name="vmorders-datadisk-001-20270115-080100", made=NOW + MINUTE),
    Staged(kind="container", name="vmorders-0f0e0d0c111142228333444455556666", made=NOW + MINUTE),
)
NOTHING = StagingBefore(there=())


def made(minutes: float, staged: Staged = DISK) -> Staged:
    return Staged(kind=staged.kind, name=staged.name, made=NOW + minutes * MINUTE)


def test_a_turn_is_free_once_its_holder_s_lease_is_released_or_nobody_looks_at_it_any_more() -> None:
    require_turn(None, PLAN, [], NOW)
    require_turn(MINE, PLAN, [], NOW)
    require_turn(THEIRS, PLAN, [release_path(THEIRS.lease)], NOW)
    require_turn(THEIRS, PLAN, [], NOW + LEASE_RETENTION + timedelta(days=1))
    with pytest.raises(NotConverged, match="StagingTaken"):
        require_turn(THEIRS, PLAN, [], NOW + LEASE_RETENTION)


def test_a_verification_that_has_cleaned_up_gets_no_other_turn() -> None:
    with pytest.raises(PermanentError, match="TurnOver"):
        require_turn(MINE, PLAN, [release_path(MINE.lease)], NOW)


def test_a_group_has_one_turn_in_whatever_case_it_is_written() -> None:
    assert turn_path(PLAN) == turn_path(a_plan(staging_group=GROUP.upper())) == TURN


@pytest.mark.parametrize("staged", [DISK, SNAPSHOT], ids=lambda each: each.kind)
def test_a_group_that_isn_t_empty_is_refused_with_what_is_in_it(staged: Staged) -> None:
    with pytest.raises(PermanentError, match=f"StagingNotEmpty: .*{staged}"):
        staging_before([CONTAINER, staged], PLAN)


def test_containers_and_what_restores_of_machines_make_may_be_there_before_and_are_written_down() -> None:
    assert staging_before([CONTAINER, *MACHINE_S], PLAN).there == tuple(map(str, [CONTAINER, *MACHINE_S]))


def test_ours_is_what_appeared_while_the_restore_ran() -> None:
    assert staged_by([DISK, SNAPSHOT, CONTAINER], NOTHING, [JOB]) == [DISK, SNAPSHOT, CONTAINER]
    assert staged_by([made(-5), made(15), made(15, CONTAINER)], NOTHING, [JOB]) == []
    assert staged_by([DISK], NOTHING, []) == []


def test_what_stood_there_before_is_never_ours_also_if_it_has_changed_since() -> None:
    assert staged_by([DISK, CONTAINER], StagingBefore(there=(str(CONTAINER),)), [JOB]) == [DISK]


def test_what_a_machine_s_restore_has_made_is_never_ours() -> None:
    assert staged_by(MACHINE_S, NOTHING, [JOB]) == []
