"""Label and field selectors, as queries carry them."""

import re
from collections.abc import Collection
from typing import Any

from local.cloud.kubernetes.objects import Object


def selects(selector: Object, labels: dict[str, str]) -> bool:
    """Whether a LabelSelector picks what has these labels; an empty one picks everything."""
    exact = bool(selector.get("matchLabels", {}).items() <= labels.items())
    return exact and all(_expression(labels, **term) for term in selector.get("matchExpressions", ()))


def _expression(labels: dict[str, str], key: str, operator: str, values: Collection[str] = ()) -> bool:
    if operator in ("Exists", "DoesNotExist"):
        return (key in labels) is (operator == "Exists")
    return (labels.get(key) in values) is (operator == "In")


def matches(obj: Object, query: dict[str, str]) -> bool:
    """Whether `labelSelector` and `fieldSelector` of the query both select the object."""
    fields = [f for f in query.get("fieldSelector", "").split(",") if f]
    return all(_field(obj, f) for f in fields) and _labels(obj, query.get("labelSelector", ""))


def _field(obj: Object, term: str) -> bool:
    path, operator, expected = re.split(r"(!=|==?)", term, maxsplit=1)
    value: Any = obj
    for step in path.split("."):
        value = value.get(step) if isinstance(value, dict) else None
    return (str(value or "") == expected) is (operator != "!=")


def _labels(obj: Object, selector: str) -> bool:
    labels = obj["metadata"].get("labels", {})
    return all(_label(labels, term.strip()) for term in re.split(r",(?![^(]*\))", selector) if term.strip())


def _label(labels: dict[str, str], term: str) -> bool:
    if found := re.fullmatch(r"(\S+)\s+(in|notin)\s+\((.*)\)", term):
        values = [v.strip() for v in found[3].split(",")]
        return (labels.get(found[1]) in values) is (found[2] == "in")
    if found := re.fullmatch(r"([^=!]+)(!=|==?)(.*)", term):
        return (labels.get(found[1].strip()) == found[3].strip()) is (found[2] != "!=")
    return term[1:] not in labels if term.startswith("!") else term in labels
