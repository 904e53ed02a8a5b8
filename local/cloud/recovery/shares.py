"""Azure Files under a Recovery Services vault: storage accounts as containers, shares as items.

Rules (seen in recorded traffic, or Azure Backup docs):
- The way in has an order: refresh finds accounts, register takes one, inquire finds its shares, which can be protected.
- An account belongs to one vault. An item's name is a hash; the share's name stands in friendlyName only.
- The casing of names isn't stable: container and item are spelled in three ways.
- Unregistering answers with a malformed Location.
- The recovery point comes some seconds after the job's end, and says so. Four on-demand backups and ten restores a day.
- Access by identity needs a role on the source (backup) and on the target (restore), access by key needs keys allowed.
- A restore really writes the files and counts them.
"""

from datetime import datetime
from typing import Any, ClassVar, Protocol

from local.cloud.arm import Arm, Operation, OperationFailed, Resource, error, iso, not_found
from local.cloud.backup.protocol import JobOutcome
from local.cloud.recovery.protocol import CONTAINER, CONTAINERS, FABRIC, ITEMS, RecoveryOperations, vault_of
from local.cloud.recovery.readiness import BACKUP_ROLE, holder, require_registrable
from local.cloud.recovery.share_content import Content, planned, wanted_by
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
from local.cloud.resources.roles import Roles
from local.cloud.resources.storage import TYPE as ACCOUNTS
from local.cloud.wire import Reply, Route, WireRequest

REFRESH_SECONDS = 15.0
REGISTER_SECONDS = 60.0
INQUIRE_SECONDS = 30.0
RESTORE_ROLE = "e7a9e73d-4397-41f2-a282-af8b65aaa2dc"  # Storage File Restore Contributor


class ShareFiles(Protocol):
    """Shares and their files; account and share are named."""

    def account(self, name: str) -> Resource: ...
    def create(self, account: str, share: str) -> object: ...
    def exists(self, account: str, share: str) -> bool: ...
    def shares(self, account: str) -> list[str]: ...
    def files(self, account: str, share: str) -> dict[str, bytes]: ...
    def write(self, account: str, share: str, path: str, content: bytes) -> object: ...


class Shares:
    """`contents` has the files of each recovery point."""

    limits: ClassVar = {"Backup": 4, "Restore": 10}
    seconds: ClassVar = {"Backup": 30.0, "Restore": 90.0}
    point_lag = 6.0

    def __init__(self, arm: Arm, operations: RecoveryOperations, roles: Roles, files: ShareFiles) -> None:
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

    def _list_protectable_containers(self, call: WireRequest) -> Reply:
        vault = vault_of(call.path)
        accounts = (self._arm.find(id) for id in self._found.get(vault.lower(), ()))
        return Reply(body={"value": [protectable_container(vault, a) for a in accounts if a and not self._held(a)]})

    def _held(self, account: Resource) -> bool:
        return holder(self._arm, account["id"]) is not None

    def _register(self, call: WireRequest) -> Reply:
        vault, sent = vault_of(call.path), call.body["properties"]
        if self._arm.find(vault) is None:
            return not_found(call)

        def register(_: Operation) -> None:
            account = require_registrable(self._arm, self._roles, vault, sent)
            self._arm.store(holder(self._arm, account["id"]) or container_row(vault, account, sent))

        return self._operations.accepted(
            call.path, REGISTER_SECONDS, register, body={}, answer=lambda: _registered(self._arm.find(call.path))
        )

    def _unregister(self, call: WireRequest) -> Reply:
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

    def _inquire(self, call: WireRequest) -> Reply:
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

    def new_item(self, call: WireRequest) -> Resource | None:
        container = self._container(call.path)
        if container is None:
            return None
        account, wanted = container["properties"]["sourceResourceId"], call.params["item"].rpartition(";")[2].lower()
        shares = self._files.shares(container["properties"]["friendlyName"])
        share = next((share for share in shares if share_hash(account, share) == wanted), "")
        return item_row(vault_of(call.path), account, share, call.body["properties"].get("policyId") or "")

    def admit(self, item: Resource, *, new: bool) -> None:
        if not item["properties"]["friendlyName"]:
            raise OperationFailed("UserErrorFileShareNotFound", "The file share was not found.")
        if container := self._container(item["id"]):
            container["properties"]["protectedItemCount"] += new

    def release(self, item: Resource) -> None:
        if container := self._container(item["id"]):
            container["properties"]["protectedItemCount"] -= 1

    def _container(self, item: str) -> Resource | None:
        return self._arm.find(item.rpartition("/protectedItems/")[0])

    # jobs

    def job(self, item: Resource, operation: str, name: str, began: float, *, by_user: bool) -> Resource:
        return job_row(item, operation, name, iso(began), by_user=by_user)

    def is_on_demand(self, job: dict[str, Any], item: Resource) -> bool:
        held, bag = item["properties"], job["extendedInfo"]["propertyBag"]
        source = (held["sourceResourceId"].rpartition("/")[2], held["friendlyName"])
        same = (job.get("storageAccountName"), job["entityFriendlyName"]) == source
        return bool(same and bag.get("Whether job is adhoc or scheduled.") != "False")

    def close(self, job: Resource, status: str, told: tuple[int, str]) -> None:
        held = job["properties"]
        if held["operation"] == "Backup":
            held.pop("actionsInfo", None)
            held["storageAccountVersion"] = "MicrosoftStorage"
            held["extendedInfo"]["tasksList"] = [{"taskId": "Take Snapshot", "taskType": "Normal", "status": status}]
            held["extendedInfo"]["propertyBag"]["Data Transferred (in MB)"] = "0"
        if status not in ("Completed", "InProgress"):
            recommendations = ["Wait for a few minutes and then try the operation again."]
            held["errorDetails"] = [{"errorCode": told[0], "errorString": told[1], "recommendations": recommendations}]

    def require_source(self, item: Resource) -> None:
        self._require_access(item, item["properties"]["sourceResourceId"], BACKUP_ROLE)

    def keep(self, item: Resource, job: Resource, outcome: JobOutcome[Content]) -> None:  # noqa: ARG002  # machines need it
        account = item["properties"]["sourceResourceId"].rpartition("/")[2]
        share = item["properties"]["friendlyName"]
        if outcome.status in ("Failed", "Cancelled") or not self._files.exists(account, share):
            return
        point = self._arm.store(point_row(item, account, self._arm.clock.time()))
        kept = map(outcome.restored, self._files.files(account, share).items())
        self.contents[point["id"]] = dict(file for file in kept if file)

    def _require_access(self, item: Resource, account: str, role: str) -> None:
        container = self._container(item["id"])
        vault, target = self._arm.find(vault_of(item["id"])), self._arm.find(account)
        if container is None or vault is None or target is None:
            raise OperationFailed("UserErrorResourceNotFound", "The vault, its container or the account is gone.")
        by_identity = str(container["properties"].get("accessType", "")).startswith("Identity")
        principal = vault.get("identity", {}).get("principalId", "")
        if by_identity and not self._roles.effective(principal, role, target["id"]):
            raise OperationFailed("UserErrorMissingPermissions", "The vault's identity lacks a role on the account.")
        if not by_identity and target["properties"].get("allowSharedKeyAccess") is False:
            raise OperationFailed("UserErrorKeyAccessDisallowed", "The account doesn't allow access by key.")

    # restore

    def refuse(self, call: WireRequest) -> Reply | None:
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
        job["properties"]["extendedInfo"]["propertyBag"] = restore_bag(item, request, *_target(item, request))

    def restore(
        self, item: Resource, point: Resource, job: Resource, request: dict[str, Any], outcome: JobOutcome[Content]
    ) -> str:
        bag, target = job["properties"]["extendedInfo"]["propertyBag"], _target(item, request)
        taken = datetime.fromisoformat(point["properties"]["recoveryPointTime"])
        bag["RestoreRecoveryPointTime"] = f"{taken:%-m/%-d/%Y %-I:%M:%S %p}"
        self._require_target(item, request)
        if outcome.status == "Failed":
            return "Failed"
        chosen = wanted_by(request, self.contents[point["id"]])
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
