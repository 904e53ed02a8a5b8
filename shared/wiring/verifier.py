"""What the verifier reaches: backup jobs, restores and the isolated places that they go to."""

from functools import cached_property
from typing import TYPE_CHECKING

from shared.domain.restores.verification import ItemKind
from shared.settings import Settings
from shared.wiring.duty import Duty

if TYPE_CHECKING:
    from shared.adapters.azure.events import Events
    from shared.adapters.azure.file_shares import FileShares
    from shared.adapters.azure.inventory import Inventory
    from shared.adapters.azure.ledger import Ledger
    from shared.adapters.azure.staging import Staging
    from shared.adapters.backup.cluster_restores import ClusterRestores
    from shared.adapters.backup.disks import Disks
    from shared.adapters.backup.machine_restores import MachineRestores
    from shared.adapters.backup.share_restores import ShareRestores
    from shared.adapters.kubernetes.isolation import Namespaces


class Verifier(Duty):
    """The outer world with the rights of the identity that restores into isolation, and keeps the app's store."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings, settings.verifier_client_id)

    @cached_property
    def ledger(self) -> "Ledger":
        """The app's store."""
        from shared.adapters.azure.ledger import Ledger

        return Ledger(self._settings.store_url, self.credential)

    @cached_property
    def inventory(self) -> "Inventory":
        """Resource Graph as it sees it."""
        from shared.adapters.azure.inventory import Inventory

        return Inventory(self._settings, self.credential)

    @cached_property
    def events(self) -> "Events":
        from shared.adapters.azure.events import Events

        return Events(self._settings.event_topic_url, self.credential)

    @cached_property
    def cluster_restores(self) -> "ClusterRestores":
        from shared.adapters.backup.cluster_restores import ClusterRestores

        return ClusterRestores(self._settings, self.credential)

    @cached_property
    def share_restores(self) -> "ShareRestores":
        from shared.adapters.backup.share_restores import ShareRestores

        return ShareRestores(self._settings, self.credential)

    @cached_property
    def machine_restores(self) -> "MachineRestores":
        from shared.adapters.backup.machine_restores import MachineRestores

        return MachineRestores(self._settings, self.credential)

    @cached_property
    def namespaces(self) -> "Namespaces":
        """Namespaces of clusters."""
        from shared.adapters.kubernetes.isolation import Namespaces

        return Namespaces(self.kubernetes)

    @cached_property
    def file_shares(self) -> "FileShares":
        from shared.adapters.azure.file_shares import FileShares

        return FileShares(self._settings, self.credential)

    @cached_property
    def disks(self) -> "Disks":
        """Disks of machines and of their copies."""
        from shared.adapters.backup.disks import Disks

        return Disks(self._settings, self.credential, self.machine_restores, self.ledger)

    @cached_property
    def staging(self) -> "Staging":
        """What restores of clusters from the vault tier stage."""
        from shared.adapters.azure.staging import Staging

        return Staging(self._settings, self.credential, self.cluster_restores, self.ledger)

    def restores(self, kind: ItemKind) -> "ClusterRestores | ShareRestores | MachineRestores":
        """The vaults that protect items of this kind."""
        if kind == "machine":
            return self.machine_restores
        return self.share_restores if kind == "share" else self.cluster_restores

    def validations(self, kind: ItemKind) -> "ClusterRestores | MachineRestores":
        """The vaults that can be asked first whether a restore could be made; those of shares can't."""
        return self.machine_restores if kind == "machine" else self.cluster_restores

    def places(self, kind: ItemKind) -> "Namespaces | FileShares | Disks":
        """Where items of this kind, and their isolated copies, are."""
        if kind == "machine":
            return self.disks
        return self.file_shares if kind == "share" else self.namespaces
