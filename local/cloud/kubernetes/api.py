"""The Kubernetes API of every cluster under /k8s/{cluster}: generic verbs over whatever kinds the cluster serves.

Rules:
- A cluster that is stopped or gone doesn't answer at all.
- A bearer token for AKS's server application or 401; where the cluster's mode is RBAC, a role or 403.
- Errors are Status objects of type application/json. Bodies are JSON, also where YAML would be allowed.
- Reads are never older than the last write; the pages of a list show the moment of the first. Items of built-in kinds
  leave their kind to the list.
- A watch ends after timeoutSeconds of virtual time, its bookmark comes two seconds before.
- A page that the cluster forgot is 410 Gone; a watch from a resourceVersion that it forgot is an ERROR that says so.
"""

import asyncio
import base64
import binascii
import json
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

from local.cloud.entra import Entra
from local.cloud.kubernetes.cluster import Cluster
from local.cloud.kubernetes.disruption import evict
from local.cloud.kubernetes.errors import StatusError, not_found
from local.cloud.kubernetes.fields import PatchFailed, claim_fields, json_patch, merge, strategic_merge
from local.cloud.kubernetes.kinds import Kind, details
from local.cloud.kubernetes.objects import Object
from local.cloud.kubernetes.rbac import forbidden
from local.cloud.kubernetes.selectors import matches
from local.cloud.kubernetes.store import Change
from local.cloud.wire import Call, NoAnswer, Reply, Route, Wire

AUDIENCE = "6dae42f8-4368-4678-94ff-3960e28e3630"  # AKS's server application, the same in every tenant
_REVIEWS = "apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
_WATCH_SECONDS = 1800.0
_BOOKMARK_SECONDS = 2.0
_VERBS = {"GET": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_VERSION = {"major": "1", "minor": "34", "gitVersion": "v1.34.4", "platform": "linux/amd64"}


@dataclass(frozen=True, kw_only=True)
class Target:
    """What a path points at: a collection, an object, or something below an object."""

    cluster: Cluster
    kind: Kind
    version: str
    namespace: str | None
    name: str
    below: str

    @property
    def kind_name(self) -> str:
        return self.kind.full_name

    def found(self) -> Object:
        return self.cluster.get(self.kind_name, self.namespace or "", self.name)

    def shown(self, obj: Object) -> Object:
        api = f"{self.kind.group}/{self.version}" if self.kind.group else self.version
        return {**obj, "apiVersion": api, "kind": self.kind.name}


class KubernetesWire:
    """Answers the API calls of all clusters."""

    def __init__(self, wire: Wire, entra: Entra, clusters: dict[str, Cluster]) -> None:
        self._entra, self._clusters = entra, clusters
        verbs: dict[str, Callable[[Target, Call], Reply]] = {
            "GET": self._get,
            "POST": self._post,
            "PUT": self._put,
            "PATCH": self._patch,
            "DELETE": self._delete,
        }
        wire.mount(
            [Route(method, "/k8s/{cluster}/{tail:path}", self._serve(verb)) for method, verb in verbs.items()],
            guard=self._guard,
        )

    def _guard(self, call: Call) -> Reply | None:
        if call.params["cluster"] not in self._clusters:
            raise NoAnswer
        if self._entra.caller(call, audience=AUDIENCE):
            return None
        return _status(StatusError(401, "Unauthorized", "Unauthorized"))

    def _serve(self, verb: Callable[[Target, Call], Reply]) -> Callable[[Call], Reply]:
        def serve(call: Call) -> Reply:
            try:
                cluster, path = self._clusters[call.params["cluster"]], call.params["tail"]
                if path == "version":
                    return _object(dict(_VERSION))
                if path == _REVIEWS:
                    return self._review(cluster, call)
                target = _target(cluster, path)
                if cluster.authorization_mode == "RBAC":
                    self._authorize(target, call)
                return verb(target, call)
            except StatusError as error:
                return _status(error)

        return serve

    def _authorize(self, target: Target, call: Call) -> None:
        caller = self._entra.caller(call, audience=AUDIENCE)
        for verb in _needed(target, call):
            refused = forbidden(
                target.cluster,
                caller.object_id if caller else "",
                verb,
                target.kind,
                below=target.below.partition("/")[0],
                namespace=target.namespace or (target.name if target.kind.name == "Namespace" else None),
                name=target.name,
            )
            if refused:
                raise refused

    def _review(self, cluster: Cluster, call: Call) -> Reply:
        """What the caller itself may do; everybody may ask that."""
        body = _parsed(call)
        wanted = body["spec"]["resourceAttributes"]
        caller = self._entra.caller(call, audience=AUDIENCE)
        refused = cluster.authorization_mode == "RBAC" and forbidden(
            cluster,
            caller.object_id if caller else "",
            wanted["verb"],
            Kind(wanted.get("group", ""), (), wanted["resource"], "", namespaced=True),
            below=wanted.get("subresource", ""),
            namespace=wanted.get("namespace") or None,
            name=wanted.get("name", ""),
        )
        return _object({**body, "status": {"allowed": not refused}}, status=201)

    def _get(self, target: Target, call: Call) -> Reply:
        if target.below.startswith("proxy"):
            return _proxied(target)
        if target.name:
            return _object(target.shown(target.found()))
        if call.query.get("watch") in ("true", "1"):
            return _watch(target, call.query)
        return _list(target, call.query)

    def _post(self, target: Target, call: Call) -> Reply:
        if target.below == "eviction":
            evict(target.cluster, target.found(), dry_run=_dry(call))
            return _object(_success(target), status=201)
        body = _in_namespace(target, _parsed(call))
        claimed = claim_fields({}, body, _manager(call), target.cluster.now())
        return _object(target.shown(target.cluster.create(claimed, dry_run=_dry(call))), status=201)

    def _put(self, target: Target, call: Call) -> Reply:
        return _object(target.shown(_written(target, call, _in_namespace(target, _parsed(call)))))

    def _patch(self, target: Target, call: Call) -> Reply:
        if _applies(call):
            return _applied(target, call)
        return _object(target.shown(_written(target, call, _patched(target.found(), call))))

    def _delete(self, target: Target, call: Call) -> Reply:
        options = call.body or {}
        policy = call.query.get("propagationPolicy") or options.get("propagationPolicy") or "Background"
        wanted = [target.found()] if target.name else _selected(target, call.query)
        if _dry(call):
            return _object(_success(target))
        for obj in wanted:
            meta = obj["metadata"]
            gone = target.cluster.delete(target.kind_name, meta.get("namespace", ""), meta["name"], propagation=policy)
        if target.name and "deletionTimestamp" in gone["metadata"]:
            return _object(target.shown(gone))
        return _object(_success(target))


def _needed(target: Target, call: Call) -> list[str]:
    """The verbs that the call takes a permission for; who makes an object by applying it has to be let create it."""
    if call.method == "GET" and not target.name:
        return ["watch" if call.query.get("watch") in ("true", "1") else "list"]
    if call.method == "DELETE" and not target.name:
        return ["deletecollection"]
    makes = _applies(call) and target.cluster.find(target.kind_name, target.namespace or "", target.name) is None
    return [_VERBS[call.method], *(["create"] if makes else [])]


def _applies(call: Call) -> bool:
    return call.headers.get("content-type", "").startswith("application/apply-patch")


def _target(cluster: Cluster, path: str) -> Target:
    """Reads /api/v1/… and /apis/{group}/{version}/…; raises NotFound for what isn't served."""
    parsed = re.fullmatch(r"(?:api|apis/([^/]+))/([^/]+)/(.+)", path.rstrip("/"))
    group, version, *rest = [parsed[1] or "", parsed[2], *parsed[3].split("/")] if parsed else ["", "", ""]
    namespace = None
    if rest[0] == "namespaces" and len(rest) > 2 and rest[2] not in ("status", "finalize"):
        namespace, rest = rest[1], rest[2:]
    plural, name, below = rest[0], "".join(rest[1:2]), "/".join(rest[2:])
    kind = cluster.served(group, version, plural)
    if kind is None:
        raise StatusError(404, "NotFound", "the server could not find the requested resource")
    return Target(cluster=cluster, kind=kind, version=version, namespace=namespace, name=name, below=below)


def _list(target: Target, query: dict[str, str]) -> Reply:
    cluster, token = target.cluster, query.get("continue", "")
    version, rest = _continued(cluster, token) if token else (cluster.version, _selected(target, query))
    limit = int(query.get("limit") or 0) or len(rest)
    meta: Object = {"resourceVersion": str(version)}
    if len(rest) > limit:
        cluster.pages.append((version, rest[limit:]))
        meta["continue"] = base64.urlsafe_b64encode(str(len(cluster.pages) - 1).encode()).decode()
        if not (query.get("labelSelector") or query.get("fieldSelector")):
            meta["remainingItemCount"] = len(rest) - limit
    api = target.shown({})["apiVersion"]
    items = rest[:limit] if target.kind.custom else [_without_kind(o) for o in rest[:limit]]
    return _object({"apiVersion": api, "kind": f"{target.kind.name}List", "metadata": meta, "items": items})


def _continued(cluster: Cluster, token: str) -> tuple[int, list[Object]]:
    try:
        version, rest = cluster.pages[int(base64.urlsafe_b64decode(token))]
    except (binascii.Error, ValueError, IndexError):
        raise StatusError(400, "BadRequest", "continue key is not valid") from None
    if version < cluster.oldest:
        raise _gone("The provided continue parameter is too old to display a consistent list result.")
    return version, rest


def _without_kind(obj: Object) -> Object:
    return {name: value for name, value in obj.items() if name not in ("apiVersion", "kind")}


def _selected(target: Target, query: dict[str, str]) -> list[Object]:
    objects = target.cluster.objects(target.kind_name, target.namespace)
    return [o for o in objects if matches(o, query)]


def _watch(target: Target, query: dict[str, str]) -> Reply:
    since = int(query.get("resourceVersion") or 0)
    until = target.cluster.clock.time() + float(query.get("timeoutSeconds") or _WATCH_SECONDS)
    return Reply(stream=_changes(target, query, since, until), headers={"Content-Type": "application/json"})


async def _changes(target: Target, query: dict[str, str], since: int, until: float) -> AsyncIterator[bytes]:
    cluster = target.cluster
    if since and since < cluster.oldest:
        yield _event("ERROR", _failure(_gone(f"too old resource version: {since} ({cluster.oldest})")))
        return
    queue: asyncio.Queue[Change | None] = asyncio.Queue()
    known = [Change(0, "ADDED", target.kind, o) for o in _selected(target, {})] if not since else list(cluster.history)
    for past in known:
        if not since or past.version > since:
            queue.put_nowait(past)
    alarms = [cluster.clock.at(until, lambda: queue.put_nowait(None))]
    if query.get("allowWatchBookmarks") == "true":
        alarms.append(cluster.clock.at(until - _BOOKMARK_SECONDS, lambda: queue.put_nowait(_bookmark(target))))
    cluster.listeners.append(listener := queue.put_nowait)
    try:
        while (change := await queue.get()) is not None:
            if change.type == "BOOKMARK" or _concerns(change, target, query):
                yield _event(change.type, target.shown(change.object))
    finally:
        for alarm in alarms:
            alarm.cancel()
        if listener in cluster.listeners:
            cluster.listeners.remove(listener)


def _concerns(change: Change, target: Target, query: dict[str, str]) -> bool:
    here = target.namespace in (None, change.object["metadata"].get("namespace"))
    return change.kind == target.kind and here and matches(change.object, query)


def _bookmark(target: Target) -> Change:
    """How far a watch has come, for one that is to be resumed there."""
    version = target.cluster.version
    return Change(version, "BOOKMARK", target.kind, {"metadata": {"resourceVersion": str(version)}})


def _event(type: str, obj: Object) -> bytes:
    return json.dumps({"type": type, "object": obj}).encode() + b"\n"


def _written(target: Target, call: Call, new: Object) -> Object:
    """Store what a PUT or PATCH made; only the status subresource writes the status, and nothing else."""
    old = target.found()
    if target.below == "status":
        new = {**old, "status": new.get("status", {}), "metadata": {**old["metadata"], **_version_of(new)}}
    else:
        kept = {"status": old["status"]} if "status" in old else {}
        new = claim_fields(
            old, {**{k: v for k, v in new.items() if k != "status"}, **kept}, _manager(call), target.cluster.now()
        )
    return target.cluster.update(new, dry_run=_dry(call))


def _version_of(obj: Object) -> Object:
    return {k: v for k, v in obj.get("metadata", {}).items() if k == "resourceVersion"}


def _patched(old: Object, call: Call) -> Object:
    patch, kind = _parsed(call), call.headers.get("content-type", "").partition(";")[0]
    match kind:
        case "application/merge-patch+json":
            return dict(merge(old, patch))
        case "application/strategic-merge-patch+json":
            return dict(strategic_merge(old, patch))
        case "application/json-patch+json":
            try:
                return json_patch(old, patch)
            except PatchFailed as failed:
                raise StatusError(422, "Invalid", str(failed)) from None
    raise StatusError(415, "UnsupportedMediaType", f"the body of the request was in an unknown format - {kind}")


def _applied(target: Target, call: Call) -> Reply:
    manager = call.query.get("fieldManager")
    if not manager:
        raise StatusError(400, "BadRequest", "PatchOptions.meta.k8s.io is invalid: fieldManager: Required value")
    new = target.cluster.find(target.kind_name, target.namespace or "", target.name) is None
    config = _in_namespace(target, _parsed(call))
    applied = target.cluster.server_side_apply(
        config, manager, force=call.query.get("force") == "true", dry_run=_dry(call)
    )
    return _object(target.shown(applied), status=201 if new else 200)


def _in_namespace(target: Target, body: Any) -> Object:
    meta = body.get("metadata", {}) if isinstance(body, dict) else None
    if meta is None or body.get("kind", target.kind.name) != target.kind.name:
        raise StatusError(400, "BadRequest", f"the object provided is not a {target.kind.name}")
    if target.namespace and meta.get("namespace", target.namespace) != target.namespace:
        raise StatusError(
            400, "BadRequest", "the namespace of the provided object does not match the namespace sent on the request"
        )
    if target.name and meta.get("name", target.name) != target.name:
        raise StatusError(400, "BadRequest", "the name of the object does not match the name on the URL")
    here = {"namespace": target.namespace} if target.namespace else {}
    named = {"name": target.name} if target.name else {}
    return target.shown({**body, "metadata": {**meta, **here, **named}})


def _proxied(target: Target) -> Reply:
    """GET pods/{name}:{port}/proxy/metrics, answered by what runs in the pod."""
    name, _, port = target.name.partition(":")
    pod = target.cluster.find("Pod", target.namespace or "", name)
    if pod is None:
        raise not_found(target.kind, name)
    mesh = target.cluster.mesh
    text = mesh.metrics(pod, int(port or 80)) if mesh and target.below == "proxy/metrics" else None
    if text is None:
        raise StatusError(503, "ServiceUnavailable", "error trying to reach service: connect: connection refused")
    return Reply(content=text.encode(), headers={"Content-Type": "text/plain; version=0.0.4"})


def _parsed(call: Call) -> Any:
    try:
        return json.loads(call.content)
    except ValueError:
        raise StatusError(400, "BadRequest", "the object provided is unrecognized") from None


def _manager(call: Call) -> str:
    return call.query.get("fieldManager") or call.headers.get("user-agent", "unknown").partition("/")[0]


def _dry(call: Call) -> bool:
    return call.query.get("dryRun") == "All"


def _gone(message: str) -> StatusError:
    return StatusError(410, "Expired", message)


def _success(target: Target) -> Object:
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": details(target.kind, target.name),
    }


def _object(body: Object, status: int = 200) -> Reply:
    return Reply(status=status, body=body, headers={"Content-Type": "application/json"})


def _status(error: StatusError) -> Reply:
    return _object(_failure(error), status=error.code)


def _failure(error: StatusError) -> Object:
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": error.message,
        "reason": error.reason,
        "details": error.details,
        "code": error.code,
    }
