"""A Kubernetes cluster: what its API server accepts, and how a write changes what is stored.

Rules:
- A write that changes nothing is no write; a change of spec raises the generation, a stale resourceVersion is refused.
- Deletion is a request: an object with finalizers, a pod's grace period and a namespace take virtual time.
- A service mesh, which runs beside the workload in a cluster's pods, takes part through `MeshHooks`.
"""

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import count
from random import Random
from typing import Any

from local.cloud.clock import Clock
from local.cloud.kubernetes.admission import Write, require_admitted
from local.cloud.kubernetes.errors import StatusError, already_exists, modified, terminating
from local.cloud.kubernetes.fields import Conflicts, apply_fields, claim_fields
from local.cloud.kubernetes.kinds import ResourceType
from local.cloud.kubernetes.mesh_hooks import MeshHooks
from local.cloud.kubernetes.objects import Object
from local.cloud.kubernetes.patches import merge
from local.cloud.kubernetes.pod_status import Exit
from local.cloud.kubernetes.store import Store
from local.cloud.kubernetes.validation import check

_SERVER_FIELDS = ("uid", "creationTimestamp", "resourceVersion", "generation", "deletionTimestamp")
CONTROLLER = "system:serviceaccount:kube-system:controller"
_LINGERING = ("Pod", "Namespace")  # their end takes time; who ends them takes them out of the store


class SimulatedCluster(Store):
    """One cluster. Scenarios use `apply`, `objects`, `find`, `get`, `delete`; the wire and controllers use the rest."""

    def __init__(self, name: str, clock: Clock) -> None:
        super().__init__()
        self.name, self.clock, self.random = name, clock, Random(name)
        self.mesh: MeshHooks | None = None
        self.authorization_mode = "AlwaysAllow"  # or RBAC
        self.programs: dict[str, Exit] = {}  # images whose program ends by itself, and how
        self.unpullable: set[str] = set()  # images that no registry has
        self.is_full = False  # no node takes another pod
        self.lost_nodes: set[str] = set()  # nobody knows what runs there
        self.enforces_policies = True  # an engine keeps pods to the NetworkPolicies
        self.mount_seconds = 90.0  # the longest that a mounted ConfigMap or Secret lags behind
        self._addresses = count()

    def apply(self, manifest: Mapping[str, Any], *, manager: str = "kubectl") -> Object:
        """Create the object, or merge the manifest into it; `manager` owns the fields from then on."""
        found = self._named_as(manifest)
        if found is None:
            return self.create(claim_fields({}, dict(manifest), manager, self.now()))
        return self.update(claim_fields(found, merge(found, manifest), manager, self.now()))

    def server_side_apply(
        self, config: Object, manager: str, *, force: bool, dry_run: bool = False, user: str = ""
    ) -> Object:
        """Server-side apply; raises StatusError Conflict for fields that another manager set to something else."""
        found, meta = self._named_as(config), config["metadata"]
        try:
            applied = apply_fields(found or {}, config, manager, force=force, now=self.now())
        except Conflicts as conflicts:
            raise StatusError(409, "Conflict", str(conflicts), {"causes": conflicts.causes}) from None
        seen = {"resourceVersion": meta["resourceVersion"]} if "resourceVersion" in meta else {}
        applied = {**applied, "metadata": {**applied["metadata"], **seen}}
        write = self.create if found is None else self.update
        return write(applied, dry_run=dry_run, user=user)

    def create(self, obj: Object, *, dry_run: bool = False, user: str = "") -> Object:
        """Store a new object; raises StatusError AlreadyExists, its namespace's NotFound, or Forbidden.

        Without a `user`, a controller writes.
        """
        kind, meta = self.kind_of(obj), dict(obj["metadata"])
        meta.setdefault("name", f"{meta.get('generateName', '')}{self._suffix()}")
        if kind.namespaced:
            meta.setdefault("namespace", "default")
            if "deletionTimestamp" in self.get("Namespace", "", meta["namespace"])["metadata"]:
                raise terminating(kind, meta["namespace"], meta["name"])
        if self.find(kind.full_name, meta.get("namespace", ""), meta["name"]):
            raise already_exists(kind, meta["name"])
        meta |= {"uid": self.uid(), "creationTimestamp": self.now()} | ({"generation": 1} if "spec" in obj else {})
        new = {**obj, "metadata": meta}
        check(None, new)
        new = self._prepared(kind, new)
        require_admitted(self, Write(user or CONTROLLER, "CREATE", kind, new, None, dry_run))
        return new if dry_run else self._store("ADDED", kind, new)

    def update(self, obj: Object, *, dry_run: bool = False, user: str = "") -> Object:
        """Store a new version of an object; raises StatusError NotFound, Conflict for a stale resourceVersion, or
        Forbidden. Without a `user`, a controller writes, which policies aren't asked about.
        """
        kind, meta = self.kind_of(obj), obj["metadata"]
        old = self.get(kind.full_name, meta.get("namespace", ""), meta["name"])
        if meta.get("resourceVersion", old["metadata"]["resourceVersion"]) != old["metadata"]["resourceVersion"]:
            raise modified(kind, meta["name"])
        meta = meta | {field: old["metadata"][field] for field in _SERVER_FIELDS if field in old["metadata"]}
        if obj.get("spec") != old.get("spec"):
            meta["generation"] = meta.get("generation", 0) + 1
        new = {**obj, "metadata": meta}
        if _unstamped(new) == _unstamped(old):
            return old
        check(old, new)
        if user:
            require_admitted(self, Write(user, "UPDATE", kind, new, old, dry_run))
        if dry_run:
            return new
        if "deletionTimestamp" in meta and not meta.get("finalizers") and kind.name not in _LINGERING:
            return self.remove(new)
        return self._store("MODIFIED", kind, new)

    def set_status(self, obj: Object, **status: Any) -> Object:
        """Change fields of an object's status, if it still exists."""
        found = self.current(obj)
        return self.update({**found, "status": {**found.get("status", {}), **status}}) if found else obj

    def delete(self, kind: str, namespace: str, name: str, *, propagation: str = "Background") -> Object:
        """Ask for an object's end; its dependents follow, or with propagation Orphan stay without an owner."""
        obj, entry = self.get(kind, namespace, name), self.kind(kind)
        if propagation == "Orphan":
            self._orphan(obj)
        if "deletionTimestamp" in obj["metadata"]:
            return obj
        if entry.name not in _LINGERING and not obj["metadata"].get("finalizers"):
            return self.remove(obj)
        changed = {**obj, "metadata": {**obj["metadata"], "deletionTimestamp": self.now()}}
        if entry.name == "Namespace":
            changed["status"] = {"phase": "Terminating"}
        return self._store("MODIFIED", entry, changed)

    def stop(self) -> None:
        """What runs in the pods stops; what is stored stays."""
        if self.mesh:
            for pod in self.objects("Pod"):
                self.mesh.stop(pod)

    def close(self) -> None:
        """Everything stops and is gone."""
        self.listeners.clear()
        self.stop()
        self._clear()

    def now(self) -> str:
        return datetime.fromtimestamp(self.clock.time(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def address(self) -> str:
        """The next pod's IP address."""
        number = next(self._addresses)
        return f"10.244.{number // 250 % 250}.{number % 250 + 2}"

    def uid(self) -> str:
        return str(uuid.UUID(int=self.random.getrandbits(128), version=4))

    def _named_as(self, manifest: Mapping[str, Any]) -> Object | None:
        """The object that the manifest is about."""
        meta = manifest["metadata"]
        return self.find(self.kind_of(manifest).full_name, meta.get("namespace", ""), meta["name"])

    def _prepared(self, kind: ResourceType, new: Object) -> Object:
        """A new object as it is stored: pods are admitted, and no workload brings a status."""
        if kind.group in ("apps", "batch") or kind.name == "PersistentVolumeClaim":
            return {field: value for field, value in new.items() if field != "status"}
        if kind.name != "Pod":
            return new
        spec = {"serviceAccountName": "default", **new["spec"]}
        pod = {**new, "status": {"phase": "Pending", "conditions": []}, "spec": spec}
        return self.mesh.admit(pod) if self.mesh else pod

    def _orphan(self, owner: Object) -> None:
        for kind in self.kinds():
            for obj in self.owned(owner, kind.full_name) if kind.namespaced else ():
                self.update({**obj, "metadata": {**obj["metadata"], "ownerReferences": []}})

    def _suffix(self) -> str:
        return "".join(self.random.choices("bcdfghjklmnpqrstvwxz2456789", k=5))


def _unstamped(obj: Object) -> Object:
    """The object without what every write changes."""
    return {**obj, "metadata": {k: v for k, v in obj["metadata"].items() if k != "resourceVersion"}}
