"""Azure Resource Manager's part that all providers share: resources by id, error envelope, long-running operations."""

import base64
import re
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from local.cloud.clock import Clock
from local.cloud.entra import TENANT, Entra, Principal
from local.cloud.throttle import Throttle
from local.cloud.wire import CloudRequest, Reply, Wire

SUBSCRIPTION = "11111111-1111-4111-8111-111111111111"
REGION = "westeurope"

AUDIENCE = "https://management.azure.com"

Resource = dict[str, Any]
Listener = Callable[[str, Resource | None], object]
Check = Callable[[Principal, CloudRequest], Reply | None]
# Real ones carry a certificate and a signature: about 4,000 characters that clients must follow verbatim.
_SIGNATURE = "&t=638000000000000000&c=" + "A" * 3600 + "&s=" + "B" * 340 + "&h=" + "C" * 43


@dataclass
class Operation:
    """A long-running operation."""

    id: str
    started: float  # Unix seconds
    ends: float  # Unix seconds; `finish` takes effect then
    status: str = "InProgress"  # then Succeeded or Failed
    error: dict[str, Any] | None = None  # code and message of a failed one
    properties: dict[str, Any] = field(default_factory=dict)  # what the answer to a poll shows at the end

    @property
    def open(self) -> bool:
        return self.status == "InProgress"


class OperationFailed(Exception):
    """Raised by an operation's `finish`: the operation ends with status Failed and this error."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.message = code, message


class Arm:
    """State that every resource provider keeps here, so that Resource Graph and tests see one world.

    Ids are compared without case; a resource keeps the casing of its first writer. `listeners` get each
    changed resource, or None when it is gone; `checks` may refuse an authenticated call, in their order.
    """

    def __init__(self, clock: Clock, wire: Wire, entra: Entra) -> None:
        self.clock, self.wire = clock, wire
        self._entra = entra
        self.listeners: list[Listener] = []
        self.checks: list[Check] = []
        self.resources: dict[str, Resource] = {}
        self._types: defaultdict[str, dict[str, Resource]] = defaultdict(dict)
        self.operations: dict[str, Operation] = {}
        self.throttle = Throttle()

    def find(self, id: str) -> Resource | None:
        return self.resources.get(id.lower())

    def store(self, resource: Resource) -> Resource:
        """Keep a resource; store it again after changing it in place, so that Resource Graph learns of it at once."""
        key = resource["id"].lower()
        self.resources[key] = resource
        self._types[str(resource.get("type", "")).lower()][key] = resource
        self._notify(resource["id"], resource)
        return resource

    def remove(self, id: str) -> Resource | None:
        self._notify(id, None)
        removed = self.resources.pop(id.lower(), None)
        if removed:
            self._types[str(removed.get("type", "")).lower()].pop(id.lower(), None)
        return removed

    def _notify(self, id: str, resource: Resource | None) -> None:
        for listener in self.listeners:
            listener(id, resource)

    def of_type(self, type: str, under: str = "") -> Iterator[Resource]:
        """Resources of a type such as Microsoft.DataProtection/backupVaults whose id starts with `under`."""
        prefix = under.lower()
        return (r for key, r in list(self._types[type.lower()].items()) if key.startswith(prefix))

    def remove_tree(self, id: str) -> None:
        """Remove a resource and all that is below it."""
        for each in [each for each in self.resources if f"{each}/".startswith(f"{id}/".lower())]:
            self.remove(each)

    def get(self, call: CloudRequest) -> Reply:
        """What answers the GET of a resource."""
        found = self.find(call.path)
        return Reply(body=deepcopy(found)) if found else not_found(call)

    def list_of(self, type: str) -> Callable[[CloudRequest], Reply]:
        """What answers the GET of a collection: of a parent's children, or of a type in a group or subscription."""

        def answer(call: CloudRequest) -> Reply:
            scope, _, below = call.path.rpartition("/providers/")
            parent = scope if below.count("/") == 1 else call.path.rpartition("/")[0]
            return Reply(body={"value": list(self.of_type(type, f"{parent}/"))})

        return answer

    def begin(self, seconds: float, finish: Callable[[Operation], object], *, id: str | None = None) -> Operation:
        """Start an operation that ends after `seconds` of virtual time, when `finish(operation)` takes effect."""
        now = self.clock.time()
        operation = Operation(id=id or str(uuid.uuid4()), started=now, ends=now + seconds)
        self.operations[operation.id] = operation
        self.clock.at(operation.ends, lambda: self._end(operation, finish))
        return operation

    def _end(self, operation: Operation, finish: Callable[[Operation], object]) -> None:
        try:
            finish(operation)
            operation.status = "Succeeded"
        except OperationFailed as failure:
            operation.status = "Failed"
            operation.error = {"code": failure.code, "message": failure.message}

    def link(self, path: str, api_version: str) -> str:
        """An absolute, signed URL as Azure-AsyncOperation and Location carry it."""
        return f"{self.wire.url}{path}?api-version={api_version}{_SIGNATURE}"

    def stamped_id(self) -> str:
        """An operation id of vaults and DataProtection: base64 of '<stamp>;<guid>' with its '=='."""
        return base64.b64encode(f"{int(self.clock.time())};{uuid.uuid4()}".encode()).decode()

    def caller(self, call: CloudRequest) -> Principal | None:
        """Who holds the call's token, if it is valid for Resource Manager now."""
        return self._entra.caller(call, AUDIENCE)

    def system_identity(self, name: str) -> dict[str, str]:
        """The system-assigned identity of a resource with this name: a new principal of Entra."""
        principal = self._entra.add(name)
        return {"type": "SystemAssigned", "principalId": principal.object_id, "tenantId": TENANT}

    def guard(self, call: CloudRequest) -> Reply | None:
        """Answers calls without a valid ARM token or an api-version, those too many, and those that a check refuses."""
        caller = self.caller(call)
        if not caller:
            return error(
                401, "AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing or invalid."
            )
        if not call.api_version:
            return error(
                400,
                "MissingApiVersionParameter",
                "The api-version query parameter (?api-version=) is required for all requests.",
            )
        seconds = self.throttle.refuse(call, caller.object_id, self.clock.time())
        if seconds is not None:
            return error(
                429,
                "SubscriptionRequestsThrottled",
                "Number of requests for the subscription exceeded the limit. Please try again after the interval of "
                "Retry-After.",
                headers={"Retry-After": str(seconds), "x-ms-failure-cause": "gateway"},
            )
        return next((refused for check in self.checks if (refused := check(caller, call))), None)


def error(status: int, code: str, message: str, *, headers: dict[str, str] | None = None) -> Reply:
    """ARM's error envelope."""
    return Reply(status=status, body={"error": {"code": code, "message": message}}, headers=headers or {})


def not_found(call: CloudRequest) -> Reply:
    """404 of a resource that isn't there, as ARM words it."""
    scope, _, resource = call.path.rpartition("/providers/")
    group = re.search(r"/resourcegroups/([^/]+)", scope, re.IGNORECASE)
    where = f" under resource group '{group[1]}'" if group else ""
    return error(
        404,
        "ResourceNotFound",
        f"The Resource '{resource}'{where} was not found. "
        "For more details please go to https://aka.ms/ARMResourceNotFoundFix",
        headers={"x-ms-failure-cause": "gateway"},
    )


def iso(when: float) -> str:
    """A time as most providers write it: 2026-11-23T08:00:00.0000000Z."""
    return datetime.fromtimestamp(when, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f") + "0Z"
