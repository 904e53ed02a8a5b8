"""Backup instances: the AKS clusters that a Backup vault protects.

Rules (seen in recorded traffic, unless said otherwise):
- Validation fails until extension, trusted access and every role are there and effective.
- A PUT is 202 without a body. Until its operation ends a new instance can't be read; then it is ConfiguringProtection
  for a while, and backup and delete are refused. One that is there is UpdatingProtection meanwhile and shows its former
  policy. A PUT that changes no policy is 200.
- Since API 2025-09-01, its vault's soft delete has to be AlwaysOn (reported by users: azurerm issue 33194).
- An instance that could not be validated is in ProtectionError until a sync validates it, which shows a little later.
  A sync does nothing to one that isn't in error (Azure Service Operator syncs so; not recorded).
- A read may go backward: `backward_reads` orders how many.
- The DELETE of an absent instance is 204. A cluster belongs to one instance of one vault only.
- While a vault is immutable, locked or not, what has recovery points that aren't expired isn't deleted. A deleted
  instance is soft-deleted for the vault's days, and keeps its name (Azure Backup docs; refusals from memory).
"""

import uuid
from copy import deepcopy
from datetime import datetime
from typing import Any

from local.cloud.arm import Arm, Operation, OperationFailed, Resource, iso, not_found
from local.cloud.backup.instance_rows import INSTANCES, instance_of, policy_of, set_state
from local.cloud.backup.jobs import BackupJobs
from local.cloud.backup.protocol import API, PROVIDER, VAULT, BackupOperations, error_info, refusal, refuse_soft_delete
from local.cloud.backup.readiness import Readiness, cluster_id
from local.cloud.backup.rows import POINTS, retention_seconds
from local.cloud.vaults import CriticalCheck, immutability_of, vault_of
from local.cloud.wire import CloudRequest, Reply, Route

VALIDATE_SECONDS = 45.0
CREATE_SECONDS = 10.0
UPDATE_SECONDS = 60.0
CONFIGURE_SECONDS = 60.0
TAKE_UP_SECONDS = 20.0  # from the end of a sync until the instance shows it
DELETE_SECONDS = 60.0
_ONE = f"{VAULT}/backupInstances/{{instance}}"
_STATE_AFTER = {
    "stopProtection": "ProtectionStopped",
    "suspendBackups": "BackupsSuspended",
    "resumeProtection": "ProtectionConfigured",
    "resumeBackups": "ProtectionConfigured",
}


class BackupInstances:
    def __init__(
        self, arm: Arm, operations: BackupOperations, jobs: BackupJobs, readiness: Readiness, guard: CriticalCheck
    ) -> None:
        self._arm, self._readiness, self._guard = arm, readiness, guard
        self.backward_reads = 0
        self.soft_deleted: dict[str, Resource] = {}
        self.jobs = jobs
        self._operations = operations
        self.create_seconds, self.update_seconds = CREATE_SECONDS, UPDATE_SECONDS
        self.failing: OperationFailed | None = None  # how the next PUT ends, once
        self._requested: dict[str, Operation] = {}  # what a PUT has begun, by instance
        arm.wire.mount(
            [
                Route("POST", f"{VAULT}/validateForBackup", self._validate),
                Route("POST", f"{_ONE}/sync", self._sync),
                Route("PUT", _ONE, self._put),
                Route("GET", _ONE, self._get),
                Route("GET", f"{_ONE}/operationResults/{{operation}}", self._result),
                Route("DELETE", _ONE, self._delete),
                Route("GET", f"{VAULT}/backupInstances", arm.list_of(INSTANCES)),
                Route("GET", f"{VAULT}/deletedBackupInstances", self._list_deleted),
                *(Route("POST", f"{_ONE}/{action}", self._change) for action in _STATE_AFTER),
                Route("GET", f"/{{resource:path}}/providers/{PROVIDER}/backupInstances", self._list_of_cluster),
            ],
            guard=arm.guard,
        )

    def protecting(self, cluster: str) -> Resource:
        """The instance that protects the cluster with this name; KeyError if none does."""
        for instance in self._arm.of_type(INSTANCES):
            if cluster_id(instance["properties"]).rpartition("/")[2].lower() == cluster.lower():
                return instance
        raise KeyError(cluster)

    def add_configured(self, id: str, properties: dict[str, Any]) -> Resource:
        """An instance as if it had been protected for long."""
        instance = instance_of(id, properties, "ProtectionConfigured")
        instance["properties"]["provisioningState"] = "Succeeded"
        return self._arm.store(instance)

    def _validate(self, call: CloudRequest) -> Reply:
        vault = self._arm.find(call.path.rpartition("/")[0])
        if vault is None:
            return not_found(call)
        instance = call.body["backupInstance"]
        if refused := self._refuse_second_instance(cluster_id(instance), ""):
            return refused
        operation = self._operations.begin(
            VALIDATE_SECONDS, lambda _: self._readiness.require_protectable(vault, instance)
        )
        return self._operations.accepted(vault, operation)

    def _refuse_second_instance(self, cluster: str, own: str) -> Reply | None:
        for other in self._arm.of_type(INSTANCES):
            if cluster_id(other["properties"]).lower() == cluster.lower() and other["id"].lower() != own.lower():
                state = other["properties"]["currentProtectionState"]
                return refusal(
                    "UserErrorDppDatasourceAlreadyHasBackupInstance",
                    f"Datasource is already associated with the backup instance {other['name']} in the Backup vault "
                    f"{vault_of(other['id'])} with the protection status as {state}.",
                )
        return None

    def _put(self, call: CloudRequest) -> Reply:
        if (vault := self._arm.find(vault_of(call.path))) is None:
            return not_found(call)
        security = vault["properties"]["securitySettings"]["softDeleteSettings"]
        refused = refuse_soft_delete(call, security["state"])
        if refused := refused or self._refuse_second_instance(cluster_id(call.body["properties"]), call.path):
            return refused
        if call.path.lower() in self.soft_deleted:
            return refusal("UserErrorSoftDeletedInstanceExists", "A soft-deleted backup instance has this name.")
        if call.path.lower() in self._requested:
            return self._requested_reply(vault, call.path)
        old = self._arm.find(call.path)
        before = old["properties"]["currentProtectionState"] if old else "ConfiguringProtection"
        instance = instance_of(old["id"] if old else call.path, call.body["properties"], before)
        instance["properties"]["provisioningState"] = "Succeeded"
        if old and policy_of(old).lower() == policy_of(instance).lower():
            old.update(instance)  # in place: an operation under way goes on with it
            return Reply(body=old)
        self._requested[call.path.lower()] = self._begin(vault, instance, old, before)
        return self._requested_reply(vault, call.path)

    def _begin(self, vault: Resource, instance: Resource, old: Resource | None, before: str) -> Operation:
        if old is None:
            return self._operations.begin(self.create_seconds, lambda _: self._finish_creating(vault, instance))
        set_state(old, "UpdatingProtection")
        return self._operations.begin(self.update_seconds, lambda _: self._finish_updating(old, instance, before))

    def _requested_reply(self, vault: Resource, path: str) -> Reply:
        operation = self._requested[path.lower()]
        result = self._arm.link(f"{path}/operationResults/{operation.id}", API)
        headers = {**self._operations.status_header(vault, operation), "Location": result, "Retry-After": "30"}
        return Reply(status=202, headers=headers)

    def _result(self, call: CloudRequest) -> Reply:
        path = call.path.rpartition("/operationResults/")[0]
        operation, instance = self._arm.operations.get(call.params["operation"]), self._arm.find(path)
        if operation and operation.open:
            return Reply(status=202, headers={"Location": call.url, "Retry-After": "30"})
        return Reply(body=self._shown(instance)) if operation and instance else not_found(call)

    def _end_request(self, instance: Resource) -> None:
        del self._requested[instance["id"].lower()]
        if failure := self.failing:
            self.failing = None
            raise failure

    def _finish_updating(self, old: Resource, new: Resource, before: str) -> None:
        set_state(old, before)
        self._end_request(old)
        old.update(new)

    def _finish_creating(self, vault: Resource, instance: Resource) -> None:
        self._end_request(instance)
        self._arm.store(instance)
        self._arm.clock.after(CONFIGURE_SECONDS, lambda: self._finish_configuring(vault, instance))

    def _finish_configuring(self, vault: Resource, instance: Resource) -> None:
        try:
            self._readiness.require_protectable(vault, instance["properties"])
        except OperationFailed as failure:
            self.fail_protection(instance, failure)
        else:
            set_state(instance, "ProtectionConfigured")
            self._arm.store(instance)

    def fail_protection(self, instance: Resource, failure: OperationFailed) -> None:
        """Let the protection of the instance be in error."""
        error = error_info(failure.code, failure.message)
        status = {"status": "ConfiguringProtectionFailed", "errorDetails": error}
        instance["properties"].update(
            protectionStatus=status, currentProtectionState="ProtectionError", protectionErrorDetails=error
        )
        self._arm.store(instance)

    def _sync(self, call: CloudRequest) -> Reply:
        instance = self._arm.find(call.path.rpartition("/")[0])
        if instance is None:
            return not_found(call)
        vault = self._arm.resources[vault_of(call.path).lower()]
        operation = self._operations.begin(VALIDATE_SECONDS, lambda _: self._take_up(vault, instance))
        return self._operations.accepted(vault, operation)

    def _take_up(self, vault: Resource, instance: Resource) -> None:
        if instance["properties"]["currentProtectionState"] != "ProtectionError":
            return
        self._readiness.require_protectable(vault, instance["properties"])
        self._arm.clock.after(TAKE_UP_SECONDS, lambda: self._configure(vault, instance))

    def _configure(self, vault: Resource, instance: Resource) -> None:
        instance["properties"].pop("protectionErrorDetails", None)
        set_state(instance, "ConfiguringProtection")
        self._arm.clock.after(CONFIGURE_SECONDS, lambda: self._finish_configuring(vault, instance))

    def _get(self, call: CloudRequest) -> Reply:
        instance = self._arm.find(call.path)
        return Reply(body=self._shown(instance)) if instance else not_found(call)

    def _shown(self, instance: Resource) -> Resource:
        shown = deepcopy(instance)
        if self.backward_reads and instance["properties"]["currentProtectionState"] == "ProtectionConfigured":
            self.backward_reads -= 1
            set_state(shown, "ConfiguringProtection")
        return shown

    def _delete(self, call: CloudRequest) -> Reply:
        instance = self._arm.find(call.path)
        if instance is None:
            return Reply(status=204)
        vault = self._arm.resources[vault_of(call.path).lower()]
        refused = (
            self.jobs.refuse(instance, "Delete")
            or self._refuse_immutable(vault, instance)
            or self._guard(vault_of(call.path))
        )
        if refused:
            return refused
        operation = self._operations.begin(DELETE_SECONDS, lambda _: self._soft_delete(vault, instance))
        return self._operations.accepted(vault, operation)

    def _refuse_immutable(self, vault: Resource, instance: Resource) -> Reply | None:
        """The refusal of an immutable vault to delete an instance whose recovery points aren't expired."""
        last = max((self._expires_at(p) for p in self._arm.of_type(POINTS, f"{instance['id']}/")), default=0)
        if (
            immutability_of(vault["properties"]["securitySettings"]).lower() == "disabled"
            or last <= self._arm.clock.time()
        ):
            return None
        return refusal(
            "UserErrorOperationNotAllowedOnImmutableVault",
            f"The vault is immutable: {instance['name']} has recovery points that expire at {iso(last)}.",
        )

    def _expires_at(self, point: Resource) -> float:
        """When the point expires by the policy that its instance goes by."""
        instance = self._arm.resources[point["id"].rpartition("/recoveryPoints/")[0].lower()]
        policy = self._arm.resources[instance["properties"]["policyInfo"]["policyId"].lower()]
        taken = datetime.fromisoformat(point["properties"]["recoveryPointTime"]).timestamp()
        return taken + retention_seconds(policy)

    def _soft_delete(self, vault: Resource, instance: Resource) -> None:
        self._arm.remove(instance["id"])
        settings = vault["properties"]["securitySettings"]["softDeleteSettings"]
        if settings["state"].lower() == "off":
            return
        now, key = self._arm.clock.time(), instance["id"].lower()
        purged_at = now + settings["retentionDurationInDays"] * 86_400
        deleted = deepcopy(instance)
        set_state(deleted, "SoftDeleted")
        info = {
            "deletionTime": iso(now),
            "billingEndDate": iso(purged_at),
            "scheduledPurgeTime": iso(purged_at),
            "deleteActivityID": str(uuid.uuid4()),
        }
        self.soft_deleted[key] = {
            **deleted,
            "id": instance["id"].replace("/backupInstances/", "/deletedBackupInstances/"),
            "type": f"{PROVIDER}/backupVaults/deletedBackupInstances",
            "properties": {**deleted["properties"], "deletionInfo": info},
        }
        self._arm.clock.at(purged_at, lambda: self.soft_deleted.pop(key, None))

    def deleted_from(self, vault: str) -> list[Resource]:
        """The soft-deleted instances of the vault with this id."""
        return [row for key, row in self.soft_deleted.items() if key.startswith(f"{vault.lower()}/")]

    def _list_deleted(self, call: CloudRequest) -> Reply:
        return Reply(body={"value": self.deleted_from(call.path.rpartition("/")[0])})

    def _change(self, call: CloudRequest) -> Reply:
        path, _, action = call.path.rpartition("/")
        instance = self._arm.find(path)
        if instance is None:
            return not_found(call)
        state = next(state for name, state in _STATE_AFTER.items() if name.lower() == action.lower())
        if refused := self._refuse_second_instance(cluster_id(instance["properties"]), instance["id"]):
            return refused
        if instance["properties"]["currentProtectionState"] == state:
            return Reply()
        vault = self._arm.resources[vault_of(path).lower()]
        operation = self._operations.begin(CREATE_SECONDS, lambda _: set_state(instance, state))
        return self._operations.accepted(vault, operation)

    def _list_of_cluster(self, call: CloudRequest) -> Reply:
        cluster = f"/{call.params['resource']}".lower()
        found = [i for i in self._arm.of_type(INSTANCES) if cluster_id(i["properties"]).lower() == cluster]
        return Reply(body={"value": [self._shown(instance) for instance in found]})
