"""Linkerd's objects, as the API server sends them, read as facts.

Rules (Linkerd docs and sources):
- With native sidecars the proxy is an init container; elsewhere it stands among the containers.
- An injected proxy's roots stand in its environment; a proxy of the control plane refers to the bundle's ConfigMap.
- A Deployment's ReplicaSet is named after it and its template's hash, which its pods carry as a label.
- Kinds of other groups may have the names of Kubernetes' own (OpenKruise's StatefulSet): kind and group say what it is.
- A Rollout (Argo Rollouts docs) replaces all pods that are older than its `restartAt`, whatever its strategy, and then
  says so by `restartedAt`. Its template may be that of another object.
- Pods that have ended don't count; pods that are about to end do, until they are gone.
- The metric that says when a proxy got its leaf has another name in some releases. 2.14 has none, so there the moment
  follows from when the leaf expires. A leaf that expires early, because its issuer does, then looks older than it is.
"""

import math
import re
from datetime import UTC, datetime, timedelta

from shared.adapters.kubernetes.bounds import document
from shared.adapters.kubernetes.errors import OutOfBounds
from shared.adapters.kubernetes.kinds import DAEMON_SET, DEPLOYMENT, ROLLOUT, STATEFUL_SET, Kind, Object, kind_of
from shared.domain.times import time_in
from shared.domain.trust.certificates import fingerprints
from shared.domain.trust.linkerd.facts import IdentityPod, MeshConfig, Proxy, Workload

KINDS: dict[str, Kind] = {kind.called: kind for kind in (DEPLOYMENT, ROLLOUT, DAEMON_SET, STATEFUL_SET)}
RESTARTED = "kubectl.kubernetes.io/restartedAt"
_PROXY, _ANCHORS = "linkerd-proxy", "LINKERD2_PROXY_IDENTITY_TRUST_ANCHORS"
_REFRESHED = ("control_identity_cert_refresh_timestamp_seconds", "identity_cert_refresh_timestamp_seconds")
_TRUSTS, _STARTED = "meshward/trusts", "meshward/started-at"
_EXPIRES = "identity_cert_expiration_timestamp_seconds"
_VALUES = "the ConfigMap linkerd-config"
_LONGEST, _LONGEST_TEXT = timedelta(days=366), 40  # of a duration
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}


def config(values: str) -> MeshConfig:
    """The chart's values as `linkerd-config` keeps them (YAML); raises OutOfBounds for what isn't such values."""
    found = _mapping(document(values, _VALUES))
    identity = _mapping(found.get("identity"))
    issuer = _mapping(identity.get("issuer"))
    return MeshConfig(
        version=str(found.get("linkerdVersion") or ""),
        external_ca=bool(identity.get("externalCA")),
        issuer_scheme=str(issuer.get("scheme", "")),
        trust_domain=str(found.get("identityTrustDomain") or found.get("clusterDomain") or ""),
        leaf_lifetime=_duration(issuer.get("issuanceLifetime") or "24h0m0s")
        + _duration(issuer.get("clockSkewAllowance") or "20s"),
    )


def _mapping(found: object) -> Object:
    if found is not None and not isinstance(found, dict):
        raise OutOfBounds(f"{_VALUES} has a text or a list where a mapping has to be")
    return found or {}


def _duration(text: object) -> timedelta:
    """Go's way to write one: 24h0m0s."""
    parts = re.findall(r"(\d{1,9}(?:\.\d{1,9})?)(h|ms|m|s)", str(text)[:_LONGEST_TEXT], re.ASCII)
    found = timedelta(seconds=sum(float(number) * _UNITS[unit] for number, unit in parts))
    if found > _LONGEST:
        raise OutOfBounds(f"{_VALUES} has a duration of more than {_LONGEST.days} days")
    return found


def annotation(found: Object, name: str) -> str:
    """An annotation's text, empty if there is none."""
    return str((found["metadata"].get("annotations") or {}).get(name, ""))


def moment_in(found: Object, name: str) -> datetime | None:
    """The moment that an annotation holds."""
    return time_in(annotation(found, name))


def has_live_proxy(pod: Object) -> bool:
    """Whether the pod is meshed and hasn't ended."""
    return is_live(pod) and _proxy_container(pod["spec"]) is not None


def is_live(pod: Object) -> bool:
    """Whether the pod hasn't ended."""
    return pod.get("status", {}).get("phase") not in ("Succeeded", "Failed")


def _proxy_container(spec: Object) -> Object | None:
    containers = [*spec.get("containers", []), *spec.get("initContainers", [])]
    return next((c for c in containers if c["name"] == _PROXY), None)


def proxy(pod: Object, owners: dict[tuple[str, str], tuple[str, str]]) -> Proxy:
    """A meshed pod's proxy; `owners` has what controls each ReplicaSet, by namespace and name."""
    container, metadata = _proxy_container(pod["spec"]) or {}, pod["metadata"]
    namespace = metadata["namespace"]
    kind, name = _deployment(pod) or controller(pod)
    if kind == "ReplicaSet":
        kind, name = owners.get((namespace, name), ("", ""))
    anchors: Object = next((e for e in container.get("env", []) if e["name"] == _ANCHORS), {})
    return Proxy(
        pod=metadata["name"],
        namespace=namespace,
        workload=f"{kind}/{namespace}/{name}" if kind in KINDS else "",
        controller=kind,
        created_at=datetime.fromisoformat(metadata["creationTimestamp"]),
        started_at=_started_at(pod),
        ending="deletionTimestamp" in metadata,
        roots=None if "valueFrom" in anchors else fingerprints(anchors.get("value", "")),
    )


def needs_owner(pod: Object) -> bool:
    """Whether only the pod's ReplicaSet knows what the pod belongs to."""
    return controller(pod)[0] == "ReplicaSet" and not _deployment(pod)


def _deployment(pod: Object) -> tuple[str, str] | None:
    (kind, name), hash = controller(pod), (pod["metadata"].get("labels") or {}).get("pod-template-hash", "")
    if kind != "ReplicaSet" or not hash or not name.endswith(f"-{hash}"):
        return None
    return "Deployment", name.removesuffix(f"-{hash}")


def machine(found: Object) -> Proxy:
    """The proxy of a machine outside (ExternalWorkload): Meshward can't see it, so its annotations say how it is."""
    metadata = found["metadata"]
    roots = frozenset(part.strip().lower() for part in annotation(found, _TRUSTS).split(",") if part.strip())
    return Proxy(
        pod=metadata["name"],
        namespace=metadata["namespace"],
        workload="",
        controller="ExternalWorkload",
        created_at=datetime.fromisoformat(metadata["creationTimestamp"]),
        started_at=moment_in(found, _STARTED),
        roots=roots,
    )


def controller(found: Object) -> tuple[str, str]:
    """Kind, with its group if that isn't Kubernetes' own, and name of what controls the object."""
    owners = [o for o in found["metadata"].get("ownerReferences") or [] if o.get("controller")]
    return next(((kind_of(o), o["name"]) for o in owners), ("", ""))


def _started_at(pod: Object) -> datetime | None:
    status = pod.get("status", {})
    statuses = [*status.get("containerStatuses", []), *status.get("initContainerStatuses", [])]
    running = next((s.get("state", {}).get("running") for s in statuses if s["name"] == _PROXY), None)
    return datetime.fromisoformat(running["startedAt"]) if running else None


def workload(kind: Kind, found: Object) -> Workload:
    """A workload of one of the kinds that can be restarted."""
    metadata, spec = found["metadata"], found["spec"]
    replaced, ready = _progress(kind, found)
    conditions = (found.get("status") or {}).get("conditions") or []
    return Workload(
        kind=kind.called,
        namespace=metadata["namespace"],
        name=metadata["name"],
        replicas=_replicas(kind, found),
        resource_version=metadata["resourceVersion"],
        rolling=not (replaced and ready),
        replaced=replaced,
        stuck=any(c.get("reason") == "ProgressDeadlineExceeded" for c in conditions),
        obstacle=_obstacle(kind, spec),
        restarted_at=_restarted_at(kind, spec),
    )


def _restarted_at(kind: Kind, spec: Object) -> datetime | None:
    """When a restart was last asked for."""
    annotations = (_template(spec).get("metadata") or {}).get("annotations") or {}
    return time_in(str((spec.get("restartAt") if kind is ROLLOUT else annotations.get(RESTARTED)) or ""))


def restart(kind: Kind, now: datetime) -> Object:
    """What asks for a restart, in the spec, as `kubectl rollout restart` or `kubectl argo rollouts restart` does."""
    moment = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    return (
        {"restartAt": moment} if kind is ROLLOUT else {"template": {"metadata": {"annotations": {RESTARTED: moment}}}}
    )


def _template(spec: Object) -> Object:
    """Of the pods; empty where another object has it."""
    return spec.get("template") or {}


def _obstacle(kind: Kind, spec: Object) -> str:
    """Why a restart wouldn't replace the pods, and what to do; empty if it would."""
    strategy = spec.get("updateStrategy") or {}
    environment = (_proxy_container(_template(spec).get("spec") or {}) or {}).get("env", [])
    if any(e["name"] == _ANCHORS and "value" in e for e in environment):
        return "injected by hand, inject its template again"
    if spec.get("paused"):
        return f"its {kind.kind} is paused, resume it"
    if strategy.get("type") == "OnDelete" or (strategy.get("rollingUpdate") or {}).get("partition"):
        return f"its {kind.kind} doesn't replace it, delete the pod"
    return ""


def _replicas(kind: Kind, found: Object) -> int:
    if kind is DAEMON_SET:
        return int((found.get("status") or {}).get("desiredNumberScheduled", 0))
    return int(found["spec"].get("replicas", 1))


def _progress(kind: Kind, found: Object) -> tuple[bool, bool]:
    """Whether every pod is of the newest template, and whether all of those are ready."""
    status, desired = found.get("status") or {}, _replicas(kind, found)
    if kind is ROLLOUT:
        return _is_restarted(found["spec"], status), status.get("availableReplicas", 0) >= desired
    if status.get("observedGeneration", 0) < found["metadata"].get("generation", 0):
        return False, False
    if kind is DAEMON_SET:
        return status.get("updatedNumberScheduled", 0) >= desired, status.get("numberAvailable", 0) >= desired
    present, updated = status.get("replicas", 0), status.get("updatedReplicas", 0)
    if kind is STATEFUL_SET and status.get("currentRevision") == status.get("updateRevision"):
        updated = present
    ready = status.get("availableReplicas" if kind is DEPLOYMENT else "readyReplicas", 0)
    return desired <= updated and present <= updated, ready >= desired


def _is_restarted(spec: Object, status: Object) -> bool:
    """Whether a Rollout has replaced what it was last asked to."""
    asked, done = time_in(str(spec.get("restartAt") or "")), time_in(str(status.get("restartedAt") or ""))
    return asked is None or (done is not None and done >= asked)


def identity_pod(pod: Object, values: dict[str, float] | None, now: datetime) -> IdentityPod:
    """An identity pod with the metrics that it gave at `now`; None: they couldn't be read."""
    ttl = (values or {}).get("issuer_cert_ttl_seconds")
    conditions = pod.get("status", {}).get("conditions", [])
    return IdentityPod(
        pod=f"{pod['metadata']['namespace']}/{pod['metadata']['name']}",
        created_at=datetime.fromisoformat(pod["metadata"]["creationTimestamp"]),
        ready=any(c["type"] == "Ready" and c["status"] == "True" for c in conditions),
        issuer_expires_at=None if ttl is None else _moment(now.timestamp() + ttl),
        readable=values is not None,
    )


def leaf_refreshed_at(values: dict[str, float], lifetime: timedelta | None = None) -> datetime | None:
    """When a proxy last got a leaf, None if its metrics don't say; `lifetime` helps if they say only its end."""
    seconds = next((values[name] for name in _REFRESHED if name in values), None)
    if seconds is None and lifetime and values.get(_EXPIRES):
        seconds = values[_EXPIRES] - lifetime.total_seconds()
    return None if seconds is None else _moment(seconds)


def _moment(seconds: float) -> datetime | None:
    """The moment that a pod tells; None for one that no calendar has."""
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OSError, OverflowError, ValueError):
        return None


def samples(text: str) -> dict[str, float]:
    """Prometheus' text format, without labels: the last sample of each name. What is no finite number is no sample."""
    lines = (line.split() for line in text.splitlines() if line and not line.startswith("#"))
    found = ((line[0].split("{")[0], _number(line[-1])) for line in lines if len(line) >= 2)
    return {name: value for name, value in found if value is not None}


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
