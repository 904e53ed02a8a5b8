"""Authorization of API calls by RBAC."""

from local.cloud.kubernetes.cluster import SimulatedCluster
from local.cloud.kubernetes.kinds import ResourceType
from local.cloud.kubernetes.objects import Object
from local.cloud.kubernetes.rbac import forbidden
from local.cloud.kubernetes.targets import RequestTarget, is_apply, is_watch
from local.cloud.wire import CloudRequest

REVIEWS = "apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
_VERBS = {"GET": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


def authorize(target: RequestTarget, call: CloudRequest) -> None:
    """Raises StatusError Forbidden with the first permission that the caller misses."""
    for verb in _needed(target, call):
        refused = forbidden(
            target.cluster,
            target.user,
            verb,
            target.kind,
            below=target.below.partition("/")[0],
            namespace=target.namespace or (target.name if target.kind.name == "Namespace" else None),
            name=target.name,
        )
        if refused:
            raise refused


def reviewed(cluster: SimulatedCluster, body: Object, user: str) -> Object:
    """A SelfSubjectAccessReview: what the user itself may do; everybody may ask that."""
    asked = body["spec"]["resourceAttributes"]
    refused = cluster.authorization_mode == "RBAC" and forbidden(
        cluster,
        user,
        asked["verb"],
        ResourceType(asked.get("group", ""), (), asked["resource"], "", namespaced=True),
        below=asked.get("subresource", ""),
        namespace=asked.get("namespace") or None,
        name=asked.get("name", ""),
    )
    return {**body, "status": {"allowed": not refused}}


def _needed(target: RequestTarget, call: CloudRequest) -> list[str]:
    """The verbs that the call takes a permission for; who makes an object by applying it has to be let create it."""
    if call.method == "GET" and not target.name:
        return ["watch" if is_watch(call) else "list"]
    if call.method == "DELETE" and not target.name:
        return ["deletecollection"]
    makes = is_apply(call) and target.find() is None
    return [_VERBS[call.method], *(["create"] if makes else [])]
