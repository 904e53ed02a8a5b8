"""Settings → Services: every adapter, built on first use, so that an event pays only for what it needs."""

import os
import time
from datetime import UTC, datetime
from functools import cache, cached_property
from typing import TYPE_CHECKING

from shared.settings import Settings

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential

    from shared.adapters.azure_resources import AzureResources
    from shared.adapters.backup_vault import BackupVaults
    from shared.adapters.clusters import Clusters
    from shared.adapters.identity import Identity
    from shared.adapters.kubernetes import Kubernetes


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
        from shared.adapters.azure import managed_identity

        return managed_identity(self.settings.rotator_client_id)

    @cached_property
    def provisioner(self) -> "AsyncTokenCredential":
        """The identity that creates vaults and assigns roles."""
        from shared.adapters.azure import managed_identity

        return managed_identity(self.settings.provisioner_client_id)

    @cached_property
    def verifier(self) -> "AsyncTokenCredential":
        """The identity that reads backup jobs and restores into isolation."""
        from shared.adapters.azure import managed_identity

        return managed_identity(self.settings.verifier_client_id)

    @cached_property
    def clusters(self) -> "Clusters":
        """The clusters, as the rotator sees them."""
        from shared.adapters.clusters import Clusters

        return Clusters(self.settings, self.rotator)

    @cached_property
    def kubernetes(self) -> "Kubernetes":
        """The clusters' API servers, with the rotator's rights."""
        from shared.adapters.kubernetes import Kubernetes

        return Kubernetes(self.clusters, self.rotator)

    @cached_property
    def protectable(self) -> "Clusters":
        """The clusters, as the provisioner sees them."""
        from shared.adapters.clusters import Clusters

        return Clusters(self.settings, self.provisioner)

    @cached_property
    def azure_resources(self) -> "AzureResources":
        from shared.adapters.azure_resources import AzureResources

        return AzureResources(self.settings, self.provisioner)

    @cached_property
    def backup_vaults(self) -> "BackupVaults":
        from shared.adapters.backup_vault import BackupVaults

        return BackupVaults(self.settings, self.provisioner)

    @cached_property
    def identity(self) -> "Identity":
        from shared.adapters.identity import Identity

        return Identity(self.settings)


@cache
def services() -> Services:
    """The services of this process; raises PermanentError that names every missing setting."""
    return Services(Settings.from_env(os.environ))
