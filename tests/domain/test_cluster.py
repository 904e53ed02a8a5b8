"""Clusters by their resource ids."""

import pytest

from shared.domain.cluster import cluster_id
from shared.domain.errors import PermanentError
from shared.domain.resource_id import group_scope
from tests.worlds.facts.members import SUBSCRIPTION, cluster


def test_a_clusters_id_is_taken_apart_whatever_its_case() -> None:
    found = cluster_id(cluster().id.upper())
    assert (found.subscription, found.group, found.name) == (SUBSCRIPTION, "RG", "AKS-EAST")
    vault = group_scope(SUBSCRIPTION, "rg").child("Microsoft.KeyVault/vaults", "kv")
    extension = vault.child("Microsoft.ContainerService/managedClusters", "aks-east")
    for other in ("", str(vault.parent), str(vault), str(extension), f"{cluster().id}/agentPools/a", "x" * 10_000):
        with pytest.raises(PermanentError, match=r"NotACluster: .{0,200} isn't the resource id of a managed cluster$"):
            cluster_id(other)
