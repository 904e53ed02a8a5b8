"""Jobs and recovery points of Backup vaults: backups of AKS clusters, scheduled or on demand, and restores.

Rules (recorded traffic and the AKS backup support matrix):
- A trigger answers 202; its operation yields the job's id, and the job then runs for minutes.
- Ten on-demand backups and ten restores a day and instance.
- A backup that completed with warnings leaves a Partial recovery point; a failed one leaves none.
- A restore really makes the objects; a failed one leaves the namespaces behind that it made.
- `outcomes` orders how the next jobs of an operation end.
"""

import uuid
from collections import deque
from collections.abc import Callable
from copy import deepcopy
from typing import TYPE_CHECKING, Any

from local.cloud.arm import OperationFailed, Resource, iso, not_found
from local.cloud.backup.content import Object, captured, make, restored
from local.cloud.backup.protocol import VAULT, Operations, Outcome, error_info, refusal, vault_of
from local.cloud.backup.readiness import require_restorable
from local.cloud.backup.rows import JOBS, POINTS, WARNING, close, job_properties, listed, recovery_point
from local.cloud.wire import Call, Reply, Route

if TYPE_CHECKING:
    from local.cloud.world import World

TRIGGER_SECONDS = 5.0
BACKUP_SECONDS = 217.0
VALIDATE_SECONDS = 45.0
A_DAY = 10
_INSTANCE = f"{VAULT}/backupInstances/{{instance}}"
Finish = Callable[[Outcome[Object]], list[str]]


class BackupJobs:
    """`outcomes["Backup"]` and `outcomes["Restore"]` are queues; `contents` has the objects of each recovery point."""

    def __init__(self, world: "World", operations: Operations) -> None:
        self.world = world
        self.outcomes: dict[str, deque[Outcome[Object]]] = {"Backup": deque(), "Restore": deque()}
        self.contents: dict[str, list[Object]] = {}
        self._operations = operations
        world.wire.mount(
            [
                Route("POST", f"{_INSTANCE}/backup", self._backup),
                Route("POST", f"{_INSTANCE}/validateRestore", self._validate_restore),
                Route("POST", f"{_INSTANCE}/restore", self._restore),
                Route("GET", f"{_INSTANCE}/recoveryPoints", self._list_points),
                Route("GET", f"{_INSTANCE}/recoveryPoints/{{point}}", self._get),
                Route("GET", f"{VAULT}/backupJobs", self._list_jobs),
                Route("GET", f"{VAULT}/backupJobs/{{job}}", self._get),
            ],
            guard=world.resource_groups.guard,
        )

    def scheduled(self, instance: Resource, *, status: str, seconds: float) -> Resource:
        """A scheduled backup that ends with `status` after `seconds`; it looks as if it had begun minutes ago."""
        began = self.world.clock.time() + min(0.0, seconds - BACKUP_SECONDS)
        job = self._start(instance, "Backup", began=began, by_user=False)
        self._run(job, Outcome(status=status, seconds=seconds), lambda outcome: self._keep(instance, job, outcome))
        return job

    def refused(self, instance: Resource, operation: str) -> Reply | None:
        """Why nothing may be done to an instance yet."""
        state = instance["properties"]["currentProtectionState"]
        if state != "ConfiguringProtection":
            return None
        return refusal(
            "UserErrorInvalidBackupInstanceOperation",
            f"Operation {operation} is not allowed on Backup Instance with Protection Status {state}",
        )

    def _backup(self, call: Call) -> Reply:
        instance = self.world.arm.find(call.path.rpartition("/")[0])
        if instance is None:
            return not_found(call)
        policy = self.world.arm.resources[instance["properties"]["policyInfo"]["policyId"].lower()]
        rule = call.body["backupRuleOptions"]["ruleName"]
        if rule not in {r["name"] for r in policy["properties"]["policyRules"]}:
            return refusal("UserErrorBackupRuleNotFound", f"The policy has no rule {rule}.")
        if refused := self.refused(instance, "AdhocBackup") or self._exhausted(instance, "Backup"):
            return refused
        job = self._start(instance, "Backup")
        outcome = self._next("Backup", Outcome(seconds=BACKUP_SECONDS))
        self._run(job, outcome, lambda outcome: self._keep(instance, job, outcome))
        return self._triggered(job)

    def _validate_restore(self, call: Call) -> Reply:
        request = call.body["restoreRequestObject"]
        instance = self.world.arm.find(call.path.rpartition("/")[0])
        if instance is None:
            return not_found(call)
        vault = self.world.arm.resources[vault_of(call.path).lower()]
        if refused := self._unknown_point(instance, request):
            return refused
        operation = self._operations.begin(
            VALIDATE_SECONDS, lambda _: require_restorable(self.world, vault, _target(request))
        )
        return self._operations.accepted(vault, operation)

    def _restore(self, call: Call) -> Reply:
        instance = self.world.arm.find(call.path.rpartition("/")[0])
        if instance is None:
            return not_found(call)
        refused = (
            self.refused(instance, "Restore")
            or self._unknown_point(instance, call.body)
            or self._exhausted(instance, "Restore")
        )
        if refused:
            return refused
        job = self._start(instance, "Restore")
        point = self.world.arm.resources[self._point_id(instance, call.body)]
        job["properties"]["sourceDataStoreType"] = call.body.get("sourceDataStoreType")
        job["properties"]["extendedInfo"]["sourceRecoverPoint"] = _named(point)
        job["properties"]["extendedInfo"]["recoveryDestination"] = _target(call.body)
        request = call.body
        self._run(job, self._next("Restore", Outcome()), lambda outcome: self._make(job, point, request, outcome))
        return self._triggered(job)

    def _unknown_point(self, instance: Resource, request: dict[str, Any]) -> Reply | None:
        if self._point_id(instance, request) in self.world.arm.resources:
            return None
        return refusal("UserErrorRecoveryPointNotFound", f"No recovery point {request['recoveryPointId']} was found.")

    def _point_id(self, instance: Resource, request: dict[str, Any]) -> str:
        return f"{instance['id']}/recoveryPoints/{request['recoveryPointId']}".lower()

    def _exhausted(self, instance: Resource, category: str) -> Reply | None:
        since = iso(self.world.clock.time() - 86_400)
        done = (j["properties"] for j in self.world.arm.of_type(JOBS, f"{vault_of(instance['id'])}/"))
        mine = [
            j
            for j in done
            if j["backupInstanceId"] == instance["id"] and j["operationCategory"] == category
            if j["isUserTriggered"] and j["startTime"] > since
        ]
        if len(mine) < A_DAY:
            return None
        return refusal("UserErrorMaxOperationsPerDayReached", f"{category} was triggered {A_DAY} times in 24 hours.")

    def _next(self, category: str, usual: Outcome[Object]) -> Outcome[Object]:
        return self.outcomes[category].popleft() if self.outcomes[category] else usual

    def _triggered(self, job: Resource) -> Reply:
        operation = self._operations.begin(TRIGGER_SECONDS, lambda op: op.properties.update(jobId=job["id"]))
        return self._operations.accepted(self.world.arm.resources[vault_of(job["id"]).lower()], operation)

    def _start(
        self, instance: Resource, category: str, *, began: float | None = None, by_user: bool = True
    ) -> Resource:
        name = str(uuid.uuid4())
        started = self.world.clock.time() if began is None else began
        job = {
            "properties": job_properties(instance, category, iso(started), by_user=by_user),
            "id": f"{vault_of(instance['id'])}/backupJobs/{name}",
            "name": name,
            "type": JOBS,
        }
        return self.world.arm.store(job)

    def _run(self, job: Resource, outcome: Outcome[Object], finish: Finish) -> None:
        if outcome.seconds == 0:
            self._end(job, outcome, finish)
        elif outcome.seconds is not None:
            self.world.clock.after(outcome.seconds, lambda: self._end(job, outcome, finish))

    def _end(self, job: Resource, outcome: Outcome[Object], finish: Finish) -> None:
        status, told = outcome.status, error_info("UserErrorBackupInternalError", "The job failed.")
        try:
            if (warnings := finish(outcome)) and status == "Completed":
                status, told = "CompletedWithWarnings", error_info(WARNING, "; ".join(warnings))
        except OperationFailed as failure:
            status, told = "Failed", error_info(failure.code, failure.message)
        close(job, status, self.world.clock.time(), told)
        self.world.arm.store(job)

    def _keep(self, instance: Resource, job: Resource, outcome: Outcome[Object]) -> list[str]:
        """The end of a backup: a recovery point with what the cluster holds now."""
        if outcome.status == "Failed":
            return []
        parameters = instance["properties"]["policyInfo"].get("policyParameters") or {}
        chosen = (parameters.get("backupDatasourceParametersList") or [{}])[0]
        name = uuid.uuid4().hex
        point = self.world.arm.store(recovery_point(instance, name, self.world.clock.time(), outcome.status))
        taken = captured(self.world, job["properties"]["dataSourceName"], chosen)
        self.contents[name] = [o for o in map(outcome.restored, taken) if o]
        named = {**_named(point), "recoveryPointTime": "0001-01-01T00:00:00Z"}
        job["properties"]["extendedInfo"]["targetRecoverPoint"] = named
        return []

    def _make(self, job: Resource, point: Resource, request: dict[str, Any], outcome: Outcome[Object]) -> list[str]:
        """The end of a restore: the objects exist in the target cluster."""
        vault = self.world.arm.find(vault_of(job["id"]))
        if vault is None:
            raise OperationFailed("UserErrorGenericResourceNotFound", "The vault is gone.")
        require_restorable(self.world, vault, _target(request))
        criteria = request["restoreTargetInfo"]["restoreCriteria"][0]
        cluster = self.world.kubernetes.clusters[_target(request).rpartition("/")[2]]
        chosen = [o for o in map(outcome.restored, restored(self.contents[point["name"]], criteria)) if o]
        if outcome.status == "Failed":
            chosen = [o for o in chosen if o["kind"] == "Namespace"]
        return [warning for o in chosen if (warning := make(cluster, o, criteria))]

    def _list_points(self, call: Call) -> Reply:
        return Reply(body={"value": list(self.world.arm.of_type(POINTS, f"{call.path}/"))})

    def _list_jobs(self, call: Call) -> Reply:
        return Reply(body={"value": [listed(job) for job in self.world.arm.of_type(JOBS, f"{call.path}/")]})

    def _get(self, call: Call) -> Reply:
        found = self.world.arm.find(call.path)
        return Reply(body=deepcopy(found)) if found else not_found(call)


def _target(request: dict[str, Any]) -> str:
    source = request["restoreTargetInfo"]["datasourceInfo"]
    return str(source.get("resourceID") or source["resourceId"])


def _named(point: Resource) -> dict[str, str]:
    return {"recoveryPointID": point["name"], "recoveryPointTime": point["properties"]["recoveryPointTime"]}
