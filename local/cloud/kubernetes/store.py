"""What an API server keeps in etcd: the newest version of every object, and the changes that led to it.

Rules:
- A stored object is never changed in place; every write stores a new version, so readers and watchers may keep theirs.
- Only the newest changes are remembered: watches and pages of lists from before them are Gone.
"""

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from local.cloud.kubernetes.errors import not_found, not_served
from local.cloud.kubernetes.kinds import BUILT_IN, ResourceType, new_kind
from local.cloud.kubernetes.objects import Object

type Key = tuple[str, str]  # namespace and name

_HISTORY = 500  # changes that a watch may still resume from; they make up most of an idle cluster's memory


class WatchEvent(NamedTuple):
    """One step of a cluster's history; `type` is ADDED, MODIFIED or DELETED as in watch events."""

    version: int
    type: str
    kind: ResourceType
    object: Object


class Store:
    """The objects of one cluster; `listeners` get every change.

    Kinds are named by their kind ("Pod"), or kind and group where two groups share one ("HTTPRoute.policy.linkerd.io").
    """

    def __init__(self) -> None:
        self.version = self.oldest = 1_000
        self.history: deque[WatchEvent] = deque(maxlen=_HISTORY)
        self.pages: list[tuple[int, list[Object]]] = []  # what is left of lists that were read in part, by version
        self.listeners: list[Callable[[WatchEvent], None]] = []
        self._kinds: dict[str, ResourceType] = {}
        self._stored: dict[ResourceType, dict[Key, Object]] = defaultdict(dict)
        self._order: dict[ResourceType, list[Key]] = {}  # names in order, until one comes or goes
        self._dependents: dict[str, set[tuple[str, Key]]] = defaultdict(set)  # kind and name, by the owner's uid
        for kind in BUILT_IN:
            self._serve(kind)

    # kinds

    def register(self, api_version: str, plural: str, kind: str, *, namespaced: bool = True) -> None:
        """Serve a kind, as a CustomResourceDefinition does."""
        self._serve(new_kind(api_version, plural, kind, namespaced=namespaced))

    def kind(self, name: str) -> ResourceType:
        return self._kinds[name]

    def kind_of(self, obj: Mapping[str, Any]) -> ResourceType:
        """The object's kind; raises StatusError NotFound if it isn't served."""
        group, _, _ = str(obj["apiVersion"]).rpartition("/")
        kind = self._kinds.get(f"{obj['kind']}.{group}")
        if kind is None:
            raise not_served()
        return kind

    def served(self, group: str, version: str, plural: str) -> ResourceType | None:
        found = (k for k in self._stored if k.group == group and k.plural == plural and version in k.versions)
        return next(found, None)

    def kinds(self) -> Iterable[ResourceType]:
        return list(self._stored)

    # reading

    def objects(self, kind: str, namespace: str | None = None) -> list[Object]:
        entry = self.kind(kind)
        stored, order = self._stored[entry], self._order.get(entry)
        if order is None:
            order = self._order[entry] = sorted(stored)
        return [stored[key] for key in order if namespace is None or key[0] == namespace]

    def find(self, kind: str, namespace: str, name: str) -> Object | None:
        entry = self.kind(kind)
        return self._stored[entry].get((namespace if entry.namespaced else "", name))

    def get(self, kind: str, namespace: str, name: str) -> Object:
        """The object; raises StatusError NotFound."""
        found = self.find(kind, namespace, name)
        if found is None:
            raise not_found(self.kind(kind), name)
        return found

    def owned(self, owner: Object, kind: str) -> list[Object]:
        """Objects whose ownerReferences name `owner`."""
        entry, namespace = self.kind(kind), owner["metadata"].get("namespace")
        name = entry.full_name
        keys = sorted(key for its, key in self._dependents.get(owner["metadata"]["uid"], ()) if its == name)
        return [self._stored[entry][key] for key in keys if namespace in (None, key[0])]

    def current(self, obj: Object) -> Object | None:
        """The newest version of the same object (same uid)."""
        found = self._stored[self.kind_of(obj)].get(_key(obj))
        return found if found and found["metadata"]["uid"] == obj["metadata"]["uid"] else None

    # changing

    def remove(self, obj: Object) -> Object:
        """Take an object out of the store at once."""
        kind = self.kind_of(obj)
        self._put(kind, _key(obj), None)
        return self._notify("DELETED", kind, obj)

    def forget_history(self) -> None:
        """From now on older resourceVersions and page tokens are Gone (410)."""
        self.history.clear()
        self.oldest = self.version

    def _clear(self) -> None:
        self.listeners.clear()
        for stored in self._stored.values():
            stored.clear()
        self._order.clear()
        self._dependents.clear()

    def _serve(self, kind: ResourceType) -> None:
        former = self._kinds.get(kind.full_name)
        entry = kind._replace(versions=(*former.versions, *kind.versions)) if former else kind
        self._stored[entry] = self._stored.pop(former, {}) if former else {}
        self._kinds[kind.full_name] = entry
        if self._kinds.get(kind.name, entry).group == kind.group:
            self._kinds[kind.name] = entry

    def _store(self, type: str, kind: ResourceType, obj: Object) -> Object:
        stored = {**obj, "metadata": {**obj["metadata"], "resourceVersion": str(self.version + 1)}}
        self._put(kind, _key(obj), stored)
        return self._notify(type, kind, stored)

    def _put(self, kind: ResourceType, key: Key, new: Object | None) -> None:
        """Replace what has this name; None removes it."""
        old = self._stored[kind].pop(key, None)
        if new is not None:
            self._stored[kind][key] = new
        if old is None or new is None:
            self._order.pop(kind, None)
        before, after = (o["metadata"].get("ownerReferences") or () if o else () for o in (old, new))
        if before != after:
            for reference in before:
                self._dependents[reference["uid"]].discard((kind.full_name, key))
            for reference in after:
                self._dependents[reference["uid"]].add((kind.full_name, key))

    def _notify(self, type: str, kind: ResourceType, obj: Object) -> Object:
        self.version += 1
        if len(self.history) == _HISTORY:
            self.oldest = self.history[0].version
        change = WatchEvent(self.version, type, kind, obj)
        self.history.append(change)
        for listener in list(self.listeners):
            listener(change)
        return obj


def _key(obj: Object) -> Key:
    return obj["metadata"].get("namespace", ""), obj["metadata"]["name"]
