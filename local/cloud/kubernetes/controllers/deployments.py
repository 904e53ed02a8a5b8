"""Deployments: rolling updates by surge and unavailability over ReplicaSets."""

import math

from local.cloud.kubernetes.cluster import SimulatedCluster
from local.cloud.kubernetes.controllers.pods import template_hash
from local.cloud.kubernetes.controllers.replica_sets import replica_set_of
from local.cloud.kubernetes.controllers.status import COUNTS, condition
from local.cloud.kubernetes.objects import Object, share

HASH = "pod-template-hash"
_RECREATE_SECONDS = 5.0


def reconcile(cluster: SimulatedCluster, deployment: Object) -> float | None:
    spec = deployment["spec"]
    sets = cluster.owned(deployment, "ReplicaSet")
    digest = template_hash(spec["template"])
    new = next((s for s in sets if s["metadata"]["labels"][HASH] == digest), None)
    if "deletionTimestamp" not in deployment["metadata"]:
        new = new or cluster.create(replica_set_of(deployment, HASH, digest, 0))
        _roll(cluster, spec, new, [s for s in sets if s["metadata"]["uid"] != new["metadata"]["uid"]])
    _tell(cluster, deployment, digest)
    recreates = spec.get("strategy", {}).get("type") == "Recreate"
    ends = recreates and any(cluster.owned(s, "Pod") for s in sets if not s["metadata"]["name"].endswith(digest))
    return _RECREATE_SECONDS if ends else None  # it goes on once the last old pod is gone


def _tell(cluster: SimulatedCluster, deployment: Object, digest: str) -> None:
    spec, sets = deployment["spec"], cluster.owned(deployment, "ReplicaSet")
    total = {f: sum(s.get("status", {}).get(f, 0) for s in sets) for f in COUNTS}
    updated = sum(s.get("status", {}).get("replicas", 0) for s in sets if s["metadata"]["name"].endswith(digest))
    desired, (_, unavailable) = spec.get("replicas", 1), _limits(spec)
    done = updated == total["replicas"] == total["availableReplicas"] == desired
    cluster.set_status(
        deployment,
        observedGeneration=deployment["metadata"]["generation"],
        **total,
        updatedReplicas=updated,
        unavailableReplicas=max(0, max(desired, total["replicas"]) - total["availableReplicas"]),
        conditions=[
            condition("Available", total["availableReplicas"] >= desired - unavailable, "MinimumReplicasAvailable"),
            condition("Progressing", True, "NewReplicaSetAvailable" if done else "ReplicaSetUpdated"),
        ],
    )


def _roll(cluster: SimulatedCluster, spec: Object, new: Object, old: list[Object]) -> None:
    """One step: raise the new ReplicaSet within the surge, lower the old ones as far as availability allows."""
    desired, (surge, unavailable) = spec.get("replicas", 1), _limits(spec)
    if spec.get("strategy", {}).get("type") == "Recreate":
        for obsolete in old:
            _scale(cluster, obsolete, 0)
        _scale(cluster, new, 0 if any(cluster.owned(s, "Pod") for s in old) else desired)
        return
    old = [s for s in old if s["spec"]["replicas"]]
    total = sum(s["spec"]["replicas"] for s in (new, *old))
    present = new["spec"]["replicas"]
    raised = min(desired, present + max(0, desired + surge - total))
    new = _scale(cluster, new, raised)
    waiting = raised - min(raised, new.get("status", {}).get("availableReplicas", 0))
    droppable = total - present + raised - (desired - unavailable) - waiting
    for obsolete in sorted(old, key=lambda s: s.get("status", {}).get("availableReplicas", 0)):
        drop = max(0, min(droppable, obsolete["spec"]["replicas"]))
        _scale(cluster, obsolete, obsolete["spec"]["replicas"] - drop)
        droppable -= drop


def _limits(spec: Object) -> tuple[int, int]:
    """maxSurge and maxUnavailable in pods; not both are zero."""
    rolling, desired = spec.get("strategy", {}).get("rollingUpdate", {}), spec.get("replicas", 1)
    surge = share(rolling.get("maxSurge", "25%"), desired, math.ceil)
    unavailable = share(rolling.get("maxUnavailable", "25%"), desired, math.floor)
    return surge, unavailable or (0 if surge else 1)


def _scale(cluster: SimulatedCluster, replica_set: Object, replicas: int) -> Object:
    return cluster.update({**replica_set, "spec": {**replica_set["spec"], "replicas": replicas}})
