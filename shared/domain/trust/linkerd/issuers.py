"""Issuers on their own schedule: when a member's issuer is renewed, and under which root.

Rules:
- An issuer is renewed at half of its life, under the root that has signed it: so a renewal never moves a rotation, and
  no leaf changes its root by it. It needs no restarts.
- Only a root in force signs. An issuer of another signer is somebody else's, and people have to look.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Protocol

import msgspec
from cryptography import x509
from cryptography.exceptions import InvalidSignature

from shared.domain.errors import PermanentError
from shared.domain.trust.policy import TrustPolicy


class Renewal(msgspec.Struct, frozen=True, kw_only=True):
    """A member whose issuer is looked at, and the certificates of its trust domain's roots in force, by name."""

    trust_domain: str
    cluster: str
    roots: list[str]
    policy: TrustPolicy


class Sweep(msgspec.Struct, frozen=True, kw_only=True):
    """Whose issuers are looked at."""

    renewals: list[Renewal] = []


class Renewed(msgspec.Struct, frozen=True, kw_only=True):
    """A member that has been looked at, and why its issuer couldn't be renewed (empty: it is as it should be)."""

    cluster: str
    reason: str = ""
    message: str = ""


class _Root(Protocol):
    @property
    def certificate(self) -> x509.Certificate: ...


def issuer_of(cluster: str, text: str) -> x509.Certificate:
    """The issuer in a member's Secret (PEM); raises PermanentError if there is none."""
    try:
        return x509.load_pem_x509_certificate(text.encode())
    except ValueError as error:
        message = f"the Secret linkerd-identity-issuer of cluster {cluster} holds no certificate under tls.crt"
        raise PermanentError("BadIssuer", message) from error


def renewal_due(issuer: x509.Certificate, now: datetime) -> bool:
    """Whether half of the issuer's life has passed."""
    life = issuer.not_valid_after_utc - issuer.not_valid_before_utc
    return now >= issuer.not_valid_before_utc + life / 2


def signed_by[R: _Root](cluster: str, issuer: x509.Certificate, roots: Iterable[R]) -> R:
    """The root that has signed the issuer; raises PermanentError if it is none of these."""
    for root in roots:
        try:
            issuer.verify_directly_issued_by(root.certificate)
        except (ValueError, TypeError, InvalidSignature):
            continue
        return root
    message = f"no current root has signed the issuer of cluster {cluster}: rotate its trust domain, or undo the change"
    raise PermanentError("ForeignIssuer", message)
