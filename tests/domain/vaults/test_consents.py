"""Whose yes counts: the tag that names the cluster by group and name, or whole, and the policy document's list."""

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.errors import PermanentError
from shared.domain.resource_id import ResourceId
from shared.domain.vaults.consents import CONSENT_TAG, candidate_of, consent_error, lists, named_in, unread
from shared.domain.vaults.shares import FileShare
from shared.domain.vaults.source import SourceCandidate, SourceOwner
from shared.domain.vaults.sources import refusal, require_source
from tests.worlds.facts.protections import PROTECTION, SUBSCRIPTION, cluster

GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-data"
ACCOUNT = f"{GROUP}/providers/Microsoft.Storage/storageAccounts/stshop"
SHARE = FileShare(source_id=ACCOUNT, name="carts")
CLUSTER = cluster().id


def judged(tags: dict[str, str], *listed: str, asks: str = CLUSTER, protected: bool = False) -> SourceCandidate:
    owner = SourceOwner(region="westeurope", tags=tags)
    return candidate_of(SHARE, owner, asks, listed, protected=protected)


@pytest.mark.parametrize(
    "value",
    ["rg-clusters/aks-new", "RG-Clusters/AKS-New", "g/other, rg-clusters/aks-new ,", CLUSTER, CLUSTER.upper()],
)
def test_a_tag_that_names_the_cluster_is_a_yes_in_whatever_case(value: str) -> None:
    assert judged({CONSENT_TAG: value}).consent == "given"
    assert judged({CONSENT_TAG.title(): value}).consent == "given"


@given(st.text(), st.text())
def test_no_other_text_is_a_yes(tag: str, value: str) -> None:
    for tags in ({tag: value}, {CONSENT_TAG: value}, {CONSENT_TAG: f"{value}rg-clusters/aks-new{tag}x"}):
        found = judged(tags)
        named = ResourceId(CLUSTER) in named_in(tags, ACCOUNT)
        assert (found.consent == "given") is named
        assert named is any(
            each.strip().lower() in ("rg-clusters/aks-new", CLUSTER.lower())
            for key, text in tags.items()
            if key.lower() == CONSENT_TAG
            for each in text.split(",")
        )


def test_a_cluster_of_another_subscription_is_named_by_its_whole_id_alone() -> None:
    other = CLUSTER.replace(SUBSCRIPTION, "22222222-2222-4222-8222-222222222222")
    assert judged({CONSENT_TAG: "rg-clusters/aks-new"}, asks=other).consent == "missing"
    assert judged({CONSENT_TAG: other}, asks=other).consent == "given"


@pytest.mark.parametrize(
    ("listed", "is_listed"),
    [
        (ACCOUNT.upper(), True),
        (GROUP, True),
        (f"{GROUP}-2", False),
        (f"{ACCOUNT}2", False),
        (ACCOUNT.replace("rg-data", "rg-other"), False),
    ],
)
def test_the_policy_document_lists_an_account_or_its_group(listed: str, *, is_listed: bool) -> None:
    assert lists([listed], ACCOUNT) is is_listed
    assert (judged({}, listed).consent == "given") is is_listed


@pytest.mark.parametrize(
    "text", [f"/subscriptions/{SUBSCRIPTION}", CLUSTER, f"{ACCOUNT}/fileServices/default", "", "*", f"{GROUP}/../x"]
)
def test_nothing_else_can_be_listed(text: str) -> None:
    with pytest.raises(PermanentError, match="NotAResourceId"):
        require_source(text)


@pytest.mark.parametrize("owner", [None, PermanentError("AnswerUnreadable", "no")])
def test_what_is_listed_and_can_not_be_read_is_taken_up_by_nobody(owner: PermanentError | None) -> None:
    found = candidate_of(SHARE, owner, CLUSTER, [ACCOUNT], protected=False)
    assert not found.exists or found.consent == "unknown"
    assert candidate_of(SHARE, PermanentError("AnswerUnreadable", "no"), CLUSTER, [ACCOUNT], protected=True).exists


@pytest.mark.parametrize("known", [SourceCandidate(exists=True), unread(PermanentError("AnswerUnreadable", "no"))])
def test_a_source_of_which_nobody_has_asked_is_refused(known: SourceCandidate) -> None:
    vault, terms = PROTECTION.recovery_services_vault_id, PROTECTION.terms
    assert refusal(SHARE, None, known, vault, "westeurope", terms).startswith("ConsentUnknown: ")


@given(st.text(alphabet="ab/,;'`$(){}\"\\ \n", max_size=200))
def test_the_command_keeps_the_clusters_that_are_named_and_nothing_else_of_the_tag(value: str) -> None:
    error = consent_error(judged({CONSENT_TAG: value}))
    assert error
    assert error.reason == "NotConsented"
    command = shlex.split(error.message.partition("agrees by: ")[2].partition("; or add")[0])
    assert command[:3] == ["az", "tag", "update"]
    tag, _, written = command[-1].partition("=")
    assert judged({tag: written}).consent == "given"
    assert named_in({tag: written}, ACCOUNT)[:-1] == named_in({CONSENT_TAG: value}, ACCOUNT)


def test_a_tag_without_room_is_told() -> None:
    error = consent_error(judged({CONSENT_TAG: ",".join(f"rg-{n:02}/aks-{n:02}" for n in range(24))}))
    assert error
    assert "no room for another cluster" in error.message
