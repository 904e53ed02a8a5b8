"""Vaults that tell by their tags which incarnation of which cluster they are for.

A cluster keeps the vault that it has: the one of its incarnation, else one of which that isn't known, such as those
that earlier versions made. It never gets the vault of another incarnation.
"""

import re
from collections.abc import Iterable

import msgspec

from shared.domain.cluster import CLUSTERS, Cluster
from shared.domain.incarnation import Incarnation
from shared.domain.resource_id import GROUP_NAME, ResourceId, group_scope, parsed, same
from shared.domain.vaults.protection import CLUSTER_TAG, INCARNATION_TAG

EARLIER_TAG = "meshward:cluster-created-at"  # written by earlier versions in place of the incarnation
_TAG = re.compile(rf"(?P<group>{GROUP_NAME})/(?P<cluster>[A-Za-z0-9_-]{{1,63}})")


class TaggedVault(msgspec.Struct, frozen=True, kw_only=True):
    """A Backup vault with its tags."""

    id: str
    location: str
    tags: dict[str, str]

    @property
    def cluster(self) -> ResourceId | None:
        """The cluster that it is for; None if its tags name none."""
        named, home = _TAG.fullmatch(self.tags.get(CLUSTER_TAG, "")), parsed(self.id)
        if named is None or home is None:
            return None
        return group_scope(home.subscription, named["group"]).child(CLUSTERS, named["cluster"])

    @property
    def incarnation(self) -> Incarnation | None:
        """What its tags tell of the cluster's incarnation; None if Meshward has never written such a tag."""
        try:
            return Incarnation.read(self.tags.get(INCARNATION_TAG, self.tags.get(EARLIER_TAG, "")))
        except ValueError:
            return None


def incarnation_of(cluster: Cluster, vaults: Iterable[TaggedVault]) -> Incarnation:
    """The cluster's incarnation as the vault tells it that the cluster has; its own if it has none yet."""
    own = [v for v in vaults if v.cluster is not None and same(str(v.cluster), cluster.id)]
    tagged = sorted((v.incarnation for v in own if v.incarnation), key=lambda found: found.text, reverse=True)
    known = [found for found in tagged if found.same(cluster.incarnation)]
    unknown = [found for found in tagged if not found.another(cluster.incarnation)]
    return next(iter((*known, *unknown)), cluster.incarnation)
