"""What a protected item holds, and how a restored copy differs from it.

Rules:
- A manifest is taken from the source when a backup has completed, some minutes after it. What was made or changed in
  between can't be in the copy as it is now, so an entry says when it was made and last changed.
- It is written once and named by its SHA-256. Of more than MOST_ENTRIES entries those are kept whose names have the
  lowest hashes: the same ones each time.
- What a backup of a cluster was told to leave out isn't in the manifest: a copy needn't hold it.
- Kubernetes objects are compared where loss shows: workloads by their images and
  whether they ask for the mesh, ConfigMaps by content, claims by size.
  Secrets aren't read: the verifier has no right to.
- Files are compared by path and size, a bounded sample of them by content.
"""

import hashlib
import json
import re
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any

import msgspec

from shared.domain.documents import Document, moment
from shared.domain.errors import PermanentError
from shared.domain.restores.filters import EVERYTHING, BackupFilter
from shared.domain.restores.items import Item
from shared.domain.restores.verification import item_digest
from shared.domain.times import time_in

MOST_ENTRIES = 5_000
WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet")
COMPARED = (*WORKLOADS, "ServiceAccount", "ConfigMap", "PersistentVolumeClaim")
SAMPLED_FILES = 50
SAMPLED_BYTES = 4 * 2**20  # larger files are compared by size alone
VERIFIES_LABEL = "meshward.io/verifies"
_SIZED_DIGEST = re.compile(r"(?P<size>[0-9]{1,19})( GiB| (?P<digest>[0-9a-f]{64}))?")
_MADE_BY_KUBERNETES = {"ConfigMap kube-root-ca.crt", "ServiceAccount default"}
_SYSTEM_NAMESPACES = {"dataprotection-microsoft", "gatekeeper-system", "calico-system", "tigera-operator"}
_MESH_LABELS = {"linkerd.io/is-control-plane", "linkerd.io/extension"}

type Object = Mapping[str, Any]


class ManifestEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One thing of an item: what of it must survive, when it was made and when it was last changed."""

    size: int | None = None  # of a file in bytes, of a disk in GiB
    digest: str = ""  # SHA-256 in hex; none of a file that isn't read
    made: datetime | None = None
    changed: datetime | None = None

    def __post_init__(self) -> None:
        """Split a digest as 0.1.0 has written it: the size was in it, with GiB or the SHA-256 behind."""
        if old := _SIZED_DIGEST.fullmatch(self.digest):
            msgspec.structs.force_setattr(self, "size", int(old["size"]))
            msgspec.structs.force_setattr(self, "digest", old["digest"] or "")

    def is_like(self, other: "ManifestEntry") -> bool:
        """Whether what must survive is the same."""
        return (self.size, self.digest) == (other.size, other.digest)


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What the item held at `taken`, by name: `ConfigMap shop/settings`, `orders/2027.csv`.

    `names` are its namespaces, or its share; `total` counts the entries that there were.
    """

    taken: datetime
    names: tuple[str, ...]
    total: int
    entries: dict[str, ManifestEntry]


class ShareFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file of a share, size in bytes."""

    path: str
    size: int
    made: datetime | None = None
    changed: datetime | None = None


class Contents(msgspec.Struct, frozen=True, kw_only=True):
    """What an item holds now, and by which names it is restored: its namespaces, or its share."""

    names: tuple[str, ...]
    entries: dict[str, ManifestEntry]
    filtered: bool = False  # whether the backup was told to leave something out


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """How a copy differs from its manifest, by the names of entries."""

    compared: int  # how many entries it had to have
    missing: tuple[str, ...]  # not there
    altered: tuple[str, ...]  # there with other content
    extra: tuple[str, ...]  # not in the manifest
    rewritten: tuple[str, ...] = ()  # altered by the copy itself since then, which says nothing of what was restored


def manifest_of(held: Contents, now: datetime) -> Manifest:
    """The manifest of what an item holds now; raises PermanentError if that is nothing."""
    if not held.names:
        raise PermanentError("NothingProtected", "the backup includes no namespace with a workload")
    if held.filtered and not held.entries:
        raise PermanentError("NothingProtected", "the filters of the backup leave nothing that a copy is compared by")
    lowest = sorted(held.entries, key=lambda name: hashlib.sha256(name.encode()).digest())[:MOST_ENTRIES]
    entries = {name: held.entries[name] for name in sorted(lowest)}
    return Manifest(taken=now, names=held.names, total=len(held.entries), entries=entries)


MANIFEST = Document(
    "manifests/{item}/{when}-{verification}.json", "What the source held; copies are compared with it.", Manifest
)


def manifest_folder(item_id: str) -> str:
    """Where the manifests of an item are kept."""
    return MANIFEST.folder(item=item_digest(item_id))


def manifest_path(item_id: str, verification: str, taken: datetime) -> str:
    """Where a manifest is kept: its name begins with the moment, so that a list of them is in order."""
    return MANIFEST.path(item=item_digest(item_id), when=f"{taken:%Y%m%dT%H%M%SZ}", verification=verification)


def taken_at(path: str) -> datetime:
    """When the manifest of this path was taken."""
    return moment(path, path.rpartition("/")[2][:16])


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


def of_objects(
    objects: Mapping[str, Iterable[Object]], source: Mapping[str, str], chosen: BackupFilter = EVERYTHING
) -> dict[str, ManifestEntry]:
    """Entries of Kubernetes objects by kind, of those that the backup was told to hold; `source` maps the namespaces
    they are in to those they stem from.
    """
    return {
        f"{kind} {source[item['metadata']['namespace']]}/{item['metadata']['name']}": _entry(kind, item)
        for kind in COMPARED
        for item in objects.get(kind, ())
        if f"{kind} {item['metadata']['name']}" not in _MADE_BY_KUBERNETES
        and not item["metadata"].get("ownerReferences")
        and chosen.holds(kind, item["metadata"].get("labels") or {})
    }


def of_files(files: Iterable[ShareFile], contents: Mapping[str, str]) -> dict[str, ManifestEntry]:
    """Entries of files; `contents` has the SHA-256 in hex of those that were read."""
    return {
        f.path: ManifestEntry(size=f.size, digest=contents.get(f.path, ""), made=f.made, changed=f.changed)
        for f in files
    }


def sample(files: Iterable[ShareFile]) -> list[str]:
    """Which files to read: at most SAMPLED_FILES, the same for the same paths, none larger than SAMPLED_BYTES."""
    paths = [f.path for f in files if f.size <= SAMPLED_BYTES]
    return sorted(paths, key=lambda path: hashlib.sha256(path.encode()).digest())[:SAMPLED_FILES]


def sampled(manifest: Manifest) -> list[str]:
    """The files that the manifest knows by content."""
    return [path for path, entry in manifest.entries.items() if entry.digest]


def part(manifest: Manifest, item: Item, names: Collection[str]) -> Manifest:
    """What the item's manifest says of these namespaces, or of this share."""
    entries = {entry: content for entry, content in manifest.entries.items() if item.covers(entry, names)}
    return msgspec.structs.replace(manifest, entries=entries)


def compare(manifest: Manifest, copy: Mapping[str, ManifestEntry], backup_taken: datetime) -> Difference:
    """What the copy lacks, holds otherwise or holds in excess; what is younger than the backup doesn't count.

    Raises PermanentError if everything is younger: then nothing can be said about the copy.
    """
    due = [name for name, entry in manifest.entries.items() if _before(entry.made, backup_taken)]
    if manifest.entries and not due:
        raise PermanentError("NothingToCompare", "everything in the source was created after the backup")
    altered = [
        name
        for name in due
        if name in copy
        and not copy[name].is_like(manifest.entries[name])
        and _before(manifest.entries[name].changed, backup_taken)
    ]
    rewritten = [name for name in altered if _is_rewritten(name, copy[name])]
    return Difference(
        compared=len(due),
        missing=tuple(name for name in due if name not in copy),
        altered=tuple(name for name in altered if name not in rewritten),
        rewritten=tuple(rewritten),
        extra=() if manifest.total > MOST_ENTRIES else tuple(name for name in copy if name not in manifest.entries),
    )


def _is_rewritten(name: str, restored: ManifestEntry) -> bool:
    """Whether something has changed a restored ConfigMap since it was made. Other kinds change by controllers, too,
    which leave alone what is compared.
    """
    made, changed = restored.made, restored.changed
    return name.startswith("ConfigMap ") and made is not None and changed is not None and changed > made


def _of_a_workload(metadata: Object) -> bool:
    name, labels = metadata["name"], metadata.get("labels") or {}
    isolated = VERIFIES_LABEL in labels
    return not (isolated or name.startswith("kube-") or name in _SYSTEM_NAMESPACES or _MESH_LABELS & set(labels))


def canary_times_of(objects: Iterable[Object], source: Mapping[str, str]) -> dict[str, datetime]:
    """The newest time that each ConfigMap holds as a value; `source` as for `of_objects`."""
    found = {}
    for item in objects:
        times = [at for text in (item.get("data") or {}).values() if (at := time_in(text))]
        if times:
            metadata = item["metadata"]
            found[f"ConfigMap {source[metadata['namespace']]}/{metadata['name']}"] = max(times)
    return found


def _entry(kind: str, item: Object) -> ManifestEntry:
    metadata = item["metadata"]
    writes = [m["time"] for m in metadata.get("managedFields") or () if m.get("time") and not m.get("subresource")]
    made = metadata.get("creationTimestamp")
    return ManifestEntry(
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
        template = item["spec"]["template"]
        injected = (template.get("metadata", {}).get("annotations") or {}).get("linkerd.io/inject")
        return [injected, *sorted(c.get("image", "") for c in template["spec"].get("containers", ()))]
    return None


def _moment(value: Any) -> Any:
    return datetime.fromisoformat(value) if isinstance(value, str) else value


def _before(when: datetime | None, moment: datetime) -> bool:
    return when is None or when <= moment
