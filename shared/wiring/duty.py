"""What every duty has: its identity, and the clusters that it sees with that.

`services().verifier.disks.held(…)` is a call of the verifier: the duty that a call names makes it. The file of each
duty beside this one lists what it reaches; CONTRIBUTING.md says what each identity is for.
"""

from functools import cached_property
from typing import TYPE_CHECKING

from shared.settings import Settings

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential

    from shared.adapters.azure.clusters import Clusters
    from shared.adapters.kubernetes.api import Kubernetes


class Duty:
    """The outer world with the rights of one managed identity, which `client_id` names."""

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
