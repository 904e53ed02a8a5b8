"""Patches: JSON merge patch, strategic merge patch and JSON patch (RFC 7386, Kubernetes docs, RFC 6902)."""

from collections.abc import Mapping
from typing import Any

from local.cloud.kubernetes.objects import Object

LIST_KEYS = {  # what tells the items of a list apart
    "containers": "name",
    "initContainers": "name",
    "ephemeralContainers": "name",
    "env": "name",
    "volumes": "name",
    "volumeMounts": "mountPath",
    "conditions": "type",
    "ownerReferences": "uid",
    "imagePullSecrets": "name",
    "topologySpreadConstraints": "topologyKey",
}


class PatchFailed(Exception):
    """A JSON patch whose test fails or whose path is not there."""


def merge(target: Any, patch: Any) -> Any:
    """JSON merge patch (RFC 7386)."""
    if not isinstance(patch, Mapping):
        return patch
    result = dict(target) if isinstance(target, Mapping) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merge(result.get(name), value)
    return result


def strategic_merge(target: Any, patch: Any, field: str = "") -> Any:
    """Like `merge`, with keyed lists merged element by element and `$patch: delete` and `replace`."""
    key = LIST_KEYS.get(field)
    if isinstance(patch, list) and key and all(isinstance(item, Mapping) for item in patch):
        return _merge_list(target or [], patch, key)
    if not isinstance(patch, Mapping):
        return patch
    if patch.get("$patch") == "replace":
        return {name: value for name, value in patch.items() if name != "$patch"}
    result = dict(target) if isinstance(target, Mapping) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        elif not name.startswith("$"):
            result[name] = strategic_merge(result.get(name), value, name)
    return result


def _merge_list(target: list[Any], patch: list[Any], key: str) -> list[Any]:
    items = {item.get(key): item for item in target}
    for item in patch:
        if item.get("$patch") == "delete":
            items.pop(item.get(key), None)
        else:
            items[item.get(key)] = strategic_merge(items.get(item.get(key)), item)
    return list(items.values())


def json_patch(target: Object, operations: list[Object]) -> Object:
    """RFC 6902 without copy and move; raises PatchFailed."""
    result = clone(target)
    for operation in operations:
        steps = [s.replace("~1", "/").replace("~0", "~") for s in operation["path"].split("/")[1:]]
        try:
            parent = result
            for step in steps[:-1]:
                parent = parent[int(step)] if isinstance(parent, list) else parent[step]
            _operate(parent, steps[-1], operation)
        except (KeyError, IndexError, ValueError, TypeError) as error:
            raise PatchFailed(f"the server rejected our request due to an error in our request: {error}") from None
    return dict(result)


def _operate(parent: Any, step: str, operation: Object) -> None:
    at: Any = step
    if isinstance(parent, list):
        at = len(parent) if step == "-" else int(step)
    match operation["op"]:
        case "add" if isinstance(parent, list):
            parent.insert(at, operation["value"])
        case "add":
            parent[at] = operation["value"]
        case "replace":
            _ = parent[at]
            parent[at] = operation["value"]
        case "remove":
            del parent[at]
        case "test" if parent[at] != operation["value"]:
            raise ValueError(f"testing path {operation['path']} failed")


def clone(value: Any) -> Any:
    """A copy of plain JSON that shares no map or list with it."""
    if isinstance(value, dict):
        return {name: clone(inner) for name, inner in value.items()}
    return [clone(inner) for inner in value] if isinstance(value, list) else value
