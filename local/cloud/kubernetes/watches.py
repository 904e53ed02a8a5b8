"""Watches: what changes from now on, or from a resourceVersion on.

Rules:
- A watch ends after timeoutSeconds of virtual time, its bookmark comes two seconds before.
- A watch from a resourceVersion that the cluster forgot is an ERROR that says so.
"""

import asyncio
import json
from collections.abc import AsyncIterator

from local.cloud.kubernetes.errors import gone
from local.cloud.kubernetes.objects import Object
from local.cloud.kubernetes.replies import failure
from local.cloud.kubernetes.selectors import matches
from local.cloud.kubernetes.store import WatchEvent
from local.cloud.kubernetes.targets import RequestTarget
from local.cloud.wire import Reply

_WATCH_SECONDS = 1800.0
_BOOKMARK_SECONDS = 2.0


def watch(target: RequestTarget, query: dict[str, str]) -> Reply:
    """A stream of the changes of a collection."""
    since = int(query.get("resourceVersion") or 0)
    until = target.cluster.clock.time() + float(query.get("timeoutSeconds") or _WATCH_SECONDS)
    return Reply(stream=_changes(target, query, since, until), headers={"Content-Type": "application/json"})


async def _changes(target: RequestTarget, query: dict[str, str], since: int, until: float) -> AsyncIterator[bytes]:
    cluster = target.cluster
    if since and since < cluster.oldest:
        yield _event("ERROR", failure(gone(f"too old resource version: {since} ({cluster.oldest})")))
        return
    queue: asyncio.Queue[WatchEvent | None] = asyncio.Queue()
    for past in _past(target, since):
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


def _past(target: RequestTarget, since: int) -> list[WatchEvent]:
    """What has changed since; what there is, for a watch that names no version."""
    if not since:
        return [WatchEvent(0, "ADDED", target.kind, o) for o in target.selected({})]
    return [change for change in target.cluster.history if change.version > since]


def _concerns(change: WatchEvent, target: RequestTarget, query: dict[str, str]) -> bool:
    here = target.namespace in (None, change.object["metadata"].get("namespace"))
    return change.kind == target.kind and here and matches(change.object, query)


def _bookmark(target: RequestTarget) -> WatchEvent:
    """How far a watch has come, for one that is to be resumed there."""
    version = target.cluster.version
    return WatchEvent(version, "BOOKMARK", target.kind, {"metadata": {"resourceVersion": str(version)}})


def _event(type: str, obj: Object) -> bytes:
    return json.dumps({"type": type, "object": obj}).encode() + b"\n"
