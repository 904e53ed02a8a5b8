"""Which clusters take part in a rotation: those that the trust domain lists, and whose tags confirm it."""

from collections.abc import Iterable

from shared.domain.admission import Fleet
from shared.domain.cluster import MESH_TAG, TRUST_DOMAIN_TAG, Cluster
from shared.domain.errors import PermanentError
from shared.domain.reasons import RefusedReason
from shared.domain.trust.mesh import Mesh

type Unavailable = dict[str, tuple[RefusedReason, str]]


def members_of(mesh: Mesh, trust_domain: str, fleet: Fleet) -> tuple[list[str], Unavailable]:
    """The resource ids of the trust domain's clusters, and of those that can't be asked, with reason and message.

    Raises PermanentError if there is none.
    """
    members = members_in(mesh, trust_domain, fleet)
    if not members:
        raise no_members(mesh, trust_domain, fleet)
    return reachable(members)


def reachable(members: Iterable[Cluster]) -> tuple[list[str], Unavailable]:
    """The resource ids of members that can be asked, and of those that can't, with reason and message."""
    members = list(members)
    stopped: Unavailable = {c.id: ("MemberStopped", _stopped(c)) for c in members if c.stopped}
    return sorted(c.id for c in members if c.id not in stopped), stopped


def no_members(mesh: Mesh, trust_domain: str, fleet: Fleet) -> PermanentError:
    """The error that says that a rotation would be about nobody."""
    claims = fleet.claims(trust_domain)
    named = f"; {len(claims)} claim it, such as {claims[0].cluster}: {claims[0].message}" if claims else ""
    message = f"no listed cluster is tagged {TRUST_DOMAIN_TAG}={trust_domain} and {MESH_TAG}={mesh}{named}"
    return PermanentError("NoMembers", message)


def members_in(mesh: Mesh, trust_domain: str, fleet: Fleet) -> list[Cluster]:
    """The trust domain's clusters, whether they can be asked or not."""
    tagged = (c for c in fleet.clusters if c.tagged(TRUST_DOMAIN_TAG, trust_domain) and c.tagged(MESH_TAG, mesh))
    return [c for c in tagged if fleet.allow_list.lists(trust_domain, c.id)]


def _stopped(cluster: Cluster) -> str:
    return f"cluster {cluster.name} is stopped: start it, or leave it out"
