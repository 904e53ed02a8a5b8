"""Which clusters are fit to take part, and which are refused."""

from datetime import timedelta
from typing import Any

import pytest

from shared.domain.errors import PermanentError
from shared.domain.trust.certificates import fingerprint, pem
from shared.domain.trust.linkerd.facts import Bundle, MeshConfig
from shared.domain.trust.linkerd.fitness import require_bundle, require_config, require_linked_members, trusted_roots
from shared.domain.trust.linkerd.owners import digest
from shared.domain.trust.mesh import Mesh
from shared.domain.trust.phases import Mode, Phase, Roots
from shared.domain.trust.policy import TrustPolicy
from shared.domain.trust.roots import Rotation
from shared.domain.trust.state import Member
from tests.worlds.facts.certificates import NEW, OLD
from tests.worlds.facts.members import DOMAIN, TAGS, cluster, fleet

BOTH = frozenset({fingerprint(OLD), fingerprint(NEW)})
ROTATION = Rotation(mesh=Mesh.LINKERD, trust_domain=DOMAIN, old="g1", new="g2", generation=2)


def test_linked_clusters_are_members_by_their_name_in_azure_or_by_the_name_in_their_tag() -> None:
    west = cluster("aks-west", tags={**TAGS, "meshward:link-name": "west"})
    require_linked_members("aks-east", [], DOMAIN, fleet())
    require_linked_members("aks-east", ["aks-west", "west", "AKS-East"], DOMAIN, fleet(cluster(), west))


@pytest.mark.parametrize("tags", [{}, {**TAGS, "meshward:trust-domain": "other"}, {**TAGS, "meshward:mesh": "consul"}])
def test_a_link_to_a_cluster_that_is_no_member_is_refused_by_its_name(tags: dict[str, str]) -> None:
    with pytest.raises(PermanentError, match="LinkedClusterNotMember: cluster aks-east is linked to aks-west"):
        require_linked_members("aks-east", ["aks-west"], DOMAIN, fleet(cluster(), cluster("aks-west", tags=tags)))


@pytest.mark.parametrize(
    ("made", "activated", "mode", "expected"),
    [
        (False, False, Mode.ROUTINE, {"old"}),
        (True, False, Mode.ROUTINE, {"old"}),
        (True, False, Mode.SWIFT, {"old"}),
        (True, True, Mode.ROUTINE, {"old", "new"}),
        (True, False, Mode.REPLACE, {"old", "new"}),
    ],
)
def test_a_bundle_must_hold_the_old_root_and_the_new_one_does_only_once_leaves_are_issued_under_it(
    made: bool, activated: bool, mode: Mode, expected: set[str]
) -> None:
    member = Member(
        rotation=ROTATION,
        mode=mode,
        cluster="aks-east",
        phase=Phase.PREPARE,
        roots=Roots(old="old", new="new", old_version="1", new_version="2") if made else None,
        activated_at=None,
        new_root_live=activated,
        policy=TrustPolicy(),
    )
    assert trusted_roots(member, "old") == expected


def config(**facts: Any) -> MeshConfig:
    fit = {"version": "edge-25.10.7", "external_ca": True, "issuer_scheme": "kubernetes.io/tls", "trust_domain": DOMAIN}
    return MeshConfig(**{**fit, "leaf_lifetime": timedelta(hours=24), **facts})


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (None, "NoMesh"),
        (config(version="stable-2.13.7"), "UnsupportedLinkerd"),
        (config(trust_domain="cluster.local"), "OtherTrustDomain"),
        (config(external_ca=False), "NotExternalCA"),
        (config(issuer_scheme="linkerd.io/tls"), "NotExternalCA"),
    ],
)
def test_a_mesh_that_is_not_ours_to_rotate_is_refused_by_name(found: MeshConfig | None, reason: str) -> None:
    with pytest.raises(PermanentError, match=f"{reason}: .*aks-east"):
        require_config("aks-east", found, DOMAIN)


def test_a_mesh_in_external_mode_is_fit() -> None:
    require_config("aks-east", config(), DOMAIN)
    for root in (OLD, NEW):
        require_bundle("aks-east", Bundle(pem=pem(root), written_at=None, owner=""), BOTH)


@pytest.mark.parametrize("text", ["", "nonsense", pem(NEW)])
def test_a_bundle_without_a_known_root_is_refused(text: str) -> None:
    with pytest.raises(PermanentError, match="ForeignBundle"):
        require_bundle("aks-east", Bundle(pem=text, written_at=None, owner=""), frozenset({fingerprint(OLD)}))


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (Bundle(pem=pem(OLD), written_at=None, owner="Helm"), "OwnedByOther"),
        (Bundle(pem=pem(OLD), written_at=None, written_sha256=digest(pem(NEW)), owner=""), "BundleDrift"),
    ],
)
def test_a_bundle_that_is_not_ours_or_not_as_we_left_it_is_refused(found: Bundle, reason: str) -> None:
    with pytest.raises(PermanentError, match=f"{reason}: .*aks-east"):
        require_bundle("aks-east", found, BOTH)
