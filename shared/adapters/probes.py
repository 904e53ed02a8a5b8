"""What only the self-test asks for."""

from typing import TYPE_CHECKING

from shared.adapters.azure import NO_RETRY, translated
from shared.domain.errors import PermanentError
from shared.settings import Settings

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential


class Keys:
    """The keys behind the vault's certificates."""

    def __init__(self, settings: Settings, credential: "AsyncTokenCredential") -> None:
        from azure.keyvault.keys.aio import KeyClient

        options = {"verify_challenge_resource": settings.verify_key_vault_domain, **NO_RETRY}
        self._client = KeyClient(settings.key_vault_url, credential, **options)

    async def check(self, name: str) -> None:
        """Raise unless the key is there, enabled and good for signing."""
        with translated(f"reading the key of certificate {name}"):
            key = await self._client.get_key(name)
        operations = [str(getattr(operation, "value", operation)) for operation in key.key_operations or []]
        if not key.properties.enabled or "sign" not in operations:
            raise PermanentError("KeyUnusable", f"the key of certificate {name} is disabled or can't sign")

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()
