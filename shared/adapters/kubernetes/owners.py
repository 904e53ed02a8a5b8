"""Which tool writes an object: by who manages a field, and by the marks that tools leave on what they manage.

Rules:
- A change that somebody makes with kubectl doesn't count: it isn't made again by itself. Nor does the entry that the
  API server makes for fields that nobody managed before (before-first-apply).
- A mark counts even if the tool doesn't manage the field any more: its next run would take the field back.
"""

from shared.adapters.kubernetes.api import FIELD_MANAGER
from shared.adapters.kubernetes.kinds import Object

_MANAGERS = {
    "helm-controller": "Flux",
    "kustomize-controller": "Flux",
    "helm": "Helm",
    "cert-manager": "cert-manager",
    "trust-manager": "trust-manager",
    "argocd": "Argo CD",
}
_NO_TOOLS = (FIELD_MANAGER, "kubectl", "before-first-apply")
_MARKS = {  # annotations and labels; releases of Helm that Flux makes bear the marks of both
    "kustomize.toolkit.fluxcd.io/name": "Flux",
    "helm.toolkit.fluxcd.io/name": "Flux",
    "argocd.argoproj.io/tracking-id": "Argo CD",
    "argocd.argoproj.io/instance": "Argo CD",
    "trust.cert-manager.io/bundle": "trust-manager",
    "cert-manager.io/certificate-name": "cert-manager",
    "meta.helm.sh/release-name": "Helm",
}
_KINDS = {"trust.cert-manager.io": "trust-manager", "cert-manager.io": "cert-manager"}


def owner(found: Object, *field: str) -> str:
    """The name of the tool that writes the field (a path as in managedFields); empty if there is none."""
    metadata = found["metadata"]
    marks = {**(metadata.get("labels") or {}), **(metadata.get("annotations") or {})}
    named = (tool for mark, tool in _MARKS.items() if mark in marks)
    return next(named, "") or _made_by(metadata) or _manager_of(metadata, field)


def _made_by(metadata: Object) -> str:
    owners = metadata.get("ownerReferences") or []
    return next((_KINDS.get(o["apiVersion"].partition("/")[0], o["kind"]) for o in owners), "")


def _manager_of(metadata: Object, field: tuple[str, ...]) -> str:
    for entry in metadata.get("managedFields") or []:
        manages, manager = entry.get("fieldsV1"), str(entry.get("manager", ""))
        for step in field:
            manages = manages.get(step) if isinstance(manages, dict) else None
        if manages is not None and not manager.startswith(_NO_TOOLS):
            return next((tool for name, tool in _MANAGERS.items() if manager.lower().startswith(name)), manager)
    return ""
