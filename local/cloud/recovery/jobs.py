"""Jobs and recovery points of protected Azure Files shares: backups and restores.

Rules (seen in recorded traffic, or Azure Backup limits):
- A restore's job has the id of its operation, a backup's has not.
- The recovery point comes some seconds after the job's end, and says so.
- An open job has no endTime; lists leave out `extendedInfo`; a restore's job stays "Cancellable" when it is finished.
- Four on-demand backups and ten restores a day and share.
- Access by identity needs a role on the source (backup) and on the target (restore), access by key needs keys allowed.
- A restore really writes the files and counts them. `outcomes` orders how the next jobs of an operation end.
"""

import uuid
from collections import deque
from copy import deepcopy
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from local.cloud.arm import Operation, OperationFailed, Resource, error, iso, not_found
from local.cloud.backup.protocol import Outcome
from local.cloud.recovery.content import Content, planned, wanted_by
from local.cloud.recovery.protocol import VAULT, Operations, filtered, vault_of
from local.cloud.recovery.rows import JOBS, POINTS, job_row, point_row, restore_bag
from local.cloud.wire import Call, Reply, Route

if TYPE_CHECKING:
    from local.cloud.world import World

TRIGGER_SECONDS = 3.0
BACKUP_SECONDS = 30.0
RESTORE_SECONDS = 90.0
POINT_SECONDS = 6.0
LIMITS = {"Backup": 4, "Restore": 10}
BACKUP_ROLE = "c8a487a2-c85b-4487-83a1-9f04cde10293"  # Storage File Backup Contributor
RESTORE_ROLE = "e7a9e73d-4397-41f2-a282-af8b65aaa2dc"  # Storage File Restore Contributor
_ITEM = f"{VAULT}/backupFabrics/{{fabric}}/protectionContainers/{{container}}/protectedItems/{{item}}"
_REFUSED = 400239
_INTERNAL = (1073871825, "Microsoft Azure Backup encountered an internal error.")


class RecoveryJobs:
    """`outcomes["Backup"]` and `outcomes["Restore"]` are queues; `contents` has the files of each recovery point."""

    def __init__(self, world: "World", operations: Operations) -> None:
        self.world = world
        self.outcomes: dict[str, deque[Outcome[Content]]] = {"Backup": deque(), "Restore": deque()}
        self.contents: dict[str, dict[str, bytes]] = {}
        self._operations = operations
        self._bases: dict[str, float] = {}
        world.wire.mount(
            [
                Route("POST", f"{_ITEM}/backup", self._backup),
                Route("GET", f"{_ITEM}/recoveryPoints", self._list_points),
                Route("GET", f"{_ITEM}/recoveryPoints/{{point}}", self._get),
                Route("POST", f"{_ITEM}/recoveryPoints/{{point}}/restore", self._restore),
                Route("GET", f"{VAULT}/backupJobs", self._list_jobs),
                Route("GET", f"{VAULT}/backupJobs/{{job}}", self._get_job),
            ],
            guard=world.resource_groups.guard,
        )

    def points(self, item: Resource) -> list[Resource]:
        return list(self.world.arm.of_type(POINTS, f"{item['id']}/"))

    def scheduled(self, item: Resource, *, status: str, seconds: float) -> Resource:
        """A scheduled backup that ends with `status` after `seconds` (0: it has just ended)."""
        now = self.world.clock.time()
        began = min(now, now + seconds - BACKUP_SECONDS) - (0 if seconds else POINT_SECONDS)
        job = self.start(item, "Backup", began=began, by_user=False)
        if seconds:
            self.world.clock.after(seconds, lambda: self._backed_up(item, job, Outcome(status=status)))
            return job
        self.close(job, status, ended=now - POINT_SECONDS)
        self._keep(item, Outcome(status=status))
        return job

    def start(
        self, item: Resource, operation: str, *, id: str | None = None, began: float | None = None, by_user: bool = True
    ) -> Resource:
        """A job that is running."""
        name = id or str(uuid.uuid4())
        began = self.world.clock.time() if began is None else began
        self._bases[name] = began
        return self.world.arm.store(job_row(item, operation, name, iso(began), by_user=by_user))

    def close(
        self,
        job: Resource,
        status: str = "Completed",
        *,
        ended: float | None = None,
        told: tuple[int, str] = _INTERNAL,
    ) -> None:
        """The job's end; `told` is the error of a failed one."""
        held, ended = job["properties"], self.world.clock.time() if ended is None else ended
        held.update(status=status, endTime=iso(ended), duration=f"PT{ended - self._bases[job['name']]:.7f}S")
        if held["operation"] == "Backup":
            held.pop("actionsInfo", None)
            held["storageAccountVersion"] = "MicrosoftStorage"
            held["extendedInfo"]["tasksList"] = [{"taskId": "Take Snapshot", "taskType": "Normal", "status": status}]
            held["extendedInfo"]["propertyBag"]["Data Transferred (in MB)"] = "0"
        if status not in ("Completed", "InProgress"):
            recommendations = ["Wait for a few minutes and then try the operation again."]
            held["errorDetails"] = [{"errorCode": told[0], "errorString": told[1], "recommendations": recommendations}]
        self.world.arm.store(job)

    # backup

    def _backup(self, call: Call) -> Reply:
        item = self.world.arm.find(call.path.rpartition("/")[0])
        if item is None:
            return not_found(call)
        if refused := self._exhausted(item, "Backup"):
            return refused
        job = self.start(item, "Backup")
        outcome = self.outcomes["Backup"].popleft() if self.outcomes["Backup"] else Outcome(seconds=BACKUP_SECONDS)
        if outcome.seconds is not None:
            self.world.clock.after(outcome.seconds, lambda: self._backed_up(item, job, outcome))
        return self._triggered(item["id"], job)

    def _triggered(self, at: str, job: Resource, *, id: str | None = None) -> Reply:
        def finish(operation: Operation) -> None:
            operation.properties["jobId"] = job["name"]

        return self._operations.accepted(at, TRIGGER_SECONDS, finish, id=id)

    def _exhausted(self, item: Resource, operation: str) -> Reply | None:
        since = iso(self.world.clock.time() - 86_400)
        jobs = self.world.arm.of_type(JOBS, f"{vault_of(item['id'])}/")
        told = [j["properties"] for j in jobs if j["properties"]["operation"] == operation]
        mine = [j for j in told if j["startTime"] > since and _is_about(j, item) and _is_adhoc(j)]
        if len(mine) < LIMITS[operation]:
            return None
        code, message = f"UserErrorMax{operation}sPerDayReached", f"The daily limit of {LIMITS[operation]} is reached."
        return error(400, code, message)

    def _backed_up(self, item: Resource, job: Resource, outcome: Outcome[Content]) -> None:
        try:
            self._require_access(item, item["properties"]["sourceResourceId"], BACKUP_ROLE)
        except OperationFailed as failure:
            return self.close(job, "Failed", told=(_REFUSED, failure.message))
        self.close(job, outcome.status)
        self.world.clock.after(POINT_SECONDS, lambda: self._keep(item, outcome))
        return None

    def _keep(self, item: Resource, outcome: Outcome[Content]) -> None:
        account = item["properties"]["sourceResourceId"].rpartition("/")[2]
        share = item["properties"]["friendlyName"]
        if outcome.status == "Failed" or not self.world.file_shares.exists(account, share):
            return
        point = self.world.arm.store(point_row(item, account, self.world.clock.time()))
        kept = map(outcome.restored, self.world.file_shares.files(account, share).items())
        self.contents[point["id"]] = dict(file for file in kept if file)

    def _require_access(self, item: Resource, account: str, role: str) -> None:
        container = self.world.arm.find(item["id"].rpartition("/protectedItems/")[0])
        vault, target = self.world.arm.find(vault_of(item["id"])), self.world.arm.find(account)
        if container is None or vault is None or target is None:
            raise OperationFailed("UserErrorResourceNotFound", "The vault, its container or the account is gone.")
        by_identity = str(container["properties"].get("accessType", "")).startswith("Identity")
        principal = vault.get("identity", {}).get("principalId", "")
        if by_identity and not self.world.roles.effective(principal, role, target["id"]):
            raise OperationFailed("UserErrorMissingPermissions", "The vault's identity lacks a role on the account.")
        if not by_identity and target["properties"].get("allowSharedKeyAccess") is False:
            raise OperationFailed("UserErrorKeyAccessDisallowed", "The account doesn't allow access by key.")

    # restore

    def _restore(self, call: Call) -> Reply:
        at = call.path.rpartition("/")[0]
        point, item = self.world.arm.find(at), self.world.arm.find(at.rpartition("/recoveryPoints/")[0])
        if point is None or item is None:
            return not_found(call)
        request = call.body["properties"]
        if request["copyOptions"] not in ("Overwrite", "Skip", "FailOnConflict"):
            return error(400, "CopyOptionNotSimulated", f"{request['copyOptions']} isn't simulated.")
        if refused := self._exhausted(item, "Restore"):
            return refused
        id = str(uuid.uuid4())
        job = self.start(item, "Restore", id=id)
        job["properties"]["extendedInfo"]["propertyBag"] = restore_bag(item, request, *_target(item, request))
        outcome = self.outcomes["Restore"].popleft() if self.outcomes["Restore"] else Outcome(seconds=RESTORE_SECONDS)
        if outcome.seconds is not None:
            self.world.clock.after(outcome.seconds, lambda: self._restored(item, point, job, request, outcome))
        return self._triggered(item["id"], job, id=id)

    def _restored(
        self, item: Resource, point: Resource, job: Resource, request: dict[str, Any], outcome: Outcome[Content]
    ) -> None:
        bag, status, target = job["properties"]["extendedInfo"]["propertyBag"], outcome.status, _target(item, request)
        taken = datetime.fromisoformat(point["properties"]["recoveryPointTime"])
        bag["RestoreRecoveryPointTime"] = f"{taken:%-m/%-d/%Y %-I:%M:%S %p}"
        try:
            self._require_target(item, request)
        except OperationFailed as failure:
            return self.close(job, "Failed", told=(_REFUSED, failure.message))
        if status != "Failed":
            chosen = wanted_by(request, self.contents[point["id"]])
            plan = planned(chosen, self.world.file_shares.files(*target), request["copyOptions"], outcome)
            for path, content in plan.writes.items():
                self.world.file_shares.write(*target, path, content)
            bag.update(plan.counters)
            status = "CompletedWithWarnings" if plan.failed and status == "Completed" else status
        return self.close(job, status)

    def _require_target(self, item: Resource, request: dict[str, Any]) -> None:
        details = request.get("targetDetails") or {}
        account = details.get("targetResourceId") or request["sourceResourceId"]
        self._require_access(item, account, RESTORE_ROLE)
        if not self.world.file_shares.exists(*_target(item, request)):
            raise OperationFailed("UserErrorTargetShareNotFound", "The target file share was not found.")

    # reading

    def _list_points(self, call: Call) -> Reply:
        terms = filtered(call)
        found = self.world.arm.of_type(POINTS, f"{call.path}/")
        between = [p for p in found if _is_between(p["properties"]["recoveryPointTime"], terms, "startDate", "endDate")]
        return Reply(body={"value": between})

    def _list_jobs(self, call: Call) -> Reply:
        terms = filtered(call)
        same = ("backupManagementType", "operation", "status")
        found = [
            self._shown(job)
            for job in self.world.arm.of_type(JOBS, f"{call.path}/")
            if all(job["properties"][key] == terms[key] for key in same if key in terms)
            if _is_between(job["properties"]["startTime"], terms, "startTime", "endTime")
        ]
        for job in found:
            del job["properties"]["extendedInfo"]
        return Reply(body={"value": found})

    def _get_job(self, call: Call) -> Reply:
        job = self.world.arm.find(call.path)
        return Reply(body=self._shown(job)) if job else not_found(call)

    def _shown(self, job: Resource) -> Resource:
        shown = deepcopy(job)
        if shown["properties"]["status"] == "InProgress":
            shown["properties"]["duration"] = f"PT{self.world.clock.time() - self._bases[job['name']]:.7f}S"
        return shown

    def _get(self, call: Call) -> Reply:
        found = self.world.arm.find(call.path)
        return Reply(body=found) if found else not_found(call)


def _target(item: Resource, request: dict[str, Any]) -> tuple[str, str]:
    """The names of the account and share that a restore writes to."""
    target = request.get("targetDetails") or {"name": item["properties"]["friendlyName"]}
    return str(target.get("targetResourceId") or request["sourceResourceId"]).rpartition("/")[2], str(target["name"])


def _is_about(job: dict[str, Any], item: Resource) -> bool:
    held = item["properties"]
    account = held["sourceResourceId"].rpartition("/")[2]
    return bool((job["storageAccountName"], job["entityFriendlyName"]) == (account, held["friendlyName"]))


def _is_adhoc(job: dict[str, Any]) -> bool:
    return bool(job["extendedInfo"]["propertyBag"].get("Whether job is adhoc or scheduled.") != "False")


def _is_between(time: str, terms: dict[str, str], first: str, last: str) -> bool:
    """Whether a time lies between the two of a filter, which writes them on a 12-hour clock in UTC."""
    when = datetime.fromisoformat(time)
    after = first not in terms or when >= _moment(terms[first])
    return after and (last not in terms or when < _moment(terms[last]) + timedelta(seconds=1))


def _moment(written: str) -> datetime:
    return datetime.strptime(f"{written} +0000", "%Y-%m-%d %I:%M:%S %p %z")
