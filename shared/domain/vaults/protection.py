"""What one protected cluster consists of: a vault of its own and all that binds it to the cluster.

Rules:
- Every name comes from the cluster's resource id and incarnation, so that a step that runs twice meets its own work,
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
from collections.abc import Iterable

import msgspec

from shared.domain.cluster import PROTECT_TAG, Cluster, cluster_id, require_readable
from shared.domain.errors import InvalidEvent, NotConverged, PermanentError, shown
from shared.domain.incarnation import Incarnation
from shared.domain.resource_id import ResourceId, folded, group_scope, same, subscription_scope
from shared.domain.vaults.policy import ProtectPolicy
from shared.domain.vaults.roles import (
    BLOB_DATA_CONTRIBUTOR,
    BLOB_DATA_READER,
    CONTRIBUTOR,
    DISK_SNAPSHOT_CONTRIBUTOR,
    READER,
)
from shared.domain.vaults.source import Source, VaultService
from shared.domain.vaults.sources import DataSource, sources_of

CONTAINER = "backups"
CLUSTER_TAG = "meshward:cluster"
INCARNATION_TAG = "meshward:cluster-incarnation"
MARK_TAG = "meshward:mark"  # of a snapshot group
EXTENSION = "azure-aks-backup"

_NAMES = uuid.UUID("6f0e2f0c-6a5b-5d5e-9a55-6d0a8a6f2d11")


class Protection(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that protects one incarnation of a cluster, by name, and on which terms."""

    cluster_id: str  # resource id
    cluster: str  # name
    cluster_group: str  # name of the cluster's resource group
    cluster_principal: str  # object id of the cluster's identity
    subscription: str  # GUID of the cluster's, which all of this is in
    location: str  # Azure region of the cluster, which all of this is in
    group: str  # of all that is made, but the snapshots
    snapshot_group: str  # name of the group of the snapshots
    account: str  # name of the storage account
    backup_vault: str  # name
    trusted_access_binding: str  # name of what grants the vault access to the cluster
    instance: str  # name of the backup instance
    run: str  # id of the first run that protects the cluster
    incarnation: str  # the cluster's, as the tags of its vault tell it
    terms: ProtectPolicy = ProtectPolicy()  # the knobs that hold for the cluster
    mesh: str = ""  # empty where the cluster has none
    trust_domain: str = ""  # empty where the cluster has no mesh
    oidc_issuer: str = ""  # URL that issues the cluster's service account tokens; empty where none does
    recovery_services_vault: str = ""  # name; it is made if the cluster names what it protects
    sources: tuple[DataSource, ...] = ()  # shares and machines that the cluster names
    listed_sources: tuple[str, ...] = ()  # resource ids that the policy document lists as its sources

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
    def backup_vault_id(self) -> str:
        return str(self._group.child("Microsoft.DataProtection/backupVaults", self.backup_vault))

    @property
    def policy_id(self) -> str:
        return str(ResourceId(self.backup_vault_id).child("backupPolicies", self.terms.backup_policy))

    @property
    def instance_id(self) -> str:
        return str(ResourceId(self.backup_vault_id).child("backupInstances", self.instance))

    @property
    def recovery_services_vault_id(self) -> str:
        return str(self._group.child("Microsoft.RecoveryServices/vaults", self.recovery_services_vault))

    def source_policy_id(self, source: Source) -> str:
        """The resource id of the policy for data sources of this kind."""
        return str(ResourceId(self.vault_id(source.service)).child("backupPolicies", source.policy(self.terms)))

    def vault_id(self, service: VaultService) -> str:
        """The resource id of the vault of this service."""
        return self.backup_vault_id if service is VaultService.BACKUP else self.recovery_services_vault_id

    def requirements(self, service: VaultService) -> "VaultRequirements":
        """What the vault of this service has to be."""
        return VaultRequirements(protection=self, service=service)

    @property
    def tags(self) -> dict[str, str]:
        """The tags of all that is made for this protection; resource ids can be longer than a tag may be."""
        return {CLUSTER_TAG: f"{self.cluster_group}/{self.cluster}", INCARNATION_TAG: self.incarnation}

    @property
    def _group(self) -> ResourceId:
        return group_scope(self.subscription, self.group)


class VaultRequirements(msgspec.Struct, frozen=True, kw_only=True):
    """One of the vaults of a protection, and how strong it has to be."""

    protection: Protection
    service: VaultService

    @property
    def name(self) -> str:
        found = self.protection
        return found.backup_vault if self.service is VaultService.BACKUP else found.recovery_services_vault

    @property
    def label(self) -> str:
        """What messages call it."""
        return f"{self.service} {self.name}"

    @property
    def terms(self) -> ProtectPolicy:
        return self.protection.terms

    @property
    def immutability(self) -> str:
        """Locked, for ever, only where the policy document names the vault."""
        return "Locked" if self.name in self.terms.lock else "Unlocked"


class SourceRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A data source of a protection."""

    protection: Protection
    source: DataSource


class SourceOperation(SourceRequest, frozen=True, kw_only=True):
    """What was asked of the vault for a data source; without an operation there was nothing to ask for."""

    operation: str = ""


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """A built-in role for a managed identity, by object id, on a scope."""

    principal: str
    role: str
    scope: str

    @property
    def name(self) -> str:
        """The same grant has the same name, no matter who makes it."""
        return str(uuid.uuid5(_NAMES, folded(f"{self.scope}|{self.role}|{self.principal}")))

    @property
    def subscription(self) -> str:
        return ResourceId(self.scope).subscription

    @property
    def role_id(self) -> str:
        return str(subscription_scope(self.subscription).child("Microsoft.Authorization/roleDefinitions", self.role))


def require_in_fleet(id: ResourceId, subscriptions: list[str]) -> None:
    """Raise InvalidEvent unless the cluster is in one of our subscriptions."""
    if not any(same(id.subscription, each) for each in subscriptions):
        message = f"cluster {shown(id.name)} is in subscription {id.subscription}, which isn't configured"
        raise InvalidEvent("NotOurs", message)


def is_due(cluster: Cluster, terms: ProtectPolicy) -> bool:
    """Whether the cluster is to be protected; raises NotConverged while it can't be protected yet, and PermanentError
    if its tag can't be read.
    """
    by_default = any(same(cluster.subscription_id, named) for named in terms.subscriptions)
    asked = cluster.tagged(PROTECT_TAG, "true") or (by_default and not cluster.tagged(PROTECT_TAG, "false"))
    if not asked:
        require_readable(cluster, PROTECT_TAG)
    if not asked or cluster.provisioning_state == "Deleting":
        return False
    if cluster.provisioning_state != "Succeeded":
        raise NotConverged("NotReady", f"cluster {cluster.name} is {cluster.provisioning_state}")
    return True


def protection_of(
    cluster: Cluster,
    group: str,
    terms: ProtectPolicy,
    incarnation: Incarnation | None = None,
    listed_sources: tuple[str, ...] = (),
) -> Protection:
    """The protection of a cluster, its vault in resource group `group` of the cluster's own subscription.

    `incarnation` is what the tags of its vault tell, if it has one: names stay as they were made.
    Raises PermanentError for a cluster whose id can't be read, or whose identity can't be granted anything.
    """
    if cluster.principal_id is None:
        raise PermanentError(
            "NoManagedIdentity",
            f"cluster {cluster.name} uses a service principal; AKS backup needs a managed identity",
        )
    cluster_id(cluster.id)
    known = incarnation or cluster.incarnation
    key = hashlib.sha256(f"{folded(cluster.id)}|{known.key}".encode()).hexdigest()
    label = label_of(cluster.name, key)
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
        backup_vault=f"bv-{label}",
        recovery_services_vault=f"rsv-{label}",
        sources=sources_of(cluster),
        listed_sources=listed_sources,
        trusted_access_binding=f"tarb-{key[:16]}",
        instance=f"{cluster.name}-{cluster.name}-{name}",
        run=f"protect-{folded(cluster.name)[:40]}-{key[:16]}",
        incarnation=known.text,
        terms=terms,
        mesh=cluster.mesh,
        trust_domain=cluster.trust_domain,
        oidc_issuer=cluster.oidc_issuer or "",
    )


def grants(protection: Protection, vault: str, extension: str) -> list[Grant]:
    """The roles that `az dataprotection enable-backup` assigns, for the vault's and the extension's identity."""
    return [*vault_grants(protection, vault), *extension_grants(protection, extension)]


def vault_grants(protection: Protection, vault: str) -> list[Grant]:
    """What the Backup vault's identity needs, and beside it the cluster's own."""
    needed = [
        (protection.cluster_principal, CONTRIBUTOR, protection.snapshot_group_id),
        (vault, READER, protection.cluster_id),
        (vault, READER, protection.snapshot_group_id),
        (vault, DISK_SNAPSHOT_CONTRIBUTOR, protection.snapshot_group_id),
        (vault, BLOB_DATA_READER, protection.account_id),
    ]
    return [Grant(principal=principal, role=role, scope=scope) for principal, role, scope in needed]


def extension_grants(protection: Protection, extension: str) -> list[Grant]:
    """What the identity of the backup extension needs."""
    return [Grant(principal=extension, role=BLOB_DATA_CONTRIBUTOR, scope=protection.account_id)]


def source_grants(service: VaultService, sources: Iterable[Source], vault: str) -> list[Grant]:
    """What the identity of this service's vault needs for those of the data sources that it protects, once a scope."""
    own = (source for source in sources if source.service is service)
    needed = dict.fromkeys((role, source.source_id) for source in own for role in source.roles)
    return [Grant(principal=vault, role=role, scope=scope) for role, scope in needed]


def label_of(cluster: str, key: str) -> str:
    """What names end with: the cluster's name, cut to 30 characters of those that all services allow, and a digest."""
    readable = re.sub(r"[^a-z0-9]+", "-", cluster.lower())[:30].strip("-")
    return f"{readable}-{key[:8]}"
