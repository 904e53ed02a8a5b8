"""Certificates that claim to be roots: what is said of them, and how a trust domain's first root is admitted.

Rules:
- An operator admits the first root of a trust domain by its fingerprint, which no tag can forge. From then on Meshward
  makes every root itself; so nothing is admitted where there is a current root already.
- Until then nothing is rotated there. Issuers are renewed all the same, as a mesh without issuer stands still within
  two days: under the root that has signed the member's present issuer, and only while its bundle holds that root. So
  nobody's certificate signs for a member that didn't trust it before. Each hour says what is to be done.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Literal

import msgspec
from cryptography import x509
from cryptography.exceptions import InvalidSignature

from shared.domain.errors import Conflict, InvalidEvent, NotFound, PermanentError, Unreadable
from shared.domain.trust.mesh import Mesh
from shared.domain.trust.records import RootRecord
from shared.domain.trust.roots import Lineage, RootClaim


class RefusedRoot(msgspec.Struct, frozen=True, kw_only=True):
    """A certificate that claims to be a root and isn't used: which, why, and what to do."""

    certificate: str  # its name in Key Vault
    mesh: Mesh  # by its tags
    trust_domain: str  # by its tags
    generation: int  # by its tags
    fingerprint: str  # SHA-256, hexadecimal, lower case; empty: it has no enabled version
    reason: Literal["ForeignRoot", "RootNotAdmitted"]  # why it isn't used
    message: str  # the same, for people


def refused_root(claim: RootClaim, found: str, lineage: Lineage | None, vault: str) -> RefusedRoot:
    """What is said of a claim with this fingerprint, in a trust domain with these roots of record (None: none yet)."""
    first = lineage is None or not lineage.enabled
    reason, message = _not_admitted(claim, found) if first else _foreign(claim, vault)
    return RefusedRoot(
        certificate=claim.certificate,
        mesh=claim.mesh,
        trust_domain=claim.trust_domain,
        generation=claim.generation,
        fingerprint=found,
        reason=reason,
        message=message,
    )


def require_none_refused(refused: Sequence[RefusedRoot], broken: Sequence[str] = ()) -> None:
    """Raise PermanentError that says what to do about certificates that claim to be roots, and about broken rows."""
    if broken:
        raise Unreadable(
            "DocumentBroken", f"{', '.join(broken)} in the store can't be read: restore an earlier version"
        )
    if refused:
        raise PermanentError(refused[0].reason, "; ".join(one.message for one in refused))


def admission_call(trust_domain: str, found: str) -> str:
    """The call that admits a root."""
    return f'POST /api/roots {{"trust_domain": "{trust_domain}", "fingerprint": "{found}", "why": "<why>"}}'


def _not_admitted(claim: RootClaim, found: str) -> tuple[Literal["RootNotAdmitted"], str]:
    call = admission_call(claim.trust_domain, found or "<SHA-256>")
    message = (
        f"trust domain {claim.trust_domain} has no admitted root, so nothing is rotated there: if {claim.certificate}"
        f" is its root, compare the fingerprint with that in the clusters' bundles, and call {call}"
    )
    return "RootNotAdmitted", message


def _foreign(claim: RootClaim, vault: str) -> tuple[Literal["ForeignRoot"], str]:
    message = (
        f"certificate {claim.certificate} is tagged as root {claim.generation} of {claim.trust_domain}, and Meshward"
        " didn't make it, or has retired it: it is never used. Find out who has put it there, and disable it:"
        f" az keyvault certificate set-attributes --vault-name {vault} --name {claim.certificate} --enabled false"
    )
    return "ForeignRoot", message


def require_first(lineage: Lineage | None, trust_domain: str) -> None:
    """Raise Conflict if the trust domain has a current root: only its first one is admitted."""
    if lineage and lineage.current:
        message = (
            f"{lineage.current.certificate} is the current root of {trust_domain}: Meshward makes the next one itself"
        )
        raise Conflict("RootAdmitted", f"{message}, by POST /api/rotations")


def require_named(claims: Iterable[RefusedRoot], trust_domain: str, found: str) -> RefusedRoot:
    """The claim of this fingerprint; raises NotFound that names those that there are."""
    own = [claim for claim in claims if claim.trust_domain == trust_domain]
    for claim in own:
        if claim.fingerprint == found:
            return claim
    listed = ", ".join(f"{claim.certificate} ({claim.fingerprint})" for claim in own) or "none"
    message = f"no enabled certificate with this fingerprint is tagged as a root of {trust_domain}; there are: {listed}"
    raise NotFound("NoSuchRoot", message)


def require_new_number(claim: RefusedRoot, last: int) -> None:
    """Raise Conflict if the generation was used already."""
    if claim.generation <= last:
        message = (
            f"{claim.trust_domain} has used up its generations to {last}: tag {claim.certificate} with a higher one"
        )
        raise Conflict("GenerationUsed", message)


def require_root(certificate: x509.Certificate, name: str) -> None:
    """Raise InvalidEvent unless it is a certificate authority's that has signed itself."""
    try:
        certificate.verify_directly_issued_by(certificate)
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    except (ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound) as error:
        raise InvalidEvent("NotATrustRoot", f"certificate {name} hasn't signed itself, or has no CA:TRUE") from error
    if not constraints.ca:
        raise InvalidEvent("NotATrustRoot", f"certificate {name} isn't a certificate authority's")


def admitted(claim: RefusedRoot, by: str, why: str, now: datetime) -> RootRecord:
    """The row of a root that an operator admits."""
    return RootRecord(
        mesh=claim.mesh,
        trust_domain=claim.trust_domain,
        generation=claim.generation,
        certificate=claim.certificate,
        fingerprint=claim.fingerprint,
        origin="admitted",
        by=by,
        why=why,
        at=now,
    )
