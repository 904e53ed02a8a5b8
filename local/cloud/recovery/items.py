"""What a Recovery Services vault protects: containers and items of shares and machines.

Rules (seen in recorded traffic, or Azure Backup docs):
- An item says IRPending until its first recovery point is there, then Protected. A stopped share has no policyId.
- A deleted item stays, scheduled for deletion after 14 days; a PUT with isRehydrate brings it back. Meanwhile the
  container of a machine is SoftDeleted. Where the vault's soft delete is Disabled, what is deleted is gone at once.
- Every PUT and DELETE makes a job too.
"""

from copy import deepcopy
from typing import Any

from local.cloud.arm import Arm, Operation, OperationFailed, Resource, error, iso, not_found
from local.cloud.recovery.data_sources import DataSourceKind
from local.cloud.recovery.jobs import REFUSED, RecoveryJobs
from local.cloud.recovery.machines import ProtectedMachines
from local.cloud.recovery.protocol import (
    CONTAINER,
    CONTAINERS,
    FABRIC,
    ITEM,
    ITEMS,
    VAULT,
    RecoveryOperations,
    filtered,
)
from local.cloud.recovery.readiness import BackupStatus
from local.cloud.recovery.shares import REFRESH_SECONDS, Shares
from local.cloud.recovery.vault_rows import soft_deletes
from local.cloud.vaults import CriticalCheck, vault_of
from local.cloud.wire import CloudRequest, Reply, Route

PROTECT_SECONDS = 20.0
SOFT_DELETE_DAYS = 14


class RecoveryItems:
    def __init__(
        self,
        arm: Arm,
        operations: RecoveryOperations,
        guard: CriticalCheck,
        shares: Shares,
        machines: ProtectedMachines,
    ) -> None:
        self._arm, self._guard = arm, guard
        self.shares, self.machines = shares, machines
        self.jobs = RecoveryJobs(arm, operations, self._source_of)
        self._operations = operations
        self.status = BackupStatus(arm)
        arm.wire.mount(
            [
                Route("POST", f"{FABRIC}/refreshContainers", self._refresh),
                Route("GET", CONTAINER, arm.get),
                Route("GET", f"{VAULT}/backupProtectionContainers", self._list_containers),
                Route("GET", f"{VAULT}/backupProtectableItems", self._list_protectable_items),
                Route("PUT", ITEM, self._protect),
                Route("GET", ITEM, self._get_item),
                Route("DELETE", ITEM, self._delete_item),
                Route("GET", f"{VAULT}/backupProtectedItems", self._list_items),
            ],
            guard=arm.guard,
        )

    def protecting(self, source: str, name: str) -> Resource:
        """The item of a share of a storage account, or of a machine of a resource group; KeyError if there is none."""
        for item in self._arm.of_type(ITEMS):
            properties, at = item["properties"], item["properties"]["sourceResourceId"].split("/")
            of_machine = properties["backupManagementType"] == "AzureIaasVM"
            if (at[4] if of_machine else at[-1], properties["friendlyName"]) == (source, name):
                return item
        raise KeyError(f"{source}/{name}")

    def _source_of(self, item: Resource) -> DataSourceKind:
        return self._sources(item["properties"]["backupManagementType"])

    def _sources(self, management: str) -> DataSourceKind:
        return self.machines if management == "AzureIaasVM" else self.shares

    # containers

    def _refresh(self, call: CloudRequest) -> Reply:
        vault = vault_of(call.path)
        if self._arm.find(vault) is None:
            return not_found(call)
        sources = self._sources(filtered(call).get("backupManagementType", "AzureIaasVM"))
        at = call.path.rpartition("/")[0]
        return self._operations.accepted(at, REFRESH_SECONDS, lambda _: sources.discover(vault))

    def _list_containers(self, call: CloudRequest) -> Reply:
        terms = filtered(call)
        found = self._arm.of_type(CONTAINERS, f"{vault_of(call.path)}/")
        return Reply(body={"value": [c for c in found if _matches(c, terms, "backupManagementType", "friendlyName")]})

    # items

    def _list_protectable_items(self, call: CloudRequest) -> Reply:
        management = filtered(call).get("backupManagementType", "AzureStorage")
        return Reply(body={"value": self._sources(management).protectable(vault_of(call.path))})

    def _protect(self, call: CloudRequest) -> Reply:
        of_machine = call.params["container"].lower().startswith("iaasvmcontainer;")
        sources = self._sources("AzureIaasVM" if of_machine else "AzureStorage")
        old, sent = self._arm.find(call.path), call.body["properties"]
        if old and old["properties"].get("isScheduledForDeferredDelete") and not sent.get("isRehydrate"):
            return error(
                400, "UserErrorItemIsSoftDeleted", "The item is soft-deleted; undelete it first."
            )  # from memory
        item = old or sources.new_item(call)
        if item is None:
            return not_found(call)
        operation = "Undelete" if sent.get("isRehydrate") else "ConfigureBackup"
        if sent.get("protectionState") == "ProtectionStopped" and not sent.get("isRehydrate"):
            operation = "DisableBackup"
        job = self.jobs.start(item, operation)

        def protect(done: Operation) -> None:
            try:
                sources.begin_protection(item, new=old is None)
            except OperationFailed as failure:
                self.jobs.close(item, job, "Failed", error=(REFUSED, failure.message))
                raise
            _change(item, operation, sent)
            self._mark_container(item, "Registered")
            self._arm.store(item)
            done.properties["jobId"] = job["name"]
            self.jobs.close(item, job)

        return self._operations.accepted(call.path, PROTECT_SECONDS, protect, answer=lambda: Reply(body=item))

    def _get_item(self, call: CloudRequest) -> Reply:
        item = self._arm.find(call.path)
        if item is None:
            return not_found(call)
        shown = deepcopy(item)
        points = self.jobs.points(item)
        state = {"resourceState": "Active", "resourceStateSyncTime": iso(self._arm.clock.time())}
        of_share = item["properties"]["backupManagementType"] == "AzureStorage"
        shown["properties"]["extendedInfo"] = {
            "recoveryPointCount": len(points),
            **({"policyState": "Consistent", **state} if of_share else {"policyInconsistent": False}),
        }
        return Reply(body=shown)

    def _delete_item(self, call: CloudRequest) -> Reply:
        item = self._arm.find(call.path)
        if item is None:
            return Reply(status=204)
        if refused := self._guard(vault_of(call.path)):
            return refused
        job = self.jobs.start(item, "DeleteBackupData")

        def delete(done: Operation) -> None:
            done.properties["jobId"] = job["name"]
            self.jobs.close(item, job)
            if soft_deletes(self._arm.resources[vault_of(item["id"]).lower()]):
                self._soft_delete(item)
            else:
                self._remove(item)

        return self._operations.accepted(vault_of(call.path), PROTECT_SECONDS, delete)

    def _soft_delete(self, item: Resource) -> None:
        now = self._arm.clock.time()
        item["properties"].update(
            protectionState="ProtectionStopped",
            policyId="",
            deferredDeleteTimeInUTC=iso(now),
            isScheduledForDeferredDelete=True,
            deferredDeleteTimeRemaining=f"{SOFT_DELETE_DAYS - 1}.23:59:42.8656002",
            softDeleteRetentionPeriod=SOFT_DELETE_DAYS,
        )
        _forget_policy(item["properties"])
        self._mark_container(item, "SoftDeleted")
        self._arm.clock.after(SOFT_DELETE_DAYS * 86_400, lambda: self._purge(item, iso(now)))

    def _purge(self, item: Resource, deleted: str) -> None:
        if item["properties"].get("deferredDeleteTimeInUTC") == deleted:
            self._remove(item)

    def _remove(self, item: Resource) -> None:
        self._arm.remove(item["id"])
        self._source_of(item).end_protection(item)

    def _mark_container(self, item: Resource, status: str) -> None:
        container = self._arm.find(item["id"].rpartition("/protectedItems/")[0])
        if container and container["properties"]["backupManagementType"] == "AzureIaasVM":
            container["properties"]["registrationStatus"] = status

    def _list_items(self, call: CloudRequest) -> Reply:
        terms = filtered(call)
        found = self._arm.of_type(ITEMS, f"{vault_of(call.path)}/")
        return Reply(body={"value": [i for i in found if _matches(i, terms, "backupManagementType", "friendlyName")]})


def _matches(row: Resource, terms: dict[str, str], *keys: str) -> bool:
    return all(row["properties"][key].lower() == terms[key].lower() for key in keys if key in terms)


def _forget_policy(properties: dict[str, Any]) -> None:
    """A share that is stopped has no policy; a machine may name it still."""
    if properties["backupManagementType"] == "AzureStorage":
        properties.pop("policyId", None)


def _change(item: Resource, operation: str, sent: dict[str, Any]) -> None:
    properties = item["properties"]
    if operation == "ConfigureBackup":
        properties.update(policyId=sent.get("policyId") or "")
        backed_up = "lastRecoveryPoint" in properties or properties["lastBackupStatus"] == "Completed"
        properties["protectionState"] = "Protected" if backed_up else "IRPending"
    else:
        properties["protectionState"] = "ProtectionStopped"
        _forget_policy(properties)
    if "policyName" in properties:
        properties["policyName"] = properties["policyId"].rpartition("/")[2]
    if operation == "Undelete":
        for name in ("isScheduledForDeferredDelete", "deferredDeleteTimeInUTC", "deferredDeleteTimeRemaining"):
            properties.pop(name, None)
