"""Roots of a trust domain: the old one, the new one of its rotation, and another."""

from datetime import timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

from shared.domain.trust.certificates import root_certificate
from shared.domain.trust.mesh import Mesh
from shared.domain.trust.roots import Rotation
from tests.worlds.times import NOW

DOMAIN = "prod.contoso.example"
KEYS = [ec.generate_private_key(ec.SECP256R1()) for _ in range(4)]


def rotation(generation: int) -> Rotation:
    """A rotation to the root of this generation."""
    return Rotation(mesh=Mesh.LINKERD, trust_domain=DOMAIN, old="old", new="new", generation=generation)


def first(lifetime: timedelta = timedelta(days=365), key: ec.EllipticCurvePrivateKey = KEYS[0]) -> x509.Certificate:
    """An imported root, which expires at this very moment."""
    name = x509.Name.from_rfc4514_string("CN=an imported root")
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    dated = builder.serial_number(1).not_valid_before(NOW - lifetime).not_valid_after(NOW)
    return dated.sign(key, SHA256())


OLD = first()
NEW = root_certificate(rotation(2), KEYS[1].public_key(), OLD, NOW).sign(KEYS[1], SHA256())
OTHER = first(key=KEYS[3])
