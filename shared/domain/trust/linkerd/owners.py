"""Whether Meshward may write a member's bundle and issuer: nobody else writes or has changed them.

Rules:
- Another tool would undo what Meshward writes, perhaps long after. The error names it and says what to do about it.
- A change by hand since Meshward wrote is drift. It is never overwritten: its author had a reason. An object
  without Meshward's annotations counts as never written by Meshward; so taking them off accepts a change.
- The issuer's Secret records that Meshward wrote the bundle, in case somebody replaces the whole ConfigMap.
"""

import hashlib

from shared.domain.errors import PermanentError
from shared.domain.trust.linkerd.facts import Bundle, IssuerSecret

_RELEASES = {
    "Helm": "keep it out of every chart (Linkerd's: identity.externalCA=true), then remove Helm's label"
    " app.kubernetes.io/managed-by, its annotations meta.helm.sh/*, and its managedFields",
    "cert-manager": "delete its Certificate but keep the Secret, and remove the annotations cert-manager.io/*",
    "trust-manager": "delete its Bundle with --cascade=orphan, and remove the label trust.cert-manager.io/bundle",
    "Argo CD": "annotate it with argocd.argoproj.io/sync-options: Prune=false, remove it from the Application, then"
    " remove the tracking label or annotation",
    "Flux": "annotate it with kustomize.toolkit.fluxcd.io/prune: disabled, remove it from the source, then remove the"
    " labels *.toolkit.fluxcd.io/*",
}
_OTHERWISE = "stop it from writing the object, then remove its entry from managedFields"


def require_no_other_owner(cluster: str, found: Bundle | IssuerSecret) -> None:
    """Raise PermanentError if another tool writes the object."""
    if found.owner:
        what = "bundle" if isinstance(found, Bundle) else "issuer"
        release = _RELEASES.get(found.owner, _OTHERWISE)
        raise PermanentError("OwnedByOther", f"the {what} of cluster {cluster} is written by {found.owner}: {release}")


def require_unchanged(cluster: str, *found: Bundle | IssuerSecret) -> None:
    """Raise PermanentError if an object isn't what Meshward wrote last.

    A bundle and the issuer beside it also show whether the whole ConfigMap was replaced.
    """
    bundle_written = any(isinstance(one, IssuerSecret) and one.bundle_sha256 for one in found)
    for one in found:
        changed = one.written_sha256 and one.written_sha256 != digest(_pem(one))
        if changed or (bundle_written and isinstance(one, Bundle) and not one.written_sha256):
            raise _drift(cluster, one)


def digest(text: str) -> str:
    """SHA-256 of a text, hexadecimal, lower case."""
    return hashlib.sha256(text.encode()).hexdigest()


def _pem(found: Bundle | IssuerSecret) -> str:
    return found.pem if isinstance(found, Bundle) else found.certificate


def _drift(cluster: str, found: Bundle | IssuerSecret) -> PermanentError:
    of_bundle = isinstance(found, Bundle)
    what = "ConfigMap linkerd-identity-trust-roots" if of_bundle else "Secret linkerd-identity-issuer"
    message = (
        f"somebody has changed {what} of cluster {cluster} since it was written: undo the change, or, to"
        " accept it, remove the annotations meshward/* from both bundle and issuer"
    )
    return PermanentError("BundleDrift" if of_bundle else "IssuerDrift", message)
