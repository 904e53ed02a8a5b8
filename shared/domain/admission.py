"""Who belongs to a trust domain: granted by the policy document, never claimed by a tag.

Rules:
- A trust domain's `members` are clusters, resource groups or subscriptions. Who deploys Meshward writes them.
- A tag confirms: a member is listed and tagged. A cluster that is tagged and not listed only claims the trust domain.
  It is named, with the line that would admit it, and nobody contacts it.
- A cluster without the tag claims nothing. It is contacted for its backups alone, and its mesh is nobody's business.
- Who contacts an API server needs an AdmittedCluster. The list alone makes one, for one contact.
"""

import json
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import msgspec

from shared.domain.cluster import CLUSTERS, MESH_TAG, TRUST_DOMAIN_TAG, Cluster, cluster_id, require_readable
from shared.domain.errors import PermanentError, shown
from shared.domain.resource_id import GROUP, SUBSCRIPTION, ResourceId, folded, group_scope, parsed, subscription_scope

_SEAL = object()


class AdmittedCluster:
    """A cluster that may be contacted now. No flow can keep one: it isn't serialized."""

    __slots__ = ("id",)

    def __init__(self, id: ResourceId, seal: object) -> None:
        if seal is not _SEAL:
            raise TypeError("an AllowList alone admits a cluster")
        self.id = id


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """A cluster whose tag claims a trust domain that doesn't list it, or whose tags can't be read."""

    cluster: str  # resource id
    trust_domain: str  # that it claims
    reason: str = "NotAdmitted"
    message: str  # the same for people, with the line of the policy document that would admit it


class AllowList:
    """Which clusters belong to which trust domain, by what the policy document lists for each."""

    def __init__(self, listed: Mapping[str, Iterable[str]]) -> None:
        self._scopes = {folded(domain): frozenset(map(ResourceId, ids)) for domain, ids in listed.items()}

    def lists(self, trust_domain: str, cluster: str) -> bool:
        """Whether the trust domain lists the cluster (resource id), its resource group or its subscription."""
        id = parsed(cluster)
        if id is None or not id.of_type(CLUSTERS):
            return False
        scopes = {id, group_scope(id.subscription, id.group), subscription_scope(id.subscription)}
        return not scopes.isdisjoint(self._scopes.get(folded(trust_domain), ()))

    def member(self, trust_domain: str, cluster: str) -> AdmittedCluster:
        """A cluster of the trust domain; raises PermanentError "NotAdmitted" for one that isn't listed."""
        id = cluster_id(cluster)
        if not self.lists(trust_domain, cluster):
            raise PermanentError("NotAdmitted", _not_admitted(trust_domain, cluster))
        return AdmittedCluster(id, _SEAL)

    def contactable(self, trust_domain: str, cluster: str) -> AdmittedCluster:
        """A cluster of the trust domain which it claims, or one that claims none; raises as `member` does."""
        return self.member(trust_domain, cluster) if trust_domain else AdmittedCluster(cluster_id(cluster), _SEAL)


class Fleet(NamedTuple):
    """The clusters that are seen, and the list of those that belong to a trust domain."""

    clusters: list[Cluster]
    allow_list: AllowList

    def claims(self, trust_domain: str = "") -> list[Claim]:
        """Who claims a trust domain without being listed, and whose tags can't be read; with a name, who claims that
        one, or is listed by it.
        """
        return [
            _claim(c)
            for c in self.clusters
            if (bad := c.unreadable(MESH_TAG, TRUST_DOMAIN_TAG)) or not self._confirmed(c)
            if trust_domain in ("", c.trust_domain) or (bad and self.allow_list.lists(trust_domain, c.id))
        ]

    def _confirmed(self, cluster: Cluster) -> bool:
        """Whether the cluster claims nothing, or what is granted."""
        return not cluster.trust_domain or self.allow_list.lists(cluster.trust_domain, cluster.id)


def require_scope(text: str) -> None:
    """Raise PermanentError unless a list of members may hold this: a cluster, a resource group or a subscription."""
    id = ResourceId(text)
    if not (id.of_type(CLUSTERS) or id.type in (SUBSCRIPTION, GROUP)):
        message = f"{shown(text)} isn't the resource id of a cluster, a resource group or a subscription"
        raise PermanentError("NotAResourceId", message)


def _claim(cluster: Cluster) -> Claim:
    """The claim, and why it isn't granted: the list of a trust domain can't hold every id."""
    try:
        require_readable(cluster, MESH_TAG, TRUST_DOMAIN_TAG)
        cluster_id(cluster.id)
    except PermanentError as error:
        return Claim(cluster=cluster.id, trust_domain=cluster.trust_domain, reason=error.reason, message=error.message)
    message = _not_admitted(cluster.trust_domain, cluster.id)
    return Claim(cluster=cluster.id, trust_domain=cluster.trust_domain, message=message)


def _not_admitted(trust_domain: str, cluster: str) -> str:
    line = f'"trust_domains": {{{json.dumps(shown(trust_domain))}: {{"members": [{json.dumps(cluster)}]}}}}'
    return (
        "its tag claims a trust domain that doesn't list it, so nothing is done there: if it belongs to it, add to the"
        f" policy document {line}; if not, remove its tag {TRUST_DOMAIN_TAG}"
    )
