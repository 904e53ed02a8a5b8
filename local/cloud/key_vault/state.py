"""The state of one key vault: certificates with their versions and keys, pending requests, soft delete, events.

Rules (Key Vault docs, seen in recorded traffic):
- A version is usable once it has a certificate; until then, and when disabled or out of its validity, its key signs
  nothing.
- One request may be pending per name. `Self` completes by itself, `Unknown` waits for a merge whose public key matches.
- While a request is pending the current version stays current.
- Soft delete is eventually consistent: a deleted name shows late among the deleted, a recovered one shows late again.
"""

import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from local.cloud.arm import SUBSCRIPTION
from local.cloud.clock import Clock
from local.cloud.key_vault.certificates import Certificate, PendingCertificate, StoredVersion
from local.cloud.key_vault.events import NEW_VERSION, event, milestones
from local.cloud.key_vault.keys import PrivateKey, kind_of
from local.cloud.key_vault.limits import Limits
from local.cloud.key_vault.rules import (
    KeyVaultError,
    certificate_not_found,
    deleted_but_recoverable,
    leaf,
    no_pending,
    pending_exists,
)
from local.cloud.key_vault.x509 import issue, months_later, signing_request

Publish = Callable[[str, dict[str, Any]], object]  # an event, to the topic of this name
SELF_ISSUE_SECONDS = 25.0
SOFT_DELETE_LAG_SECONDS = 8.0
RETENTION_SECONDS = 7 * 86_400
_BACKDATED = timedelta(seconds=600)


class VaultState:
    """A key vault.

    `denied`: object ids of callers whose role doesn't reach here (yet). `events_as_sampled` gives events the odd forms
    of the documentation's sample. `signatures` counts what its keys signed for callers.
    """

    def __init__(self, clock: Clock, publish: Publish, name: str) -> None:
        self._clock, self._publish_to, self.name = clock, publish, name
        self.id = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-trust/providers/Microsoft.KeyVault/vaults/{name}"
        self.certificates: dict[str, Certificate] = {}
        self.deleted: dict[str, Certificate] = {}
        self.denied: set[str] = set()
        self.signatures = 0
        self.events_as_sampled = False
        self._limits = Limits(clock)

    @property
    def now(self) -> datetime:
        return self._clock.now()

    def certificate(self, name: str) -> Certificate:
        """The certificate of that name; raises KeyVaultError 404."""
        found = self.certificates.get(name.lower())
        if found is None or found.visible_from > self._clock.time():
            raise certificate_not_found(name)
        return found

    # requests

    def create(self, name: str, policy: dict[str, Any], tags: dict[str, str]) -> PendingCertificate:
        """Start a request; a name may have one at a time."""
        if name.lower() in self.deleted:
            raise deleted_but_recoverable(name)
        certificate = self.certificates.get(name.lower()) or Certificate(name, policy, self.now, self.now)
        if certificate.pending and certificate.pending.status == "inProgress":
            raise pending_exists()
        self._limits.take(f"create {policy['key_props']['kty']}")
        certificate.policy, certificate.policy_updated = policy, self.now
        version = self._new_version(certificate, reuse=bool(policy["key_props"]["reuse_key"]))
        version.tags = tags
        self.certificates[name.lower()] = certificate
        return self._request(certificate, version)

    def _new_version(self, certificate: Certificate, *, reuse: bool, key: PrivateKey | None = None) -> StoredVersion:
        former = certificate.versions[-1:] if reuse else []
        key = former[0].key if former else key or ec.generate_private_key(ec.SECP256R1())
        expires = months_later(self.now, certificate.policy["x509_props"]["validity_months"])
        version = StoredVersion(uuid.uuid4().hex, key, self.now, self.now, self.now - _BACKDATED, expires)
        version.exportable = bool(certificate.policy["key_props"]["exportable"])
        certificate.versions.append(version)
        return version

    def _request(self, certificate: Certificate, version: StoredVersion) -> PendingCertificate:
        csr = signing_request(certificate.policy["x509_props"]["subject"], version.key)
        pending = certificate.pending = PendingCertificate(version, certificate.policy["issuer"], csr)
        if pending.issuer["name"] == "Self":
            self._clock.after(SELF_ISSUE_SECONDS, lambda: self._self_issue(certificate, pending))
        return pending

    def _self_issue(self, certificate: Certificate, pending: PendingCertificate) -> None:
        if pending.status != "inProgress" or certificate.pending is not pending:
            return
        version, subject = pending.version, certificate.policy["x509_props"]["subject"]
        validity = (version.not_before, version.expires)
        issued = issue(subject, version.key.public_key(), issuer=subject, signer=version.key, validity=validity)
        self._complete(certificate, pending, issued, enabled=True)

    def _complete(
        self, certificate: Certificate, pending: PendingCertificate, issued: x509.Certificate, *, enabled: bool
    ) -> None:
        pending.status = "completed"
        pending.version.carry(issued, enabled=enabled, now=self.now)
        self._publish(NEW_VERSION, certificate.name)
        self._watch_expiry(certificate, pending.version)

    def pending(self, name: str) -> PendingCertificate:
        found = self.certificate(name).pending
        if found is None:
            raise no_pending(name)
        return found

    def cancel(self, name: str) -> PendingCertificate:
        """Ask for cancellation, which takes effect soon after."""
        pending = self.pending(name)
        pending.cancellation_requested = True
        self._clock.after(1.0, lambda: self._cancelled(pending))
        return pending

    def _cancelled(self, pending: PendingCertificate) -> None:
        if pending.status == "inProgress":
            pending.status = "cancelled"

    def drop_pending(self, name: str) -> PendingCertificate:
        pending = self.pending(name)
        self._cancelled(pending)
        self.certificate(name).pending = None
        return pending

    def merge(self, name: str, chain: list[bytes], *, enabled: bool, tags: dict[str, str]) -> Certificate:
        """Complete a request of an unknown issuer with its certificate (DER) and, optionally, what signed it."""
        certificate, pending = self.certificate(name), self.pending(name)
        if pending.status != "inProgress":
            raise no_pending(name)
        if pending.issuer["name"] != "Unknown":
            raise KeyVaultError(
                403, "Forbidden", "Merge is allowed only for pending certificates of an unknown issuer."
            )
        issued = leaf(chain, pending.version.key.public_key())
        pending.version.tags = tags or pending.version.tags
        self._complete(certificate, pending, issued, enabled=enabled)
        return certificate

    # soft delete

    def delete(self, name: str) -> Certificate:
        certificate = self.certificate(name)
        now = self._clock.time()
        certificate.deleted, certificate.visible_from = now, now + SOFT_DELETE_LAG_SECONDS
        self.deleted[name.lower()] = self.certificates.pop(name.lower())
        return certificate

    def deleted_certificate(self, name: str) -> Certificate:
        found = self.deleted.get(name.lower())
        if found is None or found.visible_from > self._clock.time():
            raise KeyVaultError(404, "CertificateNotFound", f"Deleted Certificate not found: {name}")
        return found

    def recover(self, name: str) -> Certificate:
        certificate = self.deleted_certificate(name)
        certificate.deleted = None
        certificate.visible_from = self._clock.time() + SOFT_DELETE_LAG_SECONDS
        self.certificates[name.lower()] = self.deleted.pop(name.lower())
        return certificate

    def purge(self, name: str) -> None:
        self.deleted_certificate(name)
        del self.deleted[name.lower()]

    # keys

    def key(self, name: str, id: str = "") -> tuple[Certificate, StoredVersion]:
        """A key by name and version id, or the current one; raises KeyVaultError 404."""
        certificate = self.certificates.get(name.lower())
        hidden = certificate is None or certificate.visible_from > self._clock.time()
        version = None if certificate is None or hidden else certificate.version(id) if id else certificate.current
        if certificate is None or version is None:
            raise KeyVaultError(
                404, "KeyNotFound", f"A key with (name/id) {name}/{id} was not found in this key vault."
            )
        return certificate, version

    def sign(self, name: str, id: str, digest: bytes, algorithm: str = "ES256") -> bytes:
        """A signature (JWA) over a digest, by the algorithm of the key's kind."""
        certificate, version = self.key(name, id)
        kind = kind_of(version.key)
        self._limits.take(f"sign {certificate.policy['key_props']['kty']}")
        self._refuse_unusable(version)
        if algorithm != kind.algorithm:
            raise KeyVaultError(400, "BadParameter", f"Key and signing algorithm are incompatible: {kind.algorithm}.")
        if len(digest) != kind.hash.digest_size:
            raise KeyVaultError(400, "BadParameter", f"Invalid length of 'value' for {algorithm}.")
        self.signatures += 1
        return kind.signature(version.key, digest)

    def _refuse_unusable(self, version: StoredVersion) -> None:
        for applies, which, inner in (
            (not version.key_enabled, "a disabled key", "KeyDisabled"),
            (self.now >= version.expires, "an expired key", "KeyExpired"),
            (self.now < version.not_before, "a key that is not yet valid", "KeyNotYetValid"),
        ):
            if applies:
                raise KeyVaultError(403, "Forbidden", f"Operation sign is not allowed on {which}.", inner)

    # events

    def near_expiry_event(self, name: str) -> dict[str, Any]:
        """The event CertificateNearExpiry of the current version."""
        return self._event("CertificateNearExpiry", name)

    def announce_near_expiry(self, name: str) -> None:
        self._publish("CertificateNearExpiry", name)

    def _watch_expiry(self, certificate: Certificate, version: StoredVersion) -> None:
        for kind, due in milestones(version.expires).items():
            if due > self.now:
                self._clock.at(due.timestamp(), partial(self._reached, kind, certificate, version))

    def _reached(self, kind: str, certificate: Certificate, version: StoredVersion) -> None:
        if certificate.current is version and self.certificates.get(certificate.name.lower()) is certificate:
            self._publish(kind, certificate.name)

    def _publish(self, kind: str, name: str) -> None:
        self._publish_to(f"keyvault-{self.name}", self._event(kind, name))

    def _event(self, kind: str, name: str) -> dict[str, Any]:
        version = self.certificates[name.lower()].current
        return event(
            kind,
            vault=self.name,
            vault_id=self.id,
            name=name,
            version=version.id,
            validity=(version.not_before, version.expires),
            now=self._clock.time(),
            odd=self.events_as_sampled,
        )
