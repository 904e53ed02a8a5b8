"""Names and decisions of a cluster's protection."""

import re

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.cluster import cluster_id
from shared.domain.errors import InvalidEvent, NotConverged, PermanentError
from shared.domain.incarnation import Incarnation
from shared.domain.vaults.policy import ProtectPolicy
from shared.domain.vaults.protection import grants, is_due, protection_of, require_in_fleet
from shared.domain.vaults.source import VaultService
from tests.worlds.facts.protections import BORN, SUBSCRIPTION, TERMS, cluster, cluster_names, protection_named

incarnations = st.builds(Incarnation, principal=st.uuids().map(str))


@given(cluster_names, incarnations)
def test_every_name_keeps_to_its_services_rule(name: str, incarnation: Incarnation) -> None:
    names = protection_named(name, incarnation)
    assert re.fullmatch(r"[A-Za-z][A-Za-z0-9-]{1,48}[A-Za-z0-9]", names.backup_vault)
    assert re.fullmatch(r"[a-z0-9]{3,24}", names.account)
    assert re.fullmatch(r"[A-Za-z][A-Za-z0-9-]{0,23}", names.trusted_access_binding)
    assert re.fullmatch(r"[-\w.()]{1,89}[-\w()]", names.snapshot_group)
    assert re.fullmatch(r"[A-Za-z0-9-]{3,150}", names.terms.backup_policy)
    assert all(len(value) <= 256 for value in names.tags.values())
    assert len(names.run) <= 100
    assert not set(names.run) & set("/\\#?")


@given(cluster_names, incarnations, incarnations)
def test_a_cluster_that_is_created_again_gets_a_vault_of_its_own(
    name: str, born: Incarnation, reborn: Incarnation
) -> None:
    first, second = protection_named(name, born), protection_named(name, reborn)
    differ = [
        getattr(first, f) != getattr(second, f)
        for f in ("run", "backup_vault", "account", "snapshot_group", "trusted_access_binding")
    ]
    assert all(differ) if born != reborn else not any(differ)


def test_the_case_of_the_id_makes_no_other_protection() -> None:
    upper = cluster("AKS-New")
    lower = cluster("aks-new")
    assert (
        protection_of(upper, "rg-backup", TERMS).backup_vault == protection_of(lower, "rg-backup", TERMS).backup_vault
    )


def test_a_cluster_of_which_nothing_is_known_has_names_too() -> None:
    assert protection_named(incarnation=Incarnation()).backup_vault != protection_named().backup_vault


def test_a_resource_uid_that_begins_to_be_sent_changes_no_name() -> None:
    without = protection_named(incarnation=Incarnation(principal=BORN.principal))
    assert (without.backup_vault, without.account) == (protection_named().backup_vault, protection_named().account)


def test_the_instance_is_named_as_azure_names_it() -> None:
    assert re.fullmatch(
        r"aks-new-aks-new-[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}", protection_named().instance
    )


def test_a_cluster_with_the_tag_is_due() -> None:
    assert is_due(cluster(), TERMS)


@pytest.mark.parametrize("said", ["True", "TRUE ", " true"])
def test_a_tag_asks_in_whatever_case_and_with_blanks_around_it(said: str) -> None:
    assert is_due(cluster(tags={"meshward:protect": said}), TERMS)


def test_a_tag_that_can_t_be_read_is_refused_unless_the_policy_document_asks_for_the_cluster() -> None:
    unclear = cluster(tags={"meshward:protect": "yes"})
    with pytest.raises(PermanentError, match="BadTag"):
        is_due(unclear, TERMS)
    assert is_due(unclear, msgspec.structs.replace(TERMS, subscriptions=(unclear.subscription_id,)))


@pytest.mark.parametrize("tags", [{}, {"meshward:protect": "false"}, {"protect": "true"}])
def test_a_cluster_without_the_tag_is_left_alone_in_whatever_state(tags: dict[str, str]) -> None:
    assert not is_due(cluster(tags=tags), TERMS)
    assert not is_due(cluster(tags=tags, state="Creating"), TERMS)


@pytest.mark.parametrize("state", ["Creating", "Updating", "Failed", "Canceled", ""])
def test_a_cluster_that_is_not_ready_is_asked_again_later(state: str) -> None:
    with pytest.raises(NotConverged, match="NotReady"):
        is_due(cluster(state=state), TERMS)


def test_a_cluster_of_a_subscription_that_is_protected_as_a_whole_is_due_unless_its_tag_says_no() -> None:
    terms = ProtectPolicy(subscriptions=(SUBSCRIPTION.upper(),))
    assert is_due(cluster(tags={}), terms)
    assert is_due(cluster(), terms)
    assert not is_due(cluster(tags={"Meshward:Protect": "false"}), terms)
    assert not is_due(cluster(tags={}), ProtectPolicy(subscriptions=("another",)))


def test_what_a_tag_says_is_read_in_whatever_case() -> None:
    terms = ProtectPolicy(subscriptions=(SUBSCRIPTION,))
    assert is_due(cluster(tags={"meshward:protect": "True"}), TERMS)
    assert not is_due(cluster(tags={"meshward:protect": "False"}), terms)
    meshed = cluster(tags={"meshward:mesh": "Linkerd", "meshward:trust-domain": "Shop.Example"})
    found = protection_of(meshed, "rg-backup", TERMS)
    assert (found.mesh, found.trust_domain) == ("linkerd", "shop.example")


def test_a_vault_is_locked_only_if_it_is_named() -> None:
    protection = protection_named()
    for named, immutability in ((protection.backup_vault, "Locked"), ("bv-another", "Unlocked")):
        terms = ProtectPolicy(lock=(named,))
        assert (
            protection_of(cluster(), "rg-backup", terms).requirements(VaultService.BACKUP).immutability == immutability
        )


def test_the_tags_tell_whose_a_protection_is() -> None:
    assert protection_named().tags == {
        "meshward:cluster": "rg-clusters/aks-new",
        "meshward:cluster-incarnation": "principal=cluster-principal,uid=65d1c0ffee",
    }


def test_a_cluster_that_is_being_deleted_is_left_alone() -> None:
    assert not is_due(cluster(state="Deleting"), TERMS)


def test_subscriptions_are_compared_without_case() -> None:
    ref = cluster_id(cluster().id.replace(SUBSCRIPTION, "ABCDEF01-1111-4111-8111-111111111111"))
    require_in_fleet(ref, ["other", "abcdef01-1111-4111-8111-111111111111"])
    with pytest.raises(InvalidEvent, match="NotOurs"):
        require_in_fleet(ref, ["other"])


def test_a_cluster_of_a_service_principal_is_refused_with_the_reason() -> None:
    with pytest.raises(PermanentError, match="NoManagedIdentity: cluster aks-new"):
        protection_of(cluster(principal=None), "rg-backup", TERMS)


def test_the_grants_reach_no_further_than_the_protection() -> None:
    protection = protection_named()
    held = grants(protection, "vault-principal", "extension-principal")
    assert {g.scope for g in held} == {protection.cluster_id, protection.snapshot_group_id, protection.account_id}
    assert {g.scope for g in held if g.principal == "extension-principal"} == {protection.account_id}
    assert {g.scope for g in held if g.principal == "cluster-principal"} == {protection.snapshot_group_id}


def test_grants_have_names_of_their_own_that_dont_change() -> None:
    protection = protection_named()
    held = grants(protection, "vault-principal", "extension-principal")
    assert len({g.name for g in held}) == len(held)
    assert [g.name for g in grants(protection, "vault-principal", "extension-principal")] == [g.name for g in held]
    assert {g.name for g in grants(protection, "another", "extension-principal")} != {g.name for g in held}


def test_a_role_is_that_of_the_scopes_subscription() -> None:
    grant = grants(protection_named(), "v", "e")[0]
    assert grant.role_id.startswith(f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/")
