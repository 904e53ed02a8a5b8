"""A cluster, the protection that it is to have, and what is found of it."""

from hypothesis import strategies as st

from shared.domain.cluster import Cluster
from shared.domain.incarnation import Incarnation
from shared.domain.vaults.findings import FoundExtension, FoundInstance, FoundVault
from shared.domain.vaults.policy import ProtectPolicy
from shared.domain.vaults.protection import Protection, protection_of

SUBSCRIPTION = "11111111-1111-4111-8111-111111111111"
TERMS = ProtectPolicy()
BORN = Incarnation(principal="cluster-principal", uid="65d1c0ffee")


# AKS: 1-63 letters, digits, hyphens and underscores, a letter or digit at either end.
cluster_names = st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?", fullmatch=True)


def cluster(
    name: str = "aks-new",
    *,
    incarnation: Incarnation = BORN,
    tags: dict[str, str] | None = None,
    state: str = "Succeeded",
    principal: str | None = "cluster-principal",
) -> Cluster:
    """A cluster that asks for protection, but for what is said here."""
    return Cluster(
        id=f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-clusters/providers/Microsoft.ContainerService"
        f"/managedClusters/{name}",
        name=name,
        resource_group="rg-clusters",
        subscription_id=SUBSCRIPTION,
        location="westeurope",
        tags={"meshward:protect": "true"} if tags is None else tags,
        incarnation=incarnation,
        provisioning_state=state,
        power_state="Running",
        principal_id=principal,
        oidc_issuer=None,
        node_resource_group=None,
    )


def protection_named(name: str = "aks-new", incarnation: Incarnation = BORN) -> Protection:
    """The protection that such a cluster is to have."""
    return protection_of(cluster(name, incarnation=incarnation), "rg-backup", TERMS)


PROTECTION = protection_named()
VAULT = FoundVault(
    state="Succeeded",
    principal="vault-principal",
    soft_delete="On",
    soft_delete_days=14,
    immutability="Unlocked",
    redundancy="GeoRedundant",
)
EXTENSION = FoundExtension(
    name="azure-aks-backup", state="Succeeded", principal="extension-principal", account=PROTECTION.account
)
INSTANCE = FoundInstance(
    id=PROTECTION.instance_id, state="Succeeded", protection="ProtectionConfigured", policy=PROTECTION.policy_id
)
