"""Whether the owner of a storage account or a machine agrees that a cluster backs it up.

    meshward:backed-up-for = <resource group>/<cluster>, …     on the account or machine; ids of clusters will do, too

Rules:
- A cluster's tag asks, and grants nothing. The tag on the account or machine agrees, as its owner alone writes it, or
  the policy document does, which lists it among the cluster's `sources`. An account agrees for all of its shares.
- The short form names a cluster in the subscription of the account or machine.
- Without consent nothing is granted, registered or protected, and nothing else is read of it.
- What can't be read is neither yes nor no. A consent that ends takes no backups away: what is protected stays so, and
  is told, until somebody stops its protection.
"""

import json
import re
from collections.abc import Collection, Mapping

from shared.domain.cluster import CLUSTERS
from shared.domain.errors import MeshwardError, PermanentError
from shared.domain.resource_id import GROUP_NAME, ResourceId, folded, group_scope, parsed, same
from shared.domain.vaults.source import Source, SourceCandidate, SourceOwner

CONSENT_TAG = "meshward:backed-up-for"
_LONGEST_TAG = 256  # Azure Resource Manager docs
_SHORT = re.compile(rf"(?P<group>{GROUP_NAME})/(?P<cluster>[A-Za-z0-9_-]{{1,63}})", re.ASCII)


def candidate_of(
    source: Source, owner: SourceOwner | MeshwardError | None, cluster: str, listed: Collection[str], *, protected: bool
) -> SourceCandidate:
    """Whether a source's owner agrees that the cluster (resource id) backs it up, as the account or machine was found.

    An error is why it couldn't be read. `listed` are the sources that the policy document names for the cluster.
    """
    if owner is None:
        return SourceCandidate(exists=False)
    id, region = source.source_id, owner.region if isinstance(owner, SourceOwner) else ""
    if lists(listed, id) and (region or protected):
        return SourceCandidate(exists=True, consent="given", region=region)
    if not isinstance(owner, SourceOwner):
        return unread(owner)
    if ResourceId(cluster) in named_in(owner.tags, id):
        return SourceCandidate(exists=True, consent="given", region=region)
    missing = _missing(owner.tags, id, cluster, protected=protected)
    return SourceCandidate(exists=True, consent="missing", missing=missing)


def lists(listed: Collection[str], source_id: str) -> bool:
    """Whether a list of the policy document has the account or machine (resource id), or its resource group."""
    id = ResourceId(source_id)
    return not {id, group_scope(id.subscription, id.group)}.isdisjoint(map(ResourceId, listed))


def _missing(tags: Mapping[str, str], source_id: str, cluster: str, *, protected: bool) -> str:
    """What is told where the owner hasn't agreed: what is missing, and the command or line that adds it."""
    id = ResourceId(cluster)
    value = ",".join(_written(each, ResourceId(source_id)) for each in [*named_in(tags, source_id), id])
    stays = "; it stays protected until somebody stops that in the vault, and nothing else is done" if protected else ""
    command = (
        f"az tag update --operation merge --resource-id '{source_id}' --tags '{CONSENT_TAG}={value}'"
        if len(value) <= _LONGEST_TAG
        else f"its tag {CONSENT_TAG}, which has no room for another cluster"
    )
    line = f'"clusters": {{{json.dumps(cluster)}: {{"sources": [{json.dumps(source_id)}]}}}}'
    return (
        f"its owner hasn't agreed that cluster {id.name} backs it up{stays}. Its owner agrees by: {command}; or add to "
        f"the policy document {line}; if nobody agrees, correct the cluster's tag"
    )


def unread(error: MeshwardError) -> SourceCandidate:
    """A source of which nothing can be read."""
    return SourceCandidate(exists=True, missing=str(error))


def consent_error(known: SourceCandidate) -> PermanentError | None:
    """What is raised or told if the owner isn't known to agree; None if it is."""
    if known.consent == "given":
        return None
    if known.consent == "missing":
        return PermanentError("NotConsented", known.missing)
    why = known.missing or "nobody has asked"
    return PermanentError("ConsentUnknown", f"its owner's consent can't be read, so nothing is begun or ended: {why}")


def named_in(tags: Mapping[str, str], source_id: str) -> list[ResourceId]:
    """The clusters that the tags of the account or machine (resource id) name; other text in it names none."""
    value = next((value for tag, value in tags.items() if folded(tag) == CONSENT_TAG), "")
    found = (_cluster(text.strip(), ResourceId(source_id).subscription) for text in value.split(","))
    return list(dict.fromkeys(filter(None, found)))


def _cluster(text: str, subscription: str) -> ResourceId | None:
    if short := _SHORT.fullmatch(text):
        return group_scope(subscription, short["group"]).child(CLUSTERS, short["cluster"])
    id = parsed(text)
    return id if id is not None and id.of_type(CLUSTERS) else None


def _written(cluster: ResourceId, source: ResourceId) -> str:
    """As the tag has it."""
    return f"{cluster.group}/{cluster.name}" if same(cluster.subscription, source.subscription) else str(cluster)
