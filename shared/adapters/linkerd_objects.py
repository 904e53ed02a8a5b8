"""Linkerd's objects, as the API server sends them, read as facts.

Rules (Linkerd docs):
- With native sidecars the proxy is an init container; elsewhere it stands among the containers.
- An injected proxy's roots stand in its environment; a proxy of the control plane refers to the bundle's ConfigMap.
- Pods that have ended don't count; pods that are about to end do, until they are gone.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from shared.adapters.kubernetes import DAEMON_SET, DEPLOYMENT, FIELD_MANAGER, STATEFUL_SET, Kind, Object
from shared.domain.trust_certificates import fingerprints
from shared.domain.trust_facts import MeshConfig, Proxy, Replica, Workload

KINDS: dict[str, Kind] = {kind.kind: kind for kind in (DEPLOYMENT, DAEMON_SET, STATEFUL_SET)}
RESTARTED = "kubectl.kubernetes.io/restartedAt"
_PROXY, _ANCHORS = "linkerd-proxy", "LINKERD2_PROXY_IDENTITY_TRUST_ANCHORS"
_REFRESHED = ("control_identity_cert_refresh_timestamp_seconds", "identity_cert_refresh_timestamp_seconds")


def config(values: str) -> MeshConfig:
    """The chart's values as `linkerd-config` keeps them (YAML)."""
    import yaml  # type: ignore[import-untyped]

    found = yaml.safe_load(values)
    identity = found.get("identity") or {}
    return MeshConfig(
        external_ca=bool(identity.get("externalCA")),
        scheme=str((identity.get("issuer") or {}).get("scheme", "")),
        trust_domain=str(found.get("identityTrustDomain") or found.get("clusterDomain") or ""),
    )


def moment_in(found: Object, name: str) -> datetime | None:
    """The moment that an annotation holds."""
    text = (found["metadata"].get("annotations") or {}).get(name)
    return _parsed(text) if text else None


def _parsed(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def owner(found: Object, *path: str) -> str:
    """Which other tool holds the field; people's kubectl doesn't count, as it doesn't come back by itself."""
    for entry in found["metadata"].get("managedFields") or []:
        fields: Any = entry.get("fieldsV1") or {}
        for step in path:
            fields = fields.get(step) if isinstance(fields, dict) else None
        manager = str(entry.get("manager", ""))
        if fields is not None and manager != FIELD_MANAGER and not manager.startswith("kubectl"):
            return manager
    return ""


def has_live_proxy(pod: Object) -> bool:
    """Whether the pod is meshed and hasn't ended."""
    return lives(pod) and _proxy_container(pod["spec"]) is not None


def lives(pod: Object) -> bool:
    """Whether the pod hasn't ended."""
    return pod.get("status", {}).get("phase") not in ("Succeeded", "Failed")


def _proxy_container(spec: Object) -> Object | None:
    containers = [*spec.get("containers", []), *spec.get("initContainers", [])]
    return next((c for c in containers if c["name"] == _PROXY), None)


def proxy(pod: Object, owners: dict[tuple[str, str], tuple[str, str]]) -> Proxy:
    """A meshed pod's proxy; `owners` has what controls each ReplicaSet, by namespace and name."""
    container, metadata = _proxy_container(pod["spec"]) or {}, pod["metadata"]
    namespace = metadata["namespace"]
    kind, name = controller(pod)
    if kind == "ReplicaSet":
        kind, name = owners.get((namespace, name), ("", ""))
    anchors: Object = next((e for e in container.get("env", []) if e["name"] == _ANCHORS), {})
    return Proxy(
        pod=metadata["name"],
        namespace=namespace,
        workload=f"{kind}/{namespace}/{name}" if kind in KINDS else "",
        created=_time(metadata["creationTimestamp"]),
        started=_started(pod),
        roots=None if "valueFrom" in anchors else fingerprints(anchors.get("value", "")),
    )


def controller(found: Object) -> tuple[str, str]:
    """Kind and name of what controls the object."""
    owners = found["metadata"].get("ownerReferences") or []
    return next(((o["kind"], o["name"]) for o in owners if o.get("controller")), ("", ""))


def _started(pod: Object) -> datetime | None:
    status = pod.get("status", {})
    statuses = [*status.get("containerStatuses", []), *status.get("initContainerStatuses", [])]
    running = next((s.get("state", {}).get("running") for s in statuses if s["name"] == _PROXY), None)
    return _time(running["startedAt"]) if running else None


def workload(kind: Kind, found: Object) -> Workload:
    """A Deployment, DaemonSet or StatefulSet."""
    metadata, spec = found["metadata"], found["spec"]
    template = spec["template"]
    strategy = (spec.get("updateStrategy") or {}).get("type", "")
    restarted = ((template.get("metadata") or {}).get("annotations") or {}).get(RESTARTED)
    return Workload(
        kind=kind.kind,
        namespace=metadata["namespace"],
        name=metadata["name"],
        resource_version=metadata["resourceVersion"],
        rolling=_rolling(kind, found),
        fixed=_manual(template["spec"]) or strategy == "OnDelete" or bool(spec.get("paused")),
        restarted=_parsed(restarted) if restarted else None,
    )


def _manual(spec: Object) -> bool:
    """Whether the template itself has a proxy with roots in it, as `linkerd inject --manual` makes them."""
    environment = (_proxy_container(spec) or {}).get("env", [])
    return any(e["name"] == _ANCHORS and "value" in e for e in environment)


def _rolling(kind: Kind, found: Object) -> bool:
    status, wanted = found.get("status") or {}, found["spec"].get("replicas", 1)
    if status.get("observedGeneration", 0) < found["metadata"].get("generation", 0):
        return True
    if kind is DAEMON_SET:
        wanted = status.get("desiredNumberScheduled", 0)
        return bool(min(status.get("updatedNumberScheduled", 0), status.get("numberAvailable", 0)) < wanted)
    present, updated = status.get("replicas", 0), status.get("updatedReplicas", 0)
    if kind is STATEFUL_SET and status.get("currentRevision") == status.get("updateRevision"):
        updated = present
    ready = status.get("availableReplicas" if kind is DEPLOYMENT else "readyReplicas", 0)
    return bool(min(updated, ready) < wanted or present > updated)


def replica(pod: Object, values: dict[str, float], now: datetime) -> Replica:
    """An identity pod with the metrics that it gave at `now`."""
    ttl = values.get("issuer_cert_ttl_seconds")
    conditions = pod.get("status", {}).get("conditions", [])
    return Replica(
        pod=f"{pod['metadata']['namespace']}/{pod['metadata']['name']}",
        created=_time(pod["metadata"]["creationTimestamp"]),
        ready=any(c["type"] == "Ready" and c["status"] == "True" for c in conditions),
        expires=None if ttl is None else now + timedelta(seconds=ttl),
    )


def refreshed(values: dict[str, float]) -> datetime | None:
    """When a proxy last got a leaf, None if its metrics don't say."""
    seconds = next((values[name] for name in _REFRESHED if name in values), None)
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def samples(text: str) -> dict[str, float]:
    """Prometheus' text format, without labels: the last sample of each name."""
    lines = (line.split() for line in text.splitlines() if line and not line.startswith("#"))
    return {line[0].split("{")[0]: float(line[-1]) for line in lines if len(line) >= 2}


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
