"""What a verification may leave behind, and until when it is looked at."""

from datetime import timedelta

from shared.domain.restores.lease import (
    LEASE_RETENTION,
    lease_path,
    release_path,
    retained_since,
    unreleased,
    verification_of,
)
from tests.worlds.facts.plans import NAME, a_plan
from tests.worlds.times import NOW


def test_a_lease_counts_until_its_release_stands_beside_it() -> None:
    lease, other = lease_path(a_plan()), lease_path(a_plan(name="other"))
    assert unreleased([lease, other]) == sorted([lease, other])
    assert unreleased([lease, release_path(lease), other]) == [other]
    assert verification_of(lease) == NAME


def test_leases_are_looked_at_for_thirty_days() -> None:
    recent, old = (
        a_plan(planned=NOW - LEASE_RETENTION + timedelta(days=1)),
        a_plan(planned=NOW - LEASE_RETENTION - timedelta(days=1)),
    )
    assert lease_path(recent) > retained_since(NOW) > lease_path(old)
