"""The gates of a rotation, on facts made by hand."""

from datetime import datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.errors import NotConverged
from shared.domain.trust.certificates import fingerprint, pem
from shared.domain.trust.linkerd.facts import Bundle, IdentityPod, IssuerSecret
from shared.domain.trust.linkerd.gates import (
    RELOAD_PATIENCE,
    DesiredTrust,
    desired_trust,
    holds_older_leaf,
    is_untouched,
    issuer_gate,
    leaf_gate,
    may_be_renewed,
    older_leaves_are_over,
    pods_without_reload,
    seconds_until_renewed,
    trust_gate,
    trusts,
)
from shared.domain.trust.phases import Phase, Roots
from tests.worlds.facts.certificates import NEW, OLD
from tests.worlds.facts.proxies import proxy, workload
from tests.worlds.times import MINUTE, NOW, SECOND

BOTH = DesiredTrust(trusted=frozenset({"old", "new"}), dropped=frozenset(), written_at=NOW)
ONLY_NEW = DesiredTrust(trusted=frozenset({"new"}), dropped=frozenset({"old"}), written_at=NOW)


# B1 and retire


@pytest.mark.parametrize(
    ("roots", "both", "only_new"),
    [
        (("old",), False, False),
        (("new",), False, True),
        (("old", "new"), True, False),
        (("old", "new", "linked"), True, False),
        (("new", "linked"), False, True),
        ((), False, False),
    ],
)
def test_an_injected_proxy_trusts_what_its_pod_says(roots: tuple[str, ...], both: bool, only_new: bool) -> None:
    seen = [proxy("web-1", *roots)]
    assert trust_gate(seen, BOTH).passed is both
    assert trust_gate(seen, ONLY_NEW).passed is only_new


@pytest.mark.parametrize(
    ("created_at", "started_at", "trusted"),
    [
        (NOW - SECOND, NOW + MINUTE, False),  # its container was restarted, but its files may lag behind
        (NOW, NOW + MINUTE, False),
        (NOW + SECOND, None, False),
        (NOW + SECOND, NOW + MINUTE, True),
    ],
)
def test_a_control_plane_proxy_trusts_the_bundle_that_its_pod_was_made_after(
    created_at: datetime, started_at: datetime | None, trusted: bool
) -> None:
    assert trust_gate([proxy(created_at=created_at, started_at=started_at, roots=None)], BOTH).passed is trusted


def test_a_gate_names_what_blocks_it_and_counts_all() -> None:
    seen = [proxy(f"web-{n}", "old") for n in range(70)] + [proxy("ok", "old", "new")]
    verdict = trust_gate(seen, BOTH, [workload(obstacle="its Deployment is paused, resume it")])
    assert verdict.reason == "ProxiesLackRoots"
    assert verdict.message == "70 of 71 proxies don't trust the roots of the phase yet"
    assert len(verdict.blockers) == 50
    assert verdict.blockers[0] == "shop/web-0 (its Deployment is paused, resume it)"
    assert verdict.seen == 71


def test_seeing_nothing_proves_nothing() -> None:
    assert trust_gate([], BOTH).reason == "NothingSeen"
    assert leaf_gate([], {}, NOW).reason == "NothingSeen"
    assert issuer_gate([], NOW, NOW).reason == "NothingSeen"


@given(st.lists(st.frozensets(st.sampled_from(["old", "new", "linked"])), min_size=1))
def test_after_b1_any_proxy_accepts_leaves_under_either_root(trusted: list[frozenset[str]]) -> None:
    seen = [proxy(f"p{n}", *roots) for n, roots in enumerate(trusted)]
    assert trust_gate(seen, BOTH).passed == all({"old", "new"} <= roots for roots in trusted)
    assert trust_gate(seen, ONLY_NEW).passed == all("new" in roots and "old" not in roots for roots in trusted)


ROOTS = Roots(old=fingerprint(OLD), new=fingerprint(NEW), old_version="1", new_version="2")


def test_what_proxies_have_to_trust_follows_from_the_phase() -> None:
    both = desired_trust(Phase.DISTRIBUTE, ROOTS, Bundle(pem=pem(NEW) + pem(OLD), written_at=NOW, owner=""))
    assert both.trusted == {ROOTS.old, ROOTS.new}
    assert not both.dropped
    new = desired_trust(Phase.RETIRE, ROOTS, Bundle(pem=pem(NEW), written_at=NOW, owner=""))
    assert new.trusted == {ROOTS.new}
    assert new.dropped == {ROOTS.old}


@pytest.mark.parametrize(
    ("phase", "bundle", "written_at"),
    [
        (Phase.DISTRIBUTE, pem(OLD), NOW),
        (Phase.DISTRIBUTE, pem(NEW) + pem(OLD), None),
        (Phase.RETIRE, pem(NEW) + pem(OLD), NOW),
        (Phase.RETIRE, "", NOW),
    ],
)
def test_no_gate_is_judged_by_a_bundle_that_somebody_changed(
    phase: Phase, bundle: str, written_at: datetime | None
) -> None:
    with pytest.raises(NotConverged, match="BundleChanged"):
        desired_trust(phase, ROOTS, Bundle(pem=bundle, written_at=written_at, owner=""))


def test_a_bundle_that_meshward_has_never_written_needs_no_restart_to_be_without_the_new_root() -> None:
    untouched = Bundle(pem=pem(OLD), written_at=None, owner="")
    secret = IssuerSecret(certificate="", holds_key=True, bundle="", resource_version="1", written_at=None, owner="")
    assert is_untouched(Phase.WITHDRAW, untouched, secret)
    assert not is_untouched(Phase.DISTRIBUTE, untouched, secret)
    assert not is_untouched(Phase.WITHDRAW, untouched, msgspec.structs.replace(secret, bundle_sha256="ab"))
    desired = desired_trust(Phase.WITHDRAW, ROOTS, untouched)
    assert trusts(proxy(roots=None, created_at=NOW - timedelta(days=300)), desired)


# B2


@pytest.mark.parametrize(
    ("started_at", "refreshed_at", "renewed"),
    [
        (NOW - MINUTE, None, False),
        (NOW - MINUTE, NOW - SECOND, False),
        (NOW - MINUTE, NOW, False),
        (NOW - MINUTE, NOW + SECOND, True),
        (NOW + SECOND, None, True),
        (None, None, True),  # no process, no leaf
    ],
)
def test_a_leaf_counts_as_renewed_only_if_it_came_after_the_new_issuer(
    started_at: datetime | None, refreshed_at: datetime | None, renewed: bool
) -> None:
    assert leaf_gate([proxy("p", started_at=started_at)], {"shop/p": refreshed_at}, NOW).passed is renewed


@pytest.mark.parametrize(
    ("ages", "hours"),
    [
        ([], 1),  # there is none
        ([None], 0.1),  # it couldn't be read
        ([None, 16], 0.1),
        ([13, 16], 3.8),  # they renew after 16.8 hours; the last one counts
        ([1], 4),  # a cluster may join meanwhile, or somebody change something
        ([20], 1),  # overdue
    ],
)
def test_leaves_are_looked_at_again_when_the_last_is_due_but_within_one_to_four_hours(
    ages: list[int | None], hours: float
) -> None:
    refreshed_at = [None if age is None else NOW - timedelta(hours=age) for age in ages]
    assert seconds_until_renewed(refreshed_at, NOW - timedelta(hours=10), timedelta(hours=24), NOW) == pytest.approx(
        hours * 3600, abs=60
    )


@pytest.mark.parametrize(
    ("youngest", "on"),
    [
        ([], True),
        ([None], False),  # it doesn't tell, so the gate isn't passed whatever the others say
        ([NOW - timedelta(hours=2)], False),  # and so nobody else is read in vain
        ([NOW - timedelta(hours=17)], True),  # it should have by now: others may be ahead
        ([NOW - MINUTE], True),
    ],
)
def test_all_leaves_are_read_only_once_the_youngest_is_renewed_or_overdue(
    youngest: list[datetime | None], on: bool
) -> None:
    assert may_be_renewed(youngest, NOW - timedelta(hours=1), timedelta(hours=24), NOW) is on


# the issuer


def replica(expires_at: datetime | None, *, ready: bool = True, created_at: datetime = NOW - MINUTE) -> IdentityPod:
    return IdentityPod(pod="linkerd/identity-1", created_at=created_at, ready=ready, issuer_expires_at=expires_at)


@pytest.mark.parametrize(
    ("seen", "uses"),
    [
        (replica(NOW + timedelta(days=365, seconds=3)), True),
        (replica(NOW + timedelta(days=365), ready=False), False),
        (replica(NOW + timedelta(days=29)), False),
        (replica(NOW + timedelta(days=365, minutes=1)), False),
        (replica(None), False),
        (replica(None, created_at=NOW + SECOND), True),
        (replica(None, created_at=NOW + SECOND, ready=False), False),
        (replica(NOW + timedelta(days=29), created_at=NOW + SECOND), False),
    ],
)
def test_a_replica_uses_the_issuer_whose_end_it_reports(seen: IdentityPod, uses: bool) -> None:
    other = replica(NOW + timedelta(days=365))
    assert issuer_gate([other, seen], NOW + timedelta(days=365), NOW).passed is uses


def test_a_replica_gets_time_to_reload_before_it_counts_as_missed() -> None:
    stale, fresh = replica(NOW + timedelta(days=29)), replica(NOW + timedelta(days=365))
    late = NOW + RELOAD_PATIENCE
    assert pods_without_reload([stale, fresh], NOW + timedelta(days=365), NOW, late - SECOND) == []
    assert pods_without_reload([stale, fresh], NOW + timedelta(days=365), NOW, late) == [stale]
    assert pods_without_reload([fresh], NOW + timedelta(days=365), NOW, late) == []


def test_a_replica_that_uses_the_issuer_and_is_not_ready_has_missed_nothing() -> None:
    unready = replica(NOW + timedelta(days=365), ready=False)
    assert pods_without_reload([unready], NOW + timedelta(days=365), NOW, NOW + RELOAD_PATIENCE) == []


def test_no_leaf_from_before_a_moment_outlives_a_leaf_s_life() -> None:
    silent, lifetime = [proxy("p")], timedelta(hours=24)
    for hours, over in ((23, False), (25, True)):
        now = NOW + timedelta(hours=hours)
        assert older_leaves_are_over(NOW, lifetime, now) is over
        assert leaf_gate(silent, {}, NOW, over=over).passed is over


def test_a_proxy_that_has_not_started_holds_no_leaf_but_of_a_machine_outside_nobody_knows_that() -> None:
    assert not holds_older_leaf(proxy(started_at=None), NOW)
    assert holds_older_leaf(proxy(started_at=None, workload="", controller="ExternalWorkload"), NOW)


def test_a_replica_made_after_the_issuer_is_not_restarted_for_it() -> None:
    refusing = replica(NOW + timedelta(days=29), created_at=NOW + SECOND)
    assert pods_without_reload([refusing], NOW + timedelta(days=365), NOW, NOW + timedelta(hours=1)) == []
