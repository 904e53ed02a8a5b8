"""What the verifier reaches: backup jobs, restores and the isolated places that they go to."""

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from shared.domain.restores.items import ItemKind
from shared.settings import Settings
from shared.wiring.duty import Duty, ReadAllowList

if TYPE_CHECKING:
    from shared.adapters.azure.events import Events
    from shared.adapters.azure.inventory import Inventory
    from shared.adapters.azure.ledger import Ledger
    from shared.adapters.azure.staging import Staging
    from shared.adapters.backup.cluster_copies import ClusterCopies
    from shared.adapters.backup.cluster_restores import ClusterRestores
    from shared.adapters.backup.machine_restores import MachineRestores
    from shared.adapters.backup.restores import Copies, Restores, Validations


class Verifier(Duty):
    """The outer world with the rights of the identity that restores into isolation, and keeps the app's store."""

    def __init__(self, settings: Settings, allow_list: ReadAllowList) -> None:
        super().__init__(settings, settings.verifier_client_id, allow_list)

    @cached_property
    def ledger(self) -> "Ledger":
        """The app's store."""
        from shared.adapters.azure.ledger import Ledger

        return Ledger(self._settings.store_url, self.credential)

    @cached_property
    def evidence(self) -> "Ledger":
        """Where it may create and read documents, and do nothing else."""
        from shared.adapters.azure.ledger import Ledger

        return Ledger(self._settings.evidence_url, self.credential)

    @cached_property
    def policies(self) -> "Ledger":
        """Where people put the policy document, and it may read."""
        from shared.adapters.azure.ledger import Ledger

        return Ledger(self._settings.policy_url, self.credential)

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
    def machine_restores(self) -> "MachineRestores":
        from shared.adapters.backup.machine_restores import MachineRestores

        return MachineRestores(self._settings, self.credential)

    @cached_property
    def restores(self) -> "Mapping[ItemKind, Restores[Any]]":
        """The vaults that protect items of each kind."""
        from shared.adapters.backup.share_restores import ShareRestores

        shares = ShareRestores(self._settings, self.credential)
        return {"cluster": self.cluster_restores, "share": shares, "machine": self.machine_restores}

    @property
    def validations(self) -> "Mapping[ItemKind, Validations[Any]]":
        """The vaults that can be asked about a restore before it is sent, which those of shares can't."""
        return {"cluster": self.cluster_restores, "machine": self.machine_restores}

    @cached_property
    def copies(self) -> "Mapping[ItemKind, Copies[Any]]":
        """The sources of each kind, and their isolated copies."""
        from shared.adapters.azure.file_shares import FileShares
        from shared.adapters.backup.disks import Disks

        disks = Disks(self._settings, self.credential, self.machine_restores, self.ledger)
        return {"cluster": self.namespaces, "share": FileShares(self._settings, self.credential), "machine": disks}

    @cached_property
    def namespaces(self) -> "ClusterCopies":
        """Namespaces of clusters, their isolated copies and the calls of what runs there."""
        from shared.adapters.backup.cluster_copies import ClusterCopies

        return ClusterCopies(self.kubernetes, self.clusters, self.staging)

    @cached_property
    def staging(self) -> "Staging":
        """What restores of clusters from the vault tier stage."""
        from shared.adapters.azure.staging import Staging

        return Staging(self._settings, self.credential, self.cluster_restores, self.ledger)
