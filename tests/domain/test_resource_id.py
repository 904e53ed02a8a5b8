"""What an Azure resource id is, what isn't one, and that no other text gets through."""

import contextlib
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.errors import PermanentError
from shared.domain.resource_id import (
    GROUP,
    SUBSCRIPTION,
    ResourceId,
    folded,
    group_scope,
    is_name,
    name_of,
    parsed,
    same,
    subscription_scope,
)
from tests.worlds.ids import AT, GUID, HOSTILE, SAFE, VAULT, ids, mangled, names, types

CONTAINER = f"{VAULT}/backupFabrics/Azure/protectionContainers/StorageContainer;Storage;rg-one;stshop"
ITEM = f"{CONTAINER}/protectedItems/AzureFileShare;0f0e"
ITEMS = "Microsoft.RecoveryServices/vaults/backupFabrics/protectionContainers/protectedItems"
ROLE = "/providers/Microsoft.Authorization/roleDefinitions/acdd72a7"


@given(ids())
def test_an_id_comes_out_as_it_went_in(text: str) -> None:
    id = ResourceId(text)
    assert (str(id), id.text) == (text, text)
    assert parsed(text) == id


@given(ids(), ids(), st.booleans())
def test_ids_are_equal_just_if_their_texts_are_in_lower_case(one: str, other: str, alike: bool) -> None:
    other = one.swapcase() if alike else other
    equal = one.lower() == other.lower()
    assert (ResourceId(one) == ResourceId(other)) is (not ResourceId(one) != ResourceId(other)) is equal  # noqa: SIM202
    assert (len({ResourceId(one), ResourceId(other)}) == 1) is equal


def test_an_id_isn_t_its_text() -> None:
    assert (ResourceId(AT) == AT, ResourceId(AT) != AT) == (False, True)
    assert len({ResourceId(AT), AT}) == 2


@settings(max_examples=500)
@given(mangled)
def test_no_accepted_text_holds_what_a_url_or_a_query_reads_otherwise(text: str) -> None:
    found = parsed(text)
    if found is not None:
        assert text.isascii()
        assert set(text) <= SAFE
        assert not {"", ".", ".."} & set(text.split("/")[1:])


@settings(max_examples=500)
@given(ids(), types, st.one_of(st.text(), names, ids()))
def test_a_child_is_one_name_deeper_or_isn_t_built_at_all(text: str, type: str, name: str) -> None:
    with contextlib.suppress(PermanentError):
        child = ResourceId(text).child(type, name)
        assert (child.name, str(child)) == (name, f"{text}/{type}/{name}")
        assert "/" not in name


@given(ids(), st.text(min_size=1))
def test_a_scope_is_built_of_one_guid_and_one_group_alone(text: str, junk: str) -> None:
    for subscription, group in ((GUID + text, "g"), (GUID, f"g{text}"), (junk, "g"), (GUID, "g/" + junk)):
        with pytest.raises(PermanentError, match="NotAResourceId"):
            group_scope(subscription, group)


def lineage(id: ResourceId) -> list[ResourceId]:
    """The id and all that it is in."""
    try:
        return [id, *lineage(id.parent)]
    except PermanentError:
        return [id]


@given(ids())
def test_every_parent_is_an_id_and_the_last_is_in_nothing(text: str) -> None:
    line = lineage(ResourceId(text))
    assert all(inner.text.startswith(outer.text) for inner, outer in itertools.pairwise(line))
    assert all(id.nearest(id.type) is id for id in line)
    with pytest.raises(PermanentError, match="has no parent resource"):
        line[-1].nearest("Microsoft.Other/x")


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_what_is_no_resource_id_is_refused_and_little_of_it_is_told(text: str) -> None:
    with pytest.raises(PermanentError) as refusal:
        ResourceId(text)
    assert refusal.value.reason == "NotAResourceId"
    assert len(refusal.value.message) < 250
    assert refusal.value.message.isprintable()
    assert parsed(text) is None


@pytest.mark.parametrize(
    "text",
    [VAULT, VAULT.upper(), ITEM, f"/subscriptions/{GUID}", AT, ROLE, f"/subscriptions/{GUID}{ROLE}", f"{VAULT}{ROLE}"]
    + [VAULT.replace("rg-one", group) for group in ("g" * 90, "MC_rg(1)_aks.x_", ".hidden", "providers")]
    + [VAULT.replace("rsv", name) for name in ("v" * 260, "privatelink.blob.core.windows.net", "providers")],
)
def test_what_azure_names_is_accepted(text: str) -> None:
    assert str(ResourceId(text)) == text


def test_an_id_is_taken_apart() -> None:
    item = ResourceId(ITEM)
    assert (item.subscription, item.group, item.name) == (GUID, "rg-one", "AzureFileShare;0f0e")
    assert (item.namespace, item.type) == ("Microsoft.RecoveryServices", ITEMS)
    assert item.parent == ResourceId(CONTAINER)
    assert item.nearest("microsoft.recoveryservices/VAULTS") == ResourceId(VAULT)
    assert (item.nearest(GROUP), item.nearest(SUBSCRIPTION)) == (ResourceId(AT), ResourceId(f"/subscriptions/{GUID}"))
    assert (ResourceId(ROLE).name, ResourceId(AT).name) == ("acdd72a7", "rg-one")


def test_what_is_in_no_group_has_none_that_could_be_left_out_of_a_url() -> None:
    for text in (f"/subscriptions/{GUID}", f"/subscriptions/{GUID}{ROLE}", ROLE):
        with pytest.raises(PermanentError, match="NotAResourceId"):
            _ = ResourceId(text).group
    with pytest.raises(PermanentError, match="NotAResourceId"):
        _ = ResourceId(ROLE).subscription


def test_words_of_the_grammar_may_be_names() -> None:
    vault = ResourceId(VAULT.replace("rsv", "providers").replace("rg-one", "resourceGroups"))
    job = vault.child("backupJobs", "providers")
    assert (job.type, job.parent, vault.group) == (f"{vault.type}/backupJobs", vault, "resourceGroups")


def test_an_extension_is_of_its_own_type_and_never_passes_for_a_resource_of_a_group() -> None:
    role = ResourceId(ITEM).child("Microsoft.RecoveryServices/vaults", "x")
    assert (role.parent, role.type) == (ResourceId(ITEM), "Microsoft.RecoveryServices/vaults")
    assert not role.of_type("Microsoft.RecoveryServices/vaults")
    assert not subscription_scope(GUID).child("Microsoft.RecoveryServices/vaults", "x").of_type(role.type)
    assert ResourceId(VAULT.upper()).of_type("Microsoft.Other/x", "Microsoft.RecoveryServices/vaults")
    assert not ResourceId(VAULT).of_type("Microsoft.Other/x")


def test_an_id_is_put_together() -> None:
    vault = group_scope(GUID, "rg-one").child("Microsoft.RecoveryServices/vaults", "rsv")
    assert str(vault) == VAULT
    assert vault.collection("backupJobs") == f"{VAULT}/backupJobs"
    assert group_scope(GUID, "rg-one").collection("Microsoft.A/b") == f"{AT}/providers/Microsoft.A/b"


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a/providers/Microsoft.A/b/c", "a%2fb", "a?b", "a\n", "\u212a"])
def test_a_name_that_isn_t_one_name_names_no_child(name: str) -> None:
    for type in ("backupJobs", "Microsoft.A/b"):
        with pytest.raises(PermanentError, match="NotAResourceId"):
            ResourceId(VAULT).child(type, name)
    with pytest.raises(PermanentError, match="NotAResourceId"):
        group_scope(GUID, name)
    assert not is_name(name)


def test_case_is_that_of_ascii_alone() -> None:
    assert same("AKS-East", "aks-east")
    assert folded("AKS-East") == "aks-east"
    assert "\u212a".lower() == "k"
    assert not same("a\u212as", "aks")
    assert same("\u212a", "\u212a")


def test_a_name_stands_for_itself_where_an_id_or_a_name_is_told() -> None:
    assert [name_of(text) for text in (VAULT, "rsv", "", f"{VAULT}/")] == ["rsv", "rsv", "", f"{VAULT}/"]
