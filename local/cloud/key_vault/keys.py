"""The kinds of keys that a key vault makes, imports and signs with."""

from typing import Any, NamedTuple

from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256, SHA384

type PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
type PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey


class KeyKind(NamedTuple):
    """How keys of a kind are called and sign."""

    kty: str
    crv: str  # empty for RSA
    algorithm: str  # JWA
    hash: SHA256 | SHA384
    size: int  # bytes of a coordinate, and of r and s

    def signature(self, key: PrivateKey, digest: bytes) -> bytes:
        """As JWA has it: of an EC key, r and s side by side."""
        if isinstance(key, rsa.RSAPrivateKey):
            return key.sign(digest, padding.PKCS1v15(), Prehashed(self.hash))
        r, s = decode_dss_signature(key.sign(digest, ec.ECDSA(Prehashed(self.hash))))
        return r.to_bytes(self.size) + s.to_bytes(self.size)


_RSA = KeyKind("RSA", "", "RS256", SHA256(), 0)
_EC = {
    "secp256r1": KeyKind("EC", "P-256", "ES256", SHA256(), 32),
    "secp384r1": KeyKind("EC", "P-384", "ES384", SHA384(), 48),
}


def kind_of(key: PrivateKey | PublicKey) -> KeyKind:
    """The kind of this key."""
    public = key if isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey) else key.public_key()
    return _RSA if isinstance(public, rsa.RSAPublicKey) else _EC[public.curve.name]


def numbers(key: PublicKey) -> dict[str, bytes]:
    """What a JSON Web Key says of the public key."""
    if isinstance(key, rsa.RSAPublicKey):
        public = key.public_numbers()
        return {"n": public.n.to_bytes((key.key_size + 7) // 8), "e": public.e.to_bytes(3)}
    size, point = kind_of(key).size, key.public_numbers()
    return {"x": point.x.to_bytes(size), "y": point.y.to_bytes(size)}


def key_props(key: PrivateKey, *, exportable: bool) -> dict[str, Any]:
    """The part of a policy that describes the key of an imported certificate."""
    kind = kind_of(key)
    return {
        "exportable": exportable,
        "kty": kind.kty,
        "key_size": key.key_size,
        "reuse_key": False,
        **({"crv": kind.crv} if kind.crv else {}),
    }
