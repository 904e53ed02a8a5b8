"""Application Insights: takes telemetry, and answers queries over it as its tables show it.

Rules:
- Only Entra tokens are taken (DisableLocalAuth), of principals that may publish: Monitoring Metrics Publisher.
- `traces` has a row for each line, with its fields as text in customDimensions; `customMetrics` one for each value.
- A span of kind server or consumer is a row of `requests`, any other one of `dependencies`, of type InProc if it is
  internal. A query begins with a table, or with a union of some.
"""

import asyncio
import uuid
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from local.cloud.arm import SUBSCRIPTION
from local.cloud.clock import Clock
from local.cloud.entra import Entra
from local.cloud.resources import kusto
from local.cloud.resources.permissions import Permissions
from local.cloud.wire import CloudRequest, Reply, Route, Wire

WRITE = "Microsoft.Insights/Telemetry/Write"
Row = dict[str, Any]
_SHARED = {"timestamp": "datetime", "customDimensions": "dynamic"}
_SPAN = {"success": "bool", "name": "string", "resultCode": "string", "itemType": "string"}
_COLUMNS = {
    "traces": {**_SHARED, "message": "string", "severityLevel": "number", "operation_Id": "string"},
    "custommetrics": {**_SHARED, "name": "string", "value": "number"},
    "requests": {**_SHARED, **_SPAN},
    "dependencies": {**_SHARED, **_SPAN, "type": "string"},
}


class Insights:
    """One component. `tables` has its rows by table, in lower case."""

    def __init__(self, clock: Clock, wire: Wire, entra: Entra, permissions: Permissions) -> None:
        self._clock, self._wire, self._entra, self._permissions = clock, wire, entra, permissions
        self.key = str(uuid.uuid4())
        self.id = ""
        self.name("appi", group="rg-monitor")
        self.tables: dict[str, list[Row]] = {table: [] for table in _COLUMNS}
        self._arrived = asyncio.Event()
        wire.mount([Route("POST", "/insights/v2.1/track", self._track)])

    def name(self, name: str, *, group: str) -> None:
        """Let the component have this name in this group."""
        at = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{group}"
        self.id = f"{at}/providers/Microsoft.Insights/components/{name}"

    @property
    def connection(self) -> str:
        """The connection string, which names no secret."""
        return f"InstrumentationKey={self.key};IngestionEndpoint={self._wire.url}/insights"

    def query(self, text: str) -> list[Row]:
        """The rows that a query finds; raises InvalidQuery for one that it doesn't understand."""
        source, bar, stages = text.partition("|")
        tables = [name.strip().lower() for name in source.removeprefix("union ").split(",")]
        columns = {name: kind for table in tables for name, kind in _COLUMNS[table].items()}
        asked = kusto.parse(f"{tables[0]} {bar} {stages}", columns, self._clock.now())
        return asked.run([row for table in tables for row in self.tables[table]])

    async def found(self, text: str, patience: float = 60.0) -> list[Row]:
        """The rows of a query once there are some: telemetry comes in real time, for which this waits some seconds."""
        async with asyncio.timeout(patience):
            while not (rows := self.query(text)):
                self._arrived.clear()
                await self._arrived.wait()
        return rows

    def _track(self, call: CloudRequest) -> Reply:
        caller = self._entra.caller(call, audience="https://monitor.azure.com/")
        if caller is None:
            return Reply(status=401, body=_answer(0, 401, "The token is missing, expired or not for Azure Monitor."))
        if not self._permissions.allows(caller, WRITE, self.id):
            return Reply(status=403, body=_answer(0, 403, f"The principal lacks '{WRITE}' on '{self.id}'."))
        for item in call.body:
            for table, row in _rows(item):
                self.tables[table].append(row)
        self._arrived.set()
        return Reply(body=_answer(len(call.body)))


def _answer(taken: int, status: int = 200, message: str = "") -> Row:
    errors = [{"index": 0, "statusCode": status, "message": message}] if message else []
    return {"itemsReceived": taken, "itemsAccepted": taken, "errors": errors}


def _rows(item: Row) -> Iterator[tuple[str, Row]]:
    data = item["data"]["baseData"]
    shared = {"timestamp": datetime.fromisoformat(item["time"]), "customDimensions": data.get("properties") or {}}
    if item["data"]["baseType"] == "MessageData":
        facts = {"message": data["message"], "severityLevel": data.get("severityLevel")}
        yield "traces", {**shared, **facts, "operation_Id": item["tags"]["ai.operation.id"]}
    for metric in data.get("metrics", []):
        yield "custommetrics", {**shared, "name": metric["name"], "value": metric["value"]}
