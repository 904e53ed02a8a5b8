"""Which tool writes an object, by its hold on a field and by the marks that tools leave on what they manage.

Rules:
- What people do with kubectl doesn't count: it doesn't come back by itself. Nor does what the API server made out of
  fields that nobody was known to hold (before-first-apply).
- A mark counts even if another's hold on the field is gone: the tool's next run would take it back.
"""

from typing import Any

from shared.adapters.kubernetes.api import FIELD_MANAGER, Object

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
    """The tool that writes the field (a path as in managedFields), as it is known to people; empty if there is none."""
    metadata = found["metadata"]
    marks = {**(metadata.get("labels") or {}), **(metadata.get("annotations") or {})}
    named = (tool for mark, tool in _MARKS.items() if mark in marks)
    return next(named, "") or _made_by(metadata) or _held_by(metadata, field)


def _made_by(metadata: Object) -> str:
    owners = metadata.get("ownerReferences") or []
    return next((_KINDS.get(o["apiVersion"].partition("/")[0], o["kind"]) for o in owners), "")


def _held_by(metadata: Object, field: tuple[str, ...]) -> str:
    for entry in metadata.get("managedFields") or []:
        fields: Any = entry.get("fieldsV1") or {}
        for step in field:
            fields = fields.get(step) if isinstance(fields, dict) else None
        manager = str(entry.get("manager", ""))
        if fields is not None and not manager.startswith(_NO_TOOLS):
            known = (tool for name, tool in _MANAGERS.items() if manager.lower().startswith(name))
            return next(known, manager)
    return ""
