"""Which of the vaults a cluster has, by their tags."""

import pytest

from shared.domain.incarnation import Incarnation
from shared.domain.vaults.tagged import TaggedVault, incarnation_of
from tests.worlds.facts.protections import BORN, cluster
from tests.worlds.facts.tagged import vault

OTHER = Incarnation(principal="another", uid="65d1deadbeef")
EARLIER = "2026-12-01T08:00:00+00:00"


@pytest.mark.parametrize("text", ["", EARLIER])
def test_a_cluster_keeps_the_vault_that_an_earlier_version_made(text: str) -> None:
    found = vault("bv-old", born=text)
    assert incarnation_of(cluster("aks-a"), [found]) == Incarnation(earlier=text)


def test_a_vault_without_any_tag_of_an_incarnation_is_as_one_with_an_empty_one() -> None:
    found = vault("bv-old")
    untagged = TaggedVault(id=found.id, location=found.location, tags={"meshward:cluster": "rg-clusters/aks-a"})
    assert incarnation_of(cluster("aks-a"), [untagged]) == Incarnation()


def test_the_vault_of_its_own_incarnation_comes_before_one_of_which_nothing_is_known() -> None:
    vaults = [vault("bv-old", born=EARLIER), vault("bv-own", told=BORN), vault("bv-first", told=OTHER)]
    assert incarnation_of(cluster("aks-a"), vaults) == BORN


@pytest.mark.parametrize(
    "found",
    [
        vault("bv-first", told=OTHER),
        vault("bv-b", cluster="rg-clusters/aks-b", born=EARLIER),
        vault("bv-odd", born="the day before"),
    ],
)
def test_a_cluster_gets_no_vault_of_another_incarnation_or_cluster_and_none_that_isn_t_ours(found: TaggedVault) -> None:
    assert incarnation_of(cluster("aks-a"), [found]) == BORN
