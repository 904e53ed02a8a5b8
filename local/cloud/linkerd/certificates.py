"""The X.509 of a Linkerd mesh: bundles as proxies and the identity controller read them, leaves, and who accepts them.

Rules:
- A proxy reads every certificate of its bundle. The identity controller's parser is stricter: text after the last block
  is fatal, and after a block of another type it reads no certificate any more.
- A proxy accepts a leaf if it is valid now, signed by its issuer, and the issuer leads to one of the proxy's roots over
  authorities that are all valid now and have no more of them below than their path length allows.
- Proxies (webpki) take a root's dates and constraints on trust; the identity controller (Go) wants roots valid too.
- What real stacks say of the same certificates is checked by tests/real/test_verifiers.py.
- Signatures are really verified, once for each pair of certificates.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from local.cloud.linkerd.chains import CertificatePath, authority_key, is_authority, issued, path_to

LIFETIME_SECONDS = 86_400
SKEW_SECONDS = 20
_LEAF_USAGE = x509.KeyUsage(
    digital_signature=True,
    key_encipherment=True,
    content_commitment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=False,
    crl_sign=False,
    encipher_only=False,
    decipher_only=False,
)
_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)
_BLOCK = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----.*?-----END \1-----", re.DOTALL)


class BadBundle(Exception):
    """Why the identity controller can't use its trust roots or its issuer; worded as its log has it."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Leaf:
    """A proxy's certificate."""

    certificate: x509.Certificate
    name: str  # the proxy's identity
    chain: tuple[str, ...]  # fingerprints of its issuer and of the authorities that are sent along
    not_before: float  # Unix seconds: valid from
    not_after: float  # Unix seconds: valid until


@dataclass(kw_only=True, eq=False)
class Issuer:
    """An issuer certificate with its key, as the identity controller loaded it."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
    chain: tuple[str, ...]  # its own fingerprint first
    not_after: float  # Unix seconds: when the first of the chain expires
    serial: int = 0  # of the newest leaf; begins at 0 with each load


class Certificates:
    """All CA certificates seen so far by SHA-256 fingerprint, and the paths between them."""

    def __init__(self) -> None:
        self._authorities: dict[str, x509.Certificate] = {}
        self._texts: dict[str, tuple[str, ...]] = {}  # bundles and chains that have been read, by their text
        self._paths: dict[tuple[tuple[str, ...], str], CertificatePath | None] = {}
        self.leaf_key = ec.generate_private_key(ec.SECP256R1())  # one for all: making keys is slow, leaves still differ
        self._genuine: dict[Leaf, bool] = {}

    def read(self, pem: str) -> tuple[str, ...]:
        """Fingerprints of all certificates in the text, as a proxy reads it; raises ValueError."""
        if pem not in self._texts:
            found = [x509.load_pem_x509_certificate(block.encode()) for block in _CERTIFICATE.findall(pem)]
            self._texts[pem] = tuple(map(self._learn, found))
        return self._texts[pem]

    def read_strictly(self, pem: str) -> tuple[str, ...]:
        """The same as Go's parser reads it; raises BadBundle."""
        blocks, rest = [], pem
        while rest:
            block = _BLOCK.search(rest)
            if block is None:
                raise BadBundle("not a PEM certificate")
            blocks.append(block)
            rest = re.sub(r"\A[ \t]*\r?\n", "", rest[block.end() :])
        end = next((n for n, block in enumerate(blocks) if block[1] != "CERTIFICATE"), len(blocks))
        try:
            read = self.read("\n".join(block[0] for block in blocks[:end]))
        except ValueError as error:
            raise BadBundle(str(error)) from None
        if not read:
            raise BadBundle("not a PEM certificate")
        return read

    def load_issuer(self, crt_pem: str, key_pem: str, roots: Iterable[str], now: float) -> Issuer:
        """An issuer after the checks of the identity controller; raises BadBundle with its x509 reason."""
        chain = self.read_strictly(crt_pem)
        certificate = self._authorities[chain[0]]
        try:
            key = serialization.load_pem_private_key(key_pem.encode(), None)
        except ValueError:
            raise BadBundle("failed to read private key") from None
        if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
            raise BadBundle("unsupported private key type")
        if key.public_key() != certificate.public_key():
            raise BadBundle("tls: Public and private key do not match")
        not_after = min(self._authorities[c].not_valid_after_utc.timestamp() for c in chain)
        issuer = Issuer(certificate=certificate, key=key, chain=chain, not_after=not_after)
        self.check_issuer(issuer, roots, now)
        return issuer

    def check_issuer(self, issuer: Issuer, roots: Iterable[str], now: float) -> None:
        """Raises BadBundle unless the issuer is a CA that chains to the roots now, as Go verifies it."""
        if not is_authority(issuer.certificate):
            raise BadBundle("x509: issuer cert is not a CA")
        paths = [p for p in (self.path(issuer.chain, root) for root in roots) if p]
        if not paths:
            raise BadBundle("x509: certificate signed by unknown authority")
        if not any(max(p.not_before, p.root_not_before) <= now <= min(p.not_after, p.root_not_after) for p in paths):
            raise BadBundle("x509: certificate has expired or is not yet valid")

    def issue(self, issuer: Issuer, name: str, now: float) -> Leaf:
        """A leaf for a proxy: 24 h and skew at both ends, but never longer than its issuer lives."""
        not_before = int(now) - SKEW_SECONDS
        not_after = int(min(now + LIFETIME_SECONDS + SKEW_SECONDS, issuer.not_after))
        issuer.serial += 1
        builder = (
            x509.CertificateBuilder()
            .serial_number(issuer.serial)
            .issuer_name(issuer.certificate.subject)
            .subject_name(x509.Name([]))
            .public_key(self.leaf_key.public_key())
            .not_valid_before(datetime.fromtimestamp(not_before, UTC))
            .not_valid_after(datetime.fromtimestamp(not_after, UTC))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=True)
            .add_extension(_LEAF_USAGE, critical=True)
            .add_extension(authority_key(issuer.certificate), critical=False)
            .add_extension(
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]),
                critical=False,
            )
        )
        certificate = builder.sign(issuer.key, hashes.SHA256())
        return Leaf(certificate=certificate, name=name, chain=issuer.chain, not_before=not_before, not_after=not_after)

    def refusal(self, leaf: Leaf, name: str, roots: Iterable[str], now: float) -> str:
        """Why a proxy with these roots refuses the peer `name` that shows this leaf; empty if it accepts it."""
        if leaf.name != name:
            return "NotValidForName"
        if not leaf.not_before <= now <= leaf.not_after:
            return "CertExpired" if now > leaf.not_after else "CertNotValidYet"
        if not self._is_genuine(leaf):
            return "BadSignature"
        paths = [p for p in (self.path(leaf.chain, root) for root in roots) if p]
        if not paths:
            return "UnknownIssuer"
        paths = [p for p in paths if p.within_path_lengths]
        if not paths:
            return "PathLenConstraintViolated"
        return "" if any(p.not_before <= now <= p.not_after for p in paths) else "CertExpired"

    def path(self, chain: tuple[str, ...], root: str) -> CertificatePath | None:
        """The path from `chain`'s first certificate to `root`, over the others where needed."""
        if (chain, root) not in self._paths:
            self._paths[chain, root] = self._find_path(chain, root)
        return self._paths[chain, root]

    def signer(self, chain: tuple[str, ...]) -> str:
        """Who signed the top of a chain, by name and key: the same for all issuers under one root."""
        top = self._authorities[chain[-1]]
        try:
            key = top.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
        except x509.ExtensionNotFound:
            key = None
        return f"{top.issuer.rfc4514_string()} {key.hex() if key else ''}"

    def _find_path(self, chain: tuple[str, ...], root: str) -> CertificatePath | None:
        anchor, walked = self._authorities[root], list[x509.Certificate]()
        for number, fingerprint in enumerate(chain):
            certificate = self._authorities[fingerprint]
            walked.append(certificate)
            if not is_authority(certificate):
                return None
            if issued(anchor, certificate):
                return path_to(anchor, walked)
            above = chain[number + 1 : number + 2]
            if not above or not issued(self._authorities[above[0]], certificate):
                return None
        return None

    def _is_genuine(self, leaf: Leaf) -> bool:
        if leaf not in self._genuine:
            self._genuine[leaf] = issued(self._authorities[leaf.chain[0]], leaf.certificate)
        return self._genuine[leaf]

    def forget(self, leaf: Leaf) -> None:
        """The leaf is no longer in use."""
        self._genuine.pop(leaf, None)

    def _learn(self, certificate: x509.Certificate) -> str:
        fingerprint = certificate.fingerprint(hashes.SHA256()).hex()
        self._authorities[fingerprint] = certificate
        return fingerprint
