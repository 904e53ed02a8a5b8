"""Virtual machines under a Recovery Services vault, and how their disks are restored.

Rules (seen in recorded traffic, or Azure Backup docs; codes of refusals are from memory):
- Machines are found in the vault's region by a refresh, whichever vault asked for it. No container is registered: the
  PUT of an item makes it. A machine belongs to one vault.
- A backup first takes a snapshot, then sends it to the vault, which takes longer. The point's time is some seconds
  after the job's start.
- Disks are restored to a group; a container in a staging account gets configuration and template, and the job names it.
  Disks are named after the machine, without what isn't a letter or digit, their kind, LUN and the moment.
- An item may leave out single disks, by LUN.
- Who restores needs rights on the machine, on the staging account and on the group, too.
- The staging account is in the vault's region and not zone-redundant. Nobody cleans up after a restore that fails late.
"""

import re
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, ClassVar

from local.cloud.arm import Arm, OperationFailed, Resource, error, not_found
from local.cloud.recovery.machine_rows import (
    backup_ended,
    container_id,
    container_row,
    item_row,
    job_row,
    point_row,
    protectable_item,
    restore_info,
    snapshot_taken,
    staged,
)
from local.cloud.recovery.protocol import ITEMS, VAULT, RecoveryOperations, error_detail
from local.cloud.resources.machines import MACHINES, MachineDisk, MachineService
from local.cloud.resources.permissions import Permissions
from local.cloud.resources.storage import Storage
from local.cloud.vaults import JobOutcome, vault_of
from local.cloud.wire import CloudRequest, Reply, Route

SNAPSHOT_SECONDS = 120.0
VALIDATE_SECONDS = 15.0


class ProtectedMachines:
    """`contents` has the disks of each recovery point. A failed restore leaves those that its outcome doesn't drop."""

    limits: ClassVar = {"Backup": 9, "Restore": 10}
    seconds: ClassVar = {"Backup": 2_400.0, "Restore": 2_100.0}
    point_lag_seconds = 0.0

    def __init__(
        self,
        arm: Arm,
        operations: RecoveryOperations,
        permissions: Permissions,
        machines: MachineService,
        storage: Storage,
    ) -> None:
        self._arm, self._permissions = arm, permissions
        self._machines, self._storage = machines, storage
        self.contents: dict[str, list[MachineDisk]] = {}
        self._operations = operations
        self._found: list[str] = []
        validate = Route("POST", f"{VAULT}/backupTriggerValidateOperation", self._validate)
        arm.wire.mount([validate], guard=arm.guard)

    def source(self, name: str) -> Resource:
        """The machine with this name, made if there is none."""
        return self._machines.add(name)

    def protect(self, vault: str, machine: Resource, policy: str) -> Resource:
        """An item that has been protected for long."""
        self._arm.store(container_row(vault, machine["id"]))
        return self._arm.store(item_row(vault, machine["id"], policy))

    # items

    def discover(self, vault: str) -> None:
        location = self._vault(vault)["location"]
        self._found = [machine["id"] for machine in self._arm.of_type(MACHINES) if machine["location"] == location]

    def protectable(self, vault: str) -> list[Resource]:
        machines = (self._arm.find(id) for id in self._found)
        return [protectable_item(vault, machine) for machine in machines if machine and not self._item(machine["id"])]

    def new_item(self, call: CloudRequest) -> Resource | None:
        sent = call.body["properties"]
        return item_row(vault_of(call.path), sent["sourceResourceId"], sent.get("policyId") or "")

    def begin_protection(self, item: Resource, *, new: bool) -> None:
        vault, source = vault_of(item["id"]), item["properties"]["sourceResourceId"]
        machine, other = self._arm.find(source), self._item(source)
        if machine is None:
            raise OperationFailed("UserErrorVmNotFoundV2", "The virtual machine doesn't exist.")
        if machine["location"] != self._vault(vault)["location"]:
            raise OperationFailed("UserErrorVmNotInSameRegion", "The machine isn't in the region of the vault.")
        if other and vault_of(other["id"]).lower() != vault.lower():
            message = "The machine is protected by another vault."
            raise OperationFailed("UserErrorVmAlreadyProtectedElsewhere", message)
        if new:
            self._arm.store(container_row(vault, source))

    def end_protection(self, item: Resource) -> None:
        self._arm.remove(container_id(vault_of(item["id"]), item["properties"]["sourceResourceId"]))

    def _item(self, machine: str) -> Resource | None:
        items = self._arm.of_type(ITEMS)
        return next((i for i in items if i["properties"]["sourceResourceId"].lower() == machine.lower()), None)

    def _vault(self, id: str) -> Resource:
        return self._arm.resources[id.lower()]

    # backup

    def job(self, item: Resource, operation: str, name: str, began: float, *, by_user: bool) -> Resource:
        job = job_row(item, operation, name, began, by_user=by_user)
        if operation == "Backup":
            self._arm.clock.at(max(began + SNAPSHOT_SECONDS, self._arm.clock.time()), lambda: self._snapshot(job))
        return job

    def _snapshot(self, job: Resource) -> None:
        if job["properties"]["status"] == "InProgress":
            snapshot_taken(job, self._arm.clock.time())

    def is_on_demand(self, job: dict[str, Any], item: Resource) -> bool:
        bag = job["extendedInfo"]["propertyBag"]
        on_demand = job["operation"] == "Restore" or "Recovery Point Expiry Time in UTC" in bag
        return bool(job.get("containerName") == item["properties"]["containerName"] and on_demand)

    def close(self, job: Resource, status: str, error: tuple[int, str]) -> None:
        properties = job["properties"]
        if properties["operation"] == "Backup":
            backup_ended(job, status)
        if status not in ("Completed", "InProgress"):
            properties["errorDetails"] = [error_detail(error) | {"errorTitle": "Error"}]

    def require_source(self, item: Resource) -> None:
        if self._arm.find(item["properties"]["sourceResourceId"]) is None:
            raise OperationFailed("UserErrorVmNotFoundV2", "The virtual machine doesn't exist.")

    def make_point(self, item: Resource, job: Resource, outcome: JobOutcome[MachineDisk]) -> None:
        properties, machine = item["properties"], self._arm.find(item["properties"]["sourceResourceId"])
        properties.update(lastBackupStatus=outcome.status, lastBackupTime=job["properties"]["startTime"])
        if outcome.status not in ("Failed", "Cancelled") and machine:
            began = datetime.fromisoformat(job["properties"]["startTime"]).timestamp()
            point = point_row(item, machine["properties"]["hardwareProfile"]["vmSize"], began)
            contents = map(outcome.restored, filter(_is_covered(properties), self._machines.disks(machine)))
            self.contents[self._arm.store(point)["id"]] = [disk for disk in contents if disk]
            properties.update(protectionState="Protected", lastRecoveryPoint=point["properties"]["recoveryPointTime"])
        self._arm.store(item)

    # restore

    def refuse_restore(self, call: CloudRequest) -> Reply | None:
        request = call.body["properties"]
        if request["recoveryType"] != "RestoreDisks" or not request.get("targetResourceGroupId"):
            return error(400, "RestoreNotSimulated", "Only managed disks restored to a resource group are simulated.")
        caller = self._arm.caller(call)
        assert caller, "the guard lets nobody else through"
        for action, scope in _LINKED_ACTIONS.items():
            if not self._permissions.allows(caller, action, request[scope]):
                return error(403, "LinkedAuthorizationFailed", _NOT_ALLOWED.format(action=action, scope=request[scope]))
        return None

    def begin_restore(self, item: Resource, point: Resource, job: Resource, request: dict[str, Any]) -> None:  # noqa: ARG002  # shares need it
        taken = datetime.fromisoformat(point["properties"]["recoveryPointTime"])
        job["properties"]["extendedInfo"] = restore_info(request, f"{taken:%-m/%-d/%Y %-I:%M:%S %p}")

    def restore(
        self, item: Resource, point: Resource, job: Resource, request: dict[str, Any], outcome: JobOutcome[MachineDisk]
    ) -> str:
        problems = self._restore_problems(vault_of(item["id"]), request)
        if problems:
            raise OperationFailed(*problems[0])
        stem = re.sub(r"[^a-z0-9]", "", item["properties"]["friendlyName"].lower())
        info = job["properties"]["extendedInfo"]
        self._stage(request["storageAccountId"], f"{stem}-{uuid.uuid4().hex}", job)
        chosen = [disk for disk in self.contents[point["id"]] if _is_requested(disk, request)]
        for disk in filter(None, map(outcome.restored, chosen)):
            self._machines.make_disk(
                request["targetResourceGroupId"], self._name(stem, disk), disk, location=request["region"]
            )
        info["tasksList"][0]["status"] = outcome.status
        info["progressPercentage"] = 100.0
        return outcome.status

    def _stage(self, account: str, container: str, job: Resource) -> None:
        info, name = job["properties"]["extendedInfo"], account.rpartition("/")[2]
        blobs = staged(info, name, container, job["name"])
        self._storage.add_container(account, container, blobs)

    def _name(self, stem: str, disk: MachineDisk) -> str:
        kind = "osdisk" if disk.lun is None else f"datadisk-{disk.lun:03}"
        return f"{stem}-{kind}-{datetime.fromtimestamp(self._arm.clock.time(), UTC):%Y%m%d-%H%M%S}"

    def _validate(self, call: CloudRequest) -> Reply:
        point, vault = self._arm.find(call.body["id"]), vault_of(call.path)
        if point is None:
            return not_found(call)
        request = call.body["properties"]["restoreRequest"]

        def found() -> dict[str, Any]:
            results = [
                {"code": code, "message": message, "recommendations": []}
                for code, message in self._restore_problems(vault, request)
            ]
            return {"validateOperationResponse": {"validationResults": results}}

        return self._operations.validating(vault, VALIDATE_SECONDS, found)

    def _restore_problems(self, vault: str, request: dict[str, Any]) -> list[tuple[str, str]]:
        """Why a restore would fail: codes and messages."""
        account = self._arm.find(request.get("storageAccountId") or "")
        group = self._arm.find(request.get("targetResourceGroupId") or "")
        checks = [
            (account is None, "UserErrorStorageAccountNotFound", "The staging account doesn't exist."),
            (account and account["location"] != self._vault(vault)["location"], *_OTHER_REGION),
            (account and "ZRS" in account["sku"]["name"], *_ZONE_REDUNDANT),
            (group is None, "UserErrorTargetResourceGroupNotFound", "The target resource group doesn't exist."),
        ]
        return [(code, message) for wrong, code, message in checks if wrong]


_LINKED_ACTIONS = {  # what a caller must be allowed besides the restore itself
    "Microsoft.Compute/virtualMachines/write": "sourceResourceId",
    "Microsoft.Storage/storageAccounts/write": "storageAccountId",
    "Microsoft.Resources/subscriptions/resourceGroups/write": "targetResourceGroupId",
}
_NOT_ALLOWED = (
    "The client has permission to restore, however, it does not have permission to perform action '{action}' on the "
    "linked scope(s) '{scope}' or the linked scope(s) are invalid."
)
_OTHER_REGION = ("UserErrorStorageAccountRegionMismatch", "The staging account isn't in the vault's region.")
_ZONE_REDUNDANT = ("UserErrorZoneRedundantStorageNotSupported", "A zone-redundant staging account isn't supported.")


def _is_covered(item: dict[str, Any]) -> Callable[[MachineDisk], bool]:
    """Whether a disk is in an item's backups; that of the system always is."""
    chosen = item.get("extendedProperties", {}).get("diskExclusionProperties", {"diskLunList": []})
    included = bool(chosen.get("isInclusionList"))
    return lambda disk: disk.lun is None or (disk.lun in chosen["diskLunList"]) == included


def _is_requested(disk: MachineDisk, request: dict[str, Any]) -> bool:
    luns = request.get("restoreDiskLunList")
    return luns is None or disk.lun is None or disk.lun in luns
