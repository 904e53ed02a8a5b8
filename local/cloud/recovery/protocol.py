"""How Microsoft.RecoveryServices speaks: its operations, polls and filters.

Rules (seen in recorded traffic):
- Operations of vaults have base64 ids and no times; those of backup are GUIDs, and end with endTime = startTime.
- A 202 has no body, only registering a container has `{}`, as have the polls of containers.
- The end of a vault's deletion is a 404: the vault that the poll asks is gone.
"""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from local.cloud.arm import Arm, Operation, error, iso, not_found
from local.cloud.vaults import vault_of
from local.cloud.wire import CloudRequest, Reply, Route

PROVIDER = "Microsoft.RecoveryServices"
VAULT = f"/subscriptions/{{subscription}}/resourceGroups/{{group}}/providers/{PROVIDER}/vaults/{{vault}}"
CONTAINERS = f"{PROVIDER}/vaults/backupFabrics/protectionContainers"
ITEMS = f"{CONTAINERS}/protectedItems"
POINTS = f"{ITEMS}/recoveryPoints"
JOBS = f"{PROVIDER}/vaults/backupJobs"
FABRIC = f"{VAULT}/backupFabrics/{{fabric}}"
CONTAINER = f"{FABRIC}/protectionContainers/{{container}}"
ITEM = f"{CONTAINER}/protectedItems/{{item}}"
_API = "2024-04-01"
_STATUS_API = "2019-05-13-preview"
_YEAR_ONE = "0001-01-01T00:00:00"  # without a zone

Answer = Callable[[], Reply]


def filtered(call: CloudRequest) -> dict[str, str]:
    """The terms of `$filter`: key eq 'value', joined by `and`."""
    return dict(re.findall(r"(\w+) eq '([^']*)'", call.query.get("$filter", "")))


class RecoveryOperations:
    def __init__(self, arm: Arm) -> None:
        self._arm = arm
        self._answers: dict[str, tuple[Any, Answer]] = {}
        at = f"{VAULT}/{{rest:path}}"
        arm.wire.mount(
            [
                Route("GET", f"{VAULT}/operationStatus/{{operation}}", self._vault_status),
                Route("GET", f"{VAULT}/operationResults/{{operation}}", self._result),
                Route("GET", f"{VAULT}/backupOperations/{{operation}}", self._status),
                Route("GET", f"{VAULT}/backupOperationResults/{{operation}}", self._result),
                Route("GET", f"{VAULT}/backupValidateOperationsStatuses/{{operation}}", self._status),
                Route("GET", f"{VAULT}/backupValidateOperationResults/{{operation}}", self._result),
                Route("GET", f"{at}/operationsStatus/{{operation}}", self._status),
                Route("GET", f"{at}/operationResults/{{operation}}", self._result),
            ],
            guard=arm.guard,
        )

    def of_vault(self, vault: str, seconds: float, finish: Callable[[Operation], object]) -> dict[str, str]:
        """Start an operation of a vault; the headers that point to it."""
        operation = self._arm.begin(seconds, finish, id=self._arm.stamped_id())
        self._answers[operation.id] = (None, lambda: Reply(body=self._arm.find(vault)))
        return self._headers(vault, operation.id)

    def accepted(
        self,
        at: str,
        seconds: float,
        finish: Callable[[Operation], object],
        *,
        answer: Answer = lambda: Reply(status=204),
        body: Any = None,
        id: str | None = None,
    ) -> Reply:
        """202 for an operation whose polls live under `at`; `answer` is what its result gives in the end."""
        operation = self._arm.begin(seconds, finish, id=id)
        self._answers[operation.id] = (body, answer)
        return Reply(status=202, body=body, headers=self._pointers(at, operation.id))

    def validating(self, vault: str, seconds: float, found: Callable[[], dict[str, Any]]) -> Reply:
        """202 for a validation; what it `found` is known in the end."""
        kind = {"objectType": "OperationStatusValidateOperationExtendedInfo"}
        operation = self._arm.begin(seconds, lambda done: done.properties.update(kind, **found()))
        self._answers[operation.id] = (None, lambda: Reply(body=found()))
        headers = {
            "Azure-AsyncOperation": self._arm.link(f"{vault}/backupValidateOperationsStatuses/{operation.id}", _API),
            "Location": self._arm.link(f"{vault}/backupValidateOperationResults/{operation.id}", _API),
            "Retry-After": "10",
        }
        return Reply(status=202, headers=headers)

    def _pointers(self, at: str, id: str) -> dict[str, str]:
        """Where an operation is polled. Containers point to an older API than items do."""
        status, result, api = "operationsStatus", "operationResults", _STATUS_API
        if at == vault_of(at):
            status, result = "backupOperations", "backupOperationResults"
        if at == vault_of(at) or "/protectedItems/" in at:
            api = _API
        return {
            "Azure-AsyncOperation": self._arm.link(f"{at}/{status}/{id}", api),
            "Location": self._arm.link(f"{at}/{result}/{id}", _API),
            "Retry-After": "60",
        }

    def _headers(self, vault: str, id: str) -> dict[str, str]:
        return {
            "Azure-AsyncOperation": self._arm.link(f"{vault}/operationStatus/{id}", _API),
            "Location": self._arm.link(f"{vault}/operationResults/{id}", _API),
        }

    def _vault_status(self, call: CloudRequest) -> Reply:
        operation, vault = self._arm.operations.get(call.params["operation"]), vault_of(call.path)
        if operation is None or self._arm.find(vault) is None:
            return not_found(replace(call, path=vault))
        body: dict[str, Any] = {"id": call.path, "name": operation.id, "status": operation.status}
        if operation.error:
            body["error"] = operation.error
        return Reply(body=body, headers=self._headers(vault, operation.id) if operation.open else {})

    def _status(self, call: CloudRequest) -> Reply:
        operation = self._arm.operations.get(call.params["operation"])
        if operation is None:
            return error(404, "OperationNotFound", "The operation was not found.")
        body: dict[str, Any] = {
            "id": operation.id,
            "name": operation.id,
            "status": operation.status,
            "startTime": iso(operation.started),
            "endTime": _YEAR_ONE if operation.open else iso(operation.started),
        }
        if operation.error:
            body["error"] = operation.error
        if operation.properties and not operation.open:
            body["properties"] = {"objectType": "OperationStatusJobExtendedInfo", **operation.properties}
        return Reply(body=body)

    def _result(self, call: CloudRequest) -> Reply:
        operation = self._arm.operations.get(call.params["operation"])
        if operation is None:
            return not_found(call)
        body, answer = self._answers[operation.id]
        if operation.error:
            return error(400, operation.error["code"], operation.error["message"])
        if not operation.open:
            return answer()
        at = re.split("/operationResults/|/backupOperationResults/", call.path)[0]
        if body is None and "/protectedItems/" not in at and "/protectionContainers/" in at:
            body = {}
        return Reply(status=202, body=body, headers=self._pointers(at, operation.id))
