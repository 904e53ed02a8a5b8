"""Which vaults have outlived their clusters, by their tags."""

from datetime import datetime

import pytest

from shared.domain.vaults.policy import ProtectPolicy
from shared.domain.vaults.release import TaggedVault, orphans
from tests.worlds.facts.protections import cluster

SUBSCRIPTION = "/subscriptions/11111111-1111-4111-8111-111111111111"
BORN = "2026-12-01T08:00:00+00:00"


def vault(name: str, *, group: str = "rg-backup", cluster: str = "rg-a/aks-a", born: str = BORN) -> TaggedVault:
    return TaggedVault(
        id=f"{SUBSCRIPTION}/resourceGroups/{group}/providers/Microsoft.DataProtection/backupVaults/{name}",
        location="westeurope",
        tags={"meshward:cluster": cluster, "meshward:cluster-created-at": born},
    )


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
    found = orphans([odd, vault("bv-a")], [], lambda _: ProtectPolicy())
    assert [protection.cluster for protection in found] == ["aks-a"]


@pytest.mark.parametrize(
    ("told", "now", "gone"),
    [
        (BORN, BORN, False),
        (BORN, "2026-12-02T08:00:00+00:00", True),
        (BORN, "", False),
        ("", BORN, False),
        ("", "", False),
    ],
)
def test_a_cluster_is_another_one_only_if_it_is_known_when_each_was_created(told: str, now: str, gone: bool) -> None:
    there = cluster("aks-a", created_at=datetime.fromisoformat(now) if now else None)
    named = vault("bv-a", cluster=f"{there.resource_group}/aks-a", born=told)
    assert bool(orphans([named], [there], lambda _: ProtectPolicy())) is gone
    assert orphans([named], [], lambda _: ProtectPolicy())
