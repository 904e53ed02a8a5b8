"""Who owns which field of an object (Kubernetes docs: Server-Side Apply).

Rules:
- A field's path is written as in managedFields: `f:name` steps into a map, `k:{"name":"x"}` into a keyed list. Lists
  without a key are one field.
- Apply: a field that another manager owns with another value is a conflict, unless forced; a field that the manager
  applied before and no longer does goes away, unless another manager owns it too.
- Any other write makes the writer the owner of what it changed.
"""

import json
from collections.abc import Mapping
from typing import Any

from local.cloud.kubernetes.objects import Object
from local.cloud.kubernetes.patches import LIST_KEYS, clone

Path = tuple[str, ...]
Owners = dict[tuple[str, str], set[Path]]  # by (manager, operation)


class Conflicts(Exception):
    """Fields of an apply that others own, as the API server lists them: who doesn't apply is named with a version."""

    def __init__(self, fields: list[tuple[str, Path]]) -> None:
        self.causes = [
            {
                "reason": "FieldManagerConflict",
                "message": f"conflict with {manager}",
                "field": "".join(f".{step.partition(':')[2]}" for step in path),
            }
            for manager, path in fields
        ]
        number = f"{len(fields)} conflict" + ("s" if len(fields) > 1 else "")
        listed = ", ".join(f"{cause['message']}: {cause['field']}" for cause in self.causes)
        super().__init__(f"Apply failed with {number}: {listed}")


def apply_fields(live: Object, config: Object, manager: str, *, force: bool, now: str) -> Object:
    """The object after a server-side apply of `config`; raises Conflicts."""
    owners, values, applied = _owners(live), leaves(live), leaves(config)
    mine = owners.get((manager, "Apply"), set())
    clashes = [
        (other, operation, path)
        for (other, operation), paths in owners.items()
        for path in sorted(paths & applied.keys())
        if (other, operation) != (manager, "Apply") and other != manager and values.get(path) != applied[path]
    ]
    if clashes and not force:
        using = {"Apply": "", "Update": f" using {live['apiVersion']}"}
        raise Conflicts([(f'"{other}"{using[operation]}', path) for other, operation, path in clashes])
    for other, operation, path in clashes:
        owners[(other, operation)].discard(path)
    result = clone(live) if live else {k: v for k, v in config.items() if k in ("apiVersion", "kind")}
    result["metadata"] = {
        **{k: config["metadata"][k] for k in ("name", "namespace") if k in config["metadata"]},
        **result.get("metadata", {}),
    }
    elsewhere = {path for who, paths in owners.items() if who != (manager, "Apply") for path in paths}
    for path in mine - applied.keys() - elsewhere:
        _drop(result, path)
    for path, value in applied.items():
        _put(result, path, value)
    owners[(manager, "Apply")] = set(applied)
    return _with_owners(result, owners, now)


def claim_fields(old: Object, new: Object, manager: str, now: str) -> Object:
    """`new` with `manager` as the owner of every field that it changed; an empty owner takes all of them off."""
    if new["metadata"].get("managedFields") == [{}]:
        return {**new, "metadata": {k: v for k, v in new["metadata"].items() if k != "managedFields"}}
    before, after, owners = leaves(old), leaves(new), _owners(old)
    changed = {path for path, value in after.items() if before.get(path, _ABSENT) != value}
    for who, paths in owners.items():
        paths.intersection_update(after.keys())
        if who != (manager, "Update"):
            paths.difference_update(changed)
    if changed:
        owners.setdefault((manager, "Update"), set()).update(changed)
    return _with_owners(new, owners, now)


_ABSENT = object()


def leaves(obj: Mapping[str, Any]) -> dict[Path, Any]:
    """All fields that someone can own, with their values."""
    found: dict[Path, Any] = {}
    meta = {k: v for k, v in obj.get("metadata", {}).items() if k in ("labels", "annotations", "finalizers")}
    for name, value in {**obj, "metadata": meta}.items():
        if name not in ("apiVersion", "kind", "status") and value != {}:
            _collect((f"f:{name}",), value, name, found)
    return found


def _collect(path: Path, value: Any, field: str, found: dict[Path, Any]) -> None:
    key = LIST_KEYS.get(field)
    if isinstance(value, Mapping) and value:
        for name, inner in value.items():
            _collect((*path, f"f:{name}"), inner, name, found)
    elif isinstance(value, list) and value and key and all(isinstance(v, Mapping) and key in v for v in value):
        for item in value:
            step = "k:" + json.dumps({key: item[key]}, separators=(",", ":"))
            _collect((*path, step), item, "", found)
    else:
        found[path] = value


def _put(target: Any, path: Path, value: Any) -> None:
    *parents, last = path
    for step, following in zip(parents, path[1:], strict=True):
        target = _enter(target, step, [] if following.startswith("k:") else {})
    target[last[2:]] = value


def _enter(target: Any, step: str, empty: Any) -> Any:
    if step.startswith("f:"):
        return target.setdefault(step[2:], empty)
    key = json.loads(step[2:])
    found = next((item for item in target if key.items() <= item.items()), None)
    if found is None:
        target.append(found := key)
    return found


def _drop(target: Any, path: Path) -> None:
    *parents, last = path
    for step in parents:
        if step.startswith("f:"):
            target = target.get(step[2:]) if isinstance(target, dict) else None
        else:
            key = json.loads(step[2:])
            target = next((item for item in target or () if key.items() <= item.items()), None)
        if target is None:
            return
    target.pop(last[2:], None)


def _owners(obj: Object) -> Owners:
    entries = obj.get("metadata", {}).get("managedFields", ())
    return {(e["manager"], e["operation"]): set(_paths(e["fieldsV1"])) for e in entries}


def _paths(fields: Mapping[str, Any], prefix: Path = ()) -> list[Path]:
    if not fields:
        return [prefix]
    return [path for step, inner in fields.items() for path in _paths(inner, (*prefix, step))]


def _with_owners(obj: Object, owners: Owners, now: str) -> Object:
    before = {(e["manager"], e["operation"]): e for e in obj.get("metadata", {}).get("managedFields", ())}
    entries = []
    for (manager, operation), paths in owners.items():
        if paths:
            fields = _nested(paths)
            earlier = before.get((manager, operation), {})
            time = earlier["time"] if earlier.get("fieldsV1") == fields else now
            entries.append(
                {
                    "manager": manager,
                    "operation": operation,
                    "apiVersion": obj["apiVersion"],
                    "time": time,
                    "fieldsType": "FieldsV1",
                    "fieldsV1": fields,
                }
            )
    return {**obj, "metadata": {**obj["metadata"], "managedFields": entries}}


def _nested(paths: set[Path]) -> Object:
    root: Object = {}
    for path in sorted(paths):
        node = root
        for step in path:
            node = node.setdefault(step, {})
    return root
