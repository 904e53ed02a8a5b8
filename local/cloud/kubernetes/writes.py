"""Writes: what the body of a POST, PUT or PATCH makes of an object."""

from typing import Any

from local.cloud.kubernetes.errors import StatusError, bad_request
from local.cloud.kubernetes.fields import claim_fields
from local.cloud.kubernetes.objects import Object
from local.cloud.kubernetes.patches import PatchFailed, json_patch, merge, strategic_merge
from local.cloud.kubernetes.targets import RequestTarget, is_dry, parsed
from local.cloud.wire import CloudRequest


def created(target: RequestTarget, call: CloudRequest) -> Object:
    claimed = claim_fields({}, _in_place(target, parsed(call)), _manager(call), target.cluster.now())
    return target.cluster.create(claimed, dry_run=is_dry(call), user=target.user)


def replaced(target: RequestTarget, call: CloudRequest) -> Object:
    return _written(target, call, _in_place(target, parsed(call)))


def patched(target: RequestTarget, call: CloudRequest) -> Object:
    return _written(target, call, _merged(target.found(), call))


def applied(target: RequestTarget, call: CloudRequest) -> Object:
    """Server-side apply."""
    manager = call.query.get("fieldManager")
    if not manager:
        raise bad_request("PatchOptions.meta.k8s.io is invalid: fieldManager: Required value")
    config, force = _in_place(target, parsed(call)), call.query.get("force") == "true"
    cluster, user = target.cluster, target.user
    return cluster.server_side_apply(config, manager, force=force, dry_run=is_dry(call), user=user)


def _written(target: RequestTarget, call: CloudRequest, new: Object) -> Object:
    """Store what a PUT or PATCH made; only the status subresource writes the status, and nothing else."""
    old = target.found()
    user = target.user
    if target.below == "status":
        user = ""  # policies on an object aren't about its subresources
        new = {**old, "status": new.get("status", {}), "metadata": {**old["metadata"], **_version_of(new)}}
    else:
        unchanged = {"status": old["status"]} if "status" in old else {}
        written = {**{k: v for k, v in new.items() if k != "status"}, **unchanged}
        new = claim_fields(old, written, _manager(call), target.cluster.now())
    return target.cluster.update(new, dry_run=is_dry(call), user=user)


def _version_of(obj: Object) -> Object:
    return {k: v for k, v in obj.get("metadata", {}).items() if k == "resourceVersion"}


def _merged(old: Object, call: CloudRequest) -> Object:
    patch, kind = parsed(call), call.headers.get("content-type", "").partition(";")[0]
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


def _in_place(target: RequestTarget, body: Any) -> Object:
    """The object of a body, with the name and namespace of its URL; raises StatusError BadRequest if they differ."""
    meta = body.get("metadata", {}) if isinstance(body, dict) else None
    if meta is None or body.get("kind", target.kind.name) != target.kind.name:
        raise bad_request(f"the object provided is not a {target.kind.name}")
    if target.namespace and meta.get("namespace", target.namespace) != target.namespace:
        raise bad_request("the namespace of the provided object does not match the namespace sent on the request")
    if target.name and meta.get("name", target.name) != target.name:
        raise bad_request("the name of the object does not match the name on the URL")
    here = {"namespace": target.namespace} if target.namespace else {}
    named = {"name": target.name} if target.name else {}
    return target.shown({**body, "metadata": {**meta, **here, **named}})


def _manager(call: CloudRequest) -> str:
    return call.query.get("fieldManager") or call.headers.get("user-agent", "unknown").partition("/")[0]
