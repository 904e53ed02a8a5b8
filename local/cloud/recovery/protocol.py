"""How Microsoft.RecoveryServices answers: its operations, polls and filters.

Rules (seen in recorded traffic):
- Operations of vaults have base64 ids and no times; those of backup are GUIDs, and end with endTime = startTime.
- A 202 has no body, only registering a container has `{}`, as have the polls of containers.
- The end of a vault's deletion is a 404 as often as not: the vault that the poll asks is gone.
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
type Polls = tuple[str, str]  # the path segments of an operation's status and of its result
_OF_VAULT: Polls = ("operationStatus", "operationResults")
_OF_BACKUP: Polls = ("backupOperations", "backupOperationResults")
_OF_VALIDATION: Polls = ("backupValidateOperationsStatuses", "backupValidateOperationResults")
_OF_CONTAINER: Polls = ("operationsStatus", "operationResults")


def error_detail(error: tuple[int, str]) -> dict[str, Any]:
    """The error of a failed job, by its code and text."""
    advice = ["Wait for a few minutes and then try the operation again."]
    return {"errorCode": error[0], "errorString": error[1], "recommendations": advice}


def filtered(call: CloudRequest) -> dict[str, str]:
    """The terms of `$filter`: key eq 'value', joined by `and`."""
    return dict(re.findall(r"(\w+) eq '([^']*)'", call.query.get("$filter", "")))


class RecoveryOperations:
    def __init__(self, arm: Arm) -> None:
        self._arm = arm
        self._answers: dict[str, tuple[Any, Answer]] = {}
        self._vanishing: set[str] = set()
        polls = [
            (VAULT, _OF_VAULT, self._vault_status),
            (VAULT, _OF_BACKUP, self._status),
            (VAULT, _OF_VALIDATION, self._status),
            (f"{VAULT}/{{rest:path}}", _OF_CONTAINER, self._status),
        ]
        for at, (status, result), answer in polls:
            of_status = Route("GET", f"{at}/{status}/{{operation}}", answer)
            of_result = Route("GET", f"{at}/{result}/{{operation}}", self._result)
            arm.wire.mount([of_status, of_result], guard=arm.guard)

    def of_vault(
        self, vault: str, seconds: float, finish: Callable[[Operation], object], *, vanishes: bool = False
    ) -> dict[str, str]:
        """Start an operation of a vault; the headers that point to it. The end of one that `vanishes` is a 404."""
        operation = self._arm.begin(seconds, finish, id=self._arm.stamped_id())
        self._vanishing |= {operation.id} if vanishes else set()
        self._answers[operation.id] = (None, lambda: Reply(body=self._arm.find(vault)))
        return self._links(vault, _OF_VAULT, operation.id)

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
        """202 for a validation; `found` gives its result in the end."""
        kind = {"objectType": "OperationStatusValidateOperationExtendedInfo"}
        operation = self._arm.begin(seconds, lambda done: done.properties.update(kind, **found()))
        self._answers[operation.id] = (None, lambda: Reply(body=found()))
        return Reply(status=202, headers=self._links(vault, _OF_VALIDATION, operation.id) | {"Retry-After": "10"})

    def _pointers(self, at: str, id: str) -> dict[str, str]:
        """Where an operation is polled. Containers point to an older API than items do."""
        polls = _OF_BACKUP if at == vault_of(at) else _OF_CONTAINER
        api = _API if at == vault_of(at) or "/protectedItems/" in at else _STATUS_API
        return self._links(at, polls, id, api) | {"Retry-After": "60"}

    def _links(self, at: str, polls: Polls, id: str, status_api: str = _API) -> dict[str, str]:
        status, result = polls
        return {
            "Azure-AsyncOperation": self._arm.link(f"{at}/{status}/{id}", status_api),
            "Location": self._arm.link(f"{at}/{result}/{id}", _API),
        }

    def _vault_status(self, call: CloudRequest) -> Reply:
        operation, vault = self._arm.operations.get(call.params["operation"]), vault_of(call.path)
        if operation is None or (operation.id in self._vanishing and not operation.open):
            return not_found(replace(call, path=vault))
        body: dict[str, Any] = {"id": call.path, "name": operation.id, "status": operation.status}
        if operation.error:
            body["error"] = operation.error
        return Reply(body=body, headers=self._links(vault, _OF_VAULT, operation.id) if operation.open else {})

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
