"""Kubernetes clusters: what each API server stores and how it changes.

Rules:
- A stored object is never changed in place; every write stores a new version, so readers and watchers may keep theirs.
- A write that changes nothing is no write; a change of spec raises the generation, a stale resourceVersion is refused.
- Deletion is a request: an object with finalizers, a pod's grace period and a namespace take virtual time.
- What lives in a cluster's pods beside the workload (a mesh) takes part through `Mesh`.
"""

import uuid
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Mapping
from itertools import count
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from local.cloud.arm import iso
from local.cloud.clock import Clock
from local.cloud.entra import Entra
from local.cloud.kubernetes.fields import Conflicts, apply_fields, claim_fields, merge
from local.cloud.kubernetes.objects import Object, has_ended, is_ready
from local.cloud.kubernetes.validation import problems
from local.cloud.wire import Wire

if TYPE_CHECKING:
    from local.cloud.kubernetes.network import Answer, Call

__all__ = ["Cluster", "Exit", "Object", "StatusError", "has_ended", "is_ready"]

NODES = 3
_HISTORY = 500  # changes that a watch may still resume from; they make up most of an idle cluster's memory

_KINDS = """
v1 namespaces Namespace cluster
v1 nodes Node cluster
v1 persistentvolumes PersistentVolume cluster
v1 pods Pod
v1 configmaps ConfigMap
v1 secrets Secret
v1 services Service
v1 endpoints Endpoints
v1 serviceaccounts ServiceAccount
v1 events Event
v1 persistentvolumeclaims PersistentVolumeClaim
apps/v1 deployments Deployment
apps/v1 replicasets ReplicaSet
apps/v1 statefulsets StatefulSet
apps/v1 daemonsets DaemonSet
batch/v1 jobs Job
batch/v1 cronjobs CronJob
policy/v1 poddisruptionbudgets PodDisruptionBudget
networking.k8s.io/v1 networkpolicies NetworkPolicy
networking.k8s.io/v1 ingresses Ingress
coordination.k8s.io/v1 leases Lease
storage.k8s.io/v1 storageclasses StorageClass cluster
rbac.authorization.k8s.io/v1 roles Role
rbac.authorization.k8s.io/v1 rolebindings RoleBinding
rbac.authorization.k8s.io/v1 clusterroles ClusterRole cluster
rbac.authorization.k8s.io/v1 clusterrolebindings ClusterRoleBinding cluster
admissionregistration.k8s.io/v1 mutatingwebhookconfigurations MutatingWebhookConfiguration cluster
apiextensions.k8s.io/v1 customresourcedefinitions CustomResourceDefinition cluster
"""


class Kind(NamedTuple):
    """A resource type; one with several served versions stores the version that was written last."""

    group: str
    versions: tuple[str, ...]
    plural: str
    name: str
    namespaced: bool
    custom: bool = False

    @property
    def resource(self) -> str:
        """The way messages name it: pods, deployments.apps."""
        return f"{self.plural}.{self.group}" if self.group else self.plural


type Key = tuple[str, str]  # namespace and name


class Change(NamedTuple):
    """One step of a cluster's history; `type` is ADDED, MODIFIED or DELETED as in watch events."""

    version: int
    type: str
    kind: Kind
    object: Object


class StatusError(Exception):
    """A refusal as the API server words it: HTTP code, reason (one CamelCase word), message."""

    def __init__(self, code: int, reason: str, message: str, details: Object | None = None) -> None:
        super().__init__(message)
        self.code, self.reason, self.message, self.details = code, reason, message, details or {}


class Exit(NamedTuple):
    """How a program in a container ends: exit code and termination message, after so many virtual seconds."""

    code: int
    message: str = ""
    seconds: float = 1.0


class Mesh(Protocol):
    """A service mesh inside one cluster: it sees pods at admission and over their life."""

    def admit(self, pod: Object) -> Object: ...
    def start(self, pod: Object) -> None:
        """The pod's containers start, or start again."""

    def failure(self, pod: Object) -> str:
        """Why a container of the pod exits right after its start, or nothing."""
        ...

    def ready(self, pod: Object) -> bool: ...
    def stop(self, pod: Object) -> None: ...
    def metrics(self, pod: Object, port: int) -> str | None: ...
    def carry(self, call: "Call") -> "Answer":
        """What a call between two pods gets, by their proxies where they have one."""
        ...


class Cluster:
    """One cluster. Scenarios use `apply`, `objects`, `find`, `get` and `delete`; the wire and controllers use the rest.

    Kinds are named by their kind ("Pod"), or kind and group where two groups share one ("HTTPRoute.policy.linkerd.io").
    """

    def __init__(self, name: str, clock: Clock) -> None:
        self.name, self.clock, self.random = name, clock, Random(name)
        self.mesh: Mesh | None = None
        self.authorization_mode = "AlwaysAllow"  # or RBAC
        self.programs: dict[str, Exit] = {}  # images whose program ends by itself, and how
        self.unpullable: set[str] = set()  # images that no registry has
        self.is_full = False  # no node takes another pod
        self.mount_seconds = 90.0  # the longest that a mounted ConfigMap or Secret lags behind
        self.version = self.oldest = 1_000
        self.history: deque[Change] = deque(maxlen=_HISTORY)
        self.pages: list[tuple[int, list[Object]]] = []  # what is left of lists that were read in part, by version
        self.listeners: list[Callable[[Change], None]] = []
        self._addresses = count()
        self._kinds: dict[str, Kind] = {}
        self._stored: dict[Kind, dict[Key, Object]] = defaultdict(dict)
        self._order: dict[Kind, list[Key]] = {}  # names in order, until one comes or goes
        self._dependents: dict[str, set[tuple[str, Key]]] = defaultdict(set)  # kind and name, by the owner's uid
        for line in _KINDS.split("\n")[1:-1]:
            api, plural, kind, *scope = line.split()
            self.register(api, plural, kind, namespaced=not scope, custom=False)

    def register(
        self, api_version: str, plural: str, kind: str, *, namespaced: bool = True, custom: bool = True
    ) -> None:
        """Serve a kind, as a CustomResourceDefinition does."""
        group, _, version = api_version.rpartition("/")
        known = self._kinds.get(f"{kind}.{group}")
        versions = (*known.versions, version) if known else (version,)
        entry = Kind(group, versions, plural, kind, namespaced, custom)
        self._stored[entry] = self._stored.pop(known, {}) if known else {}
        self._kinds[f"{kind}.{group}"] = entry
        if self._kinds.get(kind, entry).group == group:
            self._kinds[kind] = entry

    def kind(self, name: str) -> Kind:
        return self._kinds[name]

    def served(self, group: str, version: str, plural: str) -> Kind | None:
        found = (k for k in self._stored if k.group == group and k.plural == plural and version in k.versions)
        return next(found, None)

    def kinds(self) -> Iterable[Kind]:
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
        name = f"{entry.name}.{entry.group}"
        keys = sorted(key for its, key in self._dependents.get(owner["metadata"]["uid"], ()) if its == name)
        return [self._stored[entry][key] for key in keys if namespace in (None, key[0])]

    # writing

    def apply(self, manifest: Mapping[str, Any], *, manager: str = "kubectl") -> Object:
        """Create the object, or merge the manifest into it; `manager` owns the fields from then on."""
        entry, meta = self._entry(manifest), manifest["metadata"]
        found = self.find(f"{entry.name}.{entry.group}", meta.get("namespace", ""), meta["name"])
        if found is None:
            return self.create(claim_fields({}, dict(manifest), manager, self.now()))
        return self.update(claim_fields(found, merge(found, manifest), manager, self.now()))

    def server_side_apply(self, config: Object, manager: str, *, force: bool, dry_run: bool = False) -> Object:
        """Server-side apply; raises StatusError Conflict for fields that another manager set to something else."""
        entry, meta = self._entry(config), config["metadata"]
        found = self.find(f"{entry.name}.{entry.group}", meta.get("namespace", ""), meta["name"])
        try:
            applied = apply_fields(found or {}, config, manager, force=force, now=self.now())
        except Conflicts as conflicts:
            raise StatusError(409, "Conflict", str(conflicts), {"causes": conflicts.causes}) from None
        seen = {"resourceVersion": meta["resourceVersion"]} if "resourceVersion" in meta else {}
        applied = {**applied, "metadata": {**applied["metadata"], **seen}}
        return self.create(applied, dry_run=dry_run) if found is None else self.update(applied, dry_run=dry_run)

    def create(self, obj: Object, *, dry_run: bool = False) -> Object:
        """Store a new object; raises StatusError AlreadyExists, or its namespace's NotFound or Forbidden."""
        entry = self._entry(obj)
        meta = dict(obj["metadata"])
        meta.setdefault("name", f"{meta.get('generateName', '')}{self._suffix()}")
        if entry.namespaced:
            meta.setdefault("namespace", "default")
            self._check_namespace(entry, meta["namespace"], meta["name"])
        key = (meta.get("namespace", ""), meta["name"])
        if key in self._stored[entry]:
            raise StatusError(
                409, "AlreadyExists", f'{entry.resource} "{key[1]}" already exists', details(entry, key[1])
            )
        meta |= {"uid": self.uid(), "creationTimestamp": self.now()} | ({"generation": 1} if "spec" in obj else {})
        new = {**obj, "metadata": meta}
        _check(None, new)
        if entry.group in ("apps", "batch") or entry.name == "PersistentVolumeClaim":
            new.pop("status", None)  # a restored object starts without the status that it was saved with
        if entry.name == "Pod":
            new["status"] = {"phase": "Pending", "conditions": []}
            new["spec"] = {"serviceAccountName": "default", **new["spec"]}
            new = self.mesh.admit(new) if self.mesh else new
        return new if dry_run else self._store("ADDED", entry, new)

    def update(self, obj: Object, *, dry_run: bool = False) -> Object:
        """Store a new version of an object; raises StatusError NotFound, or Conflict for a stale resourceVersion."""
        entry, meta = self._entry(obj), obj["metadata"]
        old = self.get(f"{entry.name}.{entry.group}", meta.get("namespace", ""), meta["name"])
        if meta.get("resourceVersion", old["metadata"]["resourceVersion"]) != old["metadata"]["resourceVersion"]:
            raise StatusError(
                409,
                "Conflict",
                f'Operation cannot be fulfilled on {entry.resource} "{meta["name"]}": the object has been modified; '
                "please apply your changes to the latest version and try again",
                details(entry, meta["name"]),
            )
        kept = ("uid", "creationTimestamp", "resourceVersion", "generation", "deletionTimestamp")
        meta = meta | {field: old["metadata"][field] for field in kept if field in old["metadata"]}
        if obj.get("spec") != old.get("spec"):
            meta["generation"] = meta.get("generation", 0) + 1
        new = {**obj, "metadata": meta}
        if _unstamped(new) == _unstamped(old):
            return old
        _check(old, new)
        if dry_run:
            return new
        if "deletionTimestamp" in meta and not meta.get("finalizers") and entry.name not in ("Pod", "Namespace"):
            return self.remove(new)
        return self._store("MODIFIED", entry, new)

    def set_status(self, obj: Object, **status: Any) -> Object:
        """Change fields of an object's status, if it still exists."""
        found = self.current(obj)
        return self.update({**found, "status": {**found.get("status", {}), **status}}) if found else obj

    def current(self, obj: Object) -> Object | None:
        """The newest version of the same object (same uid)."""
        meta = obj["metadata"]
        found = self._stored[self._entry(obj)].get((meta.get("namespace", ""), meta["name"]))
        return found if found and found["metadata"]["uid"] == meta["uid"] else None

    def delete(self, kind: str, namespace: str, name: str, *, propagation: str = "Background") -> Object:
        """Ask for an object's end; its dependents follow, or with propagation Orphan stay without an owner."""
        obj = self.get(kind, namespace, name)
        if propagation == "Orphan":
            self._orphan(obj)
        if "deletionTimestamp" in obj["metadata"]:
            return obj
        lingers = self.kind(kind).name in ("Pod", "Namespace") or obj["metadata"].get("finalizers")
        if not lingers:
            return self.remove(obj)
        changed = {**obj, "metadata": {**obj["metadata"], "deletionTimestamp": self.now()}}
        if self.kind(kind).name == "Namespace":
            changed["status"] = {"phase": "Terminating"}
        return self._store("MODIFIED", self.kind(kind), changed)

    def remove(self, obj: Object) -> Object:
        """Take an object out of the store at once."""
        entry, meta = self._entry(obj), obj["metadata"]
        self._put(entry, (meta.get("namespace", ""), meta["name"]), None)
        return self._notify("DELETED", entry, obj)

    def event(self, about: Object, *, type: str, reason: str, message: str, source: str, reporter: str) -> None:
        """Record an Event; one that the same reporter repeats is counted up instead, as client-go does."""
        meta = about["metadata"]
        namespace = meta.get("namespace", "default")
        name = f"{meta['name']}.{uuid.uuid5(uuid.NAMESPACE_OID, f'{reporter}{reason}{message}').hex[:16]}"
        known = self.find("Event", namespace, name)
        if known:
            self.update({**known, "count": known["count"] + 1, "lastTimestamp": self.now()})
            return
        self.create(
            {
                "apiVersion": "v1",
                "kind": "Event",
                "metadata": {"name": name, "namespace": namespace},
                "involvedObject": {
                    "apiVersion": about["apiVersion"],
                    "kind": about["kind"],
                    "name": meta["name"],
                    "namespace": namespace,
                    "uid": meta["uid"],
                },
                "type": type,
                "reason": reason,
                "message": message,
                "source": {"component": source},
                "reportingComponent": source,
                "count": 1,
                "firstTimestamp": self.now(),
                "lastTimestamp": self.now(),
            }
        )

    def forget_history(self) -> None:
        """From now on older resourceVersions and page tokens are Gone (410)."""
        self.history.clear()
        self.oldest = self.version

    def close(self) -> None:
        """Everything stops and is gone."""
        self.listeners.clear()
        if self.mesh:
            for pod in self.objects("Pod"):
                self.mesh.stop(pod)
        for stored in self._stored.values():
            stored.clear()
        self._order.clear()
        self._dependents.clear()

    def now(self) -> str:
        return iso(self.clock.time())[:19] + "Z"

    def address(self) -> str:
        """The next pod's IP address."""
        number = next(self._addresses)
        return f"10.244.{number // 250 % 250}.{number % 250 + 2}"

    def uid(self) -> str:
        return str(uuid.UUID(int=self.random.getrandbits(128), version=4))

    def _entry(self, obj: Mapping[str, Any]) -> Kind:
        group, _, _ = str(obj["apiVersion"]).rpartition("/")
        entry = self._kinds.get(f"{obj['kind']}.{group}")
        if entry is None:
            raise StatusError(404, "NotFound", "the server could not find the requested resource")
        return entry

    def _check_namespace(self, entry: Kind, namespace: str, name: str) -> None:
        if "deletionTimestamp" in self.get("Namespace", "", namespace)["metadata"]:
            raise StatusError(
                403,
                "Forbidden",
                f'{entry.resource} "{name}" is forbidden: unable to create new content in namespace {namespace} '
                "because it is being terminated",
                details(entry, name),
            )

    def _orphan(self, owner: Object) -> None:
        for kind in self.kinds():
            for obj in self.owned(owner, f"{kind.name}.{kind.group}") if kind.namespaced else ():
                self.update({**obj, "metadata": {**obj["metadata"], "ownerReferences": []}})

    def _suffix(self) -> str:
        return "".join(self.random.choices("bcdfghjklmnpqrstvwxz2456789", k=5))

    def _store(self, type: str, entry: Kind, obj: Object) -> Object:
        meta = obj["metadata"]
        stored = {**obj, "metadata": {**meta, "resourceVersion": str(self.version + 1)}}
        self._put(entry, (meta.get("namespace", ""), meta["name"]), stored)
        return self._notify(type, entry, stored)

    def _put(self, entry: Kind, key: Key, new: Object | None) -> None:
        """Let an object take the place of what has this name; None takes it away."""
        old, name = self._stored[entry].pop(key, None), f"{entry.name}.{entry.group}"
        if new is not None:
            self._stored[entry][key] = new
        if old is None or new is None:
            self._order.pop(entry, None)
        owners = [o["metadata"].get("ownerReferences") or () if o else () for o in (old, new)]
        if owners[0] != owners[1]:
            for reference in owners[0]:
                self._dependents[reference["uid"]].discard((name, key))
            for reference in owners[1]:
                self._dependents[reference["uid"]].add((name, key))

    def _notify(self, type: str, entry: Kind, obj: Object) -> Object:
        self.version += 1
        change = Change(self.version, type, entry, obj)
        if len(self.history) == _HISTORY:
            self.oldest = self.history[0].version
        self.history.append(change)
        for listener in list(self.listeners):
            listener(change)
        return obj


class Kubernetes:
    """All clusters; each answers under /k8s/{name} to tokens for AKS's server application."""

    def __init__(self, clock: Clock, wire: Wire, entra: Entra) -> None:
        from local.cloud.kubernetes.api import KubernetesWire

        self.clusters: dict[str, Cluster] = {}
        self._clock = clock
        self._stopped: dict[str, Cluster] = {}
        self._wire = KubernetesWire(wire, entra, self.clusters)

    def add(self, name: str) -> Cluster:
        """A running cluster with three nodes and its system namespaces."""
        from local.cloud.kubernetes.controllers.work_queue import Controllers

        cluster = self.clusters[name] = Cluster(name, self._clock)
        Controllers(cluster)
        for namespace in ("default", "kube-system"):
            cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
        for number in range(NODES):
            cluster.apply(
                {
                    "apiVersion": "v1",
                    "kind": "Node",
                    "metadata": {"name": f"aks-nodepool1-vmss00000{number}"},
                    "status": {"conditions": [{"type": "Ready", "status": "True"}]},
                }
            )
        return cluster

    def stop(self, name: str) -> None:
        """Nodes and API server are down; what is stored stays."""
        cluster = self._stopped[name] = self.clusters.pop(name)
        for pod in cluster.objects("Pod"):
            if cluster.mesh:
                cluster.mesh.stop(pod)

    def start(self, name: str) -> None:
        """Nodes and API server are back, and start the containers of the pods that they had."""
        from local.cloud.kubernetes.kubelet import Kubelet

        cluster = self.clusters[name] = self._stopped.pop(name)
        for pod in cluster.objects("Pod"):
            if not has_ended(pod):
                Kubelet(cluster).restart(pod)

    def remove(self, name: str) -> None:
        """The cluster is gone, with all that ran in it."""
        self.clusters.pop(name).close()


def details(entry: Kind, name: str) -> Object:
    return {"name": name, "group": entry.group, "kind": entry.plural}


def not_found(entry: Kind, name: str) -> StatusError:
    return StatusError(404, "NotFound", f'{entry.resource} "{name}" not found', details(entry, name))


def _check(old: Object | None, new: Object) -> None:
    found, name = problems(old, new), new["metadata"]["name"]
    if found:
        listed = found[0] if len(found) == 1 else f"[{', '.join(found)}]"
        raise StatusError(422, "Invalid", f'{new["kind"]} "{name}" is invalid: {listed}')


def _unstamped(obj: Object) -> Object:
    """The object without what every write changes."""
    return {**obj, "metadata": {k: v for k, v in obj["metadata"].items() if k != "resourceVersion"}}
