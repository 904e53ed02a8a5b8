"""Events: they expire."""

from local.cloud.kubernetes.cluster import SimulatedCluster
from local.cloud.kubernetes.objects import Object

_KEPT_SECONDS = 3_600.0  # the API server forgets events after an hour


def reconcile(cluster: SimulatedCluster, event: Object) -> None:
    version = event["metadata"]["resourceVersion"]

    def forget() -> None:
        found = cluster.current(event)
        if found and found["metadata"]["resourceVersion"] == version:
            cluster.remove(found)

    cluster.clock.after(_KEPT_SECONDS, forget)
