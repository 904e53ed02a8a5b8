"""Events, as client-go's recorder writes them."""

import uuid

from local.cloud.kubernetes.cluster import SimulatedCluster
from local.cloud.kubernetes.objects import Object


def record(
    cluster: SimulatedCluster, about: Object, *, type: str, reason: str, message: str, source: str, reporter: str
) -> None:
    """Record an Event about an object; one that the same reporter repeats is counted up instead."""
    meta = about["metadata"]
    namespace = meta.get("namespace", "default")
    name = f"{meta['name']}.{uuid.uuid5(uuid.NAMESPACE_OID, f'{reporter}{reason}{message}').hex[:16]}"
    found = cluster.find("Event", namespace, name)
    if found:
        cluster.update({**found, "count": found["count"] + 1, "lastTimestamp": cluster.now()})
        return
    cluster.create(
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
            "firstTimestamp": cluster.now(),
            "lastTimestamp": cluster.now(),
        }
    )
