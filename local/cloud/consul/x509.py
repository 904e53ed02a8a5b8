"""The X.509 that Consul's built-in authority makes (its provider `consul`, 1.22.6).

Rules:
- Certificates count from a minute ago, roots from now. A cross-signed root lives for 7 days, whatever else is set.
- A cross-signed root is the new root's certificate, signed by the old root's key.
"""

import hashlib
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from local.cloud.consul.errors import ConsulError

type PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
type PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey

CROSS_SIGNED_FOR = timedelta(days=7)
_DRIFT = timedelta(minutes=1)
_CURVES: dict[int, type[ec.EllipticCurve]] = {
    224: ec.SECP224R1,
    256: ec.SECP256R1,
    384: ec.SECP384R1,
    521: ec.SECP521R1,
}
_HASHES: dict[int, type[SHA384 | SHA512]] = {384: SHA384, 521: SHA512}
_USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)
_OF_AUTHORITIES = ("digital_signature", "key_cert_sign", "crl_sign")
_OF_LEAVES = ("digital_signature", "key_encipherment", "data_encipherment", "key_agreement")


def new_key(kind: str, bits: int) -> PrivateKey:
    if kind == "rsa":
        return rsa.generate_private_key(public_exponent=65537, key_size=bits)
    return ec.generate_private_key(_CURVES[bits]())


def loaded_key(text: str) -> PrivateKey:
    """A key that somebody has supplied; raises ConsulError as Consul does, which repeats a text that it can't read."""
    try:
        key = load_pem_private_key(text.encode(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        quoted = text.replace("\n", "\\n")
        raise ConsulError(f'error generating CA: error parsing private key "{quoted}": {error}') from error
    if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        raise ConsulError("error configuring provider: unsupported key type")
    return key


def loaded(text: str) -> x509.Certificate:
    """The first certificate of a text that somebody has supplied."""
    try:
        return x509.load_pem_x509_certificates(text.encode())[0]
    except ValueError as error:
        raise ConsulError("error parsing CA cert: no PEM-encoded data found") from error


def kind_of(key: PublicKey) -> tuple[str, int]:
    return ("rsa" if isinstance(key, rsa.RSAPublicKey) else "ec"), key.key_size


def key_id(key: PublicKey) -> str:
    """A key's identifier as Consul writes it."""
    return colons(x509.SubjectKeyIdentifier.from_public_key(key).digest)


def certificate_id(certificate: x509.Certificate) -> str:
    """A root's identifier: SHA-1 of its certificate."""
    return colons(hashlib.sha1(certificate.public_bytes(Encoding.DER)).digest())  # Consul's choice


def colons(content: bytes) -> str:
    return content.hex(":")


def pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(Encoding.PEM).decode()


def key_pem(key: PrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()


def subject_key(certificate: x509.Certificate) -> str:
    """The SubjectKeyId, empty without one."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    except x509.ExtensionNotFound:
        return ""
    return colons(found.digest)


def root(key: PrivateKey, cluster: str, unique: str, now: datetime, lifetime: timedelta) -> x509.Certificate:
    """A root of the cluster, signed by itself."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"pri-{unique}.consul.ca.{cluster[:8]}.consul")])
    uri, validity = f"spiffe://{cluster}.consul", (now, now + lifetime)
    return _authority(name, name, _public(key), uri, validity, None, key).sign(key, _hash(key))


def intermediate(
    by: x509.Certificate, signer: PrivateKey, key: PublicKey, cluster: str, now: datetime, lifetime: timedelta
) -> x509.Certificate:
    """What a secondary signs with: it has no subject, and the cluster's URI."""
    _require_own(by, signer, "certificate")
    uri, validity = f"spiffe://{cluster}.consul", (now - _DRIFT, now - _DRIFT + lifetime)
    return _authority(x509.Name([]), by.subject, key, uri, validity, 0, signer).sign(signer, _hash(signer))


def cross_signed(new: x509.Certificate, by: x509.Certificate, signer: PrivateKey, now: datetime) -> x509.Certificate:
    """The new root signed by the old one; raises ConsulError where the old one's certificate is of another kind."""
    if by.signature_algorithm_oid not in _signatures(signer):
        raise ConsulError(
            "error generating CA certificate: x509: requested SignatureAlgorithm does not match private key type"
        )
    _require_own(by, signer, "CA certificate")
    key = new.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey)
    since = now - _DRIFT
    builder = _begun(new.subject, by.subject, key, (since, since + CROSS_SIGNED_FOR))
    for extension in new.extensions:
        if not isinstance(extension.value, x509.AuthorityKeyIdentifier):
            builder = builder.add_extension(extension.value, extension.critical)
    return builder.add_extension(_signed_by(signer), critical=False).sign(signer, _hash(signer))


def leaf(
    by: x509.Certificate, signer: PrivateKey, key: PublicKey, uri: str, now: datetime, lifetime: timedelta
) -> x509.Certificate:
    """A leaf; raises ConsulError if the key isn't that of the authority's certificate."""
    _require_own(by, signer, "certificate")
    since = now - _DRIFT
    purposes = [ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]
    return (
        _begun(x509.Name([]), by.subject, key, (since, since + lifetime))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(_OF_LEAVES), critical=True)
        .add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(_signed_by(signer), critical=False)
        .add_extension(x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri)]), critical=True)
        .sign(signer, _hash(signer))
    )


def _require_own(certificate: x509.Certificate, key: PrivateKey, what: str) -> None:
    if certificate.public_key() != key.public_key():
        raise ConsulError(f"error generating {what}: x509: provided PrivateKey doesn't match parent's PublicKey")


def _authority(
    subject: x509.Name,
    issuer: x509.Name,
    key: PublicKey,
    uri: str,
    validity: tuple[datetime, datetime],
    path_length: int | None,
    signer: PrivateKey,
) -> x509.CertificateBuilder:
    return (
        _begun(subject, issuer, key, validity)
        .add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
        .add_extension(_usage(_OF_AUTHORITIES), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(_signed_by(signer), critical=False)
        .add_extension(x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri)]), critical=not list(subject))
    )


def _begun(
    subject: x509.Name, issuer: x509.Name, key: PublicKey, validity: tuple[datetime, datetime]
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number() >> 96)
        .not_valid_before(validity[0])
        .not_valid_after(validity[1])
    )


def _usage(named: tuple[str, ...]) -> x509.KeyUsage:
    return x509.KeyUsage(**{usage: usage in named for usage in _USAGES})


def _public(key: PrivateKey) -> PublicKey:
    return key.public_key()


def _signed_by(key: PrivateKey) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(
        x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    )


def _hash(key: PrivateKey) -> SHA256 | SHA384 | SHA512:
    return _HASHES.get(key.key_size, SHA256)()


def _signatures(key: PrivateKey) -> set[x509.ObjectIdentifier]:
    names = x509.oid.SignatureAlgorithmOID
    if isinstance(key, rsa.RSAPrivateKey):
        return {names.RSA_WITH_SHA256, names.RSA_WITH_SHA384, names.RSA_WITH_SHA512}
    return {names.ECDSA_WITH_SHA256, names.ECDSA_WITH_SHA384, names.ECDSA_WITH_SHA512}
