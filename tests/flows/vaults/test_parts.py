"""The two tables of a protection's parts: what a plan and a release say of each, and how it is read and deleted."""

import pytest

from functions.vaults import bindings, steps
from functions.vaults.parts import ACCESS
from shared.domain.vaults.parts import PARTS, planned_parts, released_parts
from tests.worlds.facts.protections import PROTECTION
from tests.worlds.faults import registered

ENSURED_BY = {  # where the name of the activity isn't that of the part
    "snapshots": "ensure_group",
    "account": "ensure_storage",
    "backup_vault": "ensure_vault",
    "recovery_services_vault": "ensure_vault",
}


def test_both_tables_have_the_same_parts_in_the_same_order() -> None:
    assert [*ACCESS] == [*PARTS]


@pytest.mark.parametrize("name", PARTS)
def test_a_part_is_made_by_an_activity_and_called_differently_from_all_others(name: str) -> None:
    assert ENSURED_BY.get(name, f"ensure_{name}") in registered(steps, bindings)
    assert sum(part.label(PROTECTION) == PARTS[name].label(PROTECTION) for part in PARTS.values()) == 1


def test_a_release_deletes_once_each_part_that_does_not_go_with_the_cluster() -> None:
    deleted = released_parts("before the backups", "after the backups", "last")
    assert sorted(deleted) == sorted(name for name, access in ACCESS.items() if access.delete)
    assert deleted[-2] == "snapshots", "what is made first goes last"
    assert deleted[-1] == "backup_vault", "by whose tags a release that has failed is found again"


def test_what_a_protection_does_not_ask_for_is_not_looked_at() -> None:
    assert {"endpoint", "recovery_services_vault"}.isdisjoint(planned_parts(PROTECTION))
