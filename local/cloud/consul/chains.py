"""Whether a verifier takes a leaf: by signatures, lifetimes and lengths of paths, as proxies do.

What authorities have signed is looked at once, and a leaf once for each of its signers.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import lru_cache

from cryptography import x509
from cryptography.exceptions import InvalidSignature


def refusal(chain: Sequence[x509.Certificate], roots: Iterable[x509.Certificate], now: datetime) -> str:
    """Why who trusts these roots refuses a leaf with what comes along; empty if it takes it."""
    leaf, *between = chain
    if not _is_valid(leaf, now):
        return "CertExpired" if now > leaf.not_valid_after_utc else "CertNotValidYet"
    return "" if _reaches(leaf, between, list(roots), now, 0) else "UnknownIssuer"


def _reaches(
    below: x509.Certificate, between: list[x509.Certificate], roots: list[x509.Certificate], now: datetime, under: int
) -> bool:
    """`under` is how many authorities there are below this one."""
    if any(_vouches(root, below, now, under) for root in roots):
        return True
    above = [one for one in between if _vouches(one, below, now, under)]
    return any(_reaches(one, [b for b in between if b is not one], roots, now, under + 1) for one in above)


def _vouches(authority: x509.Certificate, certificate: x509.Certificate, now: datetime, under: int) -> bool:
    return _is_valid(authority, now) and under <= _length(authority) and issued(authority, certificate)


@lru_cache(maxsize=50_000)
def issued(by: x509.Certificate, certificate: x509.Certificate) -> bool:
    """Whether a certificate bears the signature of another's key."""
    try:
        certificate.verify_directly_issued_by(by)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


@lru_cache(maxsize=1_000)
def _length(authority: x509.Certificate) -> float:
    """How many authorities may stand below it; less than none if it is no authority."""
    try:
        found = authority.extensions.get_extension_for_class(x509.BasicConstraints).value
    except x509.ExtensionNotFound:
        return -1
    if not found.ca:
        return -1
    return float("inf") if found.path_length is None else found.path_length


def _is_valid(certificate: x509.Certificate, now: datetime) -> bool:
    return certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc
