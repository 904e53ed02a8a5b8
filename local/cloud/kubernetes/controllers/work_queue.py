"""Kubernetes' controllers on the virtual clock: workloads become pods, namespaces end, claims get bound.

Rules:
- A controller looks at the state a moment after a change, never at the change itself, and takes one step to the spec.
- A status is therefore late: `observedGeneration` tells which spec it speaks of.
- Rolling updates follow the real ones: Deployments by surge and unavailability over ReplicaSets, StatefulSets from the
  highest ordinal, one at a time, DaemonSets node by node; OnDelete strategies replace nothing.
"""

import hashlib
import math
from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec

from local.cloud.kubernetes.cluster import Change, Cluster, Object, StatusError, has_ended, is_ready
from local.cloud.kubernetes.kubelet import Kubelet

_SYNC_SECONDS = 0.2
_RETRY_SECONDS = 5.0
_BIND_SECONDS = 3.0
_NAMESPACE_SECONDS = 5.0
_BACKOFF_SECONDS, _BACKOFF_LIMIT = 10.0, 6  # of Jobs
_COLLECT_SECONDS = 1.0
_EVENT_SECONDS = 3_600.0  # the API server forgets events after an hour


class Controllers:
    """Calls the controller of a kind for every object that changed, or whose dependents did."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self._pending: set[tuple[str, str, str]] = set()
        self._kubelet = Kubelet(cluster)
        cluster.listeners.append(self._changed)

    def _changed(self, change: Change) -> None:
        kind, meta = change.kind.name, change.object["metadata"]
        namespace = meta.get("namespace", "")
        if kind == "Pod":
            self._kubelet.changed(change)
        if kind in _RECONCILERS:
            self._enqueue((kind, namespace, meta["name"]), _FIRST_LOOK.get(kind, _SYNC_SECONDS))
        for owner in meta.get("ownerReferences", ()):
            if owner["kind"] in _RECONCILERS:
                self._enqueue((owner["kind"], namespace, owner["name"]), _SYNC_SECONDS)
        if change.type == "DELETED" and kind not in ("Pod", "Event"):
            self.cluster.clock.after(_COLLECT_SECONDS, lambda: _collect(self.cluster, change.object))

    def _enqueue(self, key: tuple[str, str, str], delay: float) -> None:
        if key not in self._pending:
            self._pending.add(key)
            self.cluster.clock.after(delay, lambda: self._reconcile(key))

    def _reconcile(self, key: tuple[str, str, str]) -> None:
        self._pending.discard(key)
        obj = self.cluster.find(*key)
        if obj is None:
            return
        try:
            again = _RECONCILERS[key[0]](self.cluster, obj)
        except StatusError:  # a refused pod, for example: the real controllers back off and try again
            again = _RETRY_SECONDS
        if again:
            self._enqueue(key, again)


def _deployment(cluster: Cluster, deployment: Object) -> None:
    spec = deployment["spec"]
    sets = cluster.owned(deployment, "ReplicaSet")
    digest = _digest(spec["template"])
    new = next((s for s in sets if s["metadata"]["labels"]["pod-template-hash"] == digest), None)
    if "deletionTimestamp" not in deployment["metadata"]:
        new = new or cluster.create(_replica_set_of(deployment, digest))
        _roll(cluster, spec, new, [s for s in sets if s["metadata"]["uid"] != new["metadata"]["uid"]])
    sets = cluster.owned(deployment, "ReplicaSet")
    total = {f: sum(s.get("status", {}).get(f, 0) for s in sets) for f in _COUNTS}
    updated = sum(s.get("status", {}).get("replicas", 0) for s in sets if s["metadata"]["name"].endswith(digest))
    wanted, (_, unavailable) = spec.get("replicas", 1), _limits(spec)
    done = updated == total["replicas"] == total["availableReplicas"] == wanted
    cluster.set_status(
        deployment,
        observedGeneration=deployment["metadata"]["generation"],
        **total,
        updatedReplicas=updated,
        unavailableReplicas=max(0, max(wanted, total["replicas"]) - total["availableReplicas"]),
        conditions=[
            _condition("Available", total["availableReplicas"] >= wanted - unavailable, "MinimumReplicasAvailable"),
            _condition("Progressing", True, "NewReplicaSetAvailable" if done else "ReplicaSetUpdated"),
        ],
    )


def _roll(cluster: Cluster, spec: Object, new: Object, old: list[Object]) -> None:
    """One step: raise the new ReplicaSet within the surge, lower the old ones as far as availability allows."""
    wanted, (surge, unavailable) = spec.get("replicas", 1), _limits(spec)
    if spec.get("strategy", {}).get("type") == "Recreate":
        for obsolete in old:
            _scale(cluster, obsolete, 0)
        _scale(cluster, new, 0 if any(cluster.owned(s, "Pod") for s in old) else wanted)
        return
    old = [s for s in old if s["spec"]["replicas"]]
    total = sum(s["spec"]["replicas"] for s in (new, *old))
    present = new["spec"]["replicas"]
    raised = min(wanted, present + max(0, wanted + surge - total))
    new = _scale(cluster, new, raised)
    waiting = raised - min(raised, new.get("status", {}).get("availableReplicas", 0))
    droppable = total - present + raised - (wanted - unavailable) - waiting
    for obsolete in sorted(old, key=lambda s: s.get("status", {}).get("availableReplicas", 0)):
        drop = max(0, min(droppable, obsolete["spec"]["replicas"]))
        _scale(cluster, obsolete, obsolete["spec"]["replicas"] - drop)
        droppable -= drop


def _limits(spec: Object) -> tuple[int, int]:
    """maxSurge and maxUnavailable in pods; not both are zero."""
    rolling, wanted = spec.get("strategy", {}).get("rollingUpdate", {}), spec.get("replicas", 1)
    surge = share(rolling.get("maxSurge", "25%"), wanted, math.ceil)
    unavailable = share(rolling.get("maxUnavailable", "25%"), wanted, math.floor)
    return surge, unavailable or (0 if surge else 1)


def share(value: int | str, of: int, rounded: Callable[[float], int]) -> int:
    """A number of pods, or a share of them in percent."""
    return rounded(of * int(value.rstrip("%")) / 100) if isinstance(value, str) else value


def _scale(cluster: Cluster, replica_set: Object, replicas: int) -> Object:
    return cluster.update({**replica_set, "spec": {**replica_set["spec"], "replicas": replicas}})


def _replica_set_of(deployment: Object, digest: str) -> Object:
    spec, meta = deployment["spec"], deployment["metadata"]
    template = spec["template"]
    labels = {**template.get("metadata", {}).get("labels", {}), "pod-template-hash": digest}
    labelled = {**template, "metadata": {**template.get("metadata", {}), "labels": labels}}
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": f"{meta['name']}-{digest}",
            "namespace": meta["namespace"],
            "labels": labels,
            "ownerReferences": [_owner(deployment)],
        },
        "spec": {"replicas": 0, "selector": spec.get("selector", {}), "template": labelled},
    }


def _replica_set(cluster: Cluster, replica_set: Object) -> None:
    wanted = replica_set["spec"].get("replicas", 1) if "deletionTimestamp" not in replica_set["metadata"] else 0
    pods = _active(cluster, replica_set)
    for pod in sorted(pods, key=is_ready)[: max(0, len(pods) - wanted)]:
        cluster.delete("Pod", pod["metadata"]["namespace"], pod["metadata"]["name"])
    try:
        for _ in range(wanted - len(pods)):
            cluster.create(_pod(replica_set, replica_set["spec"]["template"], generated=True))
    finally:
        _count(cluster, replica_set, _active(cluster, replica_set))


def _count(cluster: Cluster, workload: Object, pods: list[Object], **more: Any) -> None:
    ready = sum(map(is_ready, pods))
    counts = dict(zip(_COUNTS, (len(pods), ready, ready), strict=True))
    cluster.set_status(workload, observedGeneration=workload["metadata"]["generation"], **counts, **more)


def _stateful_set(cluster: Cluster, stateful_set: Object) -> None:
    spec, meta = stateful_set["spec"], stateful_set["metadata"]
    revision = f"{meta['name']}-{_digest(spec['template'])}"
    try:
        _step_stateful_set(cluster, stateful_set, revision)
    finally:
        pods = _active(cluster, stateful_set)
        updated = sum(_revision(p) == revision for p in pods)
        done = updated == len(pods) == spec.get("replicas", 1) and all(map(is_ready, pods))
        current = revision if done else stateful_set.get("status", {}).get("currentRevision", revision)
        _count(
            cluster,
            stateful_set,
            pods,
            updatedReplicas=updated,
            currentReplicas=sum(_revision(p) == current for p in pods),
            currentRevision=current,
            updateRevision=revision,
        )


def _step_stateful_set(cluster: Cluster, stateful_set: Object, revision: str) -> None:
    """The first thing that is due: create in order, shrink from the end, replace from the end."""
    spec, meta = stateful_set["spec"], stateful_set["metadata"]
    wanted = [f"{meta['name']}-{n}" for n in range(spec.get("replicas", 1))]
    pods = {p["metadata"]["name"]: p for p in cluster.owned(stateful_set, "Pod")}
    ordered = spec.get("podManagementPolicy") != "Parallel"
    for name in wanted:
        if name not in pods:
            volumes = [*spec["template"]["spec"].get("volumes", ()), *_claim(cluster, stateful_set, name)]
            pod = _pod(stateful_set, spec["template"], name=name, revision=revision)
            cluster.create({**pod, "spec": {**pod["spec"], "volumes": volumes}} if volumes else pod)
        if ordered and not (name in pods and is_ready(pods[name])):
            return
    for name in sorted(pods.keys() - set(wanted), key=_ordinal, reverse=True)[:1]:
        cluster.delete("Pod", meta["namespace"], name)
        return
    if spec.get("updateStrategy", {}).get("type") != "OnDelete":
        for name in reversed(wanted):
            if not is_ready(pods[name]):
                return
            if _revision(pods[name]) != revision:
                cluster.delete("Pod", meta["namespace"], name)
                return


def _claim(cluster: Cluster, stateful_set: Object, pod_name: str) -> list[Object]:
    """The pod's own volumes, over claims that are made if they aren't there and outlive the pod."""
    volumes = []
    for template in stateful_set["spec"].get("volumeClaimTemplates", ()):
        meta = {
            "name": f"{template['metadata']['name']}-{pod_name}",
            "namespace": stateful_set["metadata"]["namespace"],
            "labels": stateful_set["spec"].get("selector", {}).get("matchLabels", {}),
        }
        if not cluster.find("PersistentVolumeClaim", meta["namespace"], meta["name"]):
            claim = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": meta, "spec": template["spec"]}
            cluster.create(claim)
        volumes.append({"name": template["metadata"]["name"], "persistentVolumeClaim": {"claimName": meta["name"]}})
    return volumes


def _ordinal(name: str) -> int:
    return int(name.rpartition("-")[2])


def _daemon_set(cluster: Cluster, daemon_set: Object) -> None:
    spec, revision = daemon_set["spec"], _digest(daemon_set["spec"]["template"])
    nodes = [n["metadata"]["name"] for n in cluster.objects("Node")]
    pods = {p["spec"]["nodeName"]: p for p in cluster.owned(daemon_set, "Pod")}
    rolling = spec.get("updateStrategy", {})
    limit = share(rolling.get("rollingUpdate", {}).get("maxUnavailable", 1), len(nodes), math.ceil)
    away = sum(not (node in pods and is_ready(pods[node])) for node in nodes)
    try:
        for node in nodes:
            if node not in pods:
                cluster.create(_pod(daemon_set, spec["template"], generated=True, revision=revision, node=node))
            elif _revision(pods[node]) != revision and rolling.get("type") != "OnDelete" and away < limit:
                away += 1
                cluster.delete("Pod", daemon_set["metadata"]["namespace"], pods[node]["metadata"]["name"])
    finally:
        _count_daemon_set(cluster, daemon_set, revision, len(nodes))


def _count_daemon_set(cluster: Cluster, daemon_set: Object, revision: str, nodes: int) -> None:
    pods = _active(cluster, daemon_set)
    ready = sum(map(is_ready, pods))
    cluster.set_status(
        daemon_set,
        observedGeneration=daemon_set["metadata"]["generation"],
        desiredNumberScheduled=nodes,
        currentNumberScheduled=len(pods),
        numberMisscheduled=0,
        numberReady=ready,
        numberAvailable=ready,
        numberUnavailable=nodes - ready,
        updatedNumberScheduled=sum(_revision(p) == revision for p in pods),
    )


def _job(cluster: Cluster, job: Object) -> float | None:
    spec, status = job["spec"], job.get("status", {})
    if status.get("conditions"):
        return None
    pods = cluster.owned(job, "Pod")
    succeeded, failed = (sum(p["status"]["phase"] == phase for p in pods) for phase in ("Succeeded", "Failed"))
    active = len(_active(cluster, job))
    wanted, started = spec.get("completions", 1), status.get("startTime", cluster.now())
    counts = {"succeeded": succeeded, "failed": failed, "startTime": started}
    if failed > spec.get("backoffLimit", _BACKOFF_LIMIT):
        cluster.set_status(
            job, active=active, **counts, conditions=[_condition("Failed", True, "BackoffLimitExceeded")]
        )
        return None
    pause = max(map(_ended_at, pods), default=0.0) + _BACKOFF_SECONDS * 2.0 ** (failed - 1) - cluster.clock.time()
    if failed and pause > 0:
        cluster.set_status(job, active=active, **counts)
        return float(pause)
    for _ in range(min(spec.get("parallelism", 1), wanted - succeeded) - active):
        template = spec["template"]
        labels = {
            **template.get("metadata", {}).get("labels", {}),
            "batch.kubernetes.io/job-name": job["metadata"]["name"],
        }
        labelled = {**template, "metadata": {**template.get("metadata", {}), "labels": labels}}
        cluster.create(_pod(job, labelled, generated=True))
        active += 1
    done = succeeded >= wanted
    ended = {"completionTime": cluster.now(), "conditions": [_condition("Complete", True, "CompletionsReached")]}
    cluster.set_status(job, active=active, **counts, **(ended if done else {}))
    return None


def _ended_at(pod: Object) -> float:
    """When a failed pod's last container ended (Unix time)."""
    states = [s["state"].get("terminated", {}) for s in pod["status"].get("containerStatuses", ())]
    failed = pod["status"]["phase"] == "Failed"
    return max((datetime.fromisoformat(s["finishedAt"]).timestamp() for s in states if failed and s), default=0.0)


def _namespace(cluster: Cluster, namespace: Object) -> float | None:
    name = namespace["metadata"]["name"]
    if "deletionTimestamp" not in namespace["metadata"]:
        labels = {**namespace["metadata"].get("labels", {}), "kubernetes.io/metadata.name": name}
        cluster.update({**namespace, "metadata": {**namespace["metadata"], "labels": labels}})
        cluster.set_status(namespace, phase="Active")
        for given, own in (("ServiceAccount", "default"), ("ConfigMap", "kube-root-ca.crt")):
            if not cluster.find(given, name, own):
                cluster.create({"apiVersion": "v1", "kind": given, "metadata": {"name": own, "namespace": name}})
        return None
    for kind in (k for k in cluster.kinds() if k.namespaced):
        for obj in cluster.objects(f"{kind.name}.{kind.group}", name):
            cluster.delete(f"{kind.name}.{kind.group}", name, obj["metadata"]["name"])
    left = any(cluster.objects(f"{k.name}.{k.group}", name) for k in cluster.kinds() if k.namespaced)
    if left or namespace["metadata"].get("finalizers"):
        return _NAMESPACE_SECONDS
    cluster.remove(namespace)
    return None


def _persistent_volume_claim(cluster: Cluster, claim: Object) -> None:
    volume = claim["spec"].get("volumeName") or f"pvc-{claim['metadata']['uid']}"
    capacity = claim["spec"].get("resources", {}).get("requests", {})
    bound = cluster.update({**claim, "spec": {**claim["spec"], "volumeName": volume}})
    cluster.set_status(bound, phase="Bound", capacity=capacity, accessModes=claim["spec"].get("accessModes", []))


def _custom_resource_definition(cluster: Cluster, definition: Object) -> None:
    spec = definition["spec"]
    for version in spec["versions"]:
        if version.get("served", True) and not cluster.served(spec["group"], version["name"], spec["names"]["plural"]):
            cluster.register(
                f"{spec['group']}/{version['name']}",
                spec["names"]["plural"],
                spec["names"]["kind"],
                namespaced=spec["scope"] == "Namespaced",
            )
    cluster.set_status(definition, conditions=[_condition("Established", True, "InitialNamesAccepted")])


def _event(cluster: Cluster, event: Object) -> None:
    """Events are written by nobody's hand here; they only age."""
    version = event["metadata"]["resourceVersion"]

    def forget() -> None:
        found = cluster.current(event)
        if found and found["metadata"]["resourceVersion"] == version:
            cluster.remove(found)

    cluster.clock.after(_EVENT_SECONDS, forget)


def _collect(cluster: Cluster, owner: Object) -> None:
    """Garbage collection: what names a vanished owner goes too."""
    for kind in (k for k in cluster.kinds() if k.namespaced):
        for obj in cluster.owned(owner, f"{kind.name}.{kind.group}"):
            meta = obj["metadata"]
            cluster.delete(f"{kind.name}.{kind.group}", meta["namespace"], meta["name"])


def _pod(
    owner: Object, template: Object, *, name: str = "", generated: bool = False, revision: str = "", node: str = ""
) -> Object:
    meta = template.get("metadata", {})
    labels = {**meta.get("labels", {}), **({"controller-revision-hash": revision} if revision else {})}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            **({"generateName": f"{owner['metadata']['name']}-"} if generated else {"name": name}),
            "namespace": owner["metadata"]["namespace"],
            "labels": labels,
            "annotations": dict(meta.get("annotations", {})),
            "ownerReferences": [_owner(owner)],
        },
        "spec": {**template["spec"], **({"nodeName": node} if node else {})},
    }


def _owner(obj: Object) -> Object:
    meta = obj["metadata"]
    named = {"apiVersion": obj["apiVersion"], "kind": obj["kind"], "name": meta["name"], "uid": meta["uid"]}
    return {**named, "controller": True, "blockOwnerDeletion": True}


def _active(cluster: Cluster, owner: Object) -> list[Object]:
    return [p for p in cluster.owned(owner, "Pod") if "deletionTimestamp" not in p["metadata"] and not has_ended(p)]


def _revision(pod: Object) -> str:
    return str(pod["metadata"]["labels"].get("controller-revision-hash", ""))


def _condition(type: str, holds: bool, reason: str) -> Object:
    return {"type": type, "status": "True" if holds else "False", "reason": reason}


def _digest(template: Object) -> str:
    return hashlib.sha256(msgspec.json.encode(template, order="sorted")).hexdigest()[:10]


_COUNTS = ("replicas", "readyReplicas", "availableReplicas")
_FIRST_LOOK = {"PersistentVolumeClaim": _BIND_SECONDS, "Namespace": 0.0, "CustomResourceDefinition": 0.0}
_RECONCILERS: dict[str, Callable[[Cluster, Object], float | None]] = {
    "Deployment": _deployment,
    "ReplicaSet": _replica_set,
    "StatefulSet": _stateful_set,
    "DaemonSet": _daemon_set,
    "Job": _job,
    "Namespace": _namespace,
    "PersistentVolumeClaim": _persistent_volume_claim,
    "CustomResourceDefinition": _custom_resource_definition,
    "Event": _event,
}
