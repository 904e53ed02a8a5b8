"""Roots, issuers and leaves to be judged: as Meshward and the simulated identity make them, and odd ones.

Roots and issuers are signed through the same stand-in for a key elsewhere as in production, by a key in memory in place
of Key Vault's. All are made at NOW.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from local.cloud.key_vault.x509 import issue
from local.cloud.linkerd.certificates import Certificates, Issuer, Leaf
from shared.adapters.azure.keys import signed
from shared.domain.trust.certificates import pem, root_certificate
from shared.domain.trust.linkerd.certificates import issuer_certificate
from shared.domain.trust.mesh import Mesh
from shared.domain.trust.roots import Rotation
from tests.real.stacks import HandshakeEnd

NOW = datetime(2027, 1, 15, 8, tzinfo=UTC)
DOMAIN = "prod.contoso.example"
NAME = f"web.shop.serviceaccount.identity.linkerd.{DOMAIN}"
SIMULATED = Certificates()
_NEVER = datetime(9999, 1, 1, tzinfo=UTC).timestamp()


@dataclass(frozen=True, kw_only=True)
class Authority:
    """A root or an issuer with its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def subject(self) -> str:
        return self.certificate.subject.rfc4514_string()


def made_root(generation: int, before: x509.Certificate) -> Authority:
    key = _new_key()
    rotation = Rotation(mesh=Mesh.LINKERD, trust_domain=DOMAIN, old="", new="", generation=generation)
    return _signed_elsewhere(root_certificate(rotation, key.public_key(), before, NOW), key, key)


def made_issuer(root: Authority) -> Authority:
    key = _new_key()
    return _signed_elsewhere(
        issuer_certificate(DOMAIN, key.public_key(), root.certificate, NOW, timedelta(hours=48)), key, root.key
    )


def odd(
    subject: str,
    by: Authority | None = None,
    *,
    path_length: int | None = 0,
    lifetime: timedelta = timedelta(days=30),
) -> Authority:
    """An authority that Meshward would not make: self-signed if nobody else signs, CA:FALSE without a path length."""
    key = _new_key()
    issuer, signer = (by.subject, by.key) if by else (subject, key)
    validity = (NOW - timedelta(hours=1), NOW + lifetime)
    certificate = issue(
        subject, key.public_key(), issuer=issuer, signer=signer, validity=validity, path_length=path_length
    )
    return Authority(certificate=certificate, key=key)


def leaf(*issuers: Authority) -> Leaf:
    """A leaf as the simulated identity issues it for 24 hours, even if its issuer, the first of these, ends before."""
    by = issuers[0]
    chain = SIMULATED.read(pems(*issuers))
    issuer = Issuer(certificate=by.certificate, key=by.key, chain=chain, not_after=_NEVER)
    return SIMULATED.issue(issuer, NAME, NOW.timestamp())


def pems(*authorities: Authority) -> str:
    return "".join(pem(a.certificate) for a in authorities)


def shown(*issuers: Authority) -> str:
    """The chain that a peer shows, as PEM: a leaf and these authorities."""
    return pem(leaf(*issuers).certificate) + pems(*issuers)


def peer(issuers: Sequence[Authority], roots: str) -> HandshakeEnd:
    key = SIMULATED.leaf_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return HandshakeEnd(chain=shown(*issuers), key=key.decode(), roots=roots)


def _new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def _signed_elsewhere(
    builder: x509.CertificateBuilder, key: ec.EllipticCurvePrivateKey, signer: ec.EllipticCurvePrivateKey
) -> Authority:
    async def sign(message: bytes) -> bytes:
        r, s = decode_dss_signature(signer.sign(message, ec.ECDSA(SHA256())))
        return r.to_bytes(32) + s.to_bytes(32)

    return Authority(certificate=asyncio.run(signed(builder, signer.public_key(), sign)), key=key)
