"""Trust roots and issuers as an operator makes them by hand.

They look as those of `step certificate create` do (profiles root-ca and intermediate-ca), which Linkerd's docs use.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from local.cloud.key_vault.x509 import issue

_BACKDATED = timedelta(minutes=1)


@dataclass(frozen=True, kw_only=True)
class RootWithKey:
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
        signed = issue(
            f"CN={name}",
            key.public_key(),
            issuer=self.certificate.subject.rfc4514_string(),
            signer=self.key,
            validity=(now - _BACKDATED, now + lifetime),
            path_length=0 if ca else None,
        )
        private = serialization.PrivateFormat.TraditionalOpenSSL
        text = key.private_bytes(serialization.Encoding.PEM, private, serialization.NoEncryption())
        return _pem(signed), text.decode()


def new_root(name: str, now: datetime, lifetime: timedelta = timedelta(days=3650)) -> RootWithKey:
    """A root named for example root.linkerd.cluster.local, valid from one minute before `now`."""
    key = ec.generate_private_key(ec.SECP256R1())
    validity = (now - _BACKDATED, now + lifetime)
    subject = f"CN={name}"
    certificate = issue(subject, key.public_key(), issuer=subject, signer=key, validity=validity, path_length=1)
    return RootWithKey(certificate=certificate, key=key)


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()
