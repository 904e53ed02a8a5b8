"""The ladder of checks that a restored copy climbs, and the verdict.

Rules:
- Restore status and verdict are two things: a job may say Completed and the copy be worthless.
- A missed target or a warning is a finding; data that is missing, altered or unusable is a failure.
- Without a single check there is nothing to judge: the verdict is Inconclusive, with the reason why.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal

import msgspec

from shared.domain.restore import GOOD, Plan, RestoreJob
from shared.domain.restore_manifest import Difference
from shared.domain.restore_workloads import Workloads

RPO_TARGET = timedelta(hours=25)
RTO_TARGET = timedelta(hours=4)
SETTLES_WITHIN = timedelta(minutes=15)
_NAMED = 3  # how many blockers a finding names
FINDINGS_ONLY = frozenset({"recovery point age", "restore warnings", "restore time"})

type Verdict = Literal["Verified", "VerifiedWithFindings", "Failed", "Inconclusive"]


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One rung: what was found, and the seconds that it measured (None if it measured no time)."""

    name: str
    passed: bool
    finding: str
    seconds: float | None = None


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What a verification found. `restore_status` is the job's own word, empty if no restore ran; times in seconds."""

    checks: tuple[Check, ...] = ()
    restore_status: str = ""
    rpo_s: float | None = None
    rto_s: float | None = None
    reason: str = ""


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """The verdict as the ledger keeps it; `left_over` counts isolated places that weren't seen gone."""

    job_id: str
    verdict: Verdict
    reasons: tuple[str, ...]
    restore_status: str
    rpo_s: float | None
    rto_s: float | None
    checks: tuple[Check, ...]
    left_over: int
    judged_at: datetime


class Earlier(msgspec.Struct, frozen=True, kw_only=True):
    """The verdict that the ledger has already, if it has one."""

    result: Result | None


class Concluded(msgspec.Struct, frozen=True, kw_only=True):
    """What a verification found and what it left behind."""

    job_id: str
    outcome: Outcome
    left_over: int


def judge(checks: Sequence[Check], reason: str = "") -> tuple[Verdict, tuple[str, ...]]:
    """The verdict and what speaks against a better one. `reason` says why checks are missing, if they are."""
    missed = [check for check in checks if not check.passed]
    reasons = tuple(f"{check.name}: {check.finding}" for check in missed)
    if any(check.name not in FINDINGS_ONLY for check in missed):
        return "Failed", reasons
    if reason or not checks:
        return "Inconclusive", (*reasons, reason or "nothing was checked")
    return ("VerifiedWithFindings" if missed else "Verified"), reasons


def ladder(
    plan: Plan, job: RestoreJob, difference: Difference | None, workloads: Workloads | None, now: datetime
) -> list[Check]:
    """All checks in order; only the first two if the restore job failed. `workloads` is None for a share."""
    checks = [_age(plan), _status(job)]
    if not checks[-1].passed or difference is None:
        return checks
    checks += [_warnings(job), *_counters(job, difference), _inventory(difference)]
    if workloads is not None:
        checks += _running(workloads)
    return [*checks, _restore_time(job, now)]


def _age(plan: Plan) -> Check:
    age = timedelta(seconds=plan.rpo_s)
    finding = f"the point was {_hours(age)} old, the target is {_hours(RPO_TARGET)}"
    return Check(name="recovery point age", passed=age <= RPO_TARGET, finding=finding, seconds=plan.rpo_s)


def _status(job: RestoreJob) -> Check:
    took = (job.ended - job.started).total_seconds() if job.ended else None
    finding = "; ".join([f"the job ended as {job.status}", *job.errors])
    return Check(name="restore job", passed=job.status.lower() in GOOD, finding=finding, seconds=took)


def _warnings(job: RestoreJob) -> Check:
    warned = bool(job.warnings) or job.status.lower() != "completed"
    return Check(name="restore warnings", passed=not warned, finding="; ".join(job.warnings) or job.status)


def _counters(job: RestoreJob, difference: Difference) -> list[Check]:
    if job.restored is None:
        return []
    clean = not job.failed and not job.skipped and (job.restored > 0 or difference.compared == 0)
    finding = f"{job.restored} restored, {job.failed} failed, {job.skipped} skipped"
    return [Check(name="restore counters", passed=clean, finding=finding)]


def _inventory(difference: Difference) -> Check:
    parts = [f"{difference.compared} compared"]
    parts += [f"missing {_some(difference.missing)}"] if difference.missing else []
    parts += [f"altered {_some(difference.altered)}"] if difference.altered else []
    parts += [f"not in the source {_some(difference.extra)}"] if difference.extra else []
    return Check(name="inventory", passed=not (difference.missing or difference.altered), finding="; ".join(parts))


def _running(workloads: Workloads) -> list[Check]:
    unbound, unready, strangers = workloads.unbound, workloads.unready, workloads.strangers
    checks = [
        Check(name="volumes bound", passed=not unbound, finding=_some(unbound) or "all claims are bound"),
        Check(name="pods ready", passed=not unready, finding=_some(unready) or f"{workloads.pods} pods are ready"),
    ]
    if workloads.meshed:
        good = f"{workloads.meshed} pods joined the mesh under a root in force"
        checks.append(Check(name="mesh identity", passed=not strangers, finding=_some(strangers) or good))
    return checks


def _restore_time(job: RestoreJob, now: datetime) -> Check:
    took = now - job.started
    finding = f"usable after {_hours(took)}, the target is {_hours(RTO_TARGET)}"
    return Check(name="restore time", passed=took <= RTO_TARGET, finding=finding, seconds=took.total_seconds())


def _some(names: Sequence[str]) -> str:
    rest = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {rest} more" if rest > 0 else "")


def _hours(span: timedelta) -> str:
    return f"{span.total_seconds() / 3600:.1f} h"
