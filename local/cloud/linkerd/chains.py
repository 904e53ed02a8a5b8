"""What ties X.509 certificates to each other: who issued whom, and how far down an authority reaches.

A certificate's signature is really verified.
"""

from math import inf
from typing import NamedTuple

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, rsa


class CertificatePath(NamedTuple):
    """A verified chain from an issuer to a root. Times are Unix seconds."""

    not_before: float  # from when everything below the root is valid
    not_after: float  # until when
    root_not_before: float
    root_not_after: float
    within_path_lengths: bool  # no path is longer than an authority allows


def path_to(root: x509.Certificate, below: list[x509.Certificate]) -> CertificatePath:
    """The path to a root over the authorities below it, the lowest first."""
    return CertificatePath(
        not_before=max(c.not_valid_before_utc.timestamp() for c in below),
        not_after=min(c.not_valid_after_utc.timestamp() for c in below),
        root_not_before=root.not_valid_before_utc.timestamp(),
        root_not_after=root.not_valid_after_utc.timestamp(),
        within_path_lengths=all(number <= _path_length(certificate) for number, certificate in enumerate(below)),
    )


def issued(by: x509.Certificate, certificate: x509.Certificate) -> bool:
    """Whether the certificate bears a signature by the other's key."""
    try:
        certificate.verify_directly_issued_by(by)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def is_authority(certificate: x509.Certificate) -> bool:
    constraints = _constraints(certificate)
    return constraints is not None and constraints.ca


def _path_length(certificate: x509.Certificate) -> float:
    constraints = _constraints(certificate)
    return inf if constraints is None or constraints.path_length is None else constraints.path_length


def _constraints(certificate: x509.Certificate) -> x509.BasicConstraints | None:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    except x509.ExtensionNotFound:
        return None


def authority_key(issuer: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    """How a leaf names its issuer's key."""
    try:
        subject_key = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    except x509.ExtensionNotFound:
        public_key = issuer.public_key()
        assert isinstance(public_key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey)
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(public_key)
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(subject_key)
