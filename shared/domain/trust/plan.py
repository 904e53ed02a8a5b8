"""When a trust root is due, in which mode it will be rotated, and what that will do: the plan.

Rules:
- Times are fractions of a root's lifetime, so that a root of an hour and one of ten years are both replaced in time.
  The rotation is due when half of it is over; issuers have to be under the new root when a sixth is left.
- Mode routine waits until leaves are renewed. Mode swift restarts proxies instead, where the root could expire before a
  routine rotation comes to its last phase by the policy's times and the next maintenance window. If even swift would be
  too late, the root is replaced, with downtime; so only an operator starts that.
- A plan's hash covers what is decided: the rotation, its mode, members and roots. It doesn't cover times or pods, which
  change by themselves.
"""

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from shared.domain.admission import Claim
from shared.domain.errors import Conflict, PermanentError
from shared.domain.reasons import InformingReason
from shared.domain.trust.mesh import Mesh
from shared.domain.trust.moves import routine_duration
from shared.domain.trust.phases import Mode
from shared.domain.trust.policy import TrustPolicy, next_opening
from shared.domain.trust.roots import Root, Rotation

_SWIFT_DURATION = timedelta(minutes=20)  # until leaves are renewed; two small clusters were seen to take 15
_DURATION_PER_MEMBER = timedelta(seconds=3)  # some thirty activities of a second for each cluster, ten at once

_RESTARTS = {Mode.ROUTINE: 2, Mode.SWIFT: 3, Mode.REPLACE: 1}
_IMPACTS = {
    Mode.ROUTINE: "none: proxies renew their leaves by themselves",
    Mode.SWIFT: "only restarts: they renew leaves at once",
    Mode.REPLACE: "downtime: no proxy can talk to another from the root's expiry until both have been restarted",
}


class Upcoming(msgspec.Struct, frozen=True, kw_only=True):
    """When a root is due, and why."""

    mesh: Mesh  # whose root it is
    trust_domain: str  # whose root it is
    certificate: str  # its name in Key Vault
    expires: datetime  # UTC
    due: datetime  # half of its life is over
    activate_by: datetime  # a sixth of its life is left
    mode: Mode  # of a rotation that begins as soon as it is due
    reason: str  # why it is due, or isn't yet
    message: str  # the same, for people


class Blocker(msgspec.Struct, frozen=True, kw_only=True):
    """Why a member can't be rotated as it is, and what to do about it."""

    reason: str
    message: str


class MemberPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What a rotation does to a cluster."""

    cluster: str  # its resource id
    restarts: tuple[str, ...] = ()  # workloads, as `Kind/namespace/name`
    waits_for: tuple[str, ...] = ()  # pods that have to end by themselves, as `namespace/pod`
    blocker: Blocker | None = None  # None: it can be rotated


class RotationPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What a rotation would do now."""

    upcoming: Upcoming  # when the root is due
    rotation: Rotation  # from which root to which
    mode: Mode  # in which it would run
    impact: str  # on the workloads, in words
    restarts_each: int  # how often each workload restarts
    roots: tuple[str, ...]  # SHA-256 fingerprints: the old one, then the new one where it is made already
    members: tuple[MemberPlan, ...]  # what each would do
    hash: str  # of what is decided
    not_admitted: tuple[Claim, ...] = ()  # who claims the trust domain, and is left out


def swift_duration(members: int) -> timedelta:
    """How long a swift rotation over so many clusters takes until leaves are renewed."""
    return _SWIFT_DURATION + members * _DURATION_PER_MEMBER


def upcoming(root: Root, policy: TrustPolicy, now: datetime, members: int = 0) -> Upcoming:
    """When the root of so many clusters is due, and in which mode."""
    lifetime = root.expires_at - root.starts_at
    due, activate_by = root.starts_at + lifetime / 2, root.expires_at - lifetime / 6
    left = root.expires_at - max(now, due)
    swift, routine = swift_duration(members), routine_duration(policy) + _until_window(policy, max(now, due))
    reason, message = _due_reason(left, swift, now, due, activate_by)
    return Upcoming(
        mesh=root.mesh,
        trust_domain=root.trust_domain,
        certificate=root.certificate,
        expires=root.expires_at,
        due=due,
        activate_by=activate_by,
        mode=Mode.REPLACE if left < swift else Mode.SWIFT if left < routine else Mode.ROUTINE,
        reason=reason,
        message=message,
    )


def _until_window(policy: TrustPolicy, begun: datetime) -> timedelta:
    return next_opening(policy.maintenance, begun) - begun


def _due_reason(
    left: timedelta, swift: timedelta, now: datetime, due: datetime, activate_by: datetime
) -> tuple[InformingReason, str]:
    if left <= timedelta():
        return "RootExpired", "the root has expired"
    if left < swift:
        return "RootExpiring", "the root expires before even a swift rotation can finish"
    if now < due:
        return "NotDue", "less than half of the root's life is over"
    if now < activate_by:
        return "HalfLived", "half of the root's life is over"
    return "Overdue", "no more than a sixth of the root's life is left"


def starts_unattended(upcoming: Upcoming, now: datetime, *, aborted: bool) -> bool:
    """Whether a sweep starts the rotation: once it is due, or, if the last one was aborted, once it is overdue."""
    return now >= (upcoming.activate_by if aborted else upcoming.due)


def unattended_mode(upcoming: Upcoming) -> Mode:
    """The mode, for a start by event or timer; raises PermanentError if it takes somebody who has seen the plan."""
    if upcoming.mode is Mode.REPLACE:
        call = f"GET /api/plans/rotations/{upcoming.certificate}"
        advice = f'see {call}, then POST /api/rotations with its hash as "plan" and "mode": "replace"'
        raise PermanentError("RootExpired", f"{upcoming.message}, so replacing it means downtime: {advice}")
    return upcoming.mode


def plan_rotation(
    upcoming: Upcoming,
    rotation: Rotation,
    roots: Sequence[str],
    members: Sequence[MemberPlan],
    claims: Sequence[Claim] = (),
    *,
    compromised: bool = False,
) -> RotationPlan:
    """The plan of a rotation; that of a compromised root doesn't wait."""
    mode = Mode.SWIFT if compromised and upcoming.mode is Mode.ROUTINE else upcoming.mode
    decided = (rotation, mode, sorted(m.cluster.lower() for m in members), roots)
    return RotationPlan(
        upcoming=upcoming,
        rotation=rotation,
        mode=mode,
        impact=_IMPACTS[mode],
        restarts_each=_RESTARTS[mode],
        roots=tuple(roots),
        members=tuple(members),
        hash=hashlib.sha256(msgspec.json.encode(decided, order="sorted")).hexdigest(),
        not_admitted=tuple(claims),
    )


def require_same_plan(found: RotationPlan, mode: Mode, hash: str) -> None:
    """Raise Conflict unless the plan is the one that was seen, in this mode."""
    if found.hash != hash or found.mode is not mode:
        message = f"the plan has changed, and its mode is now {found.mode}: look at it and call with its hash"
        raise Conflict("PlanChanged", message)
