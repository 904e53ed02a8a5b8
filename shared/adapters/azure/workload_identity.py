"""User-assigned identities of backup workloads, and whose tokens Entra takes for theirs."""

from typing import TYPE_CHECKING, Any

from shared.adapters.azure.common import Management, translated, unless_absent
from shared.domain.vaults.binding import ACCOUNT, Federation, identity_name
from shared.domain.vaults.protection import Protection
from shared.settings import Settings

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential
    from azure.mgmt.msi.aio import ManagedServiceIdentityClient


class WorkloadIdentities:
    """Reads give None for what isn't there. `options` go to the SDK's clients."""

    def __init__(self, settings: Settings, credential: "AsyncTokenCredential", **options: Any) -> None:
        self._management = Management(settings, credential, **options)

    async def identity(self, wanted: Protection) -> tuple[str, str] | None:
        """Object id and client id of the identity."""
        name = identity_name(wanted)
        with translated(f"reading identity {name}"):
            found = await unless_absent(self._client(wanted).user_assigned_identities.get(wanted.group, name))
        return (str(found.principal_id), str(found.client_id)) if found else None

    async def create(self, wanted: Protection) -> None:
        """Make the identity, in the cluster's region."""
        from azure.mgmt.msi.models import Identity

        name = identity_name(wanted)
        with translated(f"creating identity {name}"):
            await self._client(wanted).user_assigned_identities.create_or_update(
                wanted.group, name, Identity(location=wanted.location, tags=self._management.tagged())
            )

    async def delete(self, wanted: Protection) -> None:
        """Delete the identity, with it whose tokens Entra takes for its own."""
        name = identity_name(wanted)
        with translated(f"deleting identity {name}"):
            await self._client(wanted).user_assigned_identities.delete(wanted.group, name)

    async def federation(self, wanted: Protection) -> Federation | None:
        """Whose tokens Entra takes for the identity's."""
        name = identity_name(wanted)
        with translated(f"reading the federated credential of identity {name}"):
            found = await unless_absent(
                self._client(wanted).federated_identity_credentials.get(wanted.group, name, ACCOUNT)
            )
        if found is None:
            return None
        return Federation(
            issuer=found.issuer or "", subject=found.subject or "", audiences=tuple(found.audiences or ())
        )

    async def federate(self, wanted: Protection, federation: Federation) -> None:
        """Let Entra take these tokens, and no longer those of before, for the identity's."""
        from azure.mgmt.msi.models import FederatedIdentityCredential

        name = identity_name(wanted)
        body = FederatedIdentityCredential(
            issuer=federation.issuer, subject=federation.subject, audiences=list(federation.audiences)
        )
        with translated(f"writing the federated credential of identity {name}"):
            await self._client(wanted).federated_identity_credentials.create_or_update(
                wanted.group, name, ACCOUNT, body
            )

    async def close(self) -> None:
        """Close the connections."""
        await self._management.close()

    def _client(self, wanted: Protection) -> "ManagedServiceIdentityClient":
        from azure.mgmt.msi.aio import ManagedServiceIdentityClient

        return self._management.client(ManagedServiceIdentityClient, wanted.subscription)
