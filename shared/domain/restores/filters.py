"""What a backup of a cluster was told to hold: objects of some kinds, and with some labels.

Rules (docs of AKS backup and Velero):
- Kinds are named like `v1/Secret`, `apps/v1/Deployment`, `deployments.apps`, `Deployment` or `deploy`; `*` names all.
- Of several label selectors, the docs don't say whether one of them or each has to match. Only what each matches is due
  in a copy, and nothing where one isn't of the form `key=value`.
"""

import re
from collections.abc import Mapping

import msgspec

_SHORT = {
    "deploy": "deployment",
    "sts": "statefulset",
    "ds": "daemonset",
    "sa": "serviceaccount",
    "cm": "configmap",
    "pvc": "persistentvolumeclaim",
}
_IN_APPS = {"deployment", "statefulset", "daemonset"}
_EQUAL = re.compile(r"(?P<key>[^=!,\s]+)\s*==?\s*(?P<value>[^=!,\s]*)")


class BackupFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which of the objects in its namespaces a backup holds; empty means all."""

    included: tuple[str, ...] = ()  # kinds
    excluded: tuple[str, ...] = ()  # kinds
    labels: tuple[str, ...] = ()  # selectors

    @property
    def everything(self) -> bool:
        return self == EVERYTHING

    def holds(self, kind: str, labels: Mapping[str, str]) -> bool:
        """Whether the backup holds an object of this kind with these labels for certain."""
        included = not self.included or any(_names(text, kind) for text in self.included)
        excluded = any(_names(text, kind) for text in self.excluded)
        return included and not excluded and all(_matches(text, labels) for text in self.labels)


EVERYTHING = BackupFilter()


def _names(text: str, kind: str) -> bool:
    """Whether the text names the kind, which is one of those that copies are compared by."""
    *group, name = text.strip().lower().split("/")
    if not group:
        name, _, suffix = name.partition(".")
        group = [suffix] if suffix else []
    elif len(group) == 1:  # a version alone, as of the kinds that are in no group
        group = [""]
    singular = kind.lower()
    named = name in ("*", singular, f"{singular}s") or _SHORT.get(name) == singular
    return named and (not group or group[0] == ("apps" if singular in _IN_APPS else ""))


def _matches(selector: str, labels: Mapping[str, str]) -> bool:
    terms = [_EQUAL.fullmatch(term.strip()) for term in selector.split(",")]
    return all(term is not None and labels.get(term["key"]) == term["value"] for term in terms)
