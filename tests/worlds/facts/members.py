"""Clusters of a trust domain."""

from typing import Any

from shared.domain.admission import AllowList, Fleet
from shared.domain.cluster import Cluster
from shared.domain.resource_id import group_scope, subscription_scope

SUBSCRIPTION = "11111111-1111-4111-8111-111111111111"
DOMAIN = "prod.contoso.example"
TAGS = {"meshward:mesh": "linkerd", "meshward:trust-domain": DOMAIN}


def fleet(*clusters: Cluster) -> Fleet:
    """These clusters, in a subscription that the trust domain lists."""
    return Fleet([*clusters], AllowList({DOMAIN: [str(subscription_scope(SUBSCRIPTION))]}))


def cluster(name: str = "aks-east", **facts: Any) -> Cluster:
    """A cluster with the tags of a member, but for the facts that are given."""
    defaults: dict[str, Any] = {
        "id": str(group_scope(SUBSCRIPTION, "rg").child("Microsoft.ContainerService/managedClusters", name)),
        "resource_group": "rg",
        "subscription_id": SUBSCRIPTION,
        "location": "westeurope",
        "tags": TAGS,
        "provisioning_state": "Succeeded",
        "power_state": "Running",
        "principal_id": None,
        "oidc_issuer": None,
        "node_resource_group": None,
    }
    return Cluster(name=name, **{**defaults, **facts})
