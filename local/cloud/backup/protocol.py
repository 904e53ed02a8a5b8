"""How Microsoft.DataProtection answers: its operations and error envelopes.

Rules (seen in recorded traffic):
- A 202 carries Azure-AsyncOperation (under the vault) and Location (under the region), Retry-After 30 and no body.
- An open operation is "Inprogress" and ends in year 1; a failed one is polled with HTTP 200 and an `error`.
- The job id of an operation is a full resource id, here and in the final GET of Location.
"""

import uuid
from collections.abc import Callable
from typing import Any

from local.cloud.arm import Arm, Operation, Resource, error, iso, not_found
from local.cloud.wire import CloudRequest, Reply, Route

PROVIDER = "Microsoft.DataProtection"
VAULT = f"/subscriptions/{{subscription}}/resourceGroups/{{group}}/providers/{PROVIDER}/backupVaults/{{vault}}"
API = "2026-06-01"
_REGION = f"/subscriptions/{{subscription}}/providers/{PROVIDER}/locations/{{region}}"
_GROUP_REGION = f"/subscriptions/{{subscription}}/resourceGroups/{{group}}/providers/{PROVIDER}/locations/{{region}}"
ALWAYS_ON_SINCE = "2025-09-01"
_YEAR_ONE = "0001-01-01T00:00:00Z"


def error_info(code: str, message: str) -> dict[str, Any]:
    """An error for users of Azure Backup; `isUserError` is false even then."""
    return {
        "message": message,
        "recommendedAction": ["None."],
        "details": None,
        "code": code,
        "target": "",
        "innerError": None,
        "isRetryable": False,
        "isUserError": False,
        "properties": {"ActivityId": str(uuid.uuid4())},
    }


def _user_error(code: str, message: str, **info: Any) -> dict[str, Any]:
    shown = {"type": "UserFacingError", "info": error_info(code, message) | info}
    return {"additionalInfo": [shown], "code": code, "message": message, "target": None, "details": None}


def refusal(code: str, message: str) -> Reply:
    """400 with a user error."""
    return Reply(status=400, body={"error": _user_error(code, message)})


def refuse_soft_delete(call: CloudRequest, state: str) -> Reply | None:
    """The refusal of API versions that take no vault with soft delete in another state, nor instances of one."""
    if call.api_version < ALWAYS_ON_SINCE or state.lower() == "alwayson":
        return None
    return refusal(
        "UserErrorSoftDeleteNotAlwaysOn",  # the code is from memory
        "This API version requires backup vaults to have the soft delete setting configured to Enable Always-On "
        "Soft Delete.",
    )


def _failure(code: str, message: str) -> dict[str, Any]:
    """The error of a failed operation, which names neither details nor a target."""
    failure = _user_error(code, message, innerError={"code": "Success", "additionalInfo": {}})
    for part in (failure, failure["additionalInfo"][0]["info"]):
        del part["details"], part["target"]
    return failure


class BackupOperations:
    """Starts operations of Microsoft.DataProtection and answers their polls."""

    def __init__(self, arm: Arm) -> None:
        self._arm = arm
        arm.wire.mount(
            [
                *(Route("GET", f"{at}/operationStatus/{{operation}}", self._status) for at in (VAULT, _GROUP_REGION)),
                Route("GET", f"{_REGION}/operationStatus/{{operation}}", self._status),
                Route("GET", f"{_REGION}/operationResults/{{operation}}", self._result),
            ],
            guard=arm.guard,
        )

    def begin(self, seconds: float, finish: Callable[[Operation], object]) -> Operation:
        return self._arm.begin(seconds, finish, id=self._arm.stamped_id())

    def accepted(self, vault: Resource, operation: Operation, *, at: str | None = None) -> Reply:
        """202; `at` is where the status lives if not under the vault."""
        region = f"/subscriptions/{vault['id'].split('/')[2]}/providers/{PROVIDER}/locations/{vault['location']}"
        headers = {
            **self.status_header(vault, operation, at=at),
            "Location": self._arm.link(f"{region}/operationResults/{operation.id}", API),
            "Retry-After": "30",
        }
        return Reply(status=202, headers=headers)

    def status_header(self, vault: Resource, operation: Operation, *, at: str | None = None) -> dict[str, str]:
        """The header that points to an operation's status."""
        path = f"{at or vault['id']}/operationStatus/{operation.id}"
        return {"Azure-AsyncOperation": self._arm.link(path, API)}

    def _status(self, call: CloudRequest) -> Reply:
        operation = self._arm.operations.get(call.params["operation"])
        if operation is None:
            return error(404, "UserErrorGenericResourceNotFound", "Azure resource does not exist.")
        body: dict[str, Any] = {
            "id": call.path,
            "name": operation.id,
            "status": "Inprogress" if operation.open else operation.status,
            "startTime": iso(operation.started),
            "endTime": _YEAR_ONE if operation.open else iso(operation.ends),
        }
        if operation.error:
            body["error"] = _failure(**operation.error)
        if operation.properties and not operation.open:
            body["properties"] = {**operation.properties, "objectType": "OperationJobExtendedInfo"}
        return Reply(body=body)

    def _result(self, call: CloudRequest) -> Reply:
        operation = self._arm.operations.get(call.params["operation"])
        if operation is None:
            return not_found(call)
        if operation.open:
            return Reply(status=202, headers={"Location": call.url, "Retry-After": "30"})
        at = call.path.replace("/operationResults/", "/operationStatus/")
        headers = {"Azure-AsyncOperation": self._arm.link(at, API)}
        return Reply(body={**operation.properties, "objectType": "OperationJobExtendedInfo"}, headers=headers)
