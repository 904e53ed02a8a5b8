"""Rollouts of Argo Rollouts, as far as a restart goes (its docs and sources).

Rules:
- Pods that are older than `restartAt` are deleted one by one, each once all others are available and none is ending.
- Then `restartedAt` says so. The template stays, and so does the ReplicaSet. `observedGeneration` is a text.
"""

from datetime import datetime

from local.cloud.kubernetes.cluster import SimulatedCluster
from local.cloud.kubernetes.controllers.pods import template_hash
from local.cloud.kubernetes.controllers.replica_sets import replica_set_of
from local.cloud.kubernetes.controllers.status import COUNTS
from local.cloud.kubernetes.objects import Object

HASH = "rollouts-pod-template-hash"
_LOOK_SECONDS = 1.0


def reconcile(cluster: SimulatedCluster, rollout: Object) -> float | None:
    digest = template_hash(rollout["spec"]["template"])
    asked, desired = rollout["spec"].get("restartAt"), rollout["spec"].get("replicas", 1)
    sets = [s for s in cluster.owned(rollout, "ReplicaSet") if s["metadata"]["labels"][HASH] == digest]
    replica_set = sets[0] if sets else cluster.create(replica_set_of(rollout, HASH, digest, desired))
    pods = cluster.owned(replica_set, "Pod")
    old = [p for p in pods if asked and _moment(p["metadata"]["creationTimestamp"]) < _moment(asked)]
    available = replica_set.get("status", {}).get("availableReplicas", 0)
    if old and available == desired and not any("deletionTimestamp" in p["metadata"] for p in pods):
        cluster.delete("Pod", old[0]["metadata"]["namespace"], old[0]["metadata"]["name"])
    counts = {field: replica_set.get("status", {}).get(field, 0) for field in COUNTS}
    done = {"restartedAt": asked} if asked and pods and not old else {}
    told = {**counts, "updatedReplicas": counts["replicas"], **done}
    told["observedGeneration"] = str(rollout["metadata"]["generation"])
    if told.items() - rollout.get("status", {}).items():
        cluster.set_status(rollout, **told)
    return _LOOK_SECONDS if old else None


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
