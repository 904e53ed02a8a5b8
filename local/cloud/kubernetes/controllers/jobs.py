"""Jobs: pods that run to their end, tried again after a growing pause."""

from datetime import datetime

from local.cloud.kubernetes.cluster import SimulatedCluster
from local.cloud.kubernetes.controllers.pods import active_pods, new_pod
from local.cloud.kubernetes.controllers.status import condition
from local.cloud.kubernetes.objects import Object

_BACKOFF_SECONDS, _BACKOFF_LIMIT = 10.0, 6


def reconcile(cluster: SimulatedCluster, job: Object) -> float | None:
    spec, status = job["spec"], job.get("status", {})
    if status.get("conditions"):
        return None
    pods, active = cluster.owned(job, "Pod"), len(active_pods(cluster, job))
    succeeded, failed = (sum(p["status"]["phase"] == phase for p in pods) for phase in ("Succeeded", "Failed"))
    counts = {"succeeded": succeeded, "failed": failed, "startTime": status.get("startTime", cluster.now())}
    if failed > spec.get("backoffLimit", _BACKOFF_LIMIT):
        over = [condition("Failed", True, "BackoffLimitExceeded")]
        cluster.set_status(job, active=active, **counts, conditions=over)
        return None
    pause = max(map(_ended_at, pods), default=0.0) + _BACKOFF_SECONDS * 2.0 ** (failed - 1) - cluster.clock.time()
    if failed and pause > 0:
        cluster.set_status(job, active=active, **counts)
        return float(pause)
    desired = spec.get("completions", 1)
    for _ in range(min(spec.get("parallelism", 1), desired - succeeded) - active):
        cluster.create(new_pod(job, _labelled(job), generated=True))
        active += 1
    ended = {"completionTime": cluster.now(), "conditions": [condition("Complete", True, "CompletionsReached")]}
    cluster.set_status(job, active=active, **counts, **(ended if succeeded >= desired else {}))
    return None


def _labelled(job: Object) -> Object:
    """The template of the job's pods, with the label that ties them to it."""
    template, meta = job["spec"]["template"], job["spec"]["template"].get("metadata", {})
    labels = {**meta.get("labels", {}), "batch.kubernetes.io/job-name": job["metadata"]["name"]}
    return {**template, "metadata": {**meta, "labels": labels}}


def _ended_at(pod: Object) -> float:
    """When a failed pod's last container ended (Unix time)."""
    states = [s["state"].get("terminated", {}) for s in pod["status"].get("containerStatuses", ())]
    failed = pod["status"]["phase"] == "Failed"
    return max((datetime.fromisoformat(s["finishedAt"]).timestamp() for s in states if failed and s), default=0.0)
