"""Whether a leaf of Consul is good under some roots, and whose it is.

Rules:
- A path leads from the leaf to a root by signatures, over what comes along with the leaf, in any order. All of it
  is valid now; authorities may sign certificates, and no path is longer than one of them allows.
- The library's own verifier can't be used: a secondary's intermediate has no subject, so its leaves have no issuer.
- A leaf has one name, a SPIFFE id of the form that Consul signs. Another form is nobody's.
"""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec
from cryptography import x509
from cryptography.exceptions import InvalidSignature

_MOST_BETWEEN = 8  # authorities that come along; Consul sends two, and one for each root that was cross-signed lately
_SERVICE = re.compile(r"spiffe://([a-z0-9.-]+)/ns/default/dc/([A-Za-z0-9_-]+)/svc/([A-Za-z0-9._~-]+)", re.ASCII)


class ConsulService(msgspec.Struct, frozen=True, kw_only=True):
    """A service of a datacenter, as its leaves name it."""

    trust_domain: str
    datacenter: str
    name: str


def verifies(chain: Sequence[x509.Certificate], roots: Iterable[x509.Certificate], now: datetime) -> bool:
    """Whether who trusts these roots alone takes the chain, its leaf first."""
    if not chain or len(chain) - 1 > _MOST_BETWEEN:
        return False
    leaf, *between = chain
    return not _is_authority(leaf) and _is_valid(leaf, now) and _reaches(leaf, between, list(roots), now)


def service_of(leaf: x509.Certificate) -> ConsulService | None:
    """The service that a leaf is of; None unless it has exactly one name, of the form of a service's."""
    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return None
    found = (
        _SERVICE.fullmatch(names.get_values_for_type(x509.UniformResourceIdentifier)[0]) if _one_uri(names) else None
    )
    return found and ConsulService(trust_domain=found[1], datacenter=found[2], name=found[3])


def _one_uri(names: x509.SubjectAlternativeName) -> bool:
    return [type(name) for name in names] == [x509.UniformResourceIdentifier]


def _reaches(
    below: x509.Certificate,
    between: Sequence[x509.Certificate],
    roots: Sequence[x509.Certificate],
    now: datetime,
    under: int = 0,
) -> bool:
    """`under` is how many authorities there are below the one that is looked for."""
    if any(_vouches(root, below, now, under) for root in roots):
        return True
    above = [one for one in between if _vouches(one, below, now, under)]
    return any(_reaches(one, [b for b in between if b is not one], roots, now, under + 1) for one in above)


def _vouches(authority: x509.Certificate, certificate: x509.Certificate, now: datetime, under: int) -> bool:
    if not (_is_valid(authority, now) and _is_authority(authority, under)):
        return False
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _is_authority(certificate: x509.Certificate, under: int = 0) -> bool:
    try:
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except (x509.ExtensionNotFound, ValueError):
        return False
    long_enough = constraints.path_length is None or under <= constraints.path_length
    return constraints.ca and usage.key_cert_sign and long_enough


def _is_valid(certificate: x509.Certificate, now: datetime) -> bool:
    return certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc
