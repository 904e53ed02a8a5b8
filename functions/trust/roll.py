"""The roll of a rotation: its members as they are now, and as the store remembers them."""

from collections.abc import Iterable

from shared.domain.admission import Fleet
from shared.domain.cluster import Cluster
from shared.domain.errors import MeshwardError, NotConverged
from shared.domain.trust.members import members_in
from shared.domain.trust.membership import (
    MEMBERSHIP,
    MemberProgress,
    Membership,
    Roll,
    absent,
    roll_of,
    spelled_as,
)
from shared.domain.trust.roots import Rotation
from shared.wiring import services


async def remembered(rotation: Rotation) -> Membership:
    """What the store knows of the rotation's members, those of its earlier runs too."""
    return await services().ledger.find(MEMBERSHIP, _path(rotation)) or _nobody(rotation)


async def remember(rotation: Rotation, before: Membership, now: Membership) -> None:
    """The store knows it too; raises NotConverged if somebody else has changed it since."""
    if now == before:
        return
    path = _path(rotation)
    found = await services().ledger.read(path)
    seen = _nobody(rotation) if found is None else MEMBERSHIP.decoded(path, found)
    if seen != before or not await services().ledger.update(path, MEMBERSHIP.encoded(now), seen=found):
        raise NotConverged("MembershipTaken", f"somebody else has changed {path}", 1.0)


async def call_roll(rotation: Rotation, known: dict[str, MemberProgress], fleet: Fleet) -> Roll:
    """Who takes part now. One that is known and not listed is asked for by itself, as a list may lack what is there."""
    fleet = Fleet(spelled_as(known, fleet.clusters), fleet.allow_list)
    listed = members_in(rotation.mesh, rotation.trust_domain, fleet)
    found, unknown = await _look_for(absent(known, [c.id for c in listed]))
    found = spelled_as(known, found)
    others = absent([c.id for c in fleet.clusters], [*(c.id for c in found), *unknown])
    there = [*found, *(c for c in fleet.clusters if c.id in others)]
    return roll_of(rotation, known, Fleet(there, fleet.allow_list), unknown)


async def _look_for(ids: Iterable[str]) -> tuple[list[Cluster], dict[str, MeshwardError]]:
    """Those that are still there, and those of which nobody knows."""
    found: list[Cluster] = []
    unknown: dict[str, MeshwardError] = {}
    for id in ids:
        try:
            cluster = await services().rotator.clusters.get(id)
        except MeshwardError as error:
            unknown[id] = error
        else:
            found += [cluster] if cluster else []
    return found, unknown


def _nobody(rotation: Rotation) -> Membership:
    return Membership(trust_domain=rotation.trust_domain, generation=rotation.generation)


def _path(rotation: Rotation) -> str:
    return MEMBERSHIP.path(rotation=rotation.instance_id)
