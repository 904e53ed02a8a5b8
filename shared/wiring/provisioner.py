"""What the provisioner reaches: vaults and all that a cluster needs for its backup."""

from functools import cached_property
from typing import TYPE_CHECKING

from shared.settings import Settings
from shared.wiring.duty import Duty

if TYPE_CHECKING:
    from shared.adapters.azure.inventory import Inventory
    from shared.adapters.azure.private_endpoints import PrivateEndpoints
    from shared.adapters.azure.probes import Subscriptions
    from shared.adapters.azure.resources import AzureResources
    from shared.adapters.azure.workload_identity import WorkloadIdentities
    from shared.adapters.backup.guards import Guards
    from shared.adapters.backup.machine_backups import MachineBackups
    from shared.adapters.backup.recovery_vaults import RecoveryVaults
    from shared.adapters.backup.share_backups import ShareBackups
    from shared.adapters.backup.vaults import BackupVaults
    from shared.adapters.kubernetes.backup_namespace import BackupNamespaces


class Provisioner(Duty):
    """The outer world with the rights of the identity that creates vaults and assigns roles."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings, settings.provisioner_client_id)

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
        from shared.adapters.backup.vaults import BackupVaults

        return BackupVaults(self._settings, self.credential)

    @cached_property
    def recovery_vaults(self) -> "RecoveryVaults":
        from shared.adapters.backup.recovery_vaults import RecoveryVaults

        return RecoveryVaults(self._settings, self.credential)

    @cached_property
    def private_endpoints(self) -> "PrivateEndpoints":
        from shared.adapters.azure.private_endpoints import PrivateEndpoints

        return PrivateEndpoints(self._settings, self.credential)

    @cached_property
    def share_backups(self) -> "ShareBackups":
        from shared.adapters.backup.share_backups import ShareBackups

        return ShareBackups(self._settings, self.credential)

    @cached_property
    def machine_backups(self) -> "MachineBackups":
        from shared.adapters.backup.machine_backups import MachineBackups

        return MachineBackups(self._settings, self.credential)

    @cached_property
    def guards(self) -> "Guards":
        from shared.adapters.backup.guards import Guards

        return Guards(self._settings, self.credential)

    @cached_property
    def workload_identities(self) -> "WorkloadIdentities":
        from shared.adapters.azure.workload_identity import WorkloadIdentities

        return WorkloadIdentities(self._settings, self.credential)

    @cached_property
    def backup_namespaces(self) -> "BackupNamespaces":
        """The backup namespaces of clusters."""
        from shared.adapters.kubernetes.backup_namespace import BackupNamespaces

        return BackupNamespaces(self.kubernetes)
