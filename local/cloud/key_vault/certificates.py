"""A key vault's certificates: names with their versions, keys and pending request.

A certificate version, its key and its secret share one version id.
"""

import uuid
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from local.cloud.key_vault.keys import PrivateKey


@dataclass
class StoredVersion:
    """A version of a certificate with its key."""

    id: str  # shared by certificate, key and secret
    key: PrivateKey
    created: datetime
    updated: datetime
    not_before: datetime
    expires: datetime
    certificate: x509.Certificate | None = None  # None while it is pending
    enabled: bool = False
    key_enabled: bool = False  # a key can be disabled by itself
    tags: dict[str, str] = field(default_factory=dict)
    exportable: bool = False

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER) if self.certificate else b""

    def carry(self, certificate: x509.Certificate, *, enabled: bool, now: datetime) -> None:
        """Let the version be issued as this certificate."""
        self.certificate = certificate
        self.not_before, self.expires = certificate.not_valid_before_utc, certificate.not_valid_after_utc
        self.enabled = self.key_enabled = enabled
        self.updated = now


@dataclass
class PendingCertificate:
    """A certificate request."""

    version: StoredVersion
    issuer: dict[str, Any]  # from the policy
    csr: bytes  # DER
    request_id: str = field(default_factory=lambda: uuid.uuid4().hex)
    status: str = "inProgress"  # then completed or cancelled
    cancellation_requested: bool = False


@dataclass
class Certificate:
    """A certificate of the vault with all its versions."""

    name: str
    policy: dict[str, Any]
    created: datetime
    policy_updated: datetime
    versions: list[StoredVersion] = field(default_factory=list)  # the oldest first
    pending: PendingCertificate | None = None  # the newest request, also after its end
    visible_from: float = 0.0  # Unix seconds: deletions and recoveries appear late
    deleted: float | None = None  # Unix seconds

    @property
    def current(self) -> StoredVersion:
        """The newest issued version; of a certificate that was never issued, the pending one."""
        issued = [version for version in self.versions if version.certificate]
        return (issued or self.versions)[-1]

    def version(self, id: str) -> StoredVersion | None:
        return next((version for version in self.versions if version.id == id), None)
