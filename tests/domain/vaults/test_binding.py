"""Who backup workloads are, and what is wanted of the mesh for them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from shared.domain.errors import NotConverged, PermanentError
from shared.domain.vaults.binding import (
    Binding,
    IdentityMapEntry,
    binding_of,
    covers,
    entry_of,
    federation,
    hosts,
    identity_name,
)
from shared.domain.vaults.binding_linkerd import LINKERD
from tests.worlds.facts.protections import cluster_names, protection_named

json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
)


@given(cluster_names)
def test_the_identitys_name_keeps_to_azures_rule_and_is_as_single_as_the_vaults(name: str) -> None:
    named = identity_name(protection_named(name))
    assert 3 <= len(named) <= 128
    assert named.replace("-", "").isalnum()
    assert named.removeprefix("id-") in protection_named(name).backup_vault


def test_an_identity_that_was_just_asked_for_is_waited_for() -> None:
    with pytest.raises(NotConverged, match="was requested"):
        binding_of(protection_named(), None)


def test_a_cluster_without_a_token_issuer_is_refused_with_the_command_that_helps() -> None:
    with pytest.raises(PermanentError, match="az aks update -g 'rg-clusters' -n 'aks-new' --enable-oidc-issuer"):
        federation(protection_named())


def test_a_workload_without_a_trust_domain_has_no_name_in_the_mesh() -> None:
    with pytest.raises(PermanentError, match="meshward:trust-domain"):
        entry_of(Binding(protection=protection_named(), principal="p", client="c"), LINKERD)
    known_one = replace(protection_named(), trust_domain="prod.example", mesh="linkerd")
    entry = entry_of(Binding(protection=known_one, principal="p", client="c"), LINKERD)
    assert entry.mesh_identity == "backup.meshward-backup.serviceaccount.identity.linkerd.prod.example"


def test_an_entry_is_for_one_cluster_of_those_whose_workloads_share_a_name_in_the_mesh() -> None:
    names, entries = ("aks-east", "aks-west"), list[IdentityMapEntry]()
    for name in names:
        meshed = replace(protection_named(name), trust_domain="prod.example", mesh="linkerd")
        entries.append(entry_of(Binding(protection=meshed, principal=f"of {name}", client="c"), LINKERD))
    east, west = entries
    assert east.mesh_identity == west.mesh_identity
    assert east.is_of(east.principal, east.cluster_id.upper(), east.mesh_identity)
    assert not east.is_of(west.principal, east.cluster_id, east.mesh_identity)
    assert not east.is_of(east.principal, west.cluster_id, east.mesh_identity)
    assert not east.is_of(east.principal, east.cluster_id, "backup.shop.serviceaccount.identity.linkerd.prod.example")


def test_no_host_is_a_pattern_that_somebody_else_can_get_a_name_under() -> None:
    assert [host for host in hosts(protection_named()) if host.startswith("*.")] == ["*.backup.windowsazure.com"]


@given(json)
def test_what_an_api_server_adds_is_no_difference(wanted: Any) -> None:
    assert covers(wanted, wanted)
    assert covers({"a": wanted, "b": 1}, {"a": wanted})
    assert not covers({"b": 1}, {"a": [wanted]})


def test_a_list_that_somebody_made_longer_is_a_difference() -> None:
    assert not covers({"hostnames": ["a", "b"]}, {"hostnames": ["a"]})


def test_linkerd_acts_by_what_it_has_accepted_and_says_otherwise_why_not() -> None:
    objects = LINKERD.policies(["a.example"])
    yes = {"type": "Accepted", "status": "True", "reason": "Accepted", "message": ""}
    no = {**yes, "status": "False", "reason": "EgressReasonNetworkOverlap", "message": "networks overlap"}
    network = {"EgressNetwork": {"conditions": [yes]}, "TLSRoute": {"parents": [{"conditions": [yes]}]}}
    accepted = [{**one, "status": network.get(one["kind"], {})} for one in objects]
    assert LINKERD.pending(accepted) == ""
    assert LINKERD.pending(objects) == "EgressNetwork azure-backup isn't accepted: Linkerd gives no reason"
    refused = [{**one, "status": {"conditions": [no]}} if one["kind"] == "EgressNetwork" else one for one in accepted]
    assert LINKERD.pending(refused).endswith("EgressReasonNetworkOverlap networks overlap")
