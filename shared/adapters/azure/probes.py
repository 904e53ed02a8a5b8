"""What only the self-test asks for."""

import hashlib
import secrets
from collections.abc import Sequence
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

import msgspec

from shared.adapters.azure.common import NO_RETRY, Management, translated
from shared.domain.errors import PermanentError
from shared.domain.resource_id import parsed, subscription_scope
from shared.domain.selftest import SystemTopic
from shared.settings import Settings

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential
    from azure.core.pipeline import PipelineResponse
    from azure.core.rest import AsyncHttpResponse, HttpRequest
    from azure.keyvault.keys import KeyVaultKey
    from azure.mgmt.resource.resources.aio import ResourceManagementClient
    from cryptography import x509


_TOPICS, _EVENT_GRID = "Microsoft.EventGrid/systemTopics", "2025-02-15"


class Keys:
    """The keys behind the vault's certificates."""

    def __init__(self, settings: Settings, credential: "AsyncTokenCredential") -> None:
        from azure.keyvault.keys.aio import KeyClient

        options = {"verify_challenge_resource": settings.verify_key_vault_domain, **NO_RETRY}
        self._client = KeyClient(settings.key_vault_url, credential, **options)
        self._credential, self._options = credential, options

    async def check(self, name: str, version: str, certificate: "x509.Certificate") -> None:
        """Raise unless the key of this version is enabled, and signs what the certificate's public key verifies."""
        with translated(f"reading the key of certificate {name}"):
            key = await self._client.get_key(name, version)
        operations = [str(getattr(operation, "value", operation)) for operation in key.key_operations or []]
        if not key.properties.enabled or "sign" not in operations:
            raise PermanentError("KeyUnusable", f"the key of certificate {name} is disabled or can't sign")
        nonce = secrets.token_bytes(32)
        if not _verifies(certificate, nonce, await self._signature(key, nonce)):
            raise PermanentError(
                "WrongKey", f"what the key of certificate {name} signs, its certificate doesn't verify"
            )

    async def _signature(self, key: "KeyVaultKey", message: bytes) -> bytes:
        from azure.keyvault.keys.crypto import SignatureAlgorithm
        from azure.keyvault.keys.crypto.aio import CryptographyClient

        async with CryptographyClient(key.id, self._credential, **self._options) as signer:
            with translated(f"signing with the key of certificate {key.name}"):
                return (await signer.sign(SignatureAlgorithm.es256, hashlib.sha256(message).digest())).signature

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()


def _verifies(certificate: "x509.Certificate", message: bytes, signature: bytes) -> bool:
    """Whether an ES256 signature (r and s, 32 bytes each) is by the certificate's key."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
    from cryptography.hazmat.primitives.hashes import SHA256

    public_key = certificate.public_key()
    assert isinstance(public_key, ec.EllipticCurvePublicKey)
    encoded = encode_dss_signature(int.from_bytes(signature[:32]), int.from_bytes(signature[32:]))
    try:
        public_key.verify(encoded, message, ec.ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True


class _Properties(msgspec.Struct, frozen=True, rename="camel"):
    source: str = ""
    provisioning_state: str = ""


class _Child(msgspec.Struct, frozen=True):
    """What a collection of Resource Manager says of each that it holds."""

    id: str
    name: str
    properties: _Properties


class Subscriptions(Management):
    """What Resource Manager says of whole subscriptions."""

    async def providers(self, subscription: str, namespaces: Sequence[str]) -> dict[str, str]:
        """The registration state of each resource provider."""
        with translated(f"reading the resource providers of subscription {subscription}"):
            providers = self._client(subscription).providers
            return {name: str((await providers.get(name)).registration_state) for name in namespaces}

    async def system_topics(self, subscription: str) -> list[SystemTopic]:
        """The system topics there, with their event subscriptions."""
        with translated(f"reading the event subscriptions of subscription {subscription}"):
            return [
                SystemTopic(source=topic.properties.source, states=await self._states(subscription, topic.id))
                for topic in await self._all(subscription, subscription_scope(subscription).collection(_TOPICS))
            ]

    async def _states(self, subscription: str, topic: str) -> dict[str, str]:
        """The states of a topic's event subscriptions; none of one whose id nobody can read, which isn't ours."""
        id = parsed(topic)
        found = await self._all(subscription, id.collection("eventSubscriptions")) if id else []
        return {each.name: each.properties.provisioning_state for each in found}

    async def clock(self, subscription: str) -> datetime:
        """The time that Resource Manager stamps its answers with, in whole seconds."""
        seen: list[str] = []

        def look(response: "PipelineResponse[HttpRequest, AsyncHttpResponse]") -> None:
            seen.append(response.http_response.headers["Date"])

        with translated("reading Azure's clock"):
            await self._client(subscription).providers.get("Microsoft.Storage", raw_response_hook=look)
        return parsedate_to_datetime(seen[-1])

    async def _all(self, subscription: str, collection: str) -> list[_Child]:
        """What a collection holds: there is one system topic for each source, so they are few."""
        listed = await self._client(subscription).resources.get_by_id(collection, api_version=_EVENT_GRID)
        return msgspec.convert(dict(listed)["value"], list[_Child])

    def _client(self, subscription: str) -> "ResourceManagementClient":
        from azure.mgmt.resource.resources.aio import ResourceManagementClient

        return self.client(ResourceManagementClient, subscription)
