"""Whether what a member has proven is still true.

Rules:
- What somebody puts back from a backup (a bundle, an issuer) was written by Meshward once, so it passes as no drift. It
  is a lost proof: the member begins again, and the same steps repair it.
- No bundle drops a root as long as the member's issuer is of that root.
- A proxy that hasn't started trusts nothing yet. That is no loss.
"""

from collections.abc import Iterable
from datetime import datetime

from cryptography import x509

from shared.domain.errors import NotConverged, PermanentError
from shared.domain.trust.linkerd.certificates import issuer_expiry
from shared.domain.trust.linkerd.facts import Bundle, Proxy
from shared.domain.trust.linkerd.gates import desired_trust, trusts
from shared.domain.trust.linkerd.waves import named_blockers
from shared.domain.trust.phases import Phase, Roots

_SHOWN = 5


def require_trust_kept(cluster: str, phase: Phase, roots: Roots, bundle: Bundle, proxies: Iterable[Proxy]) -> None:
    """Raise PermanentError "ProofLost" unless the bundle and all started proxies still trust the roots of the phase."""
    try:
        desired = desired_trust(phase, roots, bundle)
    except NotConverged as error:
        raise _lost(f"the bundle of {cluster} isn't that of phase {phase} any more: it was put back") from error
    lacking = [p for p in proxies if p.started_at and not trusts(p, desired)]
    if lacking:
        names = ", ".join(named_blockers(lacking)[:_SHOWN])
        raise _lost(f"{len(lacking)} proxies of {cluster} don't trust the roots of phase {phase} any more: {names}")


def require_signer_kept(cluster: str, issuer: str, signer: x509.Certificate, now: datetime) -> None:
    """Raise PermanentError "ProofLost" unless the issuer (PEM) is valid and of this root."""
    if issuer_expiry(issuer, signer, now) is None:
        raise _lost(f"the issuer of {cluster} isn't of the phase's root any more: it was put back, or has expired")


def require_not_signed(cluster: str, issuer: str, dropped: x509.Certificate, now: datetime) -> None:
    """Raise PermanentError "ProofLost" if the issuer (PEM) is of the root that the bundle is about to drop."""
    if issuer_expiry(issuer, dropped, now):
        raise _lost(f"the issuer of {cluster} is of the root that its bundle is about to drop: it was put back")


def _lost(message: str) -> PermanentError:
    return PermanentError("ProofLost", message)
