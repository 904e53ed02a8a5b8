"""What Linkerd's bundles and issuers look like.

Rules:
- An issuer never outlives its root.
- A bundle is PEM blocks, each with one newline at its end and nothing else: Linkerd's identity controller doesn't start
  with anything after the last block, and ignores whatever follows a block that isn't a certificate.
"""

from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.oid import NameOID

from shared.domain.errors import PermanentError
from shared.domain.trust.certificates import BACKDATED, authority, certificates_in, fingerprint, fingerprints, pem
from shared.domain.trust.mesh import Mesh
from shared.domain.trust.phases import STAGES, Phase, Slot
from shared.domain.trust.roots import issuer_name

_LONGEST_KEY = 8192  # characters; the largest RSA keys in use have fewer


def bundle_pem(phase: Phase, found: str, old: x509.Certificate, new: x509.Certificate) -> str:
    """A bundle at the end of the phase: the new root, the old one, then others that were there already.

    Raises PermanentError if the bundle found trusts neither root: it belongs to somebody else's trust domain.
    """
    both = {fingerprint(old), fingerprint(new)}
    if not fingerprints(found) & both:
        raise PermanentError("ForeignBundle", "the mesh's bundle holds neither the old root nor the new one")
    trusted = [root for slot, root in ((Slot.NEW, new), (Slot.OLD, old)) if slot in STAGES[phase].trusted]
    others = [c for c in certificates_in(found) if fingerprint(c) not in both]
    return "".join(dict.fromkeys(pem(c) for c in [*trusted, *others]))


def issuer_certificate(
    trust_domain: str, key: EllipticCurvePublicKey, root: x509.Certificate, now: datetime, lifetime: timedelta
) -> x509.CertificateBuilder:
    """A member's issuer for this public key under the root, which it never outlives."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer_name(Mesh.LINKERD, trust_domain))])
    identifier = root.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return (
        authority(subject, root.subject, key, identifier, 0)
        .not_valid_before(max(now - BACKDATED, root.not_valid_before_utc))
        .not_valid_after(min(now + lifetime, root.not_valid_after_utc))
    )


def is_key_of(key: str, certificate: str) -> bool:
    """Whether a private key is that of a certificate (both PEM); not where either can't be read."""
    try:
        private = load_pem_private_key(key[:_LONGEST_KEY].encode(), None)  # which refuses halves that don't match
        public = x509.load_pem_x509_certificate(certificate.encode()).public_key()
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return False
    return private.public_key() == public


def issuer_expiry(issuer_pem: str, root: x509.Certificate, now: datetime) -> datetime | None:
    """The NotAfter of an issuer (PEM), None unless the root signed it and it is valid now."""
    try:
        issuer = certificates_in(issuer_pem)[0]
        issuer.verify_directly_issued_by(root)
    except (ValueError, TypeError, InvalidSignature):
        return None
    return issuer.not_valid_after_utc if issuer.not_valid_before_utc <= now < issuer.not_valid_after_utc else None
