"""Whether a member's bundle and issuer are ours to write: nobody else writes them, and they are as we left them.

Rules:
- Another tool would undo what we write, perhaps long after. It is named, with what to do about it.
- What was changed by hand since we wrote it is drift. It is never overwritten: whoever did it had a reason. Without our
  annotations an object counts as never written by us, which is how a change is accepted.
- The issuer's Secret remembers that we wrote the bundle, also where somebody has replaced the whole ConfigMap.
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


def check_owner(cluster: str, found: Bundle | IssuerSecret) -> None:
    """Raise PermanentError if another tool writes the object."""
    if found.owner:
        what = "bundle" if isinstance(found, Bundle) else "issuer"
        release = _RELEASES.get(found.owner, _OTHERWISE)
        raise PermanentError("OwnedByOther", f"the {what} of cluster {cluster} is written by {found.owner}: {release}")


def check_drift(cluster: str, found: Bundle | IssuerSecret) -> None:
    """Raise PermanentError if the object isn't what we wrote last."""
    text = found.text if isinstance(found, Bundle) else found.certificate
    if found.written and found.written != digest(text):
        raise _drift(cluster, found)


def check_kept(cluster: str, bundle: Bundle, issuer: IssuerSecret) -> None:
    """Raise PermanentError if we have written the member's bundle and this is another ConfigMap."""
    if issuer.bundle_written and not bundle.written:
        raise _drift(cluster, bundle)


def digest(text: str) -> str:
    """SHA-256 of a text, hexadecimal, lower case."""
    return hashlib.sha256(text.encode()).hexdigest()


def _drift(cluster: str, found: Bundle | IssuerSecret) -> PermanentError:
    of_bundle = isinstance(found, Bundle)
    what = "ConfigMap linkerd-identity-trust-roots" if of_bundle else "Secret linkerd-identity-issuer"
    message = (
        f"somebody has changed {what} of cluster {cluster} since it was written: undo the change, or, to"
        " accept it, remove the annotations meshward/* from both bundle and issuer"
    )
    return PermanentError("BundleDrift" if of_bundle else "IssuerDrift", message)
