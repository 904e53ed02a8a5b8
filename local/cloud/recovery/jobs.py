"""Jobs and recovery points of protected items: backups and restores, whatever is protected.

Rules (seen in recorded traffic, or Azure Backup limits):
- A restore's job has the id of its operation, a backup's has not.
- An open job has no endTime; lists leave out `extendedInfo`; a restore's job stays "Cancellable" when it is finished.
- On-demand backups and restores are limited by day and item.
- `outcomes` orders how the next jobs of an operation end.
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
_INTERNAL = (1073871825, "Microsoft Azure Backup encountered an internal error.")


class RecoveryJobs:
    """`outcomes["Backup"]` and `outcomes["Restore"]` are queues; `kind_of` tells what an item is."""

    def __init__(self, arm: Arm, operations: RecoveryOperations, kind_of: Callable[[Resource], DataSourceKind]) -> None:
        self._arm = arm
        self.outcomes: dict[str, deque[JobOutcome[Any]]] = {"Backup": deque(), "Restore": deque()}
        self._operations, self._kind_of = operations, kind_of
        self._bases: dict[str, float] = {}
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

    def flag(self, point: Resource, status: str = "UnHealthy") -> Resource:
        """Let threat detection say something of a recovery point; Backup vaults know no such thing (2026-06-01)."""
        now = iso(self._arm.clock.time())
        threat = {
            "threatTitle": "Suspected ransomware activity",
            "threatDescription": "Many files were encrypted on the source before this recovery point was taken.",
            "lastUpdatedTime": now,
            "threatState": "Active",
            "threatStartTime": now,
            "threatSeverity": "High",
        }
        found = {"threatInfo": [threat]} if status in ("UnHealthy", "Warning") else {}
        point["properties"] |= {"threatStatus": status, **found}
        return self._arm.store(point)

    def points(self, item: Resource) -> list[Resource]:
        return list(self._arm.of_type(POINTS, f"{item['id']}/"))

    def scheduled(self, item: Resource, *, status: str, seconds: float) -> Resource:
        """A scheduled backup that ends with `status` after `seconds` (0: it has just ended)."""
        now, kind = self._arm.clock.time(), self._kind_of(item)
        began = min(now, now + seconds - kind.seconds["Backup"]) - (0 if seconds else kind.point_lag)
        job = self.start(item, "Backup", began=began, by_user=False)
        if seconds:
            self._arm.clock.after(seconds, lambda: self._backed_up(item, job, JobOutcome(status=status)))
            return job
        self.close(item, job, status, ended=now - kind.point_lag)
        kind.keep(item, job, JobOutcome(status=status))
        return job

    def start(
        self, item: Resource, operation: str, *, id: str | None = None, began: float | None = None, by_user: bool = True
    ) -> Resource:
        """A job that is running."""
        name = id or str(uuid.uuid4())
        began = self._arm.clock.time() if began is None else began
        self._bases[name] = began
        return self._arm.store(self._kind_of(item).job(item, operation, name, began, by_user=by_user))

    def close(
        self,
        item: Resource,
        job: Resource,
        status: str = "Completed",
        *,
        ended: float | None = None,
        told: tuple[int, str] = _INTERNAL,
    ) -> None:
        """The job's end; `told` is the error of a failed one."""
        held, ended = job["properties"], self._arm.clock.time() if ended is None else ended
        held.update(status=status, endTime=iso(ended), duration=f"PT{ended - self._bases[job['name']]:.7f}S")
        self._kind_of(item).close(job, status, told)
        self._arm.store(job)

    # backup

    def _backup(self, call: CloudRequest) -> Reply:
        item = self._arm.find(call.path.rpartition("/")[0])
        if item is None:
            return not_found(call)
        if refused := self._exhausted(item, "Backup"):
            return refused
        job, outcome = self.start(item, "Backup"), self._next("Backup", item)
        if outcome.seconds is not None:
            self._arm.clock.after(outcome.seconds, lambda: self._backed_up(item, job, outcome))
        return self._triggered(item["id"], job)

    def _next(self, operation: str, item: Resource) -> JobOutcome[Any]:
        ordered = self.outcomes[operation]
        return ordered.popleft() if ordered else JobOutcome(seconds=self._kind_of(item).seconds[operation])

    def _triggered(self, at: str, job: Resource, *, id: str | None = None) -> Reply:
        def finish(operation: Operation) -> None:
            operation.properties["jobId"] = job["name"]

        return self._operations.accepted(at, TRIGGER_SECONDS, finish, id=id)

    def _exhausted(self, item: Resource, operation: str) -> Reply | None:
        since, kind = iso(self._arm.clock.time() - 86_400), self._kind_of(item)
        jobs = self._arm.of_type(JOBS, f"{vault_of(item['id'])}/")
        told = [j["properties"] for j in jobs if j["properties"]["operation"] == operation]
        if len([j for j in told if j["startTime"] > since and kind.is_on_demand(j, item)]) < kind.limits[operation]:
            return None
        message = f"The daily limit of {kind.limits[operation]} is reached."
        return error(400, f"UserErrorMax{operation}sPerDayReached", message)

    def _backed_up(self, item: Resource, job: Resource, outcome: JobOutcome[Any]) -> None:
        kind = self._kind_of(item)
        try:
            kind.require_source(item)
        except OperationFailed as failure:
            return self.close(item, job, "Failed", told=(REFUSED, failure.message))
        self.close(item, job, outcome.status)
        self._arm.clock.after(kind.point_lag, lambda: kind.keep(item, job, outcome))
        return None

    # restore

    def _restore(self, call: CloudRequest) -> Reply:
        at = call.path.rpartition("/")[0]
        point, item = self._arm.find(at), self._arm.find(at.rpartition("/recoveryPoints/")[0])
        if point is None or item is None:
            return not_found(call)
        request, kind = call.body["properties"], self._kind_of(item)
        if refused := kind.refuse(call) or self._exhausted(item, "Restore"):
            return refused
        id = str(uuid.uuid4())
        job, outcome = self.start(item, "Restore", id=id), self._next("Restore", item)
        kind.begin_restore(item, point, job, request)
        if outcome.seconds is not None:
            self._arm.clock.after(outcome.seconds, lambda: self._restored(item, point, job, request, outcome))
        return self._triggered(item["id"], job, id=id)

    def _restored(
        self, item: Resource, point: Resource, job: Resource, request: dict[str, Any], outcome: JobOutcome[Any]
    ) -> None:
        try:
            status = self._kind_of(item).restore(item, point, job, request, outcome)
        except OperationFailed as failure:
            return self.close(item, job, "Failed", told=(REFUSED, failure.message))
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
            shown["properties"]["duration"] = f"PT{self._arm.clock.time() - self._bases[job['name']]:.7f}S"
        return shown


def _is_between(time: str, terms: dict[str, str], first: str, last: str) -> bool:
    """Whether a time lies between the two of a filter, which writes them on a 12-hour clock in UTC."""
    when = datetime.fromisoformat(time)
    after = first not in terms or when >= _moment(terms[first])
    return after and (last not in terms or when < _moment(terms[last]) + timedelta(seconds=1))


def _moment(written: str) -> datetime:
    return datetime.strptime(f"{written} +0000", "%Y-%m-%d %I:%M:%S %p %z")
