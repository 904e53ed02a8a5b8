"""Azure Files under a Recovery Services vault: storage accounts as containers, shares as items.

Rules (seen in recorded traffic, or Azure Backup docs):
- The steps have an order: refresh finds accounts, register adds one, inquire finds its shares, which can be protected.
- An account belongs to one vault. An item's name is a hash; the share's name stands in friendlyName only.
- The casing of names isn't stable: container and item are spelled in three ways.
- Unregistering answers with a malformed Location.
- The recovery point comes some seconds after the job's end, and says so. Four on-demand backups and ten restores a day.
- Access by identity needs a role on the source (backup) and on the target (restore), access by key needs keys allowed.
- A restore really writes the files and counts them. What its job tells of it is empty at first.
"""

from datetime import datetime
from typing import Any, ClassVar

from local.cloud.arm import Arm, Operation, OperationFailed, Resource, error, iso, not_found
from local.cloud.recovery.protocol import CONTAINER, CONTAINERS, FABRIC, ITEMS, RecoveryOperations, error_detail
from local.cloud.recovery.readiness import BACKUP_ROLE, holder, require_registrable
from local.cloud.recovery.share_content import Content, planned, requested_files
from local.cloud.recovery.share_rows import (
    container_row,
    item_row,
    job_row,
    point_row,
    protectable_container,
    protectable_item,
    restore_bag,
    share_hash,
)
from local.cloud.resources.file_shares import FileShareService
from local.cloud.resources.roles import Roles
from local.cloud.resources.storage import TYPE as ACCOUNTS
from local.cloud.vaults import JobOutcome, principal_of, vault_of
from local.cloud.wire import CloudRequest, Reply, Route

REFRESH_SECONDS = 15.0
REGISTER_SECONDS = 60.0
INQUIRE_SECONDS = 30.0
SILENT_SECONDS = 20.0  # how long a restore's property bag is empty
RESTORE_ROLE = "e7a9e73d-4397-41f2-a282-af8b65aaa2dc"  # Storage File Restore Contributor


class Shares:
    """`contents` has the files of each recovery point."""

    limits: ClassVar = {"Backup": 4, "Restore": 10}
    seconds: ClassVar = {"Backup": 30.0, "Restore": 90.0}
    point_lag_seconds = 6.0

    def __init__(self, arm: Arm, operations: RecoveryOperations, roles: Roles, files: FileShareService) -> None:
        self._arm, self._roles, self._files = arm, roles, files
        self.contents: dict[str, dict[str, bytes]] = {}
        self._operations = operations
        self._found: dict[str, list[str]] = {}
        arm.wire.mount(
            [
                Route("GET", f"{FABRIC}/protectableContainers", self._list_protectable_containers),
                Route("PUT", CONTAINER, self._register),
                Route("DELETE", CONTAINER, self._unregister),
                Route("POST", f"{CONTAINER}/inquire", self._inquire),
            ],
            guard=arm.guard,
        )

    def source(self, account: str, share: str) -> Resource:
        """The account of a share; both are made if need be."""
        self._files.create(account, share)
        return self._files.account(account)

    def protect(self, vault: str, account: Resource, share: str, policy: str) -> Resource:
        """An item that has been protected for long."""
        container = self._arm.store(container_row(vault, account, {}))
        container["properties"]["protectedItemCount"] += 1
        return self._arm.store(item_row(vault, account["id"], share, policy))

    # accounts

    def discover(self, vault: str) -> None:
        self._found[vault.lower()] = [account["id"] for account in self._arm.of_type(ACCOUNTS)]

    def _list_protectable_containers(self, call: CloudRequest) -> Reply:
        vault = vault_of(call.path)
        accounts = (self._arm.find(id) for id in self._found.get(vault.lower(), ()))
        return Reply(
            body={"value": [protectable_container(vault, a) for a in accounts if a and not self._is_registered(a)]}
        )

    def _is_registered(self, account: Resource) -> bool:
        return holder(self._arm, account["id"]) is not None

    def _register(self, call: CloudRequest) -> Reply:
        vault, sent = vault_of(call.path), call.body["properties"]
        if self._arm.find(vault) is None:
            return not_found(call)

        def register(_: Operation) -> None:
            account = require_registrable(self._arm, self._roles, vault, sent)
            self._arm.store(holder(self._arm, account["id"]) or container_row(vault, account, sent))

        return self._operations.accepted(
            call.path, REGISTER_SECONDS, register, body={}, answer=lambda: _registered(self._arm.find(call.path))
        )

    def _unregister(self, call: CloudRequest) -> Reply:
        container = self._arm.find(call.path)
        if container is None:
            return Reply(status=204)
        items = self._arm.of_type(ITEMS, f"{vault_of(call.path)}/")
        if any(i["properties"]["containerName"].lower() == container["name"].lower() for i in items):
            message = "There are still items protected in the container."
            return error(400, "BMSUserErrorContainerHasDatasources", message)
        at = call.path.rpartition("/protectionContainers/")[0]
        reply = self._operations.accepted(at, REFRESH_SECONDS, lambda _: self._arm.remove(call.path))
        operation = reply.headers["Location"].partition("?")[0].rpartition("/")[2]
        result = f"{self._arm.wire.url}{vault_of(call.path)}/backupOperationResults/{operation}"
        reply.headers["Location"] = f"{result}?fabricName=Azure%3fapi-version%3d2024-04-01"
        return reply

    # shares

    def _inquire(self, call: CloudRequest) -> Reply:
        at = call.path.rpartition("/")[0]
        container = self._arm.find(at)
        if container is None:
            return not_found(call)
        account = container["properties"]["friendlyName"]

        def inquire(_: Operation) -> None:
            self._found[container["id"].lower()] = self._files.shares(account)

        return self._operations.accepted(at, INQUIRE_SECONDS, inquire)

    def protectable(self, vault: str) -> list[Resource]:
        containers = self._arm.of_type(CONTAINERS, f"{vault}/")
        rows = (protectable_item(c, share) for c in containers for share in self._found.get(c["id"].lower(), ()))
        return [row for row in rows if not self._is_protected(row)]

    def _is_protected(self, row: Resource) -> bool:
        return self._arm.find(row["id"].replace("/protectableItems/", "/protectedItems/")) is not None

    def new_item(self, call: CloudRequest) -> Resource | None:
        container = self._container(call.path)
        if container is None:
            return None
        account, hashed = container["properties"]["sourceResourceId"], call.params["item"].rpartition(";")[2].lower()
        shares = self._files.shares(container["properties"]["friendlyName"])
        share = next((share for share in shares if share_hash(account, share) == hashed), "")
        return item_row(vault_of(call.path), account, share, call.body["properties"].get("policyId") or "")

    def begin_protection(self, item: Resource, *, new: bool) -> None:
        if not item["properties"]["friendlyName"]:
            raise OperationFailed("UserErrorFileShareNotFound", "The file share was not found.")
        if container := self._container(item["id"]):
            container["properties"]["protectedItemCount"] += new

    def end_protection(self, item: Resource) -> None:
        if container := self._container(item["id"]):
            container["properties"]["protectedItemCount"] -= 1

    def _container(self, item: str) -> Resource | None:
        return self._arm.find(item.rpartition("/protectedItems/")[0])

    # jobs

    def job(self, item: Resource, operation: str, name: str, began: float, *, by_user: bool) -> Resource:
        return job_row(item, operation, name, iso(began), by_user=by_user)

    def is_on_demand(self, job: dict[str, Any], item: Resource) -> bool:
        properties, bag = item["properties"], job["extendedInfo"]["propertyBag"]
        source = (properties["sourceResourceId"].rpartition("/")[2], properties["friendlyName"])
        same = (job.get("storageAccountName"), job["entityFriendlyName"]) == source
        return bool(same and bag.get("Whether job is adhoc or scheduled.") != "False")

    def close(self, job: Resource, status: str, error: tuple[int, str]) -> None:
        properties = job["properties"]
        if properties["operation"] == "Backup":
            properties.pop("actionsInfo", None)
            properties["storageAccountVersion"] = "MicrosoftStorage"
            properties["extendedInfo"]["tasksList"] = [
                {"taskId": "Take Snapshot", "taskType": "Normal", "status": status}
            ]
            properties["extendedInfo"]["propertyBag"]["Data Transferred (in MB)"] = "0"
        if status not in ("Completed", "InProgress"):
            properties["errorDetails"] = [error_detail(error)]

    def require_source(self, item: Resource) -> None:
        self._require_access(item, item["properties"]["sourceResourceId"], BACKUP_ROLE)

    def make_point(self, item: Resource, job: Resource, outcome: JobOutcome[Content]) -> None:
        account = item["properties"]["sourceResourceId"].rpartition("/")[2]
        share = item["properties"]["friendlyName"]
        if outcome.status in ("Failed", "Cancelled") or not self._files.exists(account, share):
            return
        item["properties"].update(
            protectionState="Protected", lastBackupStatus=outcome.status, lastBackupTime=job["properties"]["startTime"]
        )
        self._arm.store(item)
        point = self._arm.store(point_row(item, account, self._arm.clock.time()))
        contents = map(outcome.restored, self._files.files(account, share).items())
        self.contents[point["id"]] = dict(file for file in contents if file)

    def _require_access(self, item: Resource, account: str, role: str) -> None:
        container = self._container(item["id"])
        vault, target = self._arm.find(vault_of(item["id"])), self._arm.find(account)
        if container is None or vault is None or target is None:
            raise OperationFailed("UserErrorResourceNotFound", "The vault, its container or the account is gone.")
        by_identity = str(container["properties"].get("accessType", "")).startswith("Identity")
        principal = principal_of(vault)
        if by_identity and not self._roles.effective(principal, role, target["id"]):
            raise OperationFailed("UserErrorMissingPermissions", "The vault's identity lacks a role on the account.")
        if not by_identity and target["properties"].get("allowSharedKeyAccess") is False:
            raise OperationFailed("UserErrorKeyAccessDisallowed", "The account doesn't allow access by key.")

    # restore

    def refuse_restore(self, call: CloudRequest) -> Reply | None:
        request = call.body["properties"]
        if request["copyOptions"] in ("Overwrite", "Skip", "FailOnConflict"):
            return None
        return error(400, "CopyOptionNotSimulated", f"{request['copyOptions']} isn't simulated.")

    def begin_restore(
        self,
        item: Resource,
        point: Resource,  # noqa: ARG002  # machines need it
        job: Resource,
        request: dict[str, Any],
    ) -> None:
        info, told = job["properties"]["extendedInfo"], restore_bag(item, request, *_target(item, request))
        info["propertyBag"] = {}
        self._arm.clock.after(SILENT_SECONDS, lambda: info.update(propertyBag=told | info["propertyBag"]))

    def restore(
        self, item: Resource, point: Resource, job: Resource, request: dict[str, Any], outcome: JobOutcome[Content]
    ) -> str:
        info, target = job["properties"]["extendedInfo"], _target(item, request)
        info["propertyBag"] = bag = restore_bag(item, request, *target)
        taken = datetime.fromisoformat(point["properties"]["recoveryPointTime"])
        bag["RestoreRecoveryPointTime"] = f"{taken:%-m/%-d/%Y %-I:%M:%S %p}"
        self._require_target(item, request)
        if outcome.status == "Failed":
            return "Failed"
        chosen = requested_files(request, self.contents[point["id"]])
        plan = planned(chosen, self._files.files(*target), request["copyOptions"], outcome)
        for path, content in plan.writes.items():
            self._files.write(*target, path, content)
        bag.update(plan.counters)
        return "CompletedWithWarnings" if plan.failed and outcome.status == "Completed" else outcome.status

    def _require_target(self, item: Resource, request: dict[str, Any]) -> None:
        details = request.get("targetDetails") or {}
        account = details.get("targetResourceId") or request["sourceResourceId"]
        self._require_access(item, account, RESTORE_ROLE)
        if not self._files.exists(*_target(item, request)):
            raise OperationFailed("UserErrorTargetShareNotFound", "The target file share was not found.")


def _target(item: Resource, request: dict[str, Any]) -> tuple[str, str]:
    """The names of the account and share that a restore writes to."""
    target = request.get("targetDetails") or {"name": item["properties"]["friendlyName"]}
    return str(target.get("targetResourceId") or request["sourceResourceId"]).rpartition("/")[2], str(target["name"])


def _registered(container: Resource | None) -> Reply:
    """A new container as its operation answers it: without a type."""
    return Reply(body={name: value for name, value in (container or {}).items() if name != "type"})
