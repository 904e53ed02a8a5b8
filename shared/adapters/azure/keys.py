"""Private keys: one that is elsewhere and signs from there, and new ones made in memory.

A certificate for a key elsewhere is built twice: once for the bytes to sign, and again with their signature.
"""

from collections.abc import Awaitable, Callable
from typing import cast

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat


class RemoteKey:
    """Stands in for a P-256 private key: takes down the message and gives the signature that it is given (DER)."""

    def __init__(self, public_key: ec.EllipticCurvePublicKey) -> None:
        self._public_key = public_key
        self.message, self.signature = b"", b""

    def public_key(self) -> ec.EllipticCurvePublicKey:
        return self._public_key

    def sign(self, data: bytes, signature_algorithm: ec.EllipticCurveSignatureAlgorithm) -> bytes:  # noqa: ARG002
        self.message = data
        return self.signature


ec.EllipticCurvePrivateKey.register(RemoteKey)  # the builders take registered classes only


async def signed(
    builder: x509.CertificateBuilder,
    public_key: ec.EllipticCurvePublicKey,
    sign: Callable[[bytes], Awaitable[bytes]],
) -> x509.Certificate:
    """The certificate; `sign` gives the ES256 signature of a message as r and s, 32 bytes each (JWA)."""
    key = RemoteKey(public_key)
    signer = cast("ec.EllipticCurvePrivateKey", key)
    builder.sign(signer, SHA256())
    raw = await sign(key.message)
    key.signature = _der(raw)
    return builder.sign(signer, SHA256())


def verifies(certificate: x509.Certificate, message: bytes, signature: bytes) -> bool:
    """Whether an ES256 signature (JWA) of the message is by the certificate's key."""
    public_key = certificate.public_key()
    assert isinstance(public_key, ec.EllipticCurvePublicKey)
    try:
        public_key.verify(_der(signature), message, ec.ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True


def _der(signature: bytes) -> bytes:
    return encode_dss_signature(int.from_bytes(signature[:32]), int.from_bytes(signature[32:]))


def new_key() -> tuple[ec.EllipticCurvePublicKey, str]:
    """A new P-256 key: its public part, and the private one as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    return key.public_key(), key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
