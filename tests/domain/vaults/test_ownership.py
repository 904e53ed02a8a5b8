"""Whose a vault, its names and its snapshot group are."""

import msgspec
import pytest

from shared.domain.errors import PermanentError
from shared.domain.vaults.findings import FoundGroup, FoundVault
from shared.domain.vaults.ownership import Ownership, require_own_group, require_own_names, require_own_vault
from tests.worlds.facts.protections import PROTECTION, VAULT

ID = PROTECTION.backup_vault_id


def tagged(cluster: str) -> FoundVault:
    return msgspec.structs.replace(VAULT, cluster=cluster)


def test_names_are_for_the_cluster_that_the_store_names_in_whatever_case() -> None:
    require_own_names(PROTECTION, None)
    require_own_names(PROTECTION, Ownership(cluster=PROTECTION.cluster_id.upper()))
    with pytest.raises(PermanentError, match="VaultNotOurs"):
        require_own_names(PROTECTION, Ownership(cluster=f"{PROTECTION.cluster_id}2"))


@pytest.mark.parametrize(
    ("tag", "known", "ours"),
    [
        ("rg-clusters/aks-new", False, True),
        ("RG-Clusters/AKS-new", False, True),
        ("", False, False),
        ("", True, True),
        ("rg-clusters/aks-old", False, False),
        ("rg-clusters/aks-old", True, False),
    ],
)
def test_a_vault_is_the_cluster_s_that_its_tag_names(tag: str, *, known: bool, ours: bool) -> None:
    if ours:
        require_own_vault(PROTECTION, tagged(tag), ID, known=known)
        return
    with pytest.raises(PermanentError, match=r"VaultNotOurs.*meshward:cluster=rg-clusters/aks-new"):
        require_own_vault(PROTECTION, tagged(tag), ID, known=known)


@pytest.mark.parametrize("mark", ["", "secret"])
@pytest.mark.parametrize("found", ["", "guessed"])
def test_a_group_without_the_mark_is_refused_and_the_mark_is_told_to_nobody(mark: str, found: str) -> None:
    require_own_group(PROTECTION, None, mark)
    with pytest.raises(PermanentError, match="GroupNotOurs") as refused:
        require_own_group(PROTECTION, FoundGroup(state="Succeeded", mark=found), mark)
    assert "secret" not in refused.value.message


def test_a_group_with_the_mark_is_ours() -> None:
    require_own_group(PROTECTION, FoundGroup(state="Succeeded", mark="secret"), "secret")
