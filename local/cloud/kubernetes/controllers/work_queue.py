"""Kubernetes' controllers on the virtual clock: workloads become pods, namespaces end, claims get bound.

Rules:
- A controller looks at the state a moment after a change, never at the change itself, and takes one step to the spec.
- A status is therefore late: `observedGeneration` says which spec it describes.
- Rolling updates follow the real ones; OnDelete strategies replace nothing.
"""

from collections.abc import Callable

from local.cloud.kubernetes.cluster import SimulatedCluster
from local.cloud.kubernetes.controllers import (
    cron_jobs,
    custom_resources,
    daemon_sets,
    deployments,
    events,
    jobs,
    namespaces,
    replica_sets,
    rollouts,
    stateful_sets,
    volume_claims,
)
from local.cloud.kubernetes.controllers.garbage import collect
from local.cloud.kubernetes.errors import StatusError
from local.cloud.kubernetes.objects import Object
from local.cloud.kubernetes.store import WatchEvent

type Key = tuple[str, str, str]  # kind with its group, namespace and name

_SYNC_SECONDS = 0.2
_RETRY_SECONDS = 5.0
_COLLECT_SECONDS = 1.0
_FIRST_LOOK = {
    "PersistentVolumeClaim.": 3.0,
    "Namespace.": 0.0,
    "CustomResourceDefinition.apiextensions.k8s.io": 0.0,
}
_RECONCILERS: dict[str, Callable[[SimulatedCluster, Object], float | None]] = {
    "Deployment.apps": deployments.reconcile,
    "ReplicaSet.apps": replica_sets.reconcile,
    "StatefulSet.apps": stateful_sets.reconcile,
    "DaemonSet.apps": daemon_sets.reconcile,
    "Job.batch": jobs.reconcile,
    "CronJob.batch": cron_jobs.reconcile,
    "Namespace.": namespaces.reconcile,
    "PersistentVolumeClaim.": volume_claims.reconcile,
    "CustomResourceDefinition.apiextensions.k8s.io": custom_resources.reconcile,
    "Event.": events.reconcile,
    "Rollout.argoproj.io": rollouts.reconcile,
}


class Controllers:
    """Calls the controller of a kind for every object that changed, or whose dependents did.

    A controller returns the seconds after which to call it again, or None.
    """

    def __init__(self, cluster: SimulatedCluster) -> None:
        self.cluster = cluster
        self._pending: set[Key] = set()
        cluster.listeners.append(self._changed)

    def _changed(self, change: WatchEvent) -> None:
        kind, meta = change.kind.full_name, change.object["metadata"]
        namespace = meta.get("namespace", "")
        if kind in _RECONCILERS:
            self._enqueue((kind, namespace, meta["name"]), _FIRST_LOOK.get(kind, _SYNC_SECONDS))
        for owner in meta.get("ownerReferences", ()):
            owning = f"{owner['kind']}.{owner['apiVersion'].rpartition('/')[0]}"
            if owning in _RECONCILERS:
                self._enqueue((owning, namespace, owner["name"]), _SYNC_SECONDS)
        if change.type == "DELETED" and kind not in ("Pod.", "Event."):
            self.cluster.clock.after(_COLLECT_SECONDS, lambda: collect(self.cluster, change.object))

    def _enqueue(self, key: Key, delay: float) -> None:
        if key not in self._pending:
            self._pending.add(key)
            self.cluster.clock.after(delay, lambda: self._reconcile(key))

    def _reconcile(self, key: Key) -> None:
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
