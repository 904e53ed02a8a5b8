"""Which clusters take part, and which are not fit to."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.domain.cluster import Cluster, cluster_id
from shared.domain.errors import PermanentError
from shared.domain.resource_id import group_scope
from shared.domain.trust.certificates import fingerprint, pem
from shared.domain.trust.linkerd.facts import Bundle, MeshConfig
from shared.domain.trust.linkerd.fitness import check_bundle, check_config, check_links
from shared.domain.trust.linkerd.owners import digest
from shared.domain.trust.members import members_of
from shared.domain.trust.mesh import Mesh
from shared.domain.trust.roots import Rotation
from tests.worlds.facts.certificates import NEW, OLD

SUBSCRIPTION = "11111111-1111-4111-8111-111111111111"
DOMAIN = "prod.contoso.example"
TAGS = {"meshward:mesh": "linkerd", "meshward:trust-domain": DOMAIN}
BOTH = frozenset({fingerprint(OLD), fingerprint(NEW)})
ROTATION = Rotation(trust_domain=DOMAIN, old="g1", new="g2", generation=2)


def cluster(name: str = "aks-east", **facts: Any) -> Cluster:
    defaults: dict[str, Any] = {
        "id": str(group_scope(SUBSCRIPTION, "rg").child("Microsoft.ContainerService/managedClusters", name)),
        "resource_group": "rg",
        "subscription_id": SUBSCRIPTION,
        "location": "westeurope",
        "tags": TAGS,
        "created_at": datetime(2026, 1, 1, tzinfo=UTC),
        "provisioning_state": "Succeeded",
        "power_state": "Running",
        "principal_id": None,
        "oidc_issuer": None,
        "node_resource_group": None,
    }
    return Cluster(name=name, **{**defaults, **facts})


def test_members_are_the_clusters_with_the_tags_whatever_the_case_of_their_names() -> None:
    east = cluster("aks-east", tags={"Meshward:Mesh": "linkerd", "meshward:Trust-Domain": DOMAIN})
    others = [cluster("x", tags={}), cluster("y", tags={**TAGS, "meshward:trust-domain": "other"})]
    consul = cluster("z", tags={**TAGS, "meshward:mesh": "consul"})
    members, unseen = members_of(Mesh.LINKERD, DOMAIN, [cluster("aks-west"), *others, consul, east])
    assert (members, unseen) == ([east.id, cluster("aks-west").id], {})


def test_a_trust_domain_without_members_is_not_rotated() -> None:
    with pytest.raises(PermanentError, match="NoMembers"):
        members_of(Mesh.LINKERD, DOMAIN, [cluster(tags={})])


def test_a_stopped_member_is_unseen_and_says_what_to_do() -> None:
    members, unseen = members_of(Mesh.LINKERD, DOMAIN, [cluster(), cluster("aks-west", power_state="Stopped")])
    assert members == [cluster().id]
    ((stopped, (reason, message)),) = unseen.items()
    assert (stopped, reason) == (cluster("aks-west").id, "MemberStopped")
    assert message.startswith("cluster aks-west is stopped: start it")


def test_linked_clusters_are_members_by_their_name_in_azure_or_by_the_name_in_their_tag() -> None:
    west = cluster("aks-west", tags={**TAGS, "meshward:link-name": "west"})
    check_links("aks-east", [], DOMAIN, [])
    check_links("aks-east", ["aks-west", "west", "AKS-East"], DOMAIN, [cluster(), west])


@pytest.mark.parametrize("tags", [{}, {**TAGS, "meshward:trust-domain": "other"}, {**TAGS, "meshward:mesh": "consul"}])
def test_a_link_to_a_cluster_that_is_no_member_is_refused_by_its_name(tags: dict[str, str]) -> None:
    with pytest.raises(PermanentError, match="LinkedClusterNotMember: cluster aks-east is linked to aks-west"):
        check_links("aks-east", ["aks-west"], DOMAIN, [cluster(), cluster("aks-west", tags=tags)])


def config(**facts: Any) -> MeshConfig:
    fit = {"version": "edge-25.10.7", "external_ca": True, "scheme": "kubernetes.io/tls", "trust_domain": DOMAIN}
    return MeshConfig(**{**fit, "leaf_life": timedelta(hours=24), **facts})


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (None, "NoMesh"),
        (config(version="stable-2.13.7"), "UnsupportedLinkerd"),
        (config(trust_domain="cluster.local"), "OtherTrustDomain"),
        (config(external_ca=False), "NotExternalCA"),
        (config(scheme="linkerd.io/tls"), "NotExternalCA"),
    ],
)
def test_a_mesh_that_is_not_ours_to_rotate_is_refused_by_name(found: MeshConfig | None, reason: str) -> None:
    with pytest.raises(PermanentError, match=f"{reason}: .*aks-east"):
        check_config("aks-east", found, ROTATION)


def test_a_mesh_in_external_mode_is_fit() -> None:
    check_config("aks-east", config(), ROTATION)
    for root in (OLD, NEW):
        check_bundle("aks-east", Bundle(text=pem(root), applied=None, owner=""), BOTH)


@pytest.mark.parametrize("text", ["", "nonsense", pem(NEW)])
def test_a_bundle_without_a_known_root_is_refused(text: str) -> None:
    with pytest.raises(PermanentError, match="ForeignBundle"):
        check_bundle("aks-east", Bundle(text=text, applied=None, owner=""), frozenset({fingerprint(OLD)}))


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (Bundle(text=pem(OLD), applied=None, owner="Helm"), "OwnedByOther"),
        (Bundle(text=pem(OLD), applied=None, written=digest(pem(NEW)), owner=""), "BundleDrift"),
    ],
)
def test_a_bundle_that_is_not_ours_or_not_as_we_left_it_is_refused(found: Bundle, reason: str) -> None:
    with pytest.raises(PermanentError, match=f"{reason}: .*aks-east"):
        check_bundle("aks-east", found, BOTH)


def test_a_clusters_id_is_taken_apart_whatever_its_case() -> None:
    found = cluster_id(cluster().id.upper())
    assert (found.subscription, found.group, found.name) == (SUBSCRIPTION, "RG", "AKS-EAST")
    vault = group_scope(SUBSCRIPTION, "rg").child("Microsoft.KeyVault/vaults", "kv")
    extension = vault.child("Microsoft.ContainerService/managedClusters", "aks-east")
    for other in ("", str(vault.parent), str(vault), str(extension), f"{cluster().id}/agentPools/a", "x" * 10_000):
        with pytest.raises(PermanentError, match=r"NotACluster: .{0,200} isn't the resource id of a managed cluster$"):
            cluster_id(other)
