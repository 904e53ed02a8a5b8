"""What lies below a pod: its eviction, and the way through the API server to its ports."""

from local.cloud.kubernetes.admission import Write, require_admitted
from local.cloud.kubernetes.disruption import evict
from local.cloud.kubernetes.errors import StatusError, not_found
from local.cloud.kubernetes.replies import success
from local.cloud.kubernetes.targets import RequestTarget, is_dry
from local.cloud.wire import CloudRequest, Reply


def evicted(target: RequestTarget, call: CloudRequest) -> Reply:
    evict(target.cluster, target.found(), dry_run=is_dry(call))
    return success(target.kind, target.name, 201)


def proxied(target: RequestTarget) -> Reply:
    """GET pods/{name}:{port}/proxy/metrics, answered by what runs in the pod."""
    options = {"metadata": {"name": target.name, "namespace": target.namespace}, "path": target.below[len("proxy") :]}
    require_admitted(target.cluster, Write(target.user, "CONNECT", target.kind, options, None, below="proxy"))
    name, _, port = target.name.partition(":")
    pod = target.cluster.find("Pod", target.namespace or "", name)
    if pod is None:
        raise not_found(target.kind, name)
    mesh = target.cluster.mesh
    text = mesh.metrics(pod, int(port or 80)) if mesh and target.below == "proxy/metrics" else None
    if text is None:
        raise StatusError(503, "ServiceUnavailable", "error trying to reach service: connect: connection refused")
    return Reply(content=text.encode(), headers={"Content-Type": "text/plain; version=0.0.4"})
