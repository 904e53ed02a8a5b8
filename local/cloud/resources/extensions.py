"""Cluster extensions (Microsoft.KubernetesConfiguration) such as azure-aks-backup.

Rules:
- Installation takes minutes: "Creating", then "Succeeded" with a version and an identity of the extension's own.
- A failed installation (`fail_next`) stays as "Failed" with `errorInfo`; its operation answers 200 with status Failed.
- `configurationProtectedSettings` is echoed, which the specification forbids (seen in recorded traffic).
"""

from collections import deque
from typing import Any

from local.cloud.arm import Arm, Operation, OperationFailed, Resource, error, not_found
from local.cloud.wire import CloudRequest, Reply, Route

INSTALL_SECONDS = 240.0
DELETE_SECONDS = 60.0
VERSION = "0.0.3004-2"
TYPE = "Microsoft.KubernetesConfiguration/extensions"
BACKUP_EXTENSION = "microsoft.dataprotection.kubernetes"
_CLUSTER = "/subscriptions/{subscription}/resourceGroups/{group}/providers/{rp}/{kind}/{cluster}"
_ALL = f"{_CLUSTER}/providers/{TYPE}"
_ONE = f"{_ALL}/{{name}}"


class Extensions:
    def __init__(self, arm: Arm) -> None:
        self._arm = arm
        self._failures: deque[OperationFailed] = deque()
        routes = [
            Route("GET", _ALL, self._list),
            Route("PUT", _ONE, self._put),
            Route("GET", _ONE, arm.get),
            Route("DELETE", _ONE, self._delete),
            Route("GET", f"{_ONE}/operations/{{operation}}", self._operation),
        ]
        arm.wire.mount(routes, guard=arm.guard)

    def fail_next(
        self, code: str = "ExtensionOperationFailed", message: str = "The extension's pods didn't start."
    ) -> None:
        """Let the next installation fail."""
        self._failures.append(OperationFailed(code, message))

    def add(self, cluster: Resource, *, name: str, account: str) -> Resource:
        """Make a backup extension exist that stores to this account, as somebody else has installed it."""
        at = "configuration.backupStorageLocation"
        settings = {f"{at}.config.storageAccount": account, f"{at}.config.resourceGroup": "rg-theirs"}
        settings[f"{at}.config.subscriptionId"] = cluster["id"].split("/")[2]
        sent = {"extensionType": BACKUP_EXTENSION, "configurationSettings": settings}
        extension = self._fresh(f"{cluster['id']}/providers/{TYPE}/{name}", sent, None)
        identity = self._arm.system_identity(f"ext-{name}-{cluster['name']}")
        outcome = {"provisioningState": "Succeeded", "currentVersion": VERSION, "aksAssignedIdentity": identity}
        return self._arm.store(extension | {"properties": extension["properties"] | outcome})

    def _list(self, call: CloudRequest) -> Reply:
        return Reply(body={"value": list(self._arm.of_type(TYPE, under=f"{call.path}/")), "nextLink": None})

    def _put(self, call: CloudRequest) -> Reply:
        if self._arm.find(call.path.rsplit("/providers/", 1)[0]) is None:
            return not_found(call)
        existing = self._arm.find(call.path)
        extension = self._arm.store(self._fresh(call.path, call.body["properties"], existing))
        failure = self._failures.popleft() if self._failures else None
        operation = self._arm.begin(INSTALL_SECONDS, lambda _: self._install(call, failure))
        headers = self._headers(call, operation)
        return Reply(status=200 if existing else 201, body=extension, headers=headers | {"Location": self._url(call)})

    def _fresh(self, id: str, sent: dict[str, Any], existing: Resource | None) -> Resource:
        now = self._arm.clock.now().isoformat()
        created = existing["systemData"]["createdAt"] if existing else now
        author = {"createdBy": None, "createdByType": None, "lastModifiedBy": None, "lastModifiedByType": None}
        identity = existing["properties"]["aksAssignedIdentity"] if existing else None
        return {
            "id": id,
            "name": id.rpartition("/")[2],
            "type": TYPE,
            "properties": {
                "autoUpgradeMinorVersion": True,
                "releaseTrain": "Stable",
                "configurationSettings": {},
                "configurationProtectedSettings": {},
                **sent,
                "currentVersion": None,
                "provisioningState": "Updating" if existing else "Creating",
                "statuses": [],
                "aksAssignedIdentity": identity,
                "isSystemExtension": False,
            },
            "systemData": {**author, "createdAt": created, "lastModifiedAt": now},
        }

    def _install(self, call: CloudRequest, failure: OperationFailed | None) -> None:
        extension = self._arm.find(call.path)
        if extension is None:
            raise OperationFailed("ResourceNotFound", "The extension was deleted while it was being installed.")
        outcome: dict[str, Any] = {"provisioningState": "Succeeded", "currentVersion": VERSION}
        if failure:
            info = {"code": failure.code, "message": failure.message, "target": None, "details": None}
            outcome = {"provisioningState": "Failed", "errorInfo": info}
        elif extension["properties"]["aksAssignedIdentity"] is None:
            name = f"ext-{call.params['name']}-{call.params['cluster']}"
            outcome["aksAssignedIdentity"] = self._arm.system_identity(name)
        self._arm.store(extension | {"properties": extension["properties"] | outcome})
        if failure:
            raise failure

    def _delete(self, call: CloudRequest) -> Reply:
        if self._arm.find(call.path) is None:
            return Reply(status=204)
        operation = self._arm.begin(DELETE_SECONDS, lambda _: self._arm.remove(call.path))
        headers = self._headers(call, operation)
        return Reply(status=202, headers={**headers, "Location": headers["Azure-AsyncOperation"]})

    def _operation(self, call: CloudRequest) -> Reply:
        operation = self._arm.operations.get(call.params["operation"])
        if operation is None:
            return error(404, "NotFound", "The operation was not found.")
        status = "Creating" if operation.open else operation.status
        body = {"id": call.path, "name": operation.id, "status": status, "properties": {}}
        return Reply(body=body | ({"error": operation.error} if operation.error else {}))

    def _url(self, call: CloudRequest) -> str:
        return f"{self._arm.wire.url}{call.path}?api-version={_version(call)}"

    def _headers(self, call: CloudRequest, operation: Operation) -> dict[str, str]:
        url = f"{self._arm.wire.url}{call.path}/operations/{operation.id}?api-Version={_version(call)}"
        return {"Azure-AsyncOperation": url}


def _version(call: CloudRequest) -> str:
    return next(value for name, value in call.query.items() if name.lower() == "api-version")
