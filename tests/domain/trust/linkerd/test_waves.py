"""Which workloads are restarted when, on facts made by hand."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.errors import NotConverged
from shared.domain.trust.linkerd.facts import Proxy, Workload
from shared.domain.trust.linkerd.waves import (
    RESTART_PAUSE,
    ROLLOUT,
    WAVES,
    named_blockers,
    next_restarts,
    restartable,
    rolling,
)
from shared.domain.trust.policy import TrustPolicy, Window
from tests.worlds.facts.proxies import proxy, workload
from tests.worlds.times import MINUTE, NOW, SECOND

POLICY = TrustPolicy()
SINCE = NOW - timedelta(hours=1)  # when the bundle of the phase was written


def proxies_of(workloads: list[Workload]) -> list[Proxy]:
    return [proxy(f"p{n}", workload=w.id) for n, w in enumerate(workloads)]


def test_waves_follow_each_other_and_stateful_sets_come_last() -> None:
    kinds = ["StatefulSet", "Deployment", "DaemonSet"]
    workloads = [workload(kind.lower(), kind) for kind in kinds]
    stale = proxies_of(workloads)
    order = []
    while stale:
        (restarted,) = next_restarts(workloads, stale, NOW, POLICY, since=SINCE)
        order.append(restarted.kind)
        stale = [p for p in stale if p.workload != restarted.id]
    assert order == ["Deployment", "DaemonSet", "StatefulSet"]


def test_within_a_wave_namespaces_follow_each_other_and_small_workloads_come_first() -> None:
    sizes = {("shop", "web"): 9, ("shop", "cart"): 2, ("orders", "api"): 30, ("orders", "mail"): 1}
    workloads = [workload(name, namespace=namespace, replicas=size) for (namespace, name), size in sizes.items()]
    order = next_restarts(workloads, proxies_of(workloads), NOW, POLICY, since=SINCE)
    assert [w.name for w in order] == ["mail", "api", "cart", "web"]


ROLLS: dict[str, Any] = {"rolling": True, "replaced": False}
WAITS: dict[str, Any] = {"rolling": True, "replaced": True}


@pytest.mark.parametrize(
    ("facts", "restarts"),
    [
        ({}, 1),
        (ROLLS, 0),
        ({**ROLLS, "restarted_at": NOW - 2 * RESTART_PAUSE}, 0),
        (WAITS, 1),  # its pods are all new and don't get ready: it may be what the restart mends
        ({**WAITS, "restarted_at": NOW - MINUTE}, 0),
        ({"obstacle": "its Deployment is paused, resume it"}, 0),
        ({"restarted_at": NOW - RESTART_PAUSE}, 1),  # its new pods lack the roots still: the injector lagged behind
        ({"restarted_at": NOW - RESTART_PAUSE + SECOND}, 0),
    ],
)
def test_a_workload_is_restarted_once_and_only_if_that_helps(facts: dict[str, Any], restarts: int) -> None:
    assert len(next_restarts([workload(**facts)], [proxy(), proxy("web-2")], NOW, POLICY, since=SINCE)) == restarts


@pytest.mark.parametrize(
    ("pod", "restarted_at", "restarts"),
    [
        ({}, None, 1),
        ({}, SINCE - SECOND, 1),  # in another phase
        ({"created_at": NOW - 30 * MINUTE}, NOW - 20 * MINUTE, 0),  # it is being replaced
        ({"created_at": NOW - 15 * MINUTE}, NOW - 20 * MINUTE, 1),  # its injector lagged behind
        ({"created_at": NOW - 15 * MINUTE, "started_at": None}, NOW - 20 * MINUTE, 0),
        ({"created_at": NOW - 15 * MINUTE, "ending": True}, NOW - 20 * MINUTE, 0),
        ({"ending": True}, None, 0),
        ({"started_at": None}, None, 1),  # its template is older than the bundle
        ({}, NOW + 20 * MINUTE, 1),  # nobody has restarted it yet
    ],
)
def test_a_restart_needs_a_reason_that_is_newer_than_the_last_one(
    pod: dict[str, Any], restarted_at: datetime | None, restarts: int
) -> None:
    found = workload(restarted_at=restarted_at)
    assert len(next_restarts([found], [proxy(**pod)], NOW, POLICY, since=SINCE)) == restarts


@pytest.mark.parametrize(
    "facts",
    [
        {"restarted_at": None},  # somebody else's
        {"restarted_at": NOW - 30 * MINUTE, "stuck": True},
        {"restarted_at": NOW - 59 * MINUTE - SECOND, "stuck": True},
    ],
)
def test_a_rollout_that_is_stuck_or_is_not_ours_holds_up_neither_waves_nor_other_workloads(
    facts: dict[str, Any],
) -> None:
    teams, daemons = workload("team", **ROLLS | facts), workload("node", "DaemonSet")
    one = TrustPolicy(restarts_at_once=1)
    pods = proxies_of([teams, daemons])
    assert next_restarts([teams, daemons], pods, NOW, one, since=SINCE) == [daemons]
    ours = workload("team", **ROLLS | {"restarted_at": NOW - 30 * MINUTE})
    assert next_restarts([ours, daemons], pods, NOW, one, since=SINCE) == []


def test_workloads_without_stale_proxies_and_pods_without_workload_are_left_alone() -> None:
    assert next_restarts([workload("other")], [proxy(), proxy("bare", workload="")], NOW, POLICY, since=SINCE) == []
    assert restartable([workload()], [proxy(), proxy("bare", workload="")]) == [proxy()]
    assert restartable([workload(obstacle="its Deployment is paused, resume it")], [proxy()]) == []


def test_no_more_workloads_roll_out_at_once_than_the_policy_lets() -> None:
    rolls = {**ROLLS, "restarted_at": NOW}
    workloads = [workload(f"w{n:02}", **(rolls if n < 4 else {})) for n in range(30)]
    done = workload(
        "done", **WAITS | {"restarted_at": NOW}
    )  # none of its proxies is stale any more, and its new pods aren't ready yet
    names = [w.name for w in next_restarts([*workloads, done], proxies_of(workloads), NOW, POLICY, since=SINCE)]
    assert names == [f"w{n:02}" for n in range(4, 9)]
    one = TrustPolicy(restarts_at_once=1)
    assert next_restarts(workloads, proxies_of(workloads), NOW, one, since=SINCE) == []
    assert len(next_restarts(workloads[4:], proxies_of(workloads[4:]), NOW, one, since=SINCE)) == 1


def test_workloads_that_were_broken_before_take_nothing_from_the_others() -> None:
    workloads = [workload(f"w{n:02}", **WAITS) for n in range(12)]
    assert len(next_restarts(workloads, proxies_of(workloads), NOW, POLICY, since=SINCE)) == 10


@given(
    st.lists(
        st.builds(
            workload,
            st.uuids().map(str),
            st.sampled_from(WAVES),
            replicas=st.integers(1, 5),
            replaced=st.booleans(),
            rolling=st.booleans(),
            obstacle=st.sampled_from(["", "paused"]),
            restarted_at=st.sampled_from([None, NOW - MINUTE, NOW - RESTART_PAUSE]),
        ),
        max_size=30,
    ),
    st.integers(1, 12),
)
def test_whatever_is_seen_only_one_wave_is_restarted_within_the_budget(workloads: list[Workload], most: int) -> None:
    restarts = next_restarts(workloads, proxies_of(workloads), NOW, TrustPolicy(restarts_at_once=most), since=SINCE)
    ours = [w for w in workloads if w.replaced or not w.rolling or w.restarted_at]
    waves = [w.kind for w in ours if not w.obstacle]
    assert {w.kind for w in restarts} <= {min(waves, key=WAVES.index, default="")}
    assert len(restarts) <= most
    assert not any(w.obstacle for w in restarts)


def test_outside_a_window_nothing_is_restarted_and_the_next_one_is_named() -> None:
    night = TrustPolicy(maintenance=(Window(opens="22:00", closes="04:00"),))
    with pytest.raises(NotConverged, match="opens at 2027-01-15 22:00 UTC") as waits:
        next_restarts([workload()], [proxy()], NOW, night, since=SINCE)
    assert (waits.value.reason, waits.value.retry_after) == ("WindowClosed", 14 * 3600)
    assert len(next_restarts([workload()], [proxy()], NOW + timedelta(hours=15), night, since=SINCE)) == 1


@pytest.mark.parametrize(("hours", "restarts"), [(13, 1), (14.9, 1), (15.1, 0)])
def test_a_restart_that_would_come_too_late_in_the_next_window_does_not_wait_for_it(
    hours: float, restarts: int
) -> None:
    night = TrustPolicy(maintenance=(Window(opens="22:00", closes="04:00"),))
    deadline = NOW + timedelta(hours=hours)
    try:
        found = next_restarts([workload()], [proxy()], NOW, night, since=SINCE, deadline=deadline)
    except NotConverged:
        found = []
    assert len(found) == restarts


def test_a_closed_window_holds_nothing_up_that_needs_no_restart() -> None:
    night = TrustPolicy(maintenance=(Window(opens="22:00", closes="04:00"),))
    assert next_restarts([workload(**ROLLS)], [proxy()], NOW, night, since=SINCE) == []
    assert next_restarts([workload()], [proxy("bare", workload="")], NOW, night, since=SINCE) == []


def test_only_rollouts_of_concerned_workloads_are_waited_for() -> None:
    workloads = [workload("web"), workload("other", rolling=True)]
    assert not rolling(workloads, [proxy()])
    assert rolling(workloads, [proxy(), proxy("o", workload="Deployment/shop/other")])


@pytest.mark.parametrize(
    ("facts", "why"),
    [
        ({"workload": "", "controller": "Job"}, " (Job, ends by itself)"),
        ({"workload": "", "controller": ""}, " (bare pod, delete it)"),
        (
            {"workload": "", "controller": "ExternalWorkload"},
            " (outside the cluster, set its annotations meshward/trusts and meshward/started-at)",
        ),
        ({"workload": "", "controller": "Rollout"}, " (Rollout, restart it yourself)"),
        (
            {"workload": "", "controller": "StatefulSet.apps.kruise.io"},
            " (StatefulSet.apps.kruise.io, restart it yourself)",
        ),
        (
            {"workload": f"{ROLLOUT}/shop/unseen", "controller": ROLLOUT},
            f" (its {ROLLOUT} isn't seen, apply infra/cluster or restart it yourself)",
        ),
        ({"workload": "Deployment/shop/paused"}, " (its Deployment is paused, resume it)"),
        ({"workload": "Deployment/shop/stuck"}, " (its rollout is stuck)"),
        ({"workload": "Deployment/shop/web"}, ""),
        ({"ending": True}, " (about to end; if its node is gone, delete the pod with --force)"),
        ({"started_at": None}, " (not started yet)"),
        ({"workload": "Deployment/shop/gone"}, " (its Deployment was deleted, delete the pod)"),
    ],
)
def test_a_blocker_is_named_with_what_keeps_it_from_being_replaced(facts: dict[str, Any], why: str) -> None:
    paused = workload("paused", obstacle="its Deployment is paused, resume it")
    assert named_blockers([proxy(**facts)], [workload(), paused, workload("stuck", stuck=True)]) == (
        f"shop/web-1{why}",
    )


def test_blockers_that_somebody_has_to_act_on_come_first_and_fifty_are_named() -> None:
    waiting = [proxy(f"web-{n:02}") for n in range(60)]
    named = named_blockers([*waiting, proxy("import", workload="", controller="Job")])
    assert named[:2] == ("shop/import (Job, ends by itself)", "shop/web-00")
    assert len(named) == 50
