"""Clusters by their resource ids."""

import pytest

from shared.domain.cluster import MESHES, PROTECT_TAG, cluster_id, require_readable
from shared.domain.errors import PermanentError
from shared.domain.resource_id import group_scope
from shared.domain.trust.mesh import Mesh
from tests.worlds.facts.members import SUBSCRIPTION, cluster


def test_a_clusters_id_is_taken_apart_whatever_its_case() -> None:
    found = cluster_id(cluster().id.upper())
    assert (found.subscription, found.group, found.name) == (SUBSCRIPTION, "RG", "AKS-EAST")
    vault = group_scope(SUBSCRIPTION, "rg").child("Microsoft.KeyVault/vaults", "kv")
    extension = vault.child("Microsoft.ContainerService/managedClusters", "aks-east")
    for other in ("", str(vault.parent), str(vault), str(extension), f"{cluster().id}/agentPools/a", "x" * 10_000):
        with pytest.raises(PermanentError, match=r"NotACluster: .{0,200} isn't the resource id of a managed cluster$"):
            cluster_id(other)


@pytest.mark.parametrize("said", ["true", "True", "TRUE", " true", "true\t"])
def test_a_tag_is_read_in_whatever_case_and_with_blanks_around_it(said: str) -> None:
    assert cluster(tags={"Meshward:Protect": said}).tagged(PROTECT_TAG, "true")
    found = cluster(tags={"meshward:mesh": " Linkerd", "meshward:trust-domain": "Prod.Contoso.Example "})
    assert (found.mesh, found.trust_domain) == ("linkerd", "prod.contoso.example")


@pytest.mark.parametrize(
    ("tag", "said", "form"),
    [
        ("protect", "yes", "true or false"),
        ("protect", "1", "true or false"),
        ("mesh", "istio", "linkerd"),
        ("trust-domain", "prod contoso", "a DNS name"),
        ("trust-domain", "https://prod.contoso.example", "a DNS name"),
    ],
)
def test_a_tag_that_can_t_be_read_is_named_with_what_it_may_say(tag: str, said: str, form: str) -> None:
    name = f"meshward:{tag}"
    with pytest.raises(PermanentError, match=rf"BadTag: tag {name} .*{said}.*{form}"):
        require_readable(cluster(tags={name: said}), name)
    require_readable(cluster(tags={}), name)


def test_the_meshes_that_a_tag_may_name_are_those_whose_roots_are_rotated() -> None:
    assert set(Mesh) == MESHES
