"""Trust roots and issuers that an operator made by hand, for clusters that exist before Meshward comes."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass(frozen=True, kw_only=True)
class Root:
    """A self-signed trust root with its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> str:
        return _pem(self.certificate)

    @property
    def fingerprint(self) -> str:
        """SHA-256 in hex, as `Linkerd.roots` has it."""
        return self.certificate.fingerprint(hashes.SHA256()).hex()

    def issuer(
        self, name: str, now: datetime, lifetime: timedelta = timedelta(days=90), *, ca: bool = True
    ) -> tuple[str, str]:
        """An issuer under this root: certificate and key as PEM."""
        key = ec.generate_private_key(ec.SECP256R1())
        signed = _certificate(name, key, now, lifetime, by=(self.certificate.subject, self.key), ca=ca)
        private = serialization.PrivateFormat.TraditionalOpenSSL
        text = key.private_bytes(serialization.Encoding.PEM, private, serialization.NoEncryption())
        return _pem(signed), text.decode()


def new_root(name: str, now: datetime, lifetime: timedelta = timedelta(days=3650)) -> Root:
    """A root named for example root.linkerd.cluster.local, valid from one minute before `now`."""
    key = ec.generate_private_key(ec.SECP256R1())
    return Root(certificate=_certificate(name, key, now, lifetime, by=(_name(name), key), ca=True), key=key)


def _certificate(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    now: datetime,
    lifetime: timedelta,
    *,
    by: tuple[x509.Name, ec.EllipticCurvePrivateKey],
    ca: bool,
) -> x509.Certificate:
    issuer, signer = by
    return (
        x509.CertificateBuilder()
        .serial_number(x509.random_serial_number())
        .issuer_name(issuer)
        .subject_name(_name(name))
        .public_key(key.public_key())
        .not_valid_before(now - timedelta(minutes=1))
        .not_valid_after(now + lifetime)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(signer, hashes.SHA256())
    )


def _name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()
