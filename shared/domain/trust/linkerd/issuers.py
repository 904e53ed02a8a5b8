"""Issuers on their own schedule: when a member's issuer is renewed, and under which root.

Rules:
- An issuer is renewed daily, or as the policy says, and at half of its lifetime at the latest, so that a mesh lives on
  for days when the app or the cluster's API server is away.
- It is renewed under the root that has signed it. So a renewal never moves a rotation, no leaf changes its root, and
  nothing is restarted.
- An issuer is made only for who proves to hold the one before it: a certificate is public, its key isn't. So the first
  one of a cluster is made by people (docs/clusters.md).
- No issuer is written whose root the member's own bundle doesn't hold.
- Only an enabled root of record signs. If none of them has signed the issuer, an operator has to look at it.
- While no root of the trust domain was ever admitted, as after an upgrade, a certificate that is tagged as its root
  signs where the member trusts it already: it has signed the present issuer, which is valid, and is in the bundle. So
  nobody can bring in a root by a tag, and no mesh stands still meanwhile.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Protocol

import msgspec
from cryptography import x509
from cryptography.exceptions import InvalidSignature

from shared.domain.documents import Document
from shared.domain.errors import PermanentError
from shared.domain.trust.certificates import certificates_in, fingerprint, fingerprints
from shared.domain.trust.linkerd.facts import IssuerSecret
from shared.domain.trust.policy import TrustPolicy

_BY_HAND = "make an issuer by hand (docs/clusters.md)"


class SigningRoot(msgspec.Struct, frozen=True, kw_only=True):
    """A root that may sign issuers."""

    certificate: str  # its name in Key Vault
    version: str  # of that certificate


class IssuerRenewal(msgspec.Struct, frozen=True, kw_only=True):
    """A member whose issuer is looked at."""

    trust_domain: str  # whose member it is
    cluster: str  # its resource id
    roots: list[SigningRoot]  # the trust domain's enabled ones
    policy: TrustPolicy  # of this cluster
    admitted: bool = True  # whether the roots are of record
    suspected: list[str] = []  # replicas that seemed to have missed the new issuer, minutes ago


class IssuerSweep(msgspec.Struct, frozen=True, kw_only=True):
    """Whose issuers are looked at."""

    renewals: list[IssuerRenewal] = []


class RenewalOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """A member that has been looked at, and why its issuer couldn't be renewed (empty: nothing is wrong)."""

    cluster: str
    reason: str = ""
    message: str = ""


class IssuerSeen(msgspec.Struct, frozen=True, kw_only=True):
    """The issuer of a member, as it was seen last: when the member can't be asked, this says how long it lasts."""

    cluster: str  # resource id
    starts_at: datetime  # UTC
    expires_at: datetime  # UTC

    def hours_left(self, now: datetime) -> int:
        """Whole hours until it expires; fewer than none after that."""
        return (self.expires_at - now) // timedelta(hours=1)

    def is_ending(self, now: datetime) -> bool:
        """Whether no more than a quarter of its life is left, by when it ought to have been renewed long ago."""
        return self.expires_at - now <= (self.expires_at - self.starts_at) / 4


ISSUER_SEEN = Document("issuers/{member}.json", "From when to when a member's issuer is valid.", IssuerSeen)


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


def is_due(issuer: x509.Certificate, every: timedelta, now: datetime) -> bool:
    """Whether the issuer is to be renewed: it has this age, or half of its lifetime has passed."""
    lifetime = issuer.not_valid_after_utc - issuer.not_valid_before_utc
    return now >= issuer.not_valid_before_utc + min(every, lifetime / 2)


def seen_issuer(cluster: str, issuer: x509.Certificate) -> IssuerSeen:
    """What is remembered of a member's issuer."""
    return IssuerSeen(cluster=cluster, starts_at=issuer.not_valid_before_utc, expires_at=issuer.not_valid_after_utc)


def require_possession[R: _Root](cluster: str, found: IssuerSecret, roots: Iterable[R], now: datetime) -> R:
    """The root that has signed the member's issuer, if the member proves to hold that; raises PermanentError otherwise.

    The issuer has to be valid now, unless its root has expired: nothing under that can be.
    """
    issuer = issuer_of(cluster, found.certificate)
    root = signed_by(cluster, issuer, roots)
    what = f"the Secret linkerd-identity-issuer of cluster {cluster} holds"
    if not found.holds_key:
        message = f"{what} a key that isn't its certificate's: put back the key that is, or {_BY_HAND}"
        raise PermanentError("IssuerKeyMismatch", message)
    valid = issuer.not_valid_before_utc <= now < issuer.not_valid_after_utc
    if not valid and now < root.certificate.not_valid_after_utc:
        validity = f"{issuer.not_valid_before_utc:%Y-%m-%d %H:%M} to {issuer.not_valid_after_utc:%Y-%m-%d %H:%M} UTC"
        raise PermanentError("IssuerNotValid", f"{what} an issuer that is valid from {validity}: {_BY_HAND}")
    return root


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


def require_signer_trusted(cluster: str, signer: x509.Certificate, bundle: str) -> None:
    """Raise PermanentError unless the member's bundle (PEM) holds the root that is to sign its issuer."""
    if fingerprint(signer) not in fingerprints(bundle):
        message = (
            f"the bundle of cluster {cluster} doesn't hold the root that would sign its issuer"
            f" ({fingerprint(signer)[:16]}): put that back into it, or rotate its trust domain"
        )
        raise PermanentError("SignerNotTrusted", message)


def require_trusted(cluster: str, issuer: x509.Certificate, root: x509.Certificate, bundle: str, now: datetime) -> None:
    """Raise PermanentError unless the member trusts the root, which wasn't admitted yet, by issuer and bundle (PEM)."""
    valid = issuer.not_valid_before_utc <= now < issuer.not_valid_after_utc
    if not (valid and fingerprint(root) in fingerprints(bundle)):
        message = (
            f"the root that has signed the issuer of cluster {cluster} was never admitted, and the cluster doesn't"
            " trust it now: see GET /api/plans/rotations"
        )
        raise PermanentError("RootNotAdmitted", message)
