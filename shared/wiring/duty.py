"""What every duty has: its identity, and the clusters that it sees with that.

`services().verifier.disks.held(…)` is a call of the verifier: the duty that a call names makes it. The file of each
duty beside this one lists what it reaches; CONTRIBUTING.md says what each identity is for.
"""

from collections.abc import Awaitable, Callable
from functools import cached_property
from typing import TYPE_CHECKING

from shared.domain.admission import AllowList, Fleet
from shared.settings import Settings

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential

    from shared.adapters.azure.clusters import Clusters
    from shared.adapters.kubernetes.api import Kubernetes


type ReadAllowList = Callable[[], Awaitable[AllowList]]


class Duty:
    """The outer world with the rights of one managed identity, which `client_id` names."""

    def __init__(self, settings: Settings, client_id: str, allow_list: ReadAllowList) -> None:
        self._settings, self._client_id, self._allow_list = settings, client_id, allow_list

    @cached_property
    def credential(self) -> "AsyncTokenCredential":
        from shared.adapters.azure.common import managed_identity

        return managed_identity(self._client_id)

    @cached_property
    def clusters(self) -> "Clusters":
        """The clusters that it sees."""
        from shared.adapters.azure.clusters import Clusters

        return Clusters(self._settings, self.credential)

    async def fleet(self) -> Fleet:
        """The clusters that it sees, and who of them belongs to a trust domain."""
        return Fleet(await self.clusters.list(), await self._allow_list())

    @cached_property
    def kubernetes(self) -> "Kubernetes":
        """The API servers of clusters that the list admits."""
        from shared.adapters.kubernetes.api import Kubernetes

        return Kubernetes(self.clusters, self._allow_list)
