"""Azure Resource Graph over everything in the world.

Rules (Resource Graph docs):
- The index is late: what changed less than `lag` ago isn't seen yet, in either direction.
- A principal has 15 queries in 5 seconds; headers tell what is left, then comes 429 without Retry-After.
- A page has at most 1,000 rows; further pages need `id` among the columns, else the result is just cut.
- A query that can't be right is refused with its place in it, or the function that there isn't (recorded by others).
- Everybody may ask and gets the rows of what their roles let them read.
- Changes are noticed when a provider stores or removes a resource; changes in place when the next query comes.
"""

import base64
import uuid
from collections import defaultdict, deque
from typing import Any

import msgspec

from local.cloud.arm import SUBSCRIPTION, Arm, Resource, error, iso
from local.cloud.entra import TENANT
from local.cloud.resources.kusto import parse
from local.cloud.resources.kusto_tokens import InvalidQuery, NotSimulated, UnknownFunction
from local.cloud.resources.kusto_values import Row
from local.cloud.resources.permissions import Permissions
from local.cloud.wire import CloudRequest, Reply, Route

LAG_SECONDS = 60.0
QUOTA, QUOTA_SECONDS = 15, 5.0
PAGE_ROWS = 1000
_STRINGS = ("id", "name", "type", "tenantId", "kind", "location", "resourceGroup", "subscriptionId", "managedBy")
_DYNAMICS = ("sku", "plan", "properties", "tags", "identity", "zones", "extendedLocation")
COLUMNS = dict.fromkeys(_STRINGS, "string") | dict.fromkeys(_DYNAMICS, "dynamic")
_VAULTS = ("microsoft.recoveryservices/vaults/", "microsoft.dataprotection/backupvaults/")
_ELSEWHERE = ("microsoft.kubernetesconfiguration/", "microsoft.resources/")
_TABLES = ("resources", "recoveryservicesresources", "resourcecontainers", "authorizationresources")


class ResourceGraph:
    """`lag` is in seconds of virtual time."""

    def __init__(self, arm: Arm, permissions: Permissions) -> None:
        self._arm, self._permissions = arm, permissions
        self.lag = LAG_SECONDS
        self._versions: defaultdict[str, list[tuple[float, bytes | None]]] = defaultdict(list)
        self._decoded: dict[str, tuple[bytes, Row]] = {}
        self._asked: defaultdict[str, deque[float]] = defaultdict(deque)
        path = "/providers/Microsoft.ResourceGraph/resources"
        arm.listeners.append(self.note)
        arm.wire.mount([Route("POST", path, self._query)], guard=arm.guard)

    def note(self, id: str, resource: Resource | None) -> None:
        """Take down what a resource is like now; None when it is gone."""
        versions = self._versions[id.lower()]
        content = None if resource is None else msgspec.json.encode(resource)
        if not versions or versions[-1][1] != content:
            versions.append((self._arm.clock.time(), content))
            self._forget(versions)

    def scan(self) -> None:
        """Take down everything, for providers that change a resource in place."""
        for id, resource in list(self._arm.resources.items()):
            self.note(id, resource)

    def _query(self, call: CloudRequest) -> Reply:
        headers, refused = self._quota(call)
        if refused:
            return refused
        self.scan()
        try:
            rows = self._rows(call)
        except NotSimulated as missing:
            return error(501, "NotSimulated", f"Resource Graph's {missing} isn't simulated.")
        except InvalidQuery as problem:
            return _invalid(problem, call.body["query"], iso(self._arm.clock.time()))
        return Reply(body=_page(rows, call.body.get("options") or {}), headers=headers)

    def _rows(self, call: CloudRequest) -> list[Row]:
        query, subscriptions = (
            parse(call.body["query"], COLUMNS, self._arm.clock.now()),
            call.body.get("subscriptions"),
        )
        if query.table not in _TABLES:
            raise InvalidQuery(query.table, 0)
        rows = [row for row in self._indexed() if _table(row["type"]) == query.table]
        asked = [row for row in rows if not subscriptions or row["subscriptionId"] in subscriptions]
        return query.run(self._readable(call, asked))

    def _readable(self, call: CloudRequest, rows: list[Row]) -> list[Row]:
        """Those rows that the caller may read."""
        caller = self._arm.caller(call)
        if caller is None:
            return []
        kinds, permissions = {row["type"] for row in rows}, self._permissions
        at = {k: [f"{s.lower().rstrip('/')}/" for s in permissions.scopes(caller, f"{k}/read")] for k in kinds}
        return [row for row in rows if f"{row['id'].lower()}/".startswith(tuple(at[row["type"]]))]

    def _indexed(self) -> list[Row]:
        cutoff, rows = self._arm.clock.time() - self.lag, []
        for id, versions in self._versions.items():
            self._forget(versions)
            when, content = versions[0]
            if when <= cutoff and content is not None:
                rows.append(self._read(id, content))
        return rows

    def _read(self, id: str, content: bytes) -> Row:
        """The row of a resource; it is made once for each content, and nobody changes it."""
        shown, row = self._decoded.get(id, (b"", {}))
        if shown is not content:
            row = _row(msgspec.json.decode(content))
            self._decoded[id] = content, row
        return row

    def _forget(self, versions: list[tuple[float, bytes | None]]) -> None:
        """Drop what has been replaced in the index: of the old versions only the latest counts."""
        cutoff = self._arm.clock.time() - self.lag
        while len(versions) > 1 and versions[1][0] <= cutoff:
            del versions[0]

    def _quota(self, call: CloudRequest) -> tuple[dict[str, str], Reply | None]:
        caller, now = self._arm.caller(call), self._arm.clock.time()
        asked = self._asked[caller.object_id if caller else ""]
        while asked and asked[0] <= now - QUOTA_SECONDS:
            asked.popleft()
        exhausted = len(asked) >= QUOTA
        if not exhausted:
            asked.append(now)
        resets = max(1, round(asked[0] + QUOTA_SECONDS - now))
        headers = {
            "x-ms-user-quota-remaining": str(QUOTA - len(asked)),
            "x-ms-user-quota-resets-after": f"00:00:{resets:02}",
        }
        return headers, _throttled(headers, iso(now)) if exhausted else None


def _table(type: str) -> str:
    if type == "microsoft.resources/subscriptions/resourcegroups":
        return "resourcecontainers"
    if type.startswith("microsoft.authorization/"):
        return "authorizationresources"
    if type.startswith(_VAULTS):
        return "recoveryservicesresources"
    return "" if type.startswith(_ELSEWHERE) or type.count("/") > 1 else "resources"


def _row(resource: Resource) -> Row:
    parts = resource["id"].split("/")
    kind = resource["type"].lower().replace("resources/resourcegroups", "resources/subscriptions/resourcegroups")
    derived = {
        "type": kind,
        "tenantId": TENANT,
        "subscriptionId": SUBSCRIPTION if len(parts) < 3 else parts[2],
        "resourceGroup": parts[4].lower() if len(parts) > 4 else "",
    }
    columns = {name: resource.get(name, "" if kind == "string" else None) for name, kind in COLUMNS.items()}
    return columns | derived


def _page(rows: list[Row], options: dict[str, Any]) -> dict[str, Any]:
    token = options.get("$skipToken")
    start = int(base64.b64decode(token)) if token else options.get("$skip", 0)
    page = rows[start : start + min(options.get("$top") or PAGE_ROWS, PAGE_ROWS)]
    end = start + len(page)
    body = {
        "totalRecords": len(rows),
        "count": len(page),
        "data": page,
        "facets": [],
        "resultTruncated": "true" if end < len(rows) else "false",
    }
    more = end < len(rows) and "id" in rows[0]
    return body | ({"$skipToken": base64.b64encode(str(end).encode()).decode()} if more else {})


def _support(now: str) -> str:
    return f"Please provide below info when asking for support: timestamp = {now}, correlationId = {uuid.uuid4()}."


def _invalid(problem: InvalidQuery, query: str, now: str) -> Reply:
    why = "Query is invalid. Please refer to the documentation for the Azure Resource Graph service and fix the error"
    details = [{"code": "InvalidQuery", "message": f"{why} before retrying."}, _detail(problem, query)]
    return Reply(status=400, body={"error": {"code": "BadRequest", "message": _support(now), "details": details}})


def _detail(problem: InvalidQuery, query: str) -> dict[str, Any]:
    """What is wrong with the query, and where; of an unknown function, only its name."""
    if isinstance(problem, UnknownFunction):
        return {"code": "UnknownFunction", "message": f"Unknown function: '{problem.token}'."}
    before = query[: problem.position]
    where = {"line": before.count("\n") + 1, "characterPositionInLine": len(before.rpartition("\n")[2])}
    return {"code": "ParserFailure", "message": "ParserFailure", **where, "token": problem.token}


def _throttled(headers: dict[str, str], now: str) -> Reply:
    why = (
        "Client application has been throttled and should not attempt to repeat the request until an amount of time "
        "has elapsed. Please see https://aka.ms/resourcegraph-throttling for help."
    )
    details = [{"code": "RateLimiting", "message": why}]
    body = {"error": {"code": "RateLimiting", "message": _support(now), "details": details}}
    return Reply(status=429, body=body, headers=headers)
