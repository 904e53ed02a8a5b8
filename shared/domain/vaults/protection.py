"""What one protected cluster consists of: a vault of its own and all that binds it to the cluster.

Rules:
- Every name comes from the cluster's resource id and creation time, so that a step that runs twice meets its own work,
  and a cluster that was deleted and created again gets a vault of its own.
- Names keep to the services' rules: vault 2-50, storage account 3-24 lower-case, trusted access binding up to 24,
  resource group up to 90 characters (Azure naming rules).
- The account holds one container, so its name is fixed. A backup policy's name says what is in it, because a policy for
  AKS can't be changed: another schedule or retention is another policy beside it.
- The vault's tags say whose it is, for the day when its cluster is gone.
"""

import hashlib
import re
import uuid

import msgspec

from shared.domain.cluster import MESH_TAG, PROTECT_TAG, TRUST_DOMAIN_TAG, Cluster, cluster_id
from shared.domain.errors import InvalidEvent, NotConverged, PermanentError, shown
from shared.domain.resource_id import ResourceId, folded, group_scope, same, subscription_scope
from shared.domain.vaults.policy import ProtectPolicy
from shared.domain.vaults.volumes import DataSource, source_policy, sources_of

CONTAINER = "backups"
CLUSTER_TAG = "meshward:cluster"
BORN_TAG = "meshward:cluster-created-at"
EXTENSION = "azure-aks-backup"

READER = "acdd72a7-3385-48ef-bd42-f606fba81ae7"
CONTRIBUTOR = "b24988ac-6180-42a0-ab88-20f7382dd24c"
DISK_SNAPSHOT_CONTRIBUTOR = "7efff54f-a5b4-42b5-a1c5-5411624893ce"
BLOB_DATA_CONTRIBUTOR = "ba92f5b4-2d11-453d-a403-e96b0029c9fe"
BLOB_DATA_READER = "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1"
FILE_BACKUP_CONTRIBUTOR = "c8a487a2-c85b-4487-83a1-9f04cde10293"
FILE_RESTORE_CONTRIBUTOR = "e7a9e73d-4397-41f2-a282-af8b65aaa2dc"

_NAMES = uuid.UUID("6f0e2f0c-6a5b-5d5e-9a55-6d0a8a6f2d11")


class VaultRequirements(msgspec.Struct, frozen=True, kw_only=True):
    """How strong a vault has to be. `what` names it in messages."""

    what: str
    terms: ProtectPolicy
    immutability: str


class Protection(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that protects one life of one cluster, by name, and on which terms.

    `cluster_principal` is the object id of the cluster's identity, `born` the time of its creation. `mesh`,
    `trust_domain` and `oidc_issuer` are empty where the cluster has none. `recovery_vault` protects the `sources`.
    """

    cluster_id: str
    cluster: str
    cluster_group: str
    cluster_principal: str
    subscription: str
    location: str
    group: str
    snapshot_group: str
    account: str
    vault: str
    binding: str
    instance: str
    run: str
    born: str
    terms: ProtectPolicy = ProtectPolicy()
    mesh: str = ""
    trust_domain: str = ""
    oidc_issuer: str = ""
    recovery_vault: str = ""
    sources: tuple[DataSource, ...] = ()

    @property
    def snapshot_group_id(self) -> str:
        return str(group_scope(self.subscription, self.snapshot_group))

    @property
    def account_id(self) -> str:
        return str(self._group.child("Microsoft.Storage/storageAccounts", self.account))

    @property
    def endpoint_id(self) -> str:
        return str(self._group.child("Microsoft.Network/privateEndpoints", f"pe-{self.account}"))

    @property
    def vault_id(self) -> str:
        return str(self._group.child("Microsoft.DataProtection/backupVaults", self.vault))

    @property
    def policy_id(self) -> str:
        return str(ResourceId(self.vault_id).child("backupPolicies", self.terms.backup_policy))

    @property
    def recovery_vault_id(self) -> str:
        return str(self._group.child("Microsoft.RecoveryServices/vaults", self.recovery_vault))

    def source_policy_id(self, kind: str) -> str:
        """The resource id of the policy for shares or machines."""
        return str(ResourceId(self.recovery_vault_id).child("backupPolicies", source_policy(kind, self.terms)))

    @property
    def bar(self) -> VaultRequirements:
        """How strong the Backup vault has to be."""
        return self._bar("Backup vault", self.vault)

    @property
    def recovery_bar(self) -> VaultRequirements:
        """How strong the Recovery Services vault has to be."""
        return self._bar("Recovery Services vault", self.recovery_vault)

    def _bar(self, kind: str, name: str) -> VaultRequirements:
        """Locked can't be undone: only a policy document that names the vault asks for it."""
        immutability = "Locked" if name in self.terms.lock else "Unlocked"
        return VaultRequirements(what=f"{kind} {name}", terms=self.terms, immutability=immutability)

    @property
    def tags(self) -> dict[str, str]:
        """The tags of all that is made for this protection; resource ids can be longer than a tag may be."""
        return {CLUSTER_TAG: f"{self.cluster_group}/{self.cluster}", BORN_TAG: self.born}

    @property
    def instance_id(self) -> str:
        return str(ResourceId(self.vault_id).child("backupInstances", self.instance))

    @property
    def _group(self) -> ResourceId:
        return group_scope(self.subscription, self.group)


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """A built-in role for a managed identity, by object id, on a scope."""

    principal: str
    role: str
    scope: str

    @property
    def name(self) -> str:
        """The same grant has the same name, whoever makes it."""
        return str(uuid.uuid5(_NAMES, folded(f"{self.scope}|{self.role}|{self.principal}")))

    @property
    def subscription(self) -> str:
        return ResourceId(self.scope).subscription

    @property
    def role_id(self) -> str:
        return str(subscription_scope(self.subscription).child("Microsoft.Authorization/roleDefinitions", self.role))


def check_ours(id: ResourceId, subscriptions: list[str]) -> None:
    """Raise InvalidEvent unless the cluster is in one of our subscriptions."""
    if not any(same(id.subscription, ours) for ours in subscriptions):
        message = f"cluster {shown(id.name)} is in subscription {id.subscription}, which isn't ours"
        raise InvalidEvent("NotOurs", message)


def due(cluster: Cluster, terms: ProtectPolicy) -> bool:
    """Whether the cluster is to be protected; raises NotConverged while it can't be protected yet."""
    by_default = any(same(cluster.subscription_id, named) for named in terms.subscriptions)
    asked = cluster.tagged(PROTECT_TAG, "true") or (by_default and not cluster.tagged(PROTECT_TAG, "false"))
    if not asked or cluster.provisioning_state == "Deleting":
        return False
    if cluster.provisioning_state != "Succeeded":
        raise NotConverged("NotReady", f"cluster {cluster.name} is {cluster.provisioning_state}")
    return True


def protection_of(cluster: Cluster, group: str, terms: ProtectPolicy) -> Protection:
    """The protection of a cluster, its vault in resource group `group` of the cluster's own subscription.

    Raises PermanentError for a cluster whose id can't be read, or whose identity can't be granted anything.
    """
    if cluster.principal_id is None:
        raise PermanentError(
            "NoManagedIdentity",
            f"cluster {cluster.name} runs as a service principal; AKS backup needs a managed identity",
        )
    cluster_id(cluster.id)
    key = hashlib.sha256(f"{folded(cluster.id)}|{life(cluster)}".encode()).hexdigest()
    label = f"{_label(cluster.name)}-{key[:8]}"
    name = uuid.uuid5(_NAMES, key)
    return Protection(
        cluster_id=cluster.id,
        cluster=cluster.name,
        cluster_group=cluster.resource_group,
        cluster_principal=cluster.principal_id,
        subscription=cluster.subscription_id,
        location=cluster.location,
        group=group,
        snapshot_group=f"rg-snapshots-{label}",
        account=f"st{key[:22]}",
        vault=f"bv-{label}",
        recovery_vault=f"rsv-{label}",
        sources=sources_of(cluster),
        binding=f"tarb-{key[:16]}",
        instance=f"{cluster.name}-{cluster.name}-{name}",
        run=f"protect-{folded(cluster.name)}-{key[:8]}",
        born=life(cluster),
        terms=terms,
        mesh=folded(cluster.tag(MESH_TAG)),
        trust_domain=folded(cluster.tag(TRUST_DOMAIN_TAG)),
        oidc_issuer=cluster.oidc_issuer or "",
    )


def grants(protection: Protection, vault: str, extension: str) -> list[Grant]:
    """The roles that `az dataprotection enable-backup` assigns, for the vault's and the extension's identity."""
    return [*cluster_grants(protection), *vault_grants(protection, vault), *extension_grants(protection, extension)]


def cluster_grants(protection: Protection) -> list[Grant]:
    """What the cluster's own identity needs, which is there from the start."""
    return [Grant(principal=protection.cluster_principal, role=CONTRIBUTOR, scope=protection.snapshot_group_id)]


def vault_grants(protection: Protection, vault: str) -> list[Grant]:
    """What the Backup vault's identity needs."""
    held = [
        (READER, protection.cluster_id),
        (READER, protection.snapshot_group_id),
        (DISK_SNAPSHOT_CONTRIBUTOR, protection.snapshot_group_id),
        (BLOB_DATA_READER, protection.account_id),
    ]
    return [Grant(principal=vault, role=role, scope=scope) for role, scope in held]


def extension_grants(protection: Protection, extension: str) -> list[Grant]:
    """What the identity of the backup extension needs."""
    return [Grant(principal=extension, role=BLOB_DATA_CONTRIBUTOR, scope=protection.account_id)]


def share_grants(protection: Protection, vault: str) -> list[Grant]:
    """What the Recovery Services vault's identity needs on the accounts of shares; copies are restored there too."""
    accounts = dict.fromkeys(source.source_id for source in protection.sources if source.kind == "share")
    roles = (FILE_BACKUP_CONTRIBUTOR, FILE_RESTORE_CONTRIBUTOR)
    return [Grant(principal=vault, role=role, scope=account) for account in accounts for role in roles]


def life(cluster: Cluster) -> str:
    """What tells this life of the cluster from others of the same id: when it was created; empty if nobody says."""
    return cluster.created_at.isoformat() if cluster.created_at else ""


def _label(cluster: str) -> str:
    """The cluster's name, cut to 30 characters of those that all services allow."""
    return re.sub(r"[^a-z0-9]+", "-", cluster.lower())[:30].strip("-")
