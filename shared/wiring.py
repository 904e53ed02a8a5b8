"""Settings → Services: every adapter, built on first use, so that an event pays only for what it needs."""

import logging
import os
import time
from datetime import UTC, datetime
from functools import cache, cached_property
from typing import TYPE_CHECKING

from shared.domain.policy import Policy, policy_of
from shared.domain.restores.verification import Kind
from shared.settings import Settings

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential

    from shared.adapters.azure.clusters import Clusters
    from shared.adapters.azure.events import Events
    from shared.adapters.azure.file_shares import FileShares
    from shared.adapters.azure.inventory import Inventory
    from shared.adapters.azure.key_vault import KeyVault
    from shared.adapters.azure.ledger import Ledger
    from shared.adapters.azure.private_endpoints import PrivateEndpoints
    from shared.adapters.azure.probes import Keys, Subscriptions
    from shared.adapters.azure.resources import AzureResources
    from shared.adapters.azure.staging import Staging
    from shared.adapters.azure.tokens import Identity
    from shared.adapters.azure.workload_identity import WorkloadIdentities
    from shared.adapters.backup.cluster_restores import ClusterRestores
    from shared.adapters.backup.disks import Disks
    from shared.adapters.backup.guards import Guards
    from shared.adapters.backup.machine_backups import MachineBackups
    from shared.adapters.backup.machine_restores import MachineRestores
    from shared.adapters.backup.recovery_vaults import RecoveryVaults
    from shared.adapters.backup.share_backups import ShareBackups
    from shared.adapters.backup.share_restores import ShareRestores
    from shared.adapters.backup.vaults import BackupVaults
    from shared.adapters.kubernetes.api import Kubernetes
    from shared.adapters.kubernetes.backup_namespace import BackupNamespaces
    from shared.adapters.kubernetes.isolation import Namespaces
    from shared.adapters.meshes.linkerd import Linkerd


class Services:
    """The outer world as the flows see it."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def now(self) -> datetime:
        """The present, in UTC."""
        return datetime.fromtimestamp(time.time(), UTC)

    @cached_property
    def rotator(self) -> "AsyncTokenCredential":
        """The identity that rotates trust: Key Vault and the mesh's objects."""
        from shared.adapters.azure.common import managed_identity

        return managed_identity(self.settings.rotator_client_id)

    @cached_property
    def provisioner(self) -> "AsyncTokenCredential":
        """The identity that creates vaults and assigns roles."""
        from shared.adapters.azure.common import managed_identity

        return managed_identity(self.settings.provisioner_client_id)

    @cached_property
    def verifier(self) -> "AsyncTokenCredential":
        """The identity that reads backup jobs and restores into isolation."""
        from shared.adapters.azure.common import managed_identity

        return managed_identity(self.settings.verifier_client_id)

    @cached_property
    def clusters(self) -> "Clusters":
        """The clusters, as the rotator sees them."""
        from shared.adapters.azure.clusters import Clusters

        return Clusters(self.settings, self.rotator)

    @cached_property
    def key_vault(self) -> "KeyVault":
        """The vault of the trust roots."""
        from shared.adapters.azure.key_vault import KeyVault

        return KeyVault(self.settings, self.rotator)

    @cached_property
    def keys(self) -> "Keys":
        """The keys of the trust roots, as the self-test looks at them."""
        from shared.adapters.azure.probes import Keys

        return Keys(self.settings, self.rotator)

    @cached_property
    def subscriptions(self) -> "Subscriptions":
        """Whole subscriptions, as the self-test looks at them with the provisioner's rights."""
        from shared.adapters.azure.probes import Subscriptions

        return Subscriptions(self.settings, self.provisioner)

    @cached_property
    def linkerd(self) -> "Linkerd":
        """The mesh of every cluster."""
        from shared.adapters.meshes.linkerd import Linkerd

        return Linkerd(self.kubernetes)

    @cached_property
    def kubernetes(self) -> "Kubernetes":
        """The clusters' API servers, with the rotator's rights."""
        from shared.adapters.kubernetes.api import Kubernetes

        return Kubernetes(self.clusters, self.rotator)

    @cached_property
    def protectable(self) -> "Clusters":
        """The clusters, as the provisioner sees them."""
        from shared.adapters.azure.clusters import Clusters

        return Clusters(self.settings, self.provisioner)

    @cached_property
    def azure_resources(self) -> "AzureResources":
        from shared.adapters.azure.resources import AzureResources

        return AzureResources(self.settings, self.provisioner)

    @cached_property
    def backup_vaults(self) -> "BackupVaults":
        from shared.adapters.backup.vaults import BackupVaults

        return BackupVaults(self.settings, self.provisioner)

    @cached_property
    def recovery_vaults(self) -> "RecoveryVaults":
        from shared.adapters.backup.recovery_vaults import RecoveryVaults

        return RecoveryVaults(self.settings, self.provisioner)

    @cached_property
    def private_endpoints(self) -> "PrivateEndpoints":
        from shared.adapters.azure.private_endpoints import PrivateEndpoints

        return PrivateEndpoints(self.settings, self.provisioner)

    @cached_property
    def machine_backups(self) -> "MachineBackups":
        from shared.adapters.backup.machine_backups import MachineBackups

        return MachineBackups(self.settings, self.provisioner)

    @cached_property
    def guards(self) -> "Guards":
        from shared.adapters.backup.guards import Guards

        return Guards(self.settings, self.provisioner)

    @cached_property
    def share_backups(self) -> "ShareBackups":
        from shared.adapters.backup.share_backups import ShareBackups

        return ShareBackups(self.settings, self.provisioner)

    @cached_property
    def workload_identities(self) -> "WorkloadIdentities":
        from shared.adapters.azure.workload_identity import WorkloadIdentities

        return WorkloadIdentities(self.settings, self.provisioner)

    @cached_property
    def backup_namespaces(self) -> "BackupNamespaces":
        """The backup namespaces of clusters, with the provisioner's rights."""
        from shared.adapters.kubernetes.api import Kubernetes
        from shared.adapters.kubernetes.backup_namespace import BackupNamespaces

        return BackupNamespaces(Kubernetes(self.protectable, self.provisioner))

    @cached_property
    def ledger(self) -> "Ledger":
        from shared.adapters.azure.ledger import Ledger

        return Ledger(self.settings.store_url, self.verifier)

    async def policy(self) -> Policy:
        """The policy document, read anew; raises PermanentError if it is refused."""
        return policy_of(await self.ledger.read("policy.json"))

    @cached_property
    def inventory(self) -> "Inventory":
        from shared.adapters.azure.inventory import Inventory

        return Inventory(self.settings, self.verifier)

    @cached_property
    def assets(self) -> "Inventory":
        """Resource Graph as the provisioner sees it."""
        from shared.adapters.azure.inventory import Inventory

        return Inventory(self.settings, self.provisioner)

    @cached_property
    def events(self) -> "Events":
        from shared.adapters.azure.events import Events

        return Events(self.settings.event_topic_url, self.verifier)

    @cached_property
    def cluster_restores(self) -> "ClusterRestores":
        from shared.adapters.backup.cluster_restores import ClusterRestores

        return ClusterRestores(self.settings, self.verifier)

    @cached_property
    def share_restores(self) -> "ShareRestores":
        from shared.adapters.backup.share_restores import ShareRestores

        return ShareRestores(self.settings, self.verifier)

    @cached_property
    def machine_restores(self) -> "MachineRestores":
        from shared.adapters.backup.machine_restores import MachineRestores

        return MachineRestores(self.settings, self.verifier)

    @cached_property
    def visible(self) -> "Clusters":
        """The clusters, as the verifier sees them."""
        from shared.adapters.azure.clusters import Clusters

        return Clusters(self.settings, self.verifier)

    @cached_property
    def namespaces(self) -> "Namespaces":
        """Namespaces of clusters, with the verifier's rights."""
        from shared.adapters.kubernetes.api import Kubernetes
        from shared.adapters.kubernetes.isolation import Namespaces

        return Namespaces(Kubernetes(self.visible, self.verifier))

    @cached_property
    def file_shares(self) -> "FileShares":
        from shared.adapters.azure.file_shares import FileShares

        return FileShares(self.settings, self.verifier)

    @cached_property
    def disks(self) -> "Disks":
        """Disks of machines and of their copies, with the verifier's rights."""
        from shared.adapters.backup.disks import Disks

        return Disks(self.settings, self.verifier, self.machine_restores, self.ledger)

    @cached_property
    def staging(self) -> "Staging":
        """What restores of clusters from the vault tier stage, with the verifier's rights."""
        from shared.adapters.azure.staging import Staging

        return Staging(self.settings, self.verifier, self.cluster_restores, self.ledger)

    def restores(self, kind: Kind) -> "ClusterRestores | ShareRestores | MachineRestores":
        """The vaults that protect items of this kind."""
        if kind == "machine":
            return self.machine_restores
        return self.share_restores if kind == "share" else self.cluster_restores

    def validations(self, kind: Kind) -> "ClusterRestores | MachineRestores":
        """The vaults that can be asked first whether a restore could be made; those of shares can't."""
        return self.machine_restores if kind == "machine" else self.cluster_restores

    def places(self, kind: Kind) -> "Namespaces | FileShares | Disks":
        """Where items of this kind, and their isolated copies, are."""
        if kind == "machine":
            return self.disks
        return self.file_shares if kind == "share" else self.namespaces

    @cached_property
    def identity(self) -> "Identity":
        from shared.adapters.azure.tokens import Identity

        return Identity(self.settings)


@cache
def services() -> Services:
    """The services of this process; raises Misconfigured that names every missing setting."""
    logging.getLogger("azure").setLevel(logging.WARNING)  # at INFO it logs every request with its headers
    return Services(Settings.from_env(os.environ))
