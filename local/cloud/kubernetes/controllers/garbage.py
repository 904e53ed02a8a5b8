"""Garbage collection: what names a vanished owner goes too."""

from local.cloud.kubernetes.cluster import SimulatedCluster
from local.cloud.kubernetes.objects import Object


def collect(cluster: SimulatedCluster, owner: Object) -> None:
    for kind in (k for k in cluster.kinds() if k.namespaced):
        for obj in cluster.owned(owner, kind.full_name):
            meta = obj["metadata"]
            cluster.delete(kind.full_name, meta["namespace"], meta["name"])
