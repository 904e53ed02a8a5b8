"""StatefulSets: pods with names and claims of their own, updated from the highest ordinal, one at a time."""

from local.cloud.kubernetes.cluster import SimulatedCluster
from local.cloud.kubernetes.controllers.pods import active_pods, new_pod, revision_of, template_hash
from local.cloud.kubernetes.controllers.status import count
from local.cloud.kubernetes.objects import Object, is_ready


def reconcile(cluster: SimulatedCluster, stateful_set: Object) -> None:
    spec, meta = stateful_set["spec"], stateful_set["metadata"]
    revision = f"{meta['name']}-{template_hash(spec['template'])}"
    try:
        _step(cluster, stateful_set, revision)
    finally:
        pods = active_pods(cluster, stateful_set)
        updated = sum(revision_of(p) == revision for p in pods)
        done = updated == len(pods) == spec.get("replicas", 1) and all(map(is_ready, pods))
        current = revision if done else stateful_set.get("status", {}).get("currentRevision", revision)
        count(
            cluster,
            stateful_set,
            pods,
            updatedReplicas=updated,
            currentReplicas=sum(revision_of(p) == current for p in pods),
            currentRevision=current,
            updateRevision=revision,
        )


def _step(cluster: SimulatedCluster, stateful_set: Object, revision: str) -> None:
    """The first thing that is due: create in order, shrink from the end, replace from the end."""
    spec, meta = stateful_set["spec"], stateful_set["metadata"]
    desired = [f"{meta['name']}-{n}" for n in range(spec.get("replicas", 1))]
    pods = {p["metadata"]["name"]: p for p in cluster.owned(stateful_set, "Pod")}
    ordered = spec.get("podManagementPolicy") != "Parallel"
    for name in desired:
        if name not in pods:
            volumes = [*spec["template"]["spec"].get("volumes", ()), *_claim(cluster, stateful_set, name)]
            pod = new_pod(stateful_set, spec["template"], name=name, revision=revision)
            cluster.create({**pod, "spec": {**pod["spec"], "volumes": volumes}} if volumes else pod)
        if ordered and not (name in pods and is_ready(pods[name])):
            return
    for name in sorted(pods.keys() - set(desired), key=_ordinal, reverse=True)[:1]:
        cluster.delete("Pod", meta["namespace"], name)
        return
    if spec.get("updateStrategy", {}).get("type") != "OnDelete":
        for name in reversed(desired):
            if not is_ready(pods[name]):
                return
            if revision_of(pods[name]) != revision:
                cluster.delete("Pod", meta["namespace"], name)
                return


def _claim(cluster: SimulatedCluster, stateful_set: Object, pod_name: str) -> list[Object]:
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
