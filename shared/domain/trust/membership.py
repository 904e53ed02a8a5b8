"""Who takes part in a rotation: how far each member has come, and whom operators have left out.

Rules:
- A member is an id and an incarnation. Another one under its id starts at prepare: it inherits no proof.
- Members are remembered. One that isn't listed any more is asked for by itself: if it is gone, nobody waits for it; if
  it is still there, the rotation is on hold until it is a member again or left out; what is unknown is neither.
- Nobody waits for a member that is left out. It starts at prepare, and catches up by itself while the others work. Once
  it has proven the phase in which it was left out, and lacks only theirs, it is a member like any other.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from shared.domain.admission import Fleet
from shared.domain.cluster import MESH_TAG, TRUST_DOMAIN_TAG, Cluster
from shared.domain.documents import Document
from shared.domain.errors import MeshwardError
from shared.domain.incarnation import Incarnation
from shared.domain.resource_id import folded
from shared.domain.trust.members import Unavailable, members_in, no_members, reachable
from shared.domain.trust.phases import Phase
from shared.domain.trust.roots import Rotation


class MemberProgress(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How far one incarnation of a member has come."""

    incarnation: Incarnation = Incarnation()  # which one it is
    proven: Phase | None = None  # the last phase that it has proven
    activated_at: datetime | None = None  # when it was proven to issue under the phase's root


class Exclusion(msgspec.Struct, frozen=True, kw_only=True):
    """Why a member is left out."""

    reason: str  # the operator's words
    plan: str  # hash of the plan that said what this breaks
    at: datetime  # UTC
    phase: Phase  # of the rotation then
    caught_up_at: datetime | None = None  # UTC; None: it hasn't yet

    @property
    def in_force(self) -> bool:
        return self.caught_up_at is None


class Membership(msgspec.Struct, frozen=True, kw_only=True):
    """The members of a rotation, by resource id."""

    trust_domain: str
    generation: int  # of the new root
    members: dict[str, MemberProgress] = {}
    excluded: dict[str, Exclusion] = {}


MEMBERSHIP = Document(
    "members/{rotation}.json", "Who takes part in a rotation, how far each is, and who was left out.", Membership
)


class Roll(NamedTuple):
    """Who takes part in a round: which incarnation of which cluster, who can be asked, and why the others can't."""

    incarnations: dict[str, Incarnation]
    available: list[str]
    unavailable: Unavailable
    unknown: Mapping[str, MeshwardError]  # of whom nobody knows whether they are still there


def spelled_as(known: Iterable[str], clusters: Iterable[Cluster]) -> list[Cluster]:
    """The clusters, under the ids by which they are known: Azure writes an id now in one case, now in another."""
    spelled = {folded(id): id for id in known}
    return [replace(c, id=spelled.get(folded(c.id), c.id)) for c in clusters]


def absent(known: Iterable[str], listed: Iterable[str]) -> list[str]:
    """Which of the members that are known aren't listed."""
    found = {folded(cluster) for cluster in listed}
    return sorted(cluster for cluster in known if folded(cluster) not in found)


def roll_of(
    rotation: Rotation,
    known: Mapping[str, MemberProgress],
    fleet: Fleet,
    unknown: Mapping[str, MeshwardError],
) -> Roll:
    """The roll, by all clusters that were listed or found. Raises PermanentError if it is empty."""
    members = members_in(rotation.mesh, rotation.trust_domain, fleet)
    available, unavailable = reachable(members)
    there = {folded(c.id): c for c in fleet.clusters}
    astray = [
        there[folded(id)]
        for id in absent(known, [*(c.id for c in members), *unknown])
        if folded(id) in there and not known[id].incarnation.another(there[folded(id)].incarnation)
    ]
    incarnations = {c.id: c.incarnation for c in (*members, *astray)} | {id: known[id].incarnation for id in unknown}
    if not incarnations:
        raise no_members(rotation.mesh, rotation.trust_domain, fleet)
    vanished: Unavailable = {c.id: ("MemberVanished", _vanished(rotation, c)) for c in astray}
    return Roll(incarnations, available, unavailable | vanished, unknown)


def _vanished(rotation: Rotation, cluster: Cluster) -> str:
    tags = f"{MESH_TAG}={rotation.mesh} and {TRUST_DOMAIN_TAG}={rotation.trust_domain}"
    return (
        f"cluster {cluster.name} is still there, but isn't a member any more, so its proxies would be cut off:"
        f" list it in the policy document and set its tags {tags} again, or leave it out"
    )


def left_out(excluded: Mapping[str, Exclusion]) -> frozenset[str]:
    """Who is left out now."""
    return frozenset(cluster for cluster, exclusion in excluded.items() if exclusion.in_force)


def still_left_out(memberships: Iterable[Membership]) -> dict[str, Exclusion]:
    """Who was left out of a rotation and has taken part in none since, by resource id in lower case."""
    out: dict[str, Exclusion] = {}
    for one in sorted(memberships, key=lambda membership: (membership.trust_domain, membership.generation)):
        took_part = {folded(cluster) for cluster, progress in one.members.items() if progress.proven}
        left = {folded(cluster): exclusion for cluster, exclusion in one.excluded.items() if exclusion.in_force}
        out = {cluster: exclusion for cluster, exclusion in out.items() if cluster not in took_part} | left
    return out


def with_caught_up(asked: Mapping[str, Exclusion], seen: Mapping[str, Exclusion]) -> dict[str, Exclusion]:
    """What operators have asked for, without what is over: `seen` says which exclusions have ended."""
    ended = {c: e for c, e in seen.items() if not e.in_force and c in asked and asked[c].at == e.at}
    return {**asked, **ended}


def progress_of(
    known: Mapping[str, MemberProgress], incarnations: Mapping[str, Incarnation], begin_again: Collection[str] = ()
) -> dict[str, MemberProgress]:
    """How far each of these has come; another incarnation begins again, and so do those in `begin_again`."""
    before = {folded(cluster): progress for cluster, progress in known.items() if cluster not in begin_again}
    return {cluster: _continued(before.get(folded(cluster)), found) for cluster, found in incarnations.items()}


def _continued(before: MemberProgress | None, found: Incarnation) -> MemberProgress:
    if before is None or before.incarnation.another(found):
        return MemberProgress(incarnation=found)
    return replace(before, incarnation=found) if found.text else before
