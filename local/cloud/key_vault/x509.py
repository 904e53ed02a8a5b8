"""The X.509 that a key vault issues and signs."""

from calendar import monthrange
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from local.cloud.key_vault.keys import PrivateKey, PublicKey, kind_of

_OTHER_USAGES = (
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "encipher_only",
    "decipher_only",
)


def issue(
    subject: str,
    public_key: PublicKey,
    *,
    issuer: str,
    signer: PrivateKey,
    validity: tuple[datetime, datetime],
    path_length: int | None = None,
) -> x509.Certificate:
    """A certificate between RFC 4514 names; an authority if `path_length` is given, else CA:FALSE."""
    is_authority = path_length is not None
    usage = dict.fromkeys(_OTHER_USAGES, False)
    usage |= {"digital_signature": not is_authority, "key_cert_sign": is_authority, "crl_sign": is_authority}
    identifier = x509.SubjectKeyIdentifier.from_public_key
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name.from_rfc4514_string(subject))
        .issuer_name(x509.Name.from_rfc4514_string(issuer))
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(validity[0])
        .not_valid_after(validity[1])
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=path_length), critical=True)
        .add_extension(x509.KeyUsage(**usage), critical=True)
        .add_extension(identifier(public_key), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier(signer.public_key())),
            critical=False,
        )
        .sign(signer, kind_of(signer).hash)
    )


def signing_request(subject: str, key: PrivateKey) -> bytes:
    """A certificate signing request in DER."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name.from_rfc4514_string(subject))
    return builder.sign(key, kind_of(key).hash).public_bytes(Encoding.DER)


def months_later(when: datetime, months: int) -> datetime:
    years, month = divmod(when.month - 1 + months, 12)
    year, month = when.year + years, month + 1
    return when.replace(year=year, month=month, day=min(when.day, monthrange(year, month)[1]))
