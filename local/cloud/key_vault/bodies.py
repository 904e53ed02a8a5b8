"""The bodies that a key vault answers with, complete as seen in recorded traffic."""

import base64
import hashlib
from datetime import datetime
from typing import Any

from cryptography.hazmat.primitives import serialization as pem
from cryptography.hazmat.primitives.serialization import pkcs12

from local.cloud.key_vault.certificates import Certificate, PendingCertificate, StoredVersion
from local.cloud.key_vault.keys import kind_of, numbers
from local.cloud.key_vault.state import RETENTION_SECONDS
from local.cloud.wire import Wire

_RECOVERY = {"recoveryLevel": "CustomizedRecoverable+Purgeable", "recoverableDays": RETENTION_SECONDS // 86_400}
_IN_PROGRESS = (
    "Pending certificate created. Certificate request is in progress. This may take some time based on the issuer "
    "provider. Please check again later."
)


class Bodies:
    """Ids in them begin with the wire's URL, which is known once it has started."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def id(self, kind: str, certificate: Certificate, version: StoredVersion | None = None) -> str:
        return f"{self._wire.url}/{kind}/{certificate.name}" + (f"/{version.id}" if version else "")

    def certificate(self, certificate: Certificate, asked: StoredVersion | None = None) -> dict[str, Any]:
        version = asked or certificate.current
        issued = {
            "kid": self.id("keys", certificate, version),
            "sid": self.id("secrets", certificate, version),
            "x5t": _thumbprint(version),
            "cer": base64.b64encode(version.der).decode(),
        }
        pending = {"pending": {"id": f"{self.id('certificates', certificate)}/pending"}} if certificate.pending else {}
        return {
            "id": self.id("certificates", certificate, version),
            **(issued if version.certificate else {}),
            "attributes": _attributes(version) | _RECOVERY,
            **_tags(version),
            **({} if asked else {"policy": self.policy(certificate), **pending}),
        }

    def listed(self, certificate: Certificate, version: StoredVersion | None = None) -> dict[str, Any]:
        """In a list of certificates, or of a certificate's versions."""
        shown = version or certificate.current
        thumbprint = {"x5t": _thumbprint(shown)} if shown.certificate else {}
        id = self.id("certificates", certificate, version)
        return {"id": id, **thumbprint, "attributes": _attributes(shown), **_tags(shown), "subject": ""}

    def listed_deleted(self, certificate: Certificate) -> dict[str, Any]:
        listed = self.listed(certificate)
        del listed["subject"]
        return self.deletion(certificate) | listed | {"attributes": listed["attributes"] | _RECOVERY}

    def policy(self, certificate: Certificate) -> dict[str, Any]:
        times = {"created": _seconds(certificate.created), "updated": _seconds(certificate.policy_updated)}
        return {
            "id": f"{self.id('certificates', certificate)}/policy",
            **certificate.policy,
            "attributes": {"enabled": True, **times},
        }

    def pending(self, name: str, pending: PendingCertificate) -> dict[str, Any]:
        id = f"{self._wire.url}/certificates/{name}"
        more = {"inProgress": {"status_details": _IN_PROGRESS}, "completed": {"target": id}}
        return {
            "id": f"{id}/pending",
            "issuer": pending.issuer,
            "csr": base64.b64encode(pending.csr).decode(),
            "cancellation_requested": pending.cancellation_requested,
            "status": pending.status,
            **more.get(pending.status, {}),
            "request_id": pending.request_id,
        }

    def deleted(self, certificate: Certificate) -> dict[str, Any]:
        return self.deletion(certificate) | self.certificate(certificate)

    def deletion(self, certificate: Certificate) -> dict[str, Any]:
        deleted = int(certificate.deleted or 0)
        return {
            "recoveryId": f"{self._wire.url}/deletedcertificates/{certificate.name}",
            "deletedDate": deleted,
            "scheduledPurgeDate": deleted + RETENTION_SECONDS,
        }

    def key(self, certificate: Certificate, version: StoredVersion) -> dict[str, Any]:
        props, kind = certificate.policy["key_props"], kind_of(version.key)
        more = _attributes(version) | {"enabled": version.key_enabled, "exportable": version.exportable}
        hardware = "-HSM" if props["kty"].endswith("-HSM") else ""
        return {
            "key": {
                "kid": self.id("keys", certificate, version),
                "kty": f"{kind.kty}{hardware}",
                "key_ops": ["sign", "verify"],
                **({"crv": kind.crv} if kind.crv else {}),
                **{name: text64(number) for name, number in numbers(version.key.public_key()).items()},
            },
            "attributes": more | _RECOVERY | {"hsmPlatform": "0"},
            **_tags(version),
            "managed": True,
        }

    def secret(self, certificate: Certificate, version: StoredVersion) -> dict[str, Any]:
        kind = certificate.policy["secret_props"]["contentType"]
        return {
            "value": _secret(version, kind, exportable=version.exportable),
            "contentType": kind,
            "id": self.id("secrets", certificate, version),
            "managed": True,
            "attributes": _attributes(version) | _RECOVERY,
            "kid": self.id("keys", certificate, version),
            **_tags(version),
        }


def _tags(version: StoredVersion) -> dict[str, Any]:
    return {"tags": version.tags} if version.tags else {}


def _attributes(version: StoredVersion) -> dict[str, Any]:
    return {
        "enabled": version.enabled,
        "nbf": _seconds(version.not_before),
        "exp": _seconds(version.expires),
        "created": _seconds(version.created),
        "updated": _seconds(version.updated),
    }


def _secret(version: StoredVersion, kind: str, *, exportable: bool) -> str:
    """The certificate, with its private key only if that is exportable."""
    assert version.certificate is not None
    if kind == "application/x-pkcs12":
        key = version.key if exportable else None
        plain = pem.NoEncryption()
        return base64.b64encode(
            pkcs12.serialize_key_and_certificates(None, key, version.certificate, None, plain)
        ).decode()
    text = version.certificate.public_bytes(pem.Encoding.PEM)
    form = (pem.Encoding.PEM, pem.PrivateFormat.PKCS8, pem.NoEncryption())
    return ((version.key.private_bytes(*form) if exportable else b"") + text).decode()


def _thumbprint(version: StoredVersion) -> str:
    return text64(hashlib.sha1(version.der).digest())


def _seconds(when: datetime) -> int:
    return int(when.timestamp())


def text64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
