"""Who belongs to a trust domain: listed and tagged; what only claims it is named, and never contacted."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.admission import AdmittedCluster, AllowList, Fleet
from shared.domain.errors import PermanentError
from shared.domain.resource_id import ResourceId, group_scope, subscription_scope
from shared.domain.trust.members import members_in
from shared.domain.trust.mesh import Mesh
from tests.worlds.facts.members import DOMAIN, SUBSCRIPTION, TAGS, cluster

EAST = cluster("aks-east").id
GROUP, WHOLE = str(group_scope(SUBSCRIPTION, "rg")), str(subscription_scope(SUBSCRIPTION))
OTHER_GROUP = str(group_scope(SUBSCRIPTION, "rg-2"))


def listing(*members: str) -> AllowList:
    return AllowList({DOMAIN: members})


@pytest.mark.parametrize("member", [EAST, GROUP, WHOLE])
def test_a_list_names_clusters_resource_groups_or_subscriptions_in_whatever_case(member: str) -> None:
    assert listing(member.upper()).member(DOMAIN.title(), EAST).id == ResourceId(EAST)


@pytest.mark.parametrize(
    "member",
    [EAST[:-1], f"{EAST}-2", OTHER_GROUP, WHOLE.replace("1", "2"), f"{GROUP}/providers/Microsoft.X/y/aks-east"],
)
def test_what_is_not_listed_is_refused_with_the_line_that_would_admit_it(member: str) -> None:
    with pytest.raises(PermanentError) as refused:
        listing(member).member(DOMAIN, EAST)
    assert refused.value.reason == "NotAdmitted"
    assert f'"trust_domains": {{"{DOMAIN}": {{"members": ["{EAST}"]}}}}' in refused.value.message


def test_a_list_is_that_of_one_trust_domain() -> None:
    assert not listing(EAST).lists("other.example", EAST)


@pytest.mark.parametrize("tags", [{}, {"meshward:mesh": "linkerd"}])
def test_a_cluster_that_claims_no_trust_domain_may_be_contacted_and_is_no_member(tags: dict[str, str]) -> None:
    found = cluster(tags=tags)
    assert listing().contactable(found.trust_domain, found.id).id == ResourceId(found.id)
    with pytest.raises(PermanentError, match="NotAdmitted"):
        listing().member(found.trust_domain, found.id)


def test_a_cluster_that_claims_a_trust_domain_may_be_contacted_if_that_lists_it() -> None:
    assert listing(EAST).contactable(DOMAIN, EAST)
    with pytest.raises(PermanentError, match="NotAdmitted"):
        listing().contactable(DOMAIN, EAST)


def test_who_claims_a_trust_domain_without_being_listed_is_named() -> None:
    claims = Fleet([cluster("a"), cluster("b"), cluster("c", tags={})], listing(cluster("a").id)).claims()
    assert [(c.cluster, c.trust_domain, c.reason) for c in claims] == [(cluster("b").id, DOMAIN, "NotAdmitted")]


def test_a_claim_of_a_cluster_that_no_list_can_hold_says_so() -> None:
    stranger = cluster(id=cluster().id.replace("/rg/", "/rg-größe/"))
    (claim,) = Fleet([stranger], listing(WHOLE)).claims()
    assert claim.reason == "NotACluster"
    with pytest.raises(PermanentError, match="NotACluster"):
        listing(WHOLE).member(DOMAIN, stranger.id)


def test_claims_are_told_of_one_trust_domain_if_it_is_named() -> None:
    other = cluster("b", tags={**TAGS, "meshward:trust-domain": "Other.Example"})
    fleet = Fleet([cluster("a"), other], listing())
    assert [claim.cluster for claim in fleet.claims("other.example")] == [other.id]


@pytest.mark.parametrize(("tag", "said"), [("mesh", "istio"), ("trust-domain", "prod contoso")])
def test_a_listed_cluster_whose_tags_can_t_be_read_is_told_wherever_its_trust_domain_is(tag: str, said: str) -> None:
    fleet = Fleet([cluster("a"), cluster("b", tags={**TAGS, f"meshward:{tag}": said})], listing(WHOLE))
    for claims in (fleet.claims(), fleet.claims(DOMAIN)):
        assert [(claim.cluster, claim.reason) for claim in claims] == [(cluster("b").id, "BadTag")]
        assert f"tag meshward:{tag} of cluster b" in claims[0].message


def test_nothing_but_a_list_admits_a_cluster() -> None:
    with pytest.raises(TypeError):
        AdmittedCluster(ResourceId(EAST), object())


@given(st.text() | st.just(EAST).flatmap(lambda id: st.builds(f"{id}{{}}".format, st.text())))
def test_whatever_the_id_of_a_cluster_is_it_is_a_member_only_if_it_is_the_listed_one(id: str) -> None:
    assert listing(EAST).lists(DOMAIN, id) == (id.isascii() and id.lower() == EAST.lower())


@given(st.text())
def test_whatever_a_tag_says_it_is_quoted_so_that_it_ends_no_line(tag: str) -> None:
    stranger: Any = cluster(tags={**TAGS, "meshward:trust-domain": tag})
    for claim in Fleet([stranger], listing()).claims():
        assert claim.message.isprintable()
        assert len(claim.message) < 2000


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["", "b", "/../aks-east", "ä", "?", "\n"]), st.sampled_from([DOMAIN, "", "other.example"])
        )
    )
)
def test_whatever_tags_say_members_are_listed_and_whoever_else_claims_the_trust_domain_is_named(
    seen: list[tuple[str, str]],
) -> None:
    clusters = [cluster(id=f"{EAST}{name}", tags={**TAGS, "meshward:trust-domain": domain}) for name, domain in seen]
    fleet = Fleet(clusters, listing(EAST))
    members = {c.id for c in members_in(Mesh.LINKERD, DOMAIN, fleet)}
    assert members <= {EAST}
    claiming = {c.id for c in clusters if c.trust_domain == DOMAIN}
    assert {claim.cluster for claim in fleet.claims(DOMAIN)} == claiming - members
