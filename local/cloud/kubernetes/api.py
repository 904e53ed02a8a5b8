"""The Kubernetes API of every cluster under /k8s/{cluster}: generic verbs over whatever kinds the cluster serves.

Rules:
- A cluster that is stopped or gone doesn't answer at all.
- A bearer token for AKS's server application or 401; where the cluster's mode is RBAC, a role or 403.
- Errors are Status objects of type application/json. Bodies are JSON, also where YAML would be allowed.
- Reads are never older than the last write.
- Admission policies judge writes, dry runs of them, and what is reached through a pod's proxy.
"""

from collections.abc import Callable, Mapping

from local.cloud.entra import Entra
from local.cloud.kubernetes.admission import Write, require_admitted
from local.cloud.kubernetes.authorization import REVIEWS, authorize, reviewed
from local.cloud.kubernetes.cluster import SimulatedCluster
from local.cloud.kubernetes.errors import StatusError, require_same
from local.cloud.kubernetes.lists import listed
from local.cloud.kubernetes.replies import refusal, reply, success
from local.cloud.kubernetes.subresources import evicted, proxied
from local.cloud.kubernetes.targets import RequestTarget, is_apply, is_dry, is_watch, parsed, target_of
from local.cloud.kubernetes.watches import watch
from local.cloud.kubernetes.writes import applied, created, patched, replaced
from local.cloud.wire import CloudRequest, NoAnswer, Reply, Route, Wire

AUDIENCE = "6dae42f8-4368-4678-94ff-3960e28e3630"  # AKS's server application, the same in every tenant
_VERSION = {"major": "1", "minor": "34", "gitVersion": "v1.34.4", "platform": "linux/amd64"}


class KubernetesWire:
    """Answers the API calls of all clusters, by name."""

    def __init__(self, wire: Wire, entra: Entra, clusters: Mapping[str, SimulatedCluster]) -> None:
        self._entra, self._clusters = entra, clusters
        verbs = {"GET": _get, "POST": _post, "PUT": _put, "PATCH": _patch, "DELETE": _delete}
        wire.mount(
            [Route(method, "/k8s/{cluster}/{tail:path}", self._serve(verb)) for method, verb in verbs.items()],
            guard=self._guard,
        )

    def _guard(self, call: CloudRequest) -> Reply | None:
        if call.params["cluster"] not in self._clusters:
            raise NoAnswer
        return None if self._user(call) else refusal(StatusError(401, "Unauthorized", "Unauthorized"))

    def _user(self, call: CloudRequest) -> str:
        """The caller's object id, empty without a valid token."""
        caller = self._entra.caller(call, audience=AUDIENCE)
        return caller.object_id if caller else ""

    def _serve(self, verb: Callable[[RequestTarget, CloudRequest], Reply]) -> Callable[[CloudRequest], Reply]:
        def serve(call: CloudRequest) -> Reply:
            cluster, path = self._clusters[call.params["cluster"]], call.params["tail"]
            try:
                if path == "version":
                    return reply(dict(_VERSION))
                if path == REVIEWS:
                    return reply(reviewed(cluster, parsed(call), self._user(call)), 201)
                target = target_of(cluster, path, self._user(call))
                if cluster.authorization_mode == "RBAC":
                    authorize(target, call)
                return verb(target, call)
            except StatusError as error:
                return refusal(error)

        return serve


def _get(target: RequestTarget, call: CloudRequest) -> Reply:
    if target.below.startswith("proxy"):
        return proxied(target)
    if target.name:
        return reply(target.shown(target.found()))
    return watch(target, call.query) if is_watch(call) else reply(listed(target, call.query))


def _post(target: RequestTarget, call: CloudRequest) -> Reply:
    if target.below == "eviction":
        return evicted(target, call)
    return reply(target.shown(created(target, call)), 201)


def _put(target: RequestTarget, call: CloudRequest) -> Reply:
    return reply(target.shown(replaced(target, call)))


def _patch(target: RequestTarget, call: CloudRequest) -> Reply:
    if not is_apply(call):
        return reply(target.shown(patched(target, call)))
    status = 200 if target.find() else 201
    return reply(target.shown(applied(target, call)), status)


def _delete(target: RequestTarget, call: CloudRequest) -> Reply:
    options = call.body or {}
    policy = call.query.get("propagationPolicy") or options.get("propagationPolicy") or "Background"
    deleted = [target.found()] if target.name else target.selected(call.query)
    for obj in deleted:
        require_same(obj, options.get("preconditions") or {})
        require_admitted(target.cluster, Write(target.user, "DELETE", target.kind, None, obj, is_dry(call)))
    if is_dry(call):
        return success(target.kind, target.name)
    for obj in deleted:
        meta = obj["metadata"]
        left = target.cluster.delete(target.kind.full_name, meta.get("namespace", ""), meta["name"], propagation=policy)
    if target.name and "deletionTimestamp" in left["metadata"]:
        return reply(target.shown(left))
    return success(target.kind, target.name)
