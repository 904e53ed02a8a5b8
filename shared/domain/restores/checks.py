"""The ladder of checks that a restored copy climbs, and the verdict.

Rules:
- Restore status and verdict are two things: a job may say Completed and the copy be worthless.
- A missed target or a warning is a finding; data that is missing, altered or unusable is a failure. Where the cluster
  itself stood in the way, nothing can be said about the copy.
- Without a single check there is nothing to judge: the verdict is Inconclusive, with the reason why.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal

import msgspec

from shared.domain.documents import Document
from shared.domain.errors import shown
from shared.domain.restores import rungs
from shared.domain.restores.manifest import Difference
from shared.domain.restores.policy import VerifyPolicy
from shared.domain.restores.rungs import CheckResult, Weight
from shared.domain.restores.verification import EndedRestore, RestoreJob, RestorePlan, Verification
from shared.domain.restores.warnings import classified
from shared.domain.restores.workloads import Workloads

SETTLES_WITHIN = timedelta(minutes=15)
_NAMED = 3  # how many blockers a finding names

type Verdict = Literal["Verified", "VerifiedWithFindings", "Failed", "Inconclusive"]


class VerificationOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """What a verification found."""

    checks: tuple[CheckResult, ...] = ()  # in the order of the ladder
    restore_status: str = ""  # the job's own word, empty if no restore ran
    rpo_s: float | None = None  # seconds
    rto_s: float | None = None  # seconds
    reason: str = ""  # why checks are missing


class VerificationResult(msgspec.Struct, frozen=True, kw_only=True):
    """The verdict as the ledger keeps it."""

    job_id: str  # resource id of the backup job; empty if somebody asked for a recovery point
    verdict: Verdict  # what the checks say together
    reasons: tuple[str, ...]  # what speaks against a better verdict
    restore_status: str  # the job's own word, empty if no restore ran
    rpo_s: float | None  # seconds
    rto_s: float | None  # seconds
    checks: tuple[CheckResult, ...]  # in the order of the ladder
    left_over: int  # isolated copies that weren't seen gone
    judged_at: datetime  # UTC
    item_id: str = ""  # resource id of the protected item
    point: str = ""  # id of the recovery point
    names: tuple[str, ...] = ()  # what was restored: namespaces, or the share
    manifest: str = ""  # its path


VERDICT = Document("verdicts/{verification}.json", "The verdict of a verification.", VerificationResult, evidence=True)


class ConcludedVerification(msgspec.Struct, frozen=True, kw_only=True):
    """What a verification found and what it left behind; without a plan it restored nothing."""

    verification: Verification
    plan: RestorePlan | None
    outcome: VerificationOutcome
    left_over: int


class SettledRestore(EndedRestore, frozen=True, kw_only=True):
    """A restore whose workloads are ready, or as ready as they get, and what calls of them have shown."""

    ready_at: datetime
    calls: tuple[CheckResult, ...] = ()


class RestoredCopy(msgspec.Struct, frozen=True, kw_only=True):
    """What is in the isolated copy."""

    difference: Difference  # from the manifest
    workloads: Workloads | None  # None where nothing runs
    ready_at: datetime
    canary_times: dict[str, datetime | None] = {}  # the time in each canary, None where it holds none


def judge(checks: Sequence[CheckResult], reason: str = "") -> tuple[Verdict, tuple[str, ...]]:
    """The verdict and what speaks against a better one. `reason` says why checks are missing, if they are."""
    missed = [check for check in checks if not check.passed]
    reasons, weights = tuple(f"{check.name}: {check.finding}" for check in missed), {check.weight for check in missed}
    if "failure" in weights:
        return "Failed", reasons
    if reason or not checks or "unknown" in weights:
        return "Inconclusive", (*reasons, *([reason] if reason else [] if checks else ["nothing was checked"]))
    return ("VerifiedWithFindings" if missed else "Verified"), reasons


def ladder(
    plan: RestorePlan, job: RestoreJob, copy: RestoredCopy | None, calls: Sequence[CheckResult], knobs: VerifyPolicy
) -> list[CheckResult]:
    """All checks in order, `calls` being those of calls; only those up to the restore job if that failed."""
    checks = [_age(plan, knobs), _threat(plan), *_partial(plan), *_isolation(plan), _status(plan, job)]
    if not checks[-1].passed or copy is None:
        return checks
    checks += [_warnings(job), *_counters(job, copy.difference), _inventory(copy.difference)]
    checks += [_canary(copy.canary_times, plan.taken - knobs.rpo)] if copy.canary_times else []
    if copy.workloads is not None:
        checks += _running(copy.workloads)
    return [*checks, *calls, _restore_time(job, copy.ready_at, knobs)]


def shortened(names: Sequence[str]) -> str:
    """The first few names, and how many more there are."""
    rest = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {rest} more" if rest > 0 else "")


def _age(plan: RestorePlan, knobs: VerifyPolicy) -> CheckResult:
    age = timedelta(seconds=plan.rpo_s)
    finding = f"the latest point was {_hours(age)} old, the target is {_hours(knobs.rpo)}"
    return rungs.AGE.check(passed=age <= knobs.rpo, finding=finding, seconds=plan.rpo_s)


def _threat(plan: RestorePlan) -> CheckResult:
    findings = [f"skipped because of a threat: {shortened(plan.flagged)}"] if plan.flagged else []
    if plan.point.unclear:
        findings.append(f"unknown: Azure's threat status of {plan.point.id} is {shown(plan.point.unclear)}")
    finding = "; ".join(findings) or "no recovery point is flagged as a threat"
    return rungs.THREAT.check(passed=not findings, finding=finding)


def _partial(plan: RestorePlan) -> list[CheckResult]:
    if not plan.partial:
        return []
    return [rungs.PARTIAL.check(passed=False, finding=f"skipped as partial: {shortened(plan.partial)}")]


def _isolation(plan: RestorePlan) -> list[CheckResult]:
    """No restore is sent before it is proven; plans of the release before don't know what was made for them."""
    finding = f"no call got out of {shortened(list(plan.uids))}"
    return [rungs.ISOLATION.check(passed=True, finding=finding)] if plan.uids else []


def _status(plan: RestorePlan, job: RestoreJob) -> CheckResult:
    took = (job.ended - job.started).total_seconds() if job.ended else None
    tier = " from the vault tier" if plan.staging_group else ""
    finding = "; ".join([f"the job{tier} ended as {job.status}", *job.errors])
    return rungs.RESTORE_JOB.check(passed=job.succeeded, finding=finding, seconds=took)


def _warnings(job: RestoreJob) -> CheckResult:
    found = classified(job.warnings)
    silent = job.status.lower() != "completed" and not job.warnings
    findings = [f"{kind}: {shortened(texts)}" for kind, texts in found.items() if texts]
    return rungs.WARNINGS.check(
        passed=not (found["lossy"] or found["unclear"] or silent),
        finding="; ".join(findings) or job.status,
        weight="failure" if found["lossy"] else None,
    )


def _counters(job: RestoreJob, difference: Difference) -> list[CheckResult]:
    if job.restored is None:
        return []
    clean = not job.failed and not job.skipped and (job.restored > 0 or difference.compared == 0)
    finding = f"{job.restored} restored, {job.failed} failed, {job.skipped} skipped"
    return [rungs.COUNTERS.check(passed=clean, finding=finding)]


def _inventory(difference: Difference) -> CheckResult:
    parts = [f"{difference.compared} compared"]
    parts += [f"missing {shortened(difference.missing)}"] if difference.missing else []
    parts += [f"altered {shortened(difference.altered)}"] if difference.altered else []
    parts += [f"not in the source {shortened(difference.extra)}"] if difference.extra else []
    parts += [f"changed by the copy itself {shortened(difference.rewritten)}"] if difference.rewritten else []
    wrong, silent = difference.missing or difference.altered, len(difference.rewritten)
    weight: Weight | None = None if wrong else "unknown" if silent == difference.compared else "finding"
    return rungs.INVENTORY.check(passed=not (wrong or silent), finding="; ".join(parts), weight=weight)


def _canary(canary_times: dict[str, datetime | None], since: datetime) -> CheckResult:
    stale = [
        f"{name} ({at:%Y-%m-%d %H:%M})" if at else f"{name} (no time)"
        for name, at in canary_times.items()
        if at is None or at < since
    ]
    finding = f"older than {since:%Y-%m-%d %H:%M}: {shortened(stale)}" if stale else f"{len(canary_times)} are fresh"
    return rungs.CANARY.check(passed=not stale, finding=finding)


def _running(workloads: Workloads) -> list[CheckResult]:
    unready, outside_mesh = workloads.unready, workloads.outside_mesh
    ready = rungs.PODS.check(passed=not unready, finding=shortened(unready) or f"{workloads.pods} pods are ready")
    if workloads.unschedulable:
        finding = f"the cluster has no room for {shortened(workloads.unschedulable)}"
        ready = rungs.PODS.check(passed=False, finding=finding, weight="unknown")
    checks = [_volumes(workloads), ready, _left_out(workloads)]
    if workloads.meshed:
        good = f"{workloads.meshed} pods joined the mesh under a current root"
        checks.append(rungs.MESH_IDENTITY.check(passed=not outside_mesh, finding=shortened(outside_mesh) or good))
    return checks


def _volumes(workloads: Workloads) -> CheckResult:
    """A claim that nothing waits for may be bound only once something does: it says nothing about its volume."""
    unbound, unused = workloads.unbound, workloads.unused
    if unbound or not unused:
        return rungs.VOLUMES.check(passed=not unbound, finding=shortened(unbound) or "all claims are bound")
    weight: Weight = "finding" if workloads.bound else "unknown"
    return rungs.VOLUMES.check(passed=False, finding=f"nothing uses {shortened(unused)}", weight=weight)


def _left_out(workloads: Workloads) -> CheckResult:
    left_out = workloads.left_out
    finding = f"restored, but not run: {shortened(left_out)}" if left_out else "no workload was left out"
    weight: Weight | None = None if workloads.pods else "unknown"
    return rungs.CONFINEMENT.check(passed=not left_out, finding=finding, weight=weight)


def _restore_time(job: RestoreJob, ready_at: datetime, knobs: VerifyPolicy) -> CheckResult:
    took = ready_at - job.started
    finding = f"usable after {_hours(took)}, the target is {_hours(knobs.rto)}"
    return rungs.RESTORE_TIME.check(passed=took <= knobs.rto, finding=finding, seconds=took.total_seconds())


def _hours(span: timedelta) -> str:
    return f"{span.total_seconds() / 3600:.1f} h"
