"""The two roots that a world has, the issuers that they sign, and the PEM of each: made once, as keys take time."""

from datetime import UTC, datetime, timedelta
from functools import cache
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from msgspec.structs import replace

from shared.domain.trust.certificates import fingerprint, pem, root_certificate
from shared.domain.trust.linkerd.certificates import issuer_certificate
from shared.domain.trust.mesh import Mesh
from shared.domain.trust.phases import Roots, Slot
from shared.domain.trust.roots import Rotation

BEGIN = datetime(2027, 1, 15, 8, tzinfo=UTC)
TRUST_DOMAIN = "prod.contoso.example"
ROTATION = Rotation(mesh=Mesh.LINKERD, trust_domain=TRUST_DOMAIN, old="root-g1", new="root-g2", generation=2)
VERSIONS = {Slot.OLD: "1", Slot.NEW: "2"}
LETTERS = {Slot.OLD: "O", Slot.NEW: "N"}
SLOTS = {letter: slot for slot, letter in LETTERS.items()}
_DAY = timedelta(days=1)


class WorldCertificates(NamedTuple):
    """The certificates of a world, by the letters of their roots."""

    roots: dict[str, x509.Certificate]
    issuers: dict[str, x509.Certificate]
    issuer_pems: dict[str, str]
    bundles: dict[str, str]  # PEM, by the letters of the roots that are in it
    letters: dict[str, str]  # of bundles and issuers, by their PEM
    fingerprints: Roots  # as a rotation knows them
    sets: dict[str, frozenset[str]]  # fingerprints, by the letters of the roots

    def of(self, letters: str) -> frozenset[str]:
        """The fingerprints of these roots."""
        return self.sets[letters]


@cache
def certificates(*, expired: bool = False) -> WorldCertificates:
    """Those of a world, whose old root may have expired."""
    lives = {"O": (-300, -1 if expired else 30), "N": (-200, 300)}
    roots, issuers = {}, {}
    for slot, letter in LETTERS.items():
        key, (begins, ends) = ec.generate_private_key(ec.SECP256R1()), lives[letter]
        rotation = replace(ROTATION, generation=1 if slot is Slot.OLD else 2)
        root = root_certificate(rotation, key.public_key(), None, BEGIN + begins * _DAY, (ends - begins) * _DAY)  # type: ignore[arg-type]
        roots[letter] = root.sign(key, SHA256())
        holder = ec.generate_private_key(ec.SECP256R1()).public_key()
        issuer = issuer_certificate(TRUST_DOMAIN, holder, roots[letter], BEGIN - 150 * _DAY, 500 * _DAY)
        issuers[letter] = issuer.sign(key, SHA256())
    bundles = {letters: "".join(pem(roots[one]) for one in reversed(letters)) for letters in ("O", "ON", "N")}
    pems = {letter: pem(one) for letter, one in issuers.items()}
    known = {text: letters for letters, text in (*bundles.items(), *pems.items())}
    old, new = (fingerprint(roots[letter]) for letter in LETTERS.values())
    named = Roots(old=old, new=new, old_version=VERSIONS[Slot.OLD], new_version=VERSIONS[Slot.NEW])
    sets = {"O": frozenset({old}), "N": frozenset({new}), "ON": frozenset({old, new})}
    return WorldCertificates(roots, issuers, pems, bundles, known, named, sets)
