"""Jobs and recovery points of Backup vaults: backups of AKS clusters, scheduled or on demand, and restores.

Rules (recorded traffic and the AKS backup support matrix):
- A trigger answers 202; its operation yields the job's id, and the job then runs for minutes.
- Ten on-demand backups and ten restores a day and instance.
- A recovery point's time lies 40 seconds before the end of its job.
- A backup that completed with warnings leaves a Partial recovery point; a failed or cancelled one leaves none. One of a
  stopped cluster fails.
- Points expire when a test says so; what is being restored from one goes on.
- `outcomes` says how the next jobs of an operation end.
"""

import uuid
from collections import deque
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any

from local.cloud.arm import Arm, OperationFailed, Resource, iso, not_found
from local.cloud.backup import restoring
from local.cloud.backup.content import Object, captured
from local.cloud.backup.protocol import VAULT, BackupOperations, error_info, refusal
from local.cloud.backup.readiness import cluster_id, require_running
from local.cloud.backup.restoring import Restoring
from local.cloud.backup.rows import JOBS, POINTS, close, job_properties, listed, recovery_point
from local.cloud.kubernetes.cluster import SimulatedCluster
from local.cloud.vaults import JobOutcome, WarningDetail, vault_of
from local.cloud.wire import CloudRequest, Reply, Route

TRIGGER_SECONDS = 5.0
BACKUP_SECONDS = 217.0
POINT_SECONDS = 40.6  # a point is so much older than the end of its job, and no older than its start
VALIDATE_SECONDS = 45.0
STAGE_SECONDS = 60.0
MOST_PER_DAY = 10
_INSTANCE = f"{VAULT}/backupInstances/{{instance}}"
Finish = Callable[[JobOutcome[Object]], list[WarningDetail]]
_OPERATIONAL, _BOTH = ("OperationalStore",), ("OperationalStore", "VaultStore")


class BackupJobs:
    """`outcomes["Backup"]` and `outcomes["Restore"]` are queues; `contents` has the objects of each recovery point."""

    def __init__(
        self, arm: Arm, operations: BackupOperations, restoring: Restoring, clusters: Mapping[str, SimulatedCluster]
    ) -> None:
        self._arm, self._restoring, self._clusters = arm, restoring, clusters
        self.outcomes: dict[str, deque[JobOutcome[Object]]] = {"Backup": deque(), "Restore": deque()}
        self.contents: dict[str, list[Object]] = {}
        self._operations = operations
        arm.wire.mount(
            [
                Route("POST", f"{_INSTANCE}/backup", self._backup),
                Route("POST", f"{_INSTANCE}/validateRestore", self._validate_restore),
                Route("POST", f"{_INSTANCE}/restore", self._restore),
                Route("GET", f"{_INSTANCE}/recoveryPoints", arm.list_of(POINTS)),
                Route("GET", f"{_INSTANCE}/recoveryPoints/{{point}}", arm.get),
                Route("GET", f"{VAULT}/backupJobs", self._list_jobs),
                Route("GET", f"{VAULT}/backupJobs/{{job}}", arm.get),
            ],
            guard=arm.guard,
        )

    def run_scheduled(self, instance: Resource, outcome: JobOutcome[Object], *, vaulted: bool = False) -> Resource:
        """Run a scheduled backup that has this outcome, in the vault tier too if it is `vaulted`.

        It looks as if it had begun minutes ago.
        """
        began = self._arm.clock.time() + min(0.0, (outcome.seconds or 0.0) - BACKUP_SECONDS)
        job = self._start(instance, "Backup", began=began, by_user=False)
        stores = _BOTH if vaulted else _OPERATIONAL
        self._run(job, outcome, lambda outcome: self._make_point(instance, job, outcome, stores))
        return job

    def expire(self, point: str, store: str = "") -> None:
        """The recovery point with this name is gone, or only its copy in a store."""
        found = next(p for p in self._arm.of_type(POINTS) if p["name"] == point)
        details = found["properties"]["recoveryPointDataStoresDetails"]
        remaining = [each for each in details if store and each["type"] != store]
        found["properties"]["recoveryPointDataStoresDetails"] = remaining
        if not remaining:
            self._arm.remove(found["id"])

    def refuse(self, instance: Resource, operation: str) -> Reply | None:
        """The refusal of an operation on an instance whose protection is still being configured."""
        state = instance["properties"]["currentProtectionState"]
        if state != "ConfiguringProtection":
            return None
        return refusal(
            "UserErrorInvalidBackupInstanceOperation",
            f"Operation {operation} is not allowed on Backup Instance with Protection Status {state}",
        )

    def _backup(self, call: CloudRequest) -> Reply:
        instance = self._arm.find(call.path.rpartition("/")[0])
        if instance is None:
            return not_found(call)
        policy = self._arm.resources[instance["properties"]["policyInfo"]["policyId"].lower()]
        rule = call.body["backupRuleOptions"]["ruleName"]
        if rule not in {r["name"] for r in policy["properties"]["policyRules"]}:
            return refusal("UserErrorBackupRuleNotFound", f"The policy has no rule {rule}.")
        if refused := self.refuse(instance, "AdhocBackup") or self._refuse_over_limit(instance, "Backup"):
            return refused
        job = self._start(instance, "Backup")
        outcome = self._next_outcome("Backup", JobOutcome(seconds=BACKUP_SECONDS))
        self._run(job, outcome, lambda outcome: self._make_point(instance, job, outcome))
        return self._answer_trigger(job)

    def _validate_restore(self, call: CloudRequest) -> Reply:
        request = call.body["restoreRequestObject"]
        instance = self._arm.find(call.path.rpartition("/")[0])
        if instance is None:
            return not_found(call)
        vault = self._arm.resources[vault_of(call.path).lower()]
        if refused := restoring.refuse(self._point(instance, request), request):
            return refused
        operation = self._operations.begin(
            VALIDATE_SECONDS, lambda _: self._restoring.require(vault, instance, request)
        )
        return self._operations.accepted(vault, operation)

    def _restore(self, call: CloudRequest) -> Reply:
        instance = self._arm.find(call.path.rpartition("/")[0])
        if instance is None:
            return not_found(call)
        request = call.body
        point = self._point(instance, request)
        refused = (
            self.refuse(instance, "Restore")
            or restoring.refuse(point, request)
            or self._refuse_over_limit(instance, "Restore")
        )
        if refused or point is None:
            return refused or not_found(call)
        job = self._start(instance, "Restore")
        job["properties"]["sourceDataStoreType"] = request["sourceDataStoreType"]
        job["properties"]["extendedInfo"]["sourceRecoverPoint"] = _reference(point)
        job["properties"]["extendedInfo"]["recoveryDestination"] = restoring.target(request)
        objects = self.contents[point["name"]]
        if request["sourceDataStoreType"] == "VaultStore":
            self._arm.clock.after(STAGE_SECONDS, lambda: self._stage(job, instance, objects, request))
        outcome = self._next_outcome("Restore", JobOutcome())
        self._run(job, outcome, lambda outcome: self._restore_objects(job, instance, objects, request, outcome))
        return self._answer_trigger(job)

    def _point(self, instance: Resource, request: dict[str, Any]) -> Resource | None:
        return self._arm.find(f"{instance['id']}/recoveryPoints/{request['recoveryPointId']}")

    def _refuse_over_limit(self, instance: Resource, category: str) -> Reply | None:
        since = iso(self._arm.clock.time() - 86_400)
        done = (j["properties"] for j in self._arm.of_type(JOBS, f"{vault_of(instance['id'])}/"))
        mine = [
            j
            for j in done
            if j["backupInstanceId"] == instance["id"] and j["operationCategory"] == category
            if j["isUserTriggered"] and j["startTime"] > since
        ]
        if len(mine) < MOST_PER_DAY:
            return None
        return refusal("UserErrorMaxOperationsPerDayReached", f"{category} was triggered {MOST_PER_DAY} times today.")

    def _next_outcome(self, category: str, usual: JobOutcome[Object]) -> JobOutcome[Object]:
        return self.outcomes[category].popleft() if self.outcomes[category] else usual

    def _answer_trigger(self, job: Resource) -> Reply:
        operation = self._operations.begin(TRIGGER_SECONDS, lambda op: op.properties.update(jobId=job["id"]))
        return self._operations.accepted(self._arm.resources[vault_of(job["id"]).lower()], operation)

    def _start(
        self, instance: Resource, category: str, *, began: float | None = None, by_user: bool = True
    ) -> Resource:
        name = str(uuid.uuid4())
        started = self._arm.clock.time() if began is None else began
        job = {
            "properties": job_properties(instance, category, iso(started), by_user=by_user),
            "id": f"{vault_of(instance['id'])}/backupJobs/{name}",
            "name": name,
            "type": JOBS,
        }
        return self._arm.store(job)

    def _run(self, job: Resource, outcome: JobOutcome[Object], finish: Finish) -> None:
        if outcome.seconds == 0:
            self._end(job, outcome, finish)
        elif outcome.seconds is not None:
            self._arm.clock.after(outcome.seconds, lambda: self._end(job, outcome, finish))

    def _end(self, job: Resource, outcome: JobOutcome[Object], finish: Finish) -> None:
        status, error = outcome.status, error_info("UserErrorBackupInternalError", "The job failed.")
        warnings = list(outcome.warnings)
        try:
            warnings += finish(outcome)
            status = "CompletedWithWarnings" if warnings and status == "Completed" else status
        except OperationFailed as failure:
            status, error = "Failed", error_info(failure.code, failure.message)
        close(job, status, self._arm.clock.time(), error, warnings)
        self._arm.store(job)

    def _make_point(
        self, instance: Resource, job: Resource, outcome: JobOutcome[Object], stores: Collection[str] = _OPERATIONAL
    ) -> list[WarningDetail]:
        """End a backup: make a recovery point with what the cluster holds now."""
        cluster = self._arm.find(cluster_id(instance["properties"]))
        if cluster:
            require_running(cluster)
        if outcome.status in ("Failed", "Cancelled"):
            return []
        parameters = instance["properties"]["policyInfo"].get("policyParameters") or {}
        chosen = (parameters.get("backupDatasourceParametersList") or [{}])[0]
        name = uuid.uuid4().hex
        status = "Partial" if outcome.warnings else outcome.status
        started = datetime.fromisoformat(job["properties"]["startTime"]).timestamp()
        taken = max(started, self._arm.clock.time() - POINT_SECONDS)
        point = self._arm.store(recovery_point(instance, name, taken, status, stores))
        objects = captured(self._clusters.get(job["properties"]["dataSourceName"]), chosen)
        self.contents[name] = [o for o in map(outcome.restored, objects) if o]
        reference = {**_reference(point), "recoveryPointTime": "0001-01-01T00:00:00Z"}
        job["properties"]["extendedInfo"]["targetRecoverPoint"] = reference
        return []

    def _restore_objects(
        self,
        job: Resource,
        instance: Resource,
        objects: list[Object],
        request: dict[str, Any],
        outcome: JobOutcome[Object],
    ) -> list[WarningDetail]:
        """End a restore: make the objects in the target cluster."""
        vault = self._arm.find(vault_of(job["id"]))
        if vault is None:
            raise OperationFailed("UserErrorGenericResourceNotFound", "The vault is gone.")
        self._restoring.require(vault, instance, request)
        return self._restoring.restore(objects, request, outcome)

    def _stage(self, job: Resource, instance: Resource, objects: list[Object], request: dict[str, Any]) -> None:
        """Copy what the vault holds to the staging group and account; if they aren't ready, the job fails later."""
        vault = self._arm.find(vault_of(job["id"]))
        if vault and job["properties"]["status"] == "InProgress":
            with suppress(OperationFailed):
                self._restoring.require(vault, instance, request)
                self._restoring.stage(job["name"], objects, request)

    def _list_jobs(self, call: CloudRequest) -> Reply:
        if self._arm.find(vault_of(call.path)) is None:
            return not_found(call)
        return Reply(body={"value": [listed(job) for job in self._arm.of_type(JOBS, f"{call.path}/")]})


def _reference(point: Resource) -> dict[str, str]:
    return {"recoveryPointID": point["name"], "recoveryPointTime": point["properties"]["recoveryPointTime"]}
