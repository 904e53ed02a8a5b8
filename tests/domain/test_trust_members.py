"""Which clusters take part, and which are not fit to."""

from datetime import UTC, datetime
from typing import Any

import pytest

from shared.domain.cluster import Cluster, cluster_id
from shared.domain.errors import PermanentError
from shared.domain.trust import Rotation
from shared.domain.trust_certificates import fingerprint, pem
from shared.domain.trust_facts import Bundle, IssuerSecret, MeshConfig
from shared.domain.trust_members import check_bundle, check_config, check_owner, members_of
from tests.domain.test_trust_certificates import NEW, OLD

DOMAIN = "prod.contoso.example"
TAGS = {"meshward:mesh": "linkerd", "meshward:trust-domain": DOMAIN}
ROTATION = Rotation(trust_domain=DOMAIN, old="g1", new="g2", generation=2)


def cluster(name: str = "aks-east", **facts: Any) -> Cluster:
    defaults: dict[str, Any] = {
        "id": f"/subscriptions/s/resourceGroups/rg/providers/Microsoft.ContainerService/managedClusters/{name}",
        "resource_group": "rg",
        "subscription_id": "s",
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
    assert members_of(DOMAIN, [cluster("aks-west"), *others, consul, east]) == [east, cluster("aks-west")]


def test_a_trust_domain_without_members_is_not_rotated() -> None:
    with pytest.raises(PermanentError, match="NoMembers"):
        members_of(DOMAIN, [cluster(tags={})])


def test_a_stopped_member_is_named_before_anything_changes() -> None:
    with pytest.raises(PermanentError, match="MemberStopped: cluster aks-west"):
        members_of(DOMAIN, [cluster(), cluster("aks-west", power_state="Stopped")])


def config(**facts: Any) -> MeshConfig:
    return MeshConfig(**{"external_ca": True, "scheme": "kubernetes.io/tls", "trust_domain": DOMAIN, **facts})


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (None, "NoMesh"),
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
    check_bundle("aks-east", Bundle(text=pem(OLD), applied=None, owner=""), fingerprint(OLD))


@pytest.mark.parametrize("text", ["", "nonsense", pem(NEW)])
def test_a_bundle_without_the_old_root_is_refused(text: str) -> None:
    with pytest.raises(PermanentError, match="ForeignBundle"):
        check_bundle("aks-east", Bundle(text=text, applied=None, owner=""), fingerprint(OLD))


@pytest.mark.parametrize("owner", ["Helm", "trust-manager", "argocd-controller"])
def test_what_another_tool_writes_is_refused_by_its_name(owner: str) -> None:
    with pytest.raises(PermanentError, match=f"OwnedByOther: the bundle .* {owner}"):
        check_bundle("aks-east", Bundle(text=pem(OLD), applied=None, owner=owner), fingerprint(OLD))
    with pytest.raises(PermanentError, match=f"OwnedByOther: the issuer .* {owner}"):
        check_owner(
            "aks-east", IssuerSecret(certificate="", bundle="", resource_version="1", applied=None, owner=owner)
        )


def test_a_clusters_id_is_taken_apart_whatever_its_case() -> None:
    found = cluster_id(cluster().id.upper())
    assert (found.subscription_id, found.resource_group, found.name) == ("S", "RG", "AKS-EAST")
    for other in ("", "/subscriptions/s", f"{cluster().id}/agentPools/a"):
        with pytest.raises(PermanentError, match="NotACluster"):
            cluster_id(other)
