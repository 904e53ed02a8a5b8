"""The certificates of a trust domain: what an authority's looks like, and a root's.

Rules:
- A root and an issuer never share a subject, nor do two roots: proxies mistake one for the other.
- A new root lives as long as the old one did, or as the policy says.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import lru_cache

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from shared.domain.trust.roots import Rotation, root_name

type PublicKey = EllipticCurvePublicKey | RSAPublicKey

_LONGEST_PEM = 256 * 1024  # characters; some hundred certificates
BACKDATED = timedelta(minutes=5)  # clocks of nodes that lag behind


def fingerprint(certificate: x509.Certificate) -> str:
    """SHA-256 of the DER form, hexadecimal, lower case."""
    return digest_of(certificate.public_bytes(Encoding.DER))


def digest_of(der: bytes) -> str:
    """The fingerprint of a certificate in DER."""
    return hashlib.sha256(der).hexdigest()


def key_digest(key: CertificatePublicKeyTypes) -> str:
    """SHA-256 of a public key (SubjectPublicKeyInfo, DER), hexadecimal, lower case."""
    return digest_of(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


def pem(certificate: x509.Certificate) -> str:
    """The certificate as one PEM block with one newline at its end."""
    return certificate.public_bytes(Encoding.PEM).decode()


def certificates_in(text: str) -> list[x509.Certificate]:
    """The certificates of some PEM; raises ValueError, whatever it is that can't be read.

    Who makes a pod writes such a text, and the library refuses some certificates with other errors.
    """
    if len(text) > _LONGEST_PEM:
        raise ValueError(f"there are more than {_LONGEST_PEM} characters")
    with _unreadable():
        return x509.load_pem_x509_certificates(text.encode())


def certificate_in(der: bytes) -> x509.Certificate:
    """The certificate of some DER, which people may have imported; raises ValueError like `certificates_in`."""
    with _unreadable():
        found = x509.load_der_x509_certificate(der)
        found.public_key()  # of a kind that the library knows
        return found


@contextmanager
def _unreadable() -> Iterator[None]:
    try:
        yield
    except (x509.InvalidVersion, UnsupportedAlgorithm) as error:
        raise ValueError(str(error)) from error


@lru_cache(maxsize=64)
def fingerprints(bundle: str) -> frozenset[str]:
    """The fingerprints of a bundle's certificates; empty if it can't be read."""
    try:
        return frozenset(fingerprint(c) for c in certificates_in(bundle))
    except ValueError:
        return frozenset()


def root_certificate(
    rotation: Rotation,
    key: PublicKey,
    old: x509.Certificate,
    now: datetime,
    lifetime: timedelta | None = None,
) -> x509.CertificateBuilder:
    """The new root for this public key, to be signed by that key itself; its subject names its generation.

    Without a lifetime, it lives as long as the old one did.
    """
    lifetime = lifetime or old.not_valid_after_utc - old.not_valid_before_utc
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, root_name(rotation.mesh, rotation.trust_domain)),
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, f"g{rotation.generation:04}"),
        ]
    )
    identifier = x509.SubjectKeyIdentifier.from_public_key(key)
    return (
        authority(subject, subject, key, identifier, 1)
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now - BACKDATED + lifetime)
    )


def authority(
    subject: x509.Name,
    issuer: x509.Name,
    key: PublicKey,
    signer: x509.SubjectKeyIdentifier,
    path_length: int,
) -> x509.CertificateBuilder:
    """An authority's certificate, without its validity yet; `signer` identifies the key that signs it."""
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
