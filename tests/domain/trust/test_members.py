"""Which clusters take part."""

import pytest

from shared.domain.admission import AllowList, Fleet
from shared.domain.errors import PermanentError
from shared.domain.trust.members import members_of
from shared.domain.trust.mesh import Mesh
from tests.worlds.facts.members import DOMAIN, TAGS, cluster, fleet


def test_members_are_the_clusters_with_the_tags_in_whatever_case() -> None:
    east = cluster("aks-east", tags={"Meshward:Mesh": "Linkerd", "meshward:Trust-Domain": DOMAIN.title()})
    others = [cluster("x", tags={}), cluster("y", tags={**TAGS, "meshward:trust-domain": "other"})]
    consul = cluster("z", tags={**TAGS, "meshward:mesh": "consul"})
    members, unseen = members_of(Mesh.LINKERD, DOMAIN, fleet(cluster("aks-west"), *others, consul, east))
    assert (members, unseen) == ([east.id, cluster("aks-west").id], {})


def test_a_cluster_that_is_tagged_and_not_listed_is_no_member_and_named_where_there_is_none() -> None:
    east, stranger = cluster("aks-east"), cluster("aks-stranger")
    listed = Fleet([east, stranger], AllowList({DOMAIN: [east.id], "other.example": [stranger.id]}))
    assert members_of(Mesh.LINKERD, DOMAIN, listed) == ([east.id], {})
    with pytest.raises(PermanentError, match="NoMembers") as nobody:
        members_of(Mesh.LINKERD, DOMAIN, Fleet([stranger], AllowList({})))
    assert f'"members": ["{stranger.id}"]' in nobody.value.message


def test_a_trust_domain_without_members_is_not_rotated() -> None:
    with pytest.raises(PermanentError, match="NoMembers"):
        members_of(Mesh.LINKERD, DOMAIN, fleet(cluster(tags={})))


def test_a_stopped_member_is_unseen_and_says_what_to_do() -> None:
    members, unseen = members_of(Mesh.LINKERD, DOMAIN, fleet(cluster(), cluster("aks-west", power_state="Stopped")))
    assert members == [cluster().id]
    ((stopped, (reason, message)),) = unseen.items()
    assert (stopped, reason) == (cluster("aks-west").id, "MemberStopped")
    assert message.startswith("cluster aks-west is stopped: start it")
