"""Namespaces: what each holds from its start, and their end, when all that they hold is gone."""

from local.cloud.kubernetes.cluster import SimulatedCluster
from local.cloud.kubernetes.objects import Object

_LOOK_AGAIN_SECONDS = 5.0


def reconcile(cluster: SimulatedCluster, namespace: Object) -> float | None:
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
        for obj in cluster.objects(kind.full_name, name):
            cluster.delete(kind.full_name, name, obj["metadata"]["name"])
    left = any(cluster.objects(k.full_name, name) for k in cluster.kinds() if k.namespaced)
    if left or namespace["metadata"].get("finalizers"):
        return _LOOK_AGAIN_SECONDS
    cluster.remove(namespace)
    return None
