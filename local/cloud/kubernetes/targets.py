"""What the path of an API call points at, and what its query and headers ask for."""

import json
import re
from dataclasses import dataclass
from typing import Any

from local.cloud.kubernetes.cluster import SimulatedCluster
from local.cloud.kubernetes.errors import bad_request, not_served
from local.cloud.kubernetes.kinds import ResourceType
from local.cloud.kubernetes.objects import Object
from local.cloud.kubernetes.selectors import matches
from local.cloud.wire import CloudRequest


@dataclass(frozen=True, kw_only=True)
class RequestTarget:
    """What a request addresses: a collection, an object, or a subresource."""

    cluster: SimulatedCluster
    kind: ResourceType
    version: str
    namespace: str | None  # None: all, or a kind without namespaces
    name: str  # empty for a collection
    below: str  # the subresource, such as status
    user: str  # who calls

    def find(self) -> Object | None:
        return self.cluster.find(self.kind.full_name, self.namespace or "", self.name)

    def found(self) -> Object:
        """The object; raises StatusError NotFound."""
        return self.cluster.get(self.kind.full_name, self.namespace or "", self.name)

    def selected(self, query: dict[str, str]) -> list[Object]:
        """What of the collection the query selects."""
        objects = self.cluster.objects(self.kind.full_name, self.namespace)
        return [o for o in objects if matches(o, query)]

    def shown(self, obj: Object) -> Object:
        """The object in the version that was asked for."""
        api = f"{self.kind.group}/{self.version}" if self.kind.group else self.version
        return {**obj, "apiVersion": api, "kind": self.kind.name}


def target_of(cluster: SimulatedCluster, path: str, user: str) -> RequestTarget:
    """Reads api/v1/… and apis/{group}/{version}/…; raises StatusError NotFound for what isn't served."""
    parsed = re.fullmatch(r"(?:api|apis/([^/]+))/([^/]+)/(.+)", path.rstrip("/"))
    group, version, *rest = [parsed[1] or "", parsed[2], *parsed[3].split("/")] if parsed else ["", "", ""]
    namespace = None
    if rest[0] == "namespaces" and len(rest) > 2 and rest[2] not in ("status", "finalize"):
        namespace, rest = rest[1], rest[2:]
    plural, name, below = rest[0], "".join(rest[1:2]), "/".join(rest[2:])
    kind = cluster.served(group, version, plural)
    if kind is None:
        raise not_served()
    return RequestTarget(
        cluster=cluster, kind=kind, version=version, namespace=namespace, name=name, below=below, user=user
    )


def parsed(call: CloudRequest) -> Any:
    """The call's body; raises StatusError BadRequest."""
    try:
        return json.loads(call.content)
    except ValueError:
        raise bad_request("the object provided is unrecognized") from None


def is_dry(call: CloudRequest) -> bool:
    return call.query.get("dryRun") == "All"


def is_watch(call: CloudRequest) -> bool:
    return call.query.get("watch") in ("true", "1")


def is_apply(call: CloudRequest) -> bool:
    return call.headers.get("content-type", "").startswith("application/apply-patch")
