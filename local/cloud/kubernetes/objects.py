"""Kubernetes objects as plain JSON, and what every part of a cluster reads off them."""

from collections.abc import Callable
from typing import Any

Object = dict[str, Any]


def labels_of(obj: Object) -> dict[str, str]:
    return dict(obj["metadata"].get("labels", {}))


def is_ready(pod: Object) -> bool:
    """Whether a pod is Ready and not on its way out."""
    ready = any(c["type"] == "Ready" and c["status"] == "True" for c in pod["status"]["conditions"])
    return ready and "deletionTimestamp" not in pod["metadata"]


def has_ended(pod: Object) -> bool:
    """Whether all programs of a pod have ended for good."""
    return pod["status"]["phase"] in ("Succeeded", "Failed")


def share(value: int | str, of: int, rounded: Callable[[float], int]) -> int:
    """A number of pods, or a share of them in percent."""
    return rounded(of * int(value.rstrip("%")) / 100) if isinstance(value, str) else value
