"""Jobs and recovery points of protected items: backups and restores of shares and machines.

Rules (seen in recorded traffic, or Azure Backup limits):
- A restore's job has the id of its operation, a backup's has not.
- An open job has no endTime; lists leave out `extendedInfo`; a restore's job stays "Cancellable" when it is finished.
- On-demand backups and restores are limited by day and item.
- `outcomes` says how the next jobs of an operation end.
"""

import uuid
from collections import deque
from collections.abc import Callable
from copy import deepcopy
from datetime import datetime, timedelta
from typing import Any

from local.cloud.arm import Arm, Operation, OperationFailed, Resource, error, iso, not_found
from local.cloud.recovery.data_sources import DataSourceKind
from local.cloud.recovery.protocol import ITEM, JOBS, POINTS, VAULT, RecoveryOperations, filtered
from local.cloud.vaults import JobOutcome, vault_of
from local.cloud.wire import CloudRequest, Reply, Route

TRIGGER_SECONDS = 3.0
REFUSED = 400239
_UNHEALTHY = 2  # by the order of the SDK's words; only 0 was recorded, and never a word
_INTERNAL = (1073871825, "Microsoft Azure Backup encountered an internal error.")


class RecoveryJobs:
    """`outcomes["Backup"]` and `outcomes["Restore"]` are queues; `source_of` gives an item's kind of data source."""

    def __init__(
        self, arm: Arm, operations: RecoveryOperations, source_of: Callable[[Resource], DataSourceKind]
    ) -> None:
        self._arm = arm
        self.outcomes: dict[str, deque[JobOutcome[Any]]] = {"Backup": deque(), "Restore": deque()}
        self._operations, self._source_of = operations, source_of
        self._began: dict[str, float] = {}
        arm.wire.mount(
            [
                Route("POST", f"{ITEM}/backup", self._backup),
                Route("GET", f"{ITEM}/recoveryPoints", self._list_points),
                Route("GET", f"{ITEM}/recoveryPoints/{{point}}", arm.get),
                Route("POST", f"{ITEM}/recoveryPoints/{{point}}/restore", self._restore),
                Route("GET", f"{VAULT}/backupJobs", self._list_jobs),
                Route("GET", f"{VAULT}/backupJobs/{{job}}", self._get_job),
            ],
            guard=arm.guard,
        )

    def flag(self, point: Resource) -> Resource:
        """Set what threat detection found in a machine's recovery point; Backup vaults have no such field."""
        now = iso(self._arm.clock.time())
        threat = {
            "threatTitle": "Suspected ransomware activity",
            "threatDescription": "Many files were encrypted on the source before this recovery point was taken.",
            "lastUpdatedTime": now,
            "threatState": "Active",
            "threatStartTime": now,
            "threatSeverity": "High",
        }
        point["properties"] |= {"threatStatus": _UNHEALTHY, "threatInfo": [threat]}
        return self._arm.store(point)

    def points(self, item: Resource) -> list[Resource]:
        return list(self._arm.of_type(POINTS, f"{item['id']}/"))

    def run_scheduled(self, item: Resource, *, status: str, seconds: float) -> Resource:
        """Run a scheduled backup that ends with `status` after `seconds` (0: it has just ended)."""
        now, source = self._arm.clock.time(), self._source_of(item)
        began = min(now, now + seconds - source.seconds["Backup"]) - (0 if seconds else source.point_lag_seconds)
        job = self.start(item, "Backup", began=began, by_user=False)
        if seconds:
            self._arm.clock.after(seconds, lambda: self._end_backup(item, job, JobOutcome(status=status)))
            return job
        self.close(item, job, status, ended=now - source.point_lag_seconds)
        source.make_point(item, job, JobOutcome(status=status))
        return job

    def start(
        self, item: Resource, operation: str, *, id: str | None = None, began: float | None = None, by_user: bool = True
    ) -> Resource:
        """Store a job that is running."""
        name = id or str(uuid.uuid4())
        began = self._arm.clock.time() if began is None else began
        self._began[name] = began
        return self._arm.store(self._source_of(item).job(item, operation, name, began, by_user=by_user))

    def close(
        self,
        item: Resource,
        job: Resource,
        status: str = "Completed",
        *,
        ended: float | None = None,
        error: tuple[int, str] = _INTERNAL,
    ) -> None:
        """End the job; `error` is that of a failed one."""
        properties, ended = job["properties"], self._arm.clock.time() if ended is None else ended
        properties.update(status=status, endTime=iso(ended), duration=f"PT{ended - self._began[job['name']]:.7f}S")
        self._source_of(item).close(job, status, error)
        self._arm.store(job)

    # backup

    def _backup(self, call: CloudRequest) -> Reply:
        item = self._arm.find(call.path.rpartition("/")[0])
        if item is None:
            return not_found(call)
        if refused := self._refuse_over_limit(item, "Backup"):
            return refused
        job, outcome = self.start(item, "Backup"), self._next_outcome("Backup", item)
        if outcome.seconds is not None:
            self._arm.clock.after(outcome.seconds, lambda: self._end_backup(item, job, outcome))
        return self._answer_trigger(item["id"], job)

    def _next_outcome(self, operation: str, item: Resource) -> JobOutcome[Any]:
        ordered = self.outcomes[operation]
        return ordered.popleft() if ordered else JobOutcome(seconds=self._source_of(item).seconds[operation])

    def _answer_trigger(self, at: str, job: Resource, *, id: str | None = None) -> Reply:
        def finish(operation: Operation) -> None:
            operation.properties["jobId"] = job["name"]

        return self._operations.accepted(at, TRIGGER_SECONDS, finish, id=id)

    def _refuse_over_limit(self, item: Resource, operation: str) -> Reply | None:
        since, source = iso(self._arm.clock.time() - 86_400), self._source_of(item)
        jobs = self._arm.of_type(JOBS, f"{vault_of(item['id'])}/")
        same = [j["properties"] for j in jobs if j["properties"]["operation"] == operation]
        if len([j for j in same if j["startTime"] > since and source.is_on_demand(j, item)]) < source.limits[operation]:
            return None
        message = f"The daily limit of {source.limits[operation]} is reached."
        return error(400, f"UserErrorMax{operation}sPerDayReached", message)

    def _end_backup(self, item: Resource, job: Resource, outcome: JobOutcome[Any]) -> None:
        source = self._source_of(item)
        try:
            source.require_source(item)
        except OperationFailed as failure:
            return self.close(item, job, "Failed", error=(REFUSED, failure.message))
        self.close(item, job, outcome.status)
        self._arm.clock.after(source.point_lag_seconds, lambda: source.make_point(item, job, outcome))
        return None

    # restore

    def _restore(self, call: CloudRequest) -> Reply:
        at = call.path.rpartition("/")[0]
        point, item = self._arm.find(at), self._arm.find(at.rpartition("/recoveryPoints/")[0])
        if point is None or item is None:
            return not_found(call)
        request, source = call.body["properties"], self._source_of(item)
        if refused := source.refuse_restore(call) or self._refuse_over_limit(item, "Restore"):
            return refused
        id = str(uuid.uuid4())
        job, outcome = self.start(item, "Restore", id=id), self._next_outcome("Restore", item)
        source.begin_restore(item, point, job, request)
        if outcome.seconds is not None:
            self._arm.clock.after(outcome.seconds, lambda: self._end_restore(item, point, job, request, outcome))
        return self._answer_trigger(item["id"], job, id=id)

    def _end_restore(
        self, item: Resource, point: Resource, job: Resource, request: dict[str, Any], outcome: JobOutcome[Any]
    ) -> None:
        try:
            status = self._source_of(item).restore(item, point, job, request, outcome)
        except OperationFailed as failure:
            return self.close(item, job, "Failed", error=(REFUSED, failure.message))
        return self.close(item, job, status)

    # reading

    def _list_points(self, call: CloudRequest) -> Reply:
        terms = filtered(call)
        found = self._arm.of_type(POINTS, f"{call.path}/")
        between = [p for p in found if _is_between(p["properties"]["recoveryPointTime"], terms, "startDate", "endDate")]
        return Reply(body={"value": between})

    def _list_jobs(self, call: CloudRequest) -> Reply:
        terms = filtered(call)
        same = ("backupManagementType", "operation", "status")
        found = [
            self._shown(job)
            for job in self._arm.of_type(JOBS, f"{call.path}/")
            if all(job["properties"][key] == terms[key] for key in same if key in terms)
            if _is_between(job["properties"]["startTime"], terms, "startTime", "endTime")
        ]
        for job in found:
            del job["properties"]["extendedInfo"]
        return Reply(body={"value": found})

    def _get_job(self, call: CloudRequest) -> Reply:
        job = self._arm.find(call.path)
        return Reply(body=self._shown(job)) if job else not_found(call)

    def _shown(self, job: Resource) -> Resource:
        shown = deepcopy(job)
        if shown["properties"]["status"] == "InProgress":
            shown["properties"]["duration"] = f"PT{self._arm.clock.time() - self._began[job['name']]:.7f}S"
        return shown


def _is_between(time: str, terms: dict[str, str], first: str, last: str) -> bool:
    """Whether a time lies between the two of a filter, which writes them on a 12-hour clock in UTC."""
    when = datetime.fromisoformat(time)
    after = first not in terms or when >= _moment(terms[first])
    return after and (last not in terms or when < _moment(terms[last]) + timedelta(seconds=1))


def _moment(written: str) -> datetime:
    return datetime.strptime(f"{written} +0000", "%Y-%m-%d %I:%M:%S %p %z")
