"""Which vaults have outlived their clusters, by their tags and by what was seen."""

from datetime import UTC, datetime, timedelta

import pytest

from shared.domain.errors import Conflict
from shared.domain.incarnation import Incarnation
from shared.domain.vaults.policy import ProtectPolicy
from shared.domain.vaults.protection import Protection
from shared.domain.vaults.release import Absence, is_gone, protections, require_absent, require_confirmed
from shared.domain.vaults.tagged import TaggedVault
from tests.worlds.facts.protections import BORN, PROTECTION, cluster, protection_named
from tests.worlds.facts.tagged import vault

EARLIER = "2026-12-01T08:00:00+00:00"
NOW = datetime(2027, 3, 1, 6, tzinfo=UTC)
HOUR = timedelta(hours=1)


def protected_by(*vaults: TaggedVault) -> list[Protection]:
    return protections(vaults, lambda _: ProtectPolicy())


@pytest.mark.parametrize(
    "odd",
    [
        vault("bv-odd", born="the day before"),
        vault("bv-odd", born="2026-13-01"),
        vault("bv-odd", cluster="rg-a"),
        vault("bv-odd", cluster="../aks-a"),
        vault("bv-odd", group="gruppe-größe"),
    ],
)
def test_a_vault_that_doesn_t_name_a_life_of_a_cluster_is_left_alone_and_hides_no_other(odd: TaggedVault) -> None:
    assert [protection.cluster for protection in protected_by(odd, vault("bv-a"))] == ["aks-a"]


def test_the_names_of_a_vault_come_from_its_tags_also_from_those_of_earlier_versions() -> None:
    (found,) = protected_by(vault("bv-a", told=BORN))
    assert found.backup_vault == protection_named("aks-a").backup_vault
    (earlier,) = protected_by(vault("bv-a", born=EARLIER))
    assert earlier.backup_vault == "bv-aks-a-c8e67d26"


@pytest.mark.parametrize(
    ("told", "now", "gone"),
    [
        (BORN.text, BORN, False),
        (BORN.text, Incarnation(principal="another"), True),
        (BORN.text, Incarnation(principal=BORN.principal, uid="another"), True),
        (BORN.text, Incarnation(), False),
        (EARLIER, BORN, False),
        ("", BORN, False),
        ("", Incarnation(), False),
    ],
)
def test_a_cluster_is_another_one_only_if_both_tell_what_they_are(told: str, now: Incarnation, *, gone: bool) -> None:
    (found,) = protected_by(vault("bv-a", born=told))
    assert is_gone(found, cluster("aks-a", incarnation=now)) is gone
    assert is_gone(found, None)


def test_being_seen_again_ends_an_absence() -> None:
    first = Absence().after(NOW, gone=True)
    assert first.after(NOW + HOUR, gone=True) == first
    assert first.after(NOW + HOUR, gone=False).after(NOW + 2 * HOUR, gone=True).since == NOW + 2 * HOUR


def test_a_release_needs_two_looks_a_day_apart() -> None:
    gone = Absence(since=NOW)
    assert require_confirmed(PROTECTION, gone, NOW + 24 * HOUR) == NOW
    for absence, reason in ((gone, "NotConfirmed"), (Absence(), "ClusterIsThere")):
        with pytest.raises(Conflict, match=reason):
            require_confirmed(PROTECTION, absence, NOW + 23 * HOUR)


def test_a_vault_whose_cluster_s_id_is_taken_again_is_left_to_people() -> None:
    require_absent(PROTECTION, None)
    with pytest.raises(Conflict, match="CreatedAgain"):
        require_absent(PROTECTION, cluster())
