"""Key Vault: certificates and their versions, requests for new ones, and signatures by keys that never leave it.

The SDK's own creation of certificates waits until it is done, so requests are sent as they stand on the wire.
"""

import base64
import secrets
from datetime import UTC, datetime
from functools import partial
from typing import Any, cast

from azure.core.credentials_async import AsyncTokenCredential
from azure.core.rest import HttpRequest
from azure.keyvault.certificates import CertificateProperties
from azure.keyvault.certificates.aio import CertificateClient
from azure.keyvault.keys import KeyVaultKey
from azure.keyvault.keys.aio import KeyClient
from azure.keyvault.keys.crypto import SignatureAlgorithm
from azure.keyvault.keys.crypto.aio import CryptographyClient
from cryptography import x509
from cryptography.hazmat.primitives.hashes import Hash
from cryptography.hazmat.primitives.serialization import Encoding

from shared.adapters.azure.common import NO_RETRY, plain, translated, unless_absent
from shared.adapters.azure.keys import scheme_of, signed, verifies
from shared.adapters.azure.outlet import through
from shared.adapters.azure.scope import key_vault
from shared.domain.errors import PermanentError, TemporaryError, shown
from shared.domain.trust.certificates import PublicKey, certificate_in, digest_of, key_digest
from shared.domain.trust.new_root import CertificateRequest, CertificateVersion, soft_deleted
from shared.domain.trust.roots import VaultCertificate
from shared.settings import Settings


class KeyVault:
    """The configured vault. `options` go to the SDK's clients."""

    def __init__(self, settings: Settings, credential: AsyncTokenCredential, **options: Any) -> None:
        self._url, self._vault, self._credential = settings.key_vault_url, settings.key_vault_name, credential
        self._scope = key_vault(settings)
        self._options = {"verify_challenge_resource": settings.verify_key_vault_domain, **NO_RETRY, **options}
        self._client = CertificateClient(self._url, credential, **through(self._scope, self._options))
        self._keys = KeyClient(self._url, credential, **through(self._scope, self._options))
        self._signers: dict[str, CryptographyClient] = {}
        self._read: dict[tuple[str, str], bytes] = {}

    async def certificates(self) -> list[VaultCertificate]:
        """The current version of every certificate that has one and says from when to when it is valid."""
        with translated("listing the vault's certificates"):
            found = [p async for p in self._client.list_properties_of_certificates()]
        return [
            VaultCertificate(
                name=p.name,
                enabled=bool(p.enabled),
                starts_at=p.not_before,
                expires_at=p.expires_on,
                tags=dict(p.tags or {}),
            )
            for p in found
            if p.name and p.not_before and p.expires_on
        ]

    async def versions(self, name: str) -> list[CertificateVersion]:
        """The issued versions of a certificate, none if there is no such certificate."""
        with translated(f"listing the versions of certificate {name}"):
            found = await unless_absent(self._versions(name)) or []
        return [await self._version(name, each) for each in found]

    async def _versions(self, name: str) -> list[CertificateProperties]:
        return [p async for p in self._client.list_properties_of_certificate_versions(name) if p.version]

    async def _version(self, name: str, found: CertificateProperties) -> CertificateVersion:
        der = await self._der(name, found.version or "")
        return CertificateVersion(
            id=found.version or "",
            enabled=bool(found.enabled),
            created=found.created_on or datetime.min.replace(tzinfo=UTC),
            starts_at=found.not_before,
            expires_at=found.expires_on,
            tags=dict(found.tags or {}),
            fingerprint=digest_of(der),
            key=_key_digest(der),
        )

    async def certificate(self, name: str, version: str) -> x509.Certificate:
        """A version's certificate; raises PermanentError if what somebody has put there can't be read."""
        try:
            return certificate_in(await self._der(name, version))
        except ValueError as error:
            raise PermanentError("ForeignRoot", f"certificate {name} in the key vault can't be read") from error

    async def _der(self, name: str, version: str) -> bytes:
        """A version's certificate, which never changes: it is asked for once."""
        if (name, version) not in self._read:
            with translated(f"reading certificate {name}"):
                found = await self._client.get_certificate_version(name, version)
            self._read[name, version] = bytes(found.cer or b"")
        return self._read[name, version]

    async def hardware_protected(self, name: str) -> bool:
        """Whether a certificate's policy puts its keys into hardware."""
        with translated(f"reading the policy of certificate {name}"):
            policy = await self._client.get_certificate_policy(name)
        return plain(policy.key_type).upper().endswith("-HSM")

    async def latest_request(self, name: str) -> CertificateRequest | None:
        """The latest request for a version, None if there is none."""
        with translated(f"reading the request for certificate {name}"):
            found = await unless_absent(self._client.get_certificate_operation(name))
        if found is None:
            return None
        error = shown(str(found.error.message if found.error else found.status_details or ""))
        key = key_digest(x509.load_der_x509_csr(bytes(found.csr)).public_key()) if found.csr else ""
        return CertificateRequest(issuer=plain(found.issuer_name), status=plain(found.status), error=error, key=key)

    async def request_version(self, name: str, *, issuer: str, new_key: bool, hardware: bool) -> str:
        """Ask for a version: `Self` issues it soon, `Unknown` leaves it open for a merge. P-256, never exportable.

        The digest of its public key, by the answer to this very request. Raises PermanentError "NameSoftDeleted".
        """
        policy = {
            "key_props": {
                "kty": "EC-HSM" if hardware else "EC",
                "crv": "P-256",
                "exportable": False,
                "reuse_key": not new_key,
            },
            "secret_props": {"contentType": "application/x-pem-file"},
            "x509_props": {"subject": f"CN={name}", "key_usage": ["keyCertSign", "cRLSign"], "validity_months": 12},
            "lifetime_actions": [{"trigger": {"days_before_expiry": 30}, "action": {"action_type": "EmailContacts"}}],
            "issuer": {"name": issuer},
        }
        try:
            with translated(f"requesting certificate {name}"):
                answer = await self._client.send_request(
                    HttpRequest("POST", f"/certificates/{name}/create", json={"policy": policy})
                )
                answer.raise_for_status()
        except TemporaryError as error:
            if _inner_code(error.__cause__) == "ObjectIsDeletedButRecoverable":
                raise soft_deleted(name, self._vault) from error
            raise
        return key_digest(x509.load_der_x509_csr(base64.b64decode(answer.json()["csr"])).public_key())

    async def exportable(self, name: str, version: str) -> bool:
        """Whether the key of this version can leave the vault."""
        return bool((await self._key(name, version)).properties.exportable)

    async def sign(self, builder: x509.CertificateBuilder, name: str, version: str) -> x509.Certificate:
        """The certificate, signed by the key of this version."""
        key = await self.public_key(name, version)
        return await signed(builder, key, partial(self._signature, name, version, key))

    async def public_key(self, name: str, version: str) -> PublicKey:
        """The public key of this version; raises PermanentError for kinds that no root has."""
        key = (await self.certificate(name, version)).public_key()
        scheme_of(key)
        return cast("PublicKey", key)

    async def require_signing_key(self, name: str, version: str, certificate: x509.Certificate) -> None:
        """Raise unless the key of this version is enabled, and signs what the certificate's public key verifies."""
        key = await self._key(name, version)
        if not key.properties.enabled or "sign" not in map(plain, key.key_operations or []):
            raise PermanentError("KeyUnusable", f"the key of certificate {name} is disabled or can't sign")
        nonce = secrets.token_bytes(32)
        if not verifies(
            certificate, nonce, await self._signature(name, version, await self.public_key(name, version), nonce)
        ):
            raise PermanentError(
                "WrongKey", f"what the key of certificate {name} signs, its certificate doesn't verify"
            )

    async def _key(self, name: str, version: str) -> KeyVaultKey:
        with translated(f"reading the key of certificate {name}"):
            return await self._keys.get_key(name, version)

    async def merge(self, name: str, certificate: x509.Certificate, tags: dict[str, str]) -> None:
        """Complete the open request with its certificate."""
        with translated(f"merging certificate {name}"):
            await self._client.merge_certificate(
                name, [certificate.public_bytes(Encoding.DER)], enabled=True, tags=tags
            )

    async def disable(self, name: str, version: str) -> None:
        """Disable a version and with it its key."""
        with translated(f"disabling a version of certificate {name}"):
            await self._client.update_certificate_properties(name, version, enabled=False)

    async def _signature(self, name: str, version: str, key: PublicKey, message: bytes) -> bytes:
        """A signature (JWA) of the message, as the kind of the key makes it."""
        scheme, signer = scheme_of(key), await self._signer(name, version)
        digest = Hash(scheme.hash)
        digest.update(message)
        with translated(f"signing with the key of certificate {name}"):
            return (await signer.sign(SignatureAlgorithm(scheme.algorithm), digest.finalize())).signature

    async def _signer(self, name: str, version: str) -> CryptographyClient:
        with translated(f"reading certificate {name}"):
            key_id = (await self._client.get_certificate_version(name, version)).key_id
        if key_id not in self._signers:
            self._signers[str(key_id)] = CryptographyClient(
                str(key_id), self._credential, **through(self._scope, self._options)
            )
        return self._signers[str(key_id)]


def _key_digest(der: bytes) -> str:
    """The digest of a certificate's public key; empty if it can't be read, as what people import may be anything."""
    try:
        return key_digest(certificate_in(der).public_key())
    except ValueError:
        return ""


def _inner_code(error: BaseException | None) -> str:
    inner = getattr(getattr(error, "error", None), "innererror", None) or {}
    return str(inner.get("code", ""))
