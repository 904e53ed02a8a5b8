"""Private keys: one that is elsewhere and signs from there, and new ones made in memory.

A certificate for a key elsewhere is built twice: once for the bytes to sign, and again with their signature.
"""

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256, SHA384
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from shared.domain.errors import PermanentError
from shared.domain.trust.certificates import PublicKey


class Scheme(NamedTuple):
    """How a key signs."""

    algorithm: str  # JWA's name, as Key Vault takes it
    hash: SHA256 | SHA384

    def der(self, signature: bytes) -> bytes:
        """A signature of JWA as X.509 holds it: of an EC key, r and s side by side become a sequence."""
        if self.algorithm.startswith("RS"):
            return signature
        half = len(signature) // 2
        return encode_dss_signature(int.from_bytes(signature[:half]), int.from_bytes(signature[half:]))


_RS256 = Scheme("RS256", SHA256())
_EC = {"secp256r1": Scheme("ES256", SHA256()), "secp384r1": Scheme("ES384", SHA384())}


def scheme_of(key: object) -> Scheme:
    """How this public key's private key signs; raises PermanentError for kinds that no root has."""
    if isinstance(key, rsa.RSAPublicKey):
        return _RS256
    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in _EC:
        return _EC[key.curve.name]
    raise PermanentError("KeyUnusable", "a trust root's key is RSA, or EC on curve P-256 or P-384; this one isn't")


class RemoteKey:
    """Stands in for a private key: takes down the message and gives the signature that it is given (DER)."""

    def __init__(self, public_key: PublicKey) -> None:
        self._public_key = public_key
        self.message, self.signature = b"", b""

    def public_key(self) -> PublicKey:
        return self._public_key

    def sign(self, data: bytes, *_: object) -> bytes:
        self.message = data
        return self.signature


class RemoteEcKey(RemoteKey):
    """One on an elliptic curve."""


class RemoteRsaKey(RemoteKey):
    """One of RSA."""


ec.EllipticCurvePrivateKey.register(RemoteEcKey)  # the builders take registered classes only
rsa.RSAPrivateKey.register(RemoteRsaKey)


async def signed(
    builder: x509.CertificateBuilder, signer: PublicKey, sign: Callable[[bytes], Awaitable[bytes]]
) -> x509.Certificate:
    """The certificate; `sign` gives the signature (JWA) of a message by the private key of this public one."""
    scheme = scheme_of(signer)
    key: Any = RemoteRsaKey(signer) if isinstance(signer, rsa.RSAPublicKey) else RemoteEcKey(signer)
    builder.sign(key, scheme.hash)
    key.signature = scheme.der(await sign(key.message))
    return builder.sign(key, scheme.hash)


def verifies(certificate: x509.Certificate, message: bytes, signature: bytes) -> bool:
    """Whether a signature (JWA) of the message is by the certificate's key."""
    public_key, scheme = certificate.public_key(), scheme_of(certificate.public_key())
    try:
        if isinstance(public_key, rsa.RSAPublicKey):
            public_key.verify(signature, message, padding.PKCS1v15(), scheme.hash)
        elif isinstance(public_key, ec.EllipticCurvePublicKey):
            public_key.verify(scheme.der(signature), message, ec.ECDSA(scheme.hash))
    except InvalidSignature:
        return False
    return True


def new_key() -> tuple[ec.EllipticCurvePublicKey, str]:
    """A new P-256 key: its public part, and the private one as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    return key.public_key(), key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
