"""Which finished backups are verified, and by which recovery point.

Rules:
- Any finished backup may be verified. Verified for sure is what somebody asks for, an item that never was, one whose
  backup policy has changed since, and one of which something has waited for longer than the policy document says.
- Of all others a fraction is drawn, and a fraction of all verifications takes an older point. Draws follow from the
  verification's name: a step that is repeated draws the same.
- A point that threat detection has flagged is skipped and reported. An older point is taken only where a manifest
  says what it must hold; one that was never verified comes before any other.
- A point is restored from the operational tier where it is there. One that is in the vault tier alone can be restored
  if the policy document names where that may stage it.
"""

import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec

from shared.domain.documents import Document
from shared.domain.errors import NotConverged, PermanentError, shown
from shared.domain.reasons import InformingReason
from shared.domain.resource_id import same
from shared.domain.restores.history import History, waiting_longest
from shared.domain.restores.items import RecoveryPoint
from shared.domain.restores.policy import VerifyPolicy
from shared.domain.restores.verification import BackupJob, RestorePlan, RestoreSource, isolated_names

# Changes of an older point's last hour may or may not be in it: its backup began some time before.
_BACKUP_TOOK = timedelta(hours=1)
# Points of shares are told in whole seconds, the starts of jobs in parts of them, so a point may lie up to a second
# before its job's start (two of five recorded starts leave less than a second). Another one is for the clocks.
_ROUNDING = timedelta(seconds=2)
_SKEW, _MANIFEST_WITHIN = timedelta(minutes=10), timedelta(hours=3)


class SamplingReason(NamedTuple):
    """Why a backup is verified, or isn't."""

    verify: bool
    reason: InformingReason
    message: str


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """The plan of a verification, or None and why there is none."""

    reason: str
    message: str
    plan: RestorePlan | None = None


class SampledOut(msgspec.Struct, frozen=True, kw_only=True):
    """A finished backup that isn't verified, and why, as the ledger keeps it."""

    job_id: str
    reason: str
    message: str


SAMPLED_OUT = Document("sampled/{verification}.json", "Why a backup isn't verified.", SampledOut)


class ChosenPoint(NamedTuple):
    """The recovery point to restore, the time of the latest that could be, those flagged as a threat, and those after
    the chosen one that are partial.
    """

    point: RecoveryPoint
    latest: datetime
    flagged: tuple[str, ...]
    partial: tuple[str, ...] = ()


def draw(name: str, purpose: str) -> float:
    """A number from 0 to 1, always the same for a verification and a purpose."""
    return int.from_bytes(hashlib.sha256(f"{purpose} {name}".encode()).digest()[:8]) / 2**64


def sampling_reason(source: RestoreSource, history: History, knobs: VerifyPolicy, now: datetime) -> SamplingReason:
    """Whether the backup is verified, by the first rule that applies."""
    verification, last = source.verification, history.last_verified
    if verification.asked:
        return SamplingReason(True, "Asked", "somebody asks for it")
    if last is None:
        return SamplingReason(True, "NeverVerified", "the item was never verified")
    if not same(last.policy, source.item.policy):
        return SamplingReason(True, "PolicyChanged", "the backup policy has changed since the item was last verified")
    waited = {name: history.verified_at(name) for name in source.names}
    overdue = [name for name, at in waited.items() if at is None or now - at > knobs.verify_within]
    if overdue:
        return SamplingReason(
            True, "Overdue", f"not verified for {knobs.verify_within.days} days: {', '.join(overdue[:5])}"
        )
    if draw(verification.name, "verify") < knobs.sample_rate:
        return SamplingReason(True, "Drawn", f"drawn: {knobs.sample_rate:.0%} of the backups are")
    return SamplingReason(
        False, "NotDrawn", f"{knobs.sample_rate:.0%} of the backups are verified, and this one wasn't drawn"
    )


def choose_point(points: Iterable[RecoveryPoint], source: RestoreSource) -> ChosenPoint:
    """The point that is asked for, that of the backup job, or the latest: complete and without a threat.

    Points are listed some time after the job's end and may be younger than it: until one is listed that is as young as
    the backup, raises NotConverged. If none may be restored, raises PermanentError.
    """
    listed = sorted(points, key=lambda point: point.time)
    if source.job and (not listed or not _since(listed[-1], source.job)):
        raise NotConverged(
            "PointNotListed", f"no recovery point since {source.job.started:%Y-%m-%d %H:%M} UTC is listed yet"
        )
    usable = [point for point in listed if _usable(point, source)]
    if not usable:
        message = f"all {len(listed)} recovery points are incomplete or flagged as a threat"
        raise PermanentError("NoUsablePoint", message + _unstaged(listed, source))
    flagged = tuple(point.id for point in listed if point.threat)
    chosen = _chosen(usable, listed, source)
    partial = tuple(point.id for point in listed if point.partial and point.time > chosen.time)
    return ChosenPoint(chosen, usable[-1].time, flagged, partial)


def older_point(
    points: Iterable[RecoveryPoint],
    source: RestoreSource,
    than: datetime,
    manifests: Sequence[datetime],
    history: History,
) -> RecoveryPoint | None:
    """An older recovery point that has a manifest of its time, drawn by the verification's name."""
    usable = [p for p in points if _usable(p, source) and p.time < than and _has_manifest(p, manifests)]
    untested = [p for p in usable if not history.has_verified(p.id)]
    candidates = sorted(untested or usable, key=lambda point: point.time)
    return candidates[int(draw(source.verification.name, "point") * len(candidates))] if candidates else None


def plan_of(
    source: RestoreSource, point: ChosenPoint, history: History, knobs: VerifyPolicy, now: datetime
) -> RestorePlan:
    """The plan for the namespaces that have waited longest, or for the share."""
    job, verification = source.job, source.verification
    own = job is not None and _since(point.point, job)
    return RestorePlan(
        name=verification.name,
        job_id=verification.job_id,
        item=source.item,
        target_id=source.target_id,
        trust_domain=source.trust_domain,
        target_domain=source.target_domain,
        staging=source.staging if source.item.is_staged(point.point) else "",
        staging_group=source.staging_group if point.point.vaulted else "",
        point=point.point,
        rpo_s=(now - point.latest).total_seconds(),
        taken=min(point.point.time, job.started) if job and own else point.point.time - _BACKUP_TOOK,
        planned=now,
        isolated=isolated_names(waiting_longest(source.names, history, knobs.namespaces_at_once), verification.name),
        flagged=point.flagged,
        partial=point.partial,
    )


def manifest_for(manifests: Sequence[tuple[datetime, str]], plan: RestorePlan, *, own: str) -> str:
    """Which manifest says what the copy must hold: the first that was taken after the point.

    `manifests` are moments and paths. The verification's own one is among them, or will be listed soon.
    """
    after = sorted((at, path) for at, path in manifests if at >= plan.point.time - _SKEW)
    return after[0][1] if after else own


def _has_manifest(point: RecoveryPoint, manifests: Sequence[datetime]) -> bool:
    return any(point.time - _SKEW <= at <= point.time + _MANIFEST_WITHIN for at in manifests)


def _since(point: RecoveryPoint, job: BackupJob) -> bool:
    """Whether the point isn't older than the backup job."""
    return point.time >= job.started - _ROUNDING


def _usable(point: RecoveryPoint, source: RestoreSource) -> bool:
    return point.complete and not point.threat and (not point.vaulted or bool(source.staging_group))


def _unstaged(listed: Iterable[RecoveryPoint], source: RestoreSource) -> str:
    """What to set where points are in the vault tier alone and no staging group is named."""
    vaulted = [point.id for point in listed if point.vaulted and point.complete]
    if not vaulted or source.staging_group:
        return ""
    return f"; {len(vaulted)} are in the vault tier only, so set verify.scratch_group and verify.staging_account"


def _chosen(usable: list[RecoveryPoint], listed: Iterable[RecoveryPoint], source: RestoreSource) -> RecoveryPoint:
    if source.verification.point_id:
        found = next((point for point in usable if point.id == source.verification.point_id), None)
        if found is None:
            message = f"{shown(source.verification.point_id)} isn't a recovery point that can be restored"
            raise PermanentError("NoSuchPoint", message + _unstaged(listed, source))
        return found
    since = [point for point in usable if source.job and _since(point, source.job)]
    return since[0] if since else usable[-1]
