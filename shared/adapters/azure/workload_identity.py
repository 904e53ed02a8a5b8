"""User-assigned identities of backup workloads, and whose tokens Entra takes for theirs."""

from azure.mgmt.msi import models
from azure.mgmt.msi.aio import ManagedServiceIdentityClient

from shared.adapters.azure.common import Management, read, translated
from shared.domain.vaults.binding import ACCOUNT, Federation, identity_name
from shared.domain.vaults.findings import FoundIdentity
from shared.domain.vaults.protection import Protection


class WorkloadIdentities(Management):
    """Reads give None for what isn't there."""

    async def identity(self, protection: Protection) -> FoundIdentity | None:
        """The identity of the cluster's backup workloads."""
        name = identity_name(protection)
        identities = self._client(protection).user_assigned_identities
        return await read(f"identity {name}", identities.get(protection.group, name), _identity)

    async def create(self, protection: Protection) -> None:
        """Make the identity, in the cluster's region."""
        name = identity_name(protection)
        with translated(f"creating identity {name}"):
            await self._client(protection).user_assigned_identities.create_or_update(
                protection.group, name, models.Identity(location=protection.location, tags=self.merged_tags())
            )

    async def delete(self, protection: Protection) -> None:
        """Delete the identity, with it whose tokens Entra takes for its own."""
        name = identity_name(protection)
        with translated(f"deleting identity {name}"):
            await self._client(protection).user_assigned_identities.delete(protection.group, name)

    async def federation(self, protection: Protection) -> Federation | None:
        """Whose tokens Entra takes for the identity's."""
        name = identity_name(protection)
        return await read(
            f"the federated credential of identity {name}",
            self._client(protection).federated_identity_credentials.get(protection.group, name, ACCOUNT),
            _federation,
        )

    async def federate(self, protection: Protection, federation: Federation) -> None:
        """Let Entra take these tokens, and no longer those of before, for the identity's."""
        name = identity_name(protection)
        body = models.FederatedIdentityCredential(
            issuer=federation.issuer, subject=federation.subject, audiences=list(federation.audiences)
        )
        with translated(f"writing the federated credential of identity {name}"):
            await self._client(protection).federated_identity_credentials.create_or_update(
                protection.group, name, ACCOUNT, body
            )

    def _client(self, protection: Protection) -> ManagedServiceIdentityClient:
        return self.client(ManagedServiceIdentityClient, protection.subscription)


def _identity(found: models.Identity) -> FoundIdentity:
    if not (found.principal_id and found.client_id):
        raise TypeError("it has no ids")
    return FoundIdentity(state="Succeeded", principal=str(found.principal_id), client=str(found.client_id))


def _federation(found: models.FederatedIdentityCredential) -> Federation:
    return Federation(issuer=found.issuer or "", subject=found.subject or "", audiences=tuple(found.audiences or ()))
