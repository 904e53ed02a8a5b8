"""The certificates of a trust domain: what roots and issuers look like, and how a bundle is written.

Rules:
- A root and an issuer never share a subject, nor do two roots: proxies mistake one for the other.
- An issuer never outlives its root. A new root lives as long as the old one did, or as the policy says.
- A bundle is PEM blocks, each with one newline at its end and nothing else: Linkerd's identity controller doesn't start
  with anything after the last block, and ignores whatever follows a block that isn't a certificate.
"""

import hashlib
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from shared.domain.errors import PermanentError
from shared.domain.trust.phases import STAGES, Phase, Slot
from shared.domain.trust.roots import Rotation

_BACKDATED = timedelta(minutes=5)  # clocks of nodes that lag behind


def fingerprint(certificate: x509.Certificate) -> str:
    """SHA-256 of the DER form, hexadecimal, lower case."""
    return hashlib.sha256(certificate.public_bytes(Encoding.DER)).hexdigest()


def pem(certificate: x509.Certificate) -> str:
    """The certificate as one PEM block with one newline at its end."""
    return certificate.public_bytes(Encoding.PEM).decode()


@lru_cache(maxsize=64)
def fingerprints(text: str) -> frozenset[str]:
    """The fingerprints of a bundle's certificates; empty if it can't be read."""
    try:
        return frozenset(fingerprint(c) for c in x509.load_pem_x509_certificates(text.encode()))
    except ValueError:
        return frozenset()


def bundle(phase: Phase, found: str, old: x509.Certificate, new: x509.Certificate) -> str:
    """A bundle's text at the end of the phase: the new root, the old one, then others that were there already.

    Raises PermanentError if the bundle found trusts neither root: it belongs to somebody else's trust domain.
    """
    ours = {fingerprint(old), fingerprint(new)}
    if not fingerprints(found) & ours:
        raise PermanentError("ForeignBundle", "the mesh's bundle holds neither the old root nor the new one")
    wanted = [root for slot, root in ((Slot.NEW, new), (Slot.OLD, old)) if slot in STAGES[phase].trusted]
    others = [c for c in x509.load_pem_x509_certificates(found.encode()) if fingerprint(c) not in ours]
    return "".join(dict.fromkeys(pem(c) for c in [*wanted, *others]))


def root_certificate(
    rotation: Rotation, key: Any, old: x509.Certificate, now: datetime, lifetime: timedelta | None = None
) -> x509.CertificateBuilder:
    """The new root for this public key, self-signed by whoever signs it; its subject names its generation.

    Without a lifetime, it lives as long as the old one did.
    """
    lifetime = lifetime or old.not_valid_after_utc - old.not_valid_before_utc
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, f"root.linkerd.{rotation.trust_domain}"),
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, f"g{rotation.generation:04}"),
        ]
    )
    identifier = x509.SubjectKeyIdentifier.from_public_key(key)
    return (
        _authority(subject, subject, key, identifier, 1)
        .not_valid_before(now - _BACKDATED)
        .not_valid_after(now - _BACKDATED + lifetime)
    )


def issuer_certificate(
    trust_domain: str, key: Any, root: x509.Certificate, now: datetime, lifetime: timedelta
) -> x509.CertificateBuilder:
    """A member's issuer for this public key under the root, which it never outlives."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"identity.linkerd.{trust_domain}")])
    identifier = root.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return (
        _authority(subject, root.subject, key, identifier, 0)
        .not_valid_before(max(now - _BACKDATED, root.not_valid_before_utc))
        .not_valid_after(min(now + lifetime, root.not_valid_after_utc))
    )


def issuer_expiry(text: str, root: x509.Certificate, now: datetime) -> datetime | None:
    """The NotAfter of an issuer (PEM), None unless the root signed it and it is valid now."""
    try:
        issuer = x509.load_pem_x509_certificate(text.encode())
        issuer.verify_directly_issued_by(root)
    except (ValueError, TypeError, InvalidSignature):
        return None
    return issuer.not_valid_after_utc if issuer.not_valid_before_utc <= now < issuer.not_valid_after_utc else None


def _authority(
    subject: x509.Name, issuer: x509.Name, key: Any, signer: x509.SubjectKeyIdentifier, path_length: int
) -> x509.CertificateBuilder:
    usage = x509.KeyUsage(
        key_cert_sign=True,
        crl_sign=True,
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(signer), critical=False)
    )
