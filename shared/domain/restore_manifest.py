"""What a protected item holds, and how a restored copy differs from it.

Rules:
- A manifest is taken from the source when a verification begins, some minutes after the backup. What was made or
  changed in between can't be in the copy as it is now, so an entry says when it was made and last changed.
- Kubernetes objects are compared where loss shows: workloads by their images, ConfigMaps by content, claims by size.
  Secrets aren't read: the verifier has no right to.
- Files are compared by path and size, a bounded sample of them by content.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import msgspec

from shared.domain.errors import PermanentError

WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet")
COMPARED = (*WORKLOADS, "ServiceAccount", "ConfigMap", "PersistentVolumeClaim")
SAMPLED_FILES = 50
SAMPLED_BYTES = 4 * 2**20  # larger files are compared by size alone
VERIFIES_LABEL = "meshward.io/verifies"
_MADE_BY_KUBERNETES = {"ConfigMap kube-root-ca.crt", "ServiceAccount default"}
_SYSTEM_NAMESPACES = {"dataprotection-microsoft", "gatekeeper-system", "calico-system", "tigera-operator"}
_MESH_LABELS = {"linkerd.io/is-control-plane", "linkerd.io/extension"}

type Object = Mapping[str, Any]


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One thing of an item: a digest of what must survive, when it was made and when it was last changed."""

    digest: str
    made: datetime | None = None
    changed: datetime | None = None


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What the item held at `taken`, by name: `ConfigMap shop/settings`, `orders/2027.csv`."""

    taken: datetime
    entries: dict[str, Entry]


class Manifested(msgspec.Struct, frozen=True, kw_only=True):
    """The namespaces, or the share, that the manifest in the ledger covers."""

    names: tuple[str, ...]
    entries: int


class File(msgspec.Struct, frozen=True, kw_only=True):
    """A file of a share, size in bytes."""

    path: str
    size: int
    made: datetime | None = None
    changed: datetime | None = None


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """What an item holds now, and by which names it is restored: its namespaces, or its share."""

    names: tuple[str, ...]
    entries: dict[str, Entry]


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """How a copy differs from its manifest; `compared` counts the entries that it had to have."""

    compared: int
    missing: tuple[str, ...]
    altered: tuple[str, ...]
    extra: tuple[str, ...]


def protected_namespaces(
    namespaces: Iterable[Object], included: tuple[str, ...], excluded: tuple[str, ...]
) -> list[str]:
    """The namespaces of a cluster's backup that a verification restores: none of the system, the mesh or our own."""
    return [
        namespace["metadata"]["name"]
        for namespace in namespaces
        if _of_a_workload(namespace["metadata"])
        and (not included or namespace["metadata"]["name"] in included)
        and namespace["metadata"]["name"] not in excluded
    ]


def of_objects(objects: Mapping[str, Iterable[Object]], source: Mapping[str, str]) -> dict[str, Entry]:
    """Entries of Kubernetes objects by kind; `source` maps the namespaces they are in to those they stem from."""
    return {
        f"{kind} {source[item['metadata']['namespace']]}/{item['metadata']['name']}": _entry(kind, item)
        for kind in COMPARED
        for item in objects.get(kind, ())
        if f"{kind} {item['metadata']['name']}" not in _MADE_BY_KUBERNETES
        and not item["metadata"].get("ownerReferences")
    }


def of_files(files: Iterable[File], contents: Mapping[str, str]) -> dict[str, Entry]:
    """Entries of files; `contents` has the SHA-256 in hex of those that were read."""
    return {
        f.path: Entry(digest=f"{f.size} {contents.get(f.path, '')}".strip(), made=f.made, changed=f.changed)
        for f in files
    }


def sample(files: Iterable[File]) -> list[str]:
    """Which files to read: at most SAMPLED_FILES, the same for the same paths, none larger than SAMPLED_BYTES."""
    paths = [f.path for f in files if f.size <= SAMPLED_BYTES]
    return sorted(paths, key=lambda path: hashlib.sha256(path.encode()).digest())[:SAMPLED_FILES]


def sampled(manifest: Manifest) -> list[str]:
    """The files that the manifest knows by content."""
    return [path for path, entry in manifest.entries.items() if " " in entry.digest]


def compare(manifest: Manifest, copy: Mapping[str, Entry], backup_taken: datetime) -> Difference:
    """What the copy lacks, holds otherwise or holds in excess; what is younger than the backup doesn't count.

    Raises PermanentError if everything is younger: then nothing can be said about the copy.
    """
    due = [name for name, entry in manifest.entries.items() if _before(entry.made, backup_taken)]
    if manifest.entries and not due:
        raise PermanentError("NothingToCompare", "all that the source holds was made after the backup")
    altered = [
        name
        for name in due
        if name in copy
        and copy[name].digest != manifest.entries[name].digest
        and _before(manifest.entries[name].changed, backup_taken)
    ]
    return Difference(
        compared=len(due),
        missing=tuple(name for name in due if name not in copy),
        altered=tuple(altered),
        extra=tuple(name for name in copy if name not in manifest.entries),
    )


def _of_a_workload(metadata: Object) -> bool:
    name, labels = metadata["name"], metadata.get("labels") or {}
    of_ours = VERIFIES_LABEL in labels
    return not (of_ours or name.startswith("kube-") or name in _SYSTEM_NAMESPACES or _MESH_LABELS & set(labels))


def _entry(kind: str, item: Object) -> Entry:
    metadata = item["metadata"]
    writes = [m["time"] for m in metadata.get("managedFields") or () if m.get("time") and not m.get("subresource")]
    made = metadata.get("creationTimestamp")
    return Entry(
        digest=hashlib.sha256(json.dumps(_content(kind, item), sort_keys=True).encode()).hexdigest(),
        made=_moment(made),
        changed=max((_moment(w) for w in [*writes, made] if w), default=None),
    )


def _content(kind: str, item: Object) -> Any:
    if kind == "ConfigMap":
        return [item.get("data") or {}, item.get("binaryData") or {}]
    if kind == "PersistentVolumeClaim":
        return item.get("spec", {}).get("resources", {}).get("requests", {}).get("storage")
    if kind in WORKLOADS:
        return sorted(c.get("image", "") for c in item["spec"]["template"]["spec"].get("containers", ()))
    return None


def _moment(value: Any) -> Any:
    return datetime.fromisoformat(value) if isinstance(value, str) else value


def _before(when: datetime | None, moment: datetime) -> bool:
    return when is None or when <= moment
