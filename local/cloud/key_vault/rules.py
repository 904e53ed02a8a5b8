"""What a key vault accepts and how it says no: policies with the defaults it adds, chains to merge, refusals."""

from itertools import pairwise
from typing import Any

from cryptography import x509

from local.cloud.key_vault.keys import PublicKey

_KEY = {"exportable": False, "kty": "EC", "key_size": 256, "reuse_key": False, "crv": "P-256"}
_X509 = {
    "sans": {},
    "ekus": ["1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"],
    "key_usage": ["digitalSignature", "keyEncipherment"],
    "validity_months": 12,
}


class KeyVaultError(Exception):
    """The service says no: an HTTP status with the error's code, message and inner code."""

    def __init__(self, status: int, code: str, message: str, inner: str | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.inner = status, code, message, inner


def complete_policy(given: dict[str, Any], former: dict[str, Any] | None = None) -> dict[str, Any]:
    """A policy as the service keeps it: what was given, over sections of the former one, over defaults."""
    base = former or {}
    sections: dict[str, dict[str, Any]] = {
        name: default | base.get(name, {}) | (given.get(name) or {})
        for name, default in {
            "key_props": _KEY,
            "secret_props": {"contentType": "application/x-pkcs12"},
            "x509_props": _X509,
        }.items()
    }
    if sections["key_props"]["kty"] not in ("EC", "EC-HSM") or sections["key_props"]["crv"] != "P-256":
        raise KeyVaultError(400, "BadParameter", "Only keys of type EC and EC-HSM on curve P-256 are simulated.")
    sections["x509_props"]["basic_constraints"] = {"ca": False}  # what a caller asks for is ignored
    issuer = given.get("issuer") or base.get("issuer") or {"name": "Self"}
    action = "AutoRenew" if issuer["name"] == "Self" else "EmailContacts"
    default = [{"trigger": {"lifetime_percentage": 80}, "action": {"action_type": action}}]
    actions = given.get("lifetime_actions") or base.get("lifetime_actions") or default
    return {**sections, "lifetime_actions": actions, "issuer": issuer}


def leaf(chain: list[bytes], public_key: PublicKey) -> x509.Certificate:
    """The first of a chain in DER; its key must be the request's, and each must be signed by the next."""
    unreadable = KeyVaultError(400, "BadParameter", "Unable to parse X5c certificate chain and locate leaf certificate")
    try:
        certificates = [x509.load_der_x509_certificate(der) for der in chain]
        for signed, signer in pairwise(certificates):
            signed.verify_directly_issued_by(signer)
    except Exception as error:
        raise unreadable from error
    if not certificates or certificates[0].public_key() != public_key:
        raise unreadable
    return certificates[0]


def certificate_not_found(name: str) -> KeyVaultError:
    text = (
        f"A certificate with (name/id) {name} was not found in this key vault. If you recently deleted this "
        "certificate you may be able to recover it using the correct recovery command. For help resolving this issue, "
        "please see https://go.microsoft.com/fwlink/?linkid=2125182"
    )
    return KeyVaultError(404, "CertificateNotFound", text)


def deleted_but_recoverable(name: str) -> KeyVaultError:
    text = (
        f"Certificate {name} is currently in a deleted but recoverable state, and its name cannot be reused; in this "
        "state, the certificate can only be recovered or purged."
    )
    return KeyVaultError(409, "Conflict", text, "ObjectIsDeletedButRecoverable")


def pending_exists() -> KeyVaultError:
    text = (
        "A new key vault certificate can not be created or imported while a pending key vault certificate's status is "
        "inProgress."
    )
    return KeyVaultError(409, "Conflict", text)


def no_pending(name: str) -> KeyVaultError:
    return KeyVaultError(404, "PendingCertificateNotFound", f"Pending certificate not found: {name}")


def throttled() -> KeyVaultError:
    text = "Request was not processed because too many requests were received. Reason: VaultRequestTypeLimitReached"
    return KeyVaultError(429, "Throttled", text)
