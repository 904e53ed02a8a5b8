"""Which identity makes a call: that of the duty which the call names. No duty has another's adapters.

    services().rotator.key_vault…        the rotator       rotates trust: Key Vault, the objects of the mesh
    services().provisioner.guards…       the provisioner   makes vaults, assigns roles, binds backup workloads
    services().verifier.disks…           the verifier      restores into isolation, publishes events

- The file of each duty beside this one lists what it reaches. What its identity may do there is in infra/roles.json for
  Azure, and in infra/cluster for Kubernetes.
- The verifier keeps the store for all duties: `services().ledger` and `services().policy()` are calls of its.
- Two kinds of calls are of no duty. Entra's keys, by which callers' tokens are checked, are public. Telemetry, and the
  storage of the Functions host, are reached as the host's own identity.
"""

from functools import cached_property
from typing import TYPE_CHECKING

from shared.settings import Settings

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential

    from shared.adapters.azure.clusters import Clusters
    from shared.adapters.kubernetes.api import Kubernetes


class Duty:
    """The outer world with the rights of one managed identity, which `client_id` names, and the clusters it sees."""

    def __init__(self, settings: Settings, client_id: str) -> None:
        self._settings, self._client_id = settings, client_id

    @cached_property
    def credential(self) -> "AsyncTokenCredential":
        from shared.adapters.azure.common import managed_identity

        return managed_identity(self._client_id)

    @cached_property
    def clusters(self) -> "Clusters":
        """The clusters that it sees."""
        from shared.adapters.azure.clusters import Clusters

        return Clusters(self._settings, self.credential)

    @cached_property
    def kubernetes(self) -> "Kubernetes":
        """The clusters' API servers."""
        from shared.adapters.kubernetes.api import Kubernetes

        return Kubernetes(self.clusters)
