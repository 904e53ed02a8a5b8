"""What the provisioner reaches: vaults and all that a cluster needs for its backup."""

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from shared.domain.vaults.machines import VirtualMachine
from shared.domain.vaults.shares import FileShare
from shared.domain.vaults.source import VaultService
from shared.domain.vaults.sources import DataSource
from shared.settings import Settings
from shared.wiring.duty import Duty, ReadAllowList

if TYPE_CHECKING:
    from shared.adapters.azure.inventory import Inventory
    from shared.adapters.azure.private_endpoints import PrivateEndpoints
    from shared.adapters.azure.probes import Subscriptions
    from shared.adapters.azure.resources import AzureResources
    from shared.adapters.azure.workload_identity import WorkloadIdentities
    from shared.adapters.backup.backup_vaults import BackupVaults
    from shared.adapters.backup.cluster_backups import ClusterBackups
    from shared.adapters.backup.recovery_services_vaults import RecoveryServicesVaults
    from shared.adapters.backup.share_backups import ShareBackups
    from shared.adapters.backup.source_backups import SourceBackups
    from shared.adapters.backup.vaults import Vaults
    from shared.adapters.kubernetes.backup_namespace import BackupNamespaces


class Provisioner(Duty):
    """The outer world with the rights of the identity that creates vaults and assigns roles."""

    def __init__(self, settings: Settings, allow_list: ReadAllowList) -> None:
        super().__init__(settings, settings.provisioner_client_id, allow_list)

    @cached_property
    def inventory(self) -> "Inventory":
        """Resource Graph as it sees it."""
        from shared.adapters.azure.inventory import Inventory

        return Inventory(self._settings, self.credential)

    @cached_property
    def subscriptions(self) -> "Subscriptions":
        """Whole subscriptions, as the self-test looks at them."""
        from shared.adapters.azure.probes import Subscriptions

        return Subscriptions(self._settings, self.credential)

    @cached_property
    def azure_resources(self) -> "AzureResources":
        from shared.adapters.azure.resources import AzureResources

        return AzureResources(self._settings, self.credential)

    @cached_property
    def backup_vaults(self) -> "BackupVaults":
        from shared.adapters.backup.backup_vaults import BackupVaults

        return BackupVaults(self._settings, self.credential)

    @cached_property
    def recovery_services_vaults(self) -> "RecoveryServicesVaults":
        from shared.adapters.backup.recovery_services_vaults import RecoveryServicesVaults

        return RecoveryServicesVaults(self._settings, self.credential)

    def vaults(self, service: VaultService) -> "Vaults":
        """The vaults of a service."""
        return self.backup_vaults if service is VaultService.BACKUP else self.recovery_services_vaults

    @cached_property
    def private_endpoints(self) -> "PrivateEndpoints":
        from shared.adapters.azure.private_endpoints import PrivateEndpoints

        return PrivateEndpoints(self._settings, self.credential)

    @cached_property
    def cluster_backups(self) -> "ClusterBackups":
        from shared.adapters.backup.cluster_backups import ClusterBackups

        return ClusterBackups(self._settings, self.credential)

    @cached_property
    def share_backups(self) -> "ShareBackups":
        from shared.adapters.backup.share_backups import ShareBackups

        return ShareBackups(self._settings, self.credential)

    @cached_property
    def source_backups(self) -> "Mapping[type[DataSource], SourceBackups]":
        """The backups of each kind of data source."""
        from shared.adapters.backup.machine_backups import MachineBackups

        machines = MachineBackups(self._settings, self.credential)
        return {FileShare: self.share_backups, VirtualMachine: machines}

    @cached_property
    def workload_identities(self) -> "WorkloadIdentities":
        from shared.adapters.azure.workload_identity import WorkloadIdentities

        return WorkloadIdentities(self._settings, self.credential)

    @cached_property
    def backup_namespaces(self) -> "BackupNamespaces":
        """The backup namespaces of clusters."""
        from shared.adapters.kubernetes.backup_namespace import BackupNamespaces

        return BackupNamespaces(self.kubernetes)
