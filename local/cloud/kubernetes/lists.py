"""Lists, page by page.

Rules:
- The pages of a list show the moment of the first; one that the cluster forgot is 410 Gone.
- Items of built-in kinds leave their kind to the list.
"""

import base64
import binascii

from local.cloud.kubernetes.cluster import SimulatedCluster
from local.cloud.kubernetes.errors import bad_request, gone
from local.cloud.kubernetes.objects import Object
from local.cloud.kubernetes.targets import RequestTarget


def listed(target: RequestTarget, query: dict[str, str]) -> Object:
    """The list, or as much of it as the query's `limit` lets."""
    cluster, token = target.cluster, query.get("continue", "")
    version, rest = _continued(cluster, token) if token else (cluster.version, target.selected(query))
    limit = int(query.get("limit") or 0) or len(rest)
    meta: Object = {"resourceVersion": str(version)}
    if len(rest) > limit:
        cluster.pages.append((version, rest[limit:]))
        meta["continue"] = base64.urlsafe_b64encode(str(len(cluster.pages) - 1).encode()).decode()
        if not (query.get("labelSelector") or query.get("fieldSelector")):
            meta["remainingItemCount"] = len(rest) - limit
    api = target.shown({})["apiVersion"]
    items = rest[:limit] if target.kind.custom else [_without_kind(o) for o in rest[:limit]]
    return {"apiVersion": api, "kind": f"{target.kind.name}List", "metadata": meta, "items": items}


def _continued(cluster: SimulatedCluster, token: str) -> tuple[int, list[Object]]:
    try:
        version, rest = cluster.pages[int(base64.urlsafe_b64decode(token))]
    except (binascii.Error, ValueError, IndexError):
        raise bad_request("continue key is not valid") from None
    if version < cluster.oldest:
        raise gone("The provided continue parameter is too old to display a consistent list result.")
    return version, rest


def _without_kind(obj: Object) -> Object:
    return {name: value for name, value in obj.items() if name not in ("apiVersion", "kind")}
