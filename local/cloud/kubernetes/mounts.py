"""ConfigMaps and Secrets as the files that a pod sees: each kubelet brings a change to each pod in its own time."""

import base64
import zlib
from collections.abc import Callable

from local.cloud.kubernetes.cluster import SimulatedCluster
from local.cloud.kubernetes.objects import Object
from local.cloud.kubernetes.store import WatchEvent

_SOONEST_SECONDS = 2.0


class Mount:
    """A mounted volume. `files` is what the pod reads now; `renamed` is called when the kubelet renames `..data`.

    A change arrives after 2 to `cluster.mount_seconds` seconds: the kubelet's sync period and its cache. What is
    mounted stays when the object is deleted.
    """

    def __init__(
        self, cluster: SimulatedCluster, pod: Object, kind: str, name: str, renamed: Callable[[], object] = lambda: None
    ) -> None:
        self._cluster, self._pod, self._kind, self._name, self._renamed = cluster, pod, kind, name, renamed
        self.files: dict[str, str] = {}
        self._read()
        cluster.listeners.append(self._changed)

    def close(self) -> None:
        if self._changed in self._cluster.listeners:
            self._cluster.listeners.remove(self._changed)

    def _changed(self, change: WatchEvent) -> None:
        meta = change.object["metadata"]
        here = (self._kind, self._name, self._pod["metadata"]["namespace"])
        if (change.kind.name, meta["name"], meta.get("namespace")) == here:
            self._cluster.clock.after(self._lag(change.version), self._sync)

    def _lag(self, version: int) -> float:
        share = zlib.crc32(f"{self._pod['metadata']['uid']}{version}".encode()) % 1000 / 1000
        return _SOONEST_SECONDS + share * (self._cluster.mount_seconds - _SOONEST_SECONDS)

    def _sync(self) -> None:
        if self._changed in self._cluster.listeners and self._read():
            self._renamed()

    def _read(self) -> bool:
        found = self._cluster.find(self._kind, self._pod["metadata"]["namespace"], self._name)
        content = (found or {}).get("data") or {}
        if self._kind == "Secret":
            content = {name: base64.b64decode(value).decode(errors="replace") for name, value in content.items()}
        if found is None or content == self.files:
            return False
        self.files = content
        return True
