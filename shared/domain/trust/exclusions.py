"""What it would break to leave a member out of a rotation that runs: the plan of an exclusion.

Rules:
- A member that is left out stays at what it has proven, while the others go on. From the first phase at whose end
  leaves and trusted roots don't fit any more (`compatible`), its proxies and those of the others can't talk.
- Its own proxies can still talk to each other, until its issuer or the old root expires: issuers of a root whose key is
  disabled aren't renewed.
- The plan's hash covers what is decided: who is left out of which rotation in which phase, and who is parted from it.
"""

import hashlib
from collections.abc import Mapping
from datetime import datetime

import msgspec
from msgspec.structs import replace

from shared.domain.errors import Conflict, NotFound, shown
from shared.domain.resource_id import name_of, same
from shared.domain.trust.membership import Exclusion, MemberProgress, Membership, left_out
from shared.domain.trust.moves import phases_from
from shared.domain.trust.phases import ENDS, FIRST_PHASE, Mode, Phase, compatible

_UNTIL = (
    "until it has caught up: it starts at prepare whenever it can be asked, as long as the rotation runs; after that,"
    " until somebody gives it the bundle and an issuer of the new root"
)


class ExclusionPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What it would break to leave a member out."""

    rotation: str  # instance id
    cluster: str  # resource id of the member
    phase: Phase  # in which the rotation is
    proven: Phase | None  # the last phase that the member has proven
    parted_from: tuple[str, ...]  # resource ids of members whose proxies share no trusted root with its own any more
    parted_in: Phase | None  # the phase in which that begins; None: it doesn't
    until: str  # when they can talk again, in words
    alone_until: datetime | None  # when even its own proxies can't talk any more at the latest, in UTC
    message: str  # the same, for people
    hash: str  # of what is decided


def plan_exclusion(
    rotation: str,
    cluster: str,
    membership: Membership,
    phase: Phase,
    mode: Mode,
    old_root_expires_at: datetime,
) -> ExclusionPlan:
    """The plan; raises NotFound for what is no member, and Conflict for the last one."""
    id = _member(membership, cluster)
    others = _others(membership.members, id, left_out(membership.excluded))
    proven = membership.members[id].proven
    parted_in = _parting(proven or FIRST_PHASE, phase, mode)
    parted_from = others if parted_in else ()
    decided = (rotation, id.lower(), phase, mode, proven, parted_in, [c.lower() for c in parted_from])
    return ExclusionPlan(
        rotation=rotation,
        cluster=id,
        phase=phase,
        proven=proven,
        parted_from=parted_from,
        parted_in=parted_in,
        until=_UNTIL if parted_in else "",
        alone_until=old_root_expires_at if parted_in else None,
        message=_message(id, parted_in, parted_from, old_root_expires_at),
        hash=hashlib.sha256(msgspec.json.encode(decided)).hexdigest(),
    )


def with_exclusion(membership: Membership, plan: ExclusionPlan, hash: str, reason: str, now: datetime) -> Membership:
    """The membership without the member; raises Conflict unless the plan is the one that was seen."""
    if plan.hash != hash:
        raise Conflict("PlanChanged", "the plan has changed: look at it again and call with its hash")
    exclusion = Exclusion(reason=reason, plan=hash, at=now, phase=plan.phase)
    return replace(membership, excluded={**membership.excluded, plan.cluster: exclusion})


def is_left_out(membership: Membership, cluster: str, hash: str) -> bool:
    """Whether the member was left out by this plan already, as somebody may call again who got no answer."""
    found = (e for c, e in membership.excluded.items() if same(c, cluster))
    return any(e.plan == hash and e.in_force for e in found)


def _member(membership: Membership, cluster: str) -> str:
    id = next((c for c in membership.members if same(c, cluster)), None)
    if id is None:
        raise NotFound("NoSuchMember", f"{shown(cluster)} isn't a member of this rotation")
    return id


def _others(members: Mapping[str, MemberProgress], cluster: str, out: frozenset[str]) -> tuple[str, ...]:
    others = tuple(sorted(c for c in members if c != cluster and c not in out))
    if not others:
        raise Conflict("LastMember", f"{name_of(cluster)} is the last member: abort the rotation instead")
    return others


def _parting(proven: Phase, phase: Phase, mode: Mode) -> Phase | None:
    """The first phase from this one on at whose end nobody can talk to a member that stays where it is."""
    rest = (p for p in phases_from(phase, mode) if p not in ENDS)
    return next((p for p in rest if not compatible(proven, p)), None)


def _message(cluster: str, parted_in: Phase | None, parted_from: tuple[str, ...], expires_at: datetime) -> str:
    name = name_of(cluster)
    if parted_in is None:
        return f"{name} can be left out: its proxies and those of the others go on sharing a trusted root"
    return (
        f"from phase {parted_in} on, proxies of {name} share no trusted root with those of {len(parted_from)} other"
        f" members and can't talk to them, {_UNTIL}. Once the rotation has ended, the issuer of {name} isn't renewed:"
        " when it expires, its proxies can't talk to each other either, at the latest at"
        f" {expires_at:%Y-%m-%d %H:%M} UTC"
    )
