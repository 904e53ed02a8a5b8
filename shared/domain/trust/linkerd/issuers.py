"""Issuers on their own schedule: when a member's issuer is renewed, and under which root.

Rules:
- An issuer is renewed at half of its lifetime, under the root that has signed it. So a renewal never moves a rotation,
  no leaf changes its root, and nothing is restarted.
- Only a current root signs. If none of them has signed the issuer, an operator has to look at it.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Protocol

import msgspec
from cryptography import x509
from cryptography.exceptions import InvalidSignature

from shared.domain.errors import PermanentError
from shared.domain.trust.certificates import certificates_in
from shared.domain.trust.policy import TrustPolicy


class IssuerRenewal(msgspec.Struct, frozen=True, kw_only=True):
    """A member whose issuer is looked at."""

    trust_domain: str
    cluster: str
    roots: list[str]  # names of the certificates of the trust domain's current roots
    policy: TrustPolicy


class IssuerSweep(msgspec.Struct, frozen=True, kw_only=True):
    """Whose issuers are looked at."""

    renewals: list[IssuerRenewal] = []


class RenewalOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """A member that has been looked at, and why its issuer couldn't be renewed (empty: nothing is wrong)."""

    cluster: str
    reason: str = ""
    message: str = ""


class _Root(Protocol):
    @property
    def certificate(self) -> x509.Certificate: ...


def issuer_of(cluster: str, pem: str) -> x509.Certificate:
    """The issuer in a member's Secret (PEM); raises PermanentError if there is none."""
    try:
        return certificates_in(pem)[0]
    except ValueError as error:
        message = f"the Secret linkerd-identity-issuer of cluster {cluster} holds no certificate under tls.crt"
        raise PermanentError("BadIssuer", message) from error


def is_due(issuer: x509.Certificate, now: datetime) -> bool:
    """Whether half of the issuer's lifetime has passed."""
    lifetime = issuer.not_valid_after_utc - issuer.not_valid_before_utc
    return now >= issuer.not_valid_before_utc + lifetime / 2


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
