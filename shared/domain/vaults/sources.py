"""The data sources that a cluster names by tags, and whether its vaults can take them.

Rules:
- A tag's value has 256 characters (Azure Resource Manager docs): `meshward:files-2`, `meshward:files-3`, … go on with
  the list. What isn't of the kind's form refuses the whole tag.
- A cluster names 200 of them at most, as each is read one by one.
- A source that is protected by nobody is taken; one that was stopped or deleted from backup, by whomever, isn't taken
  up again. What is no longer named stays protected.
- An item says IRPending long after its first backup. Only states that are known to be good count as protected.
- Terms that don't suit a kind are refused.
- The owner of the account or machine must agree (`consents`), also if it is protected already.
"""

import re
from collections.abc import Iterator
from operator import attrgetter

from shared.domain.cluster import Cluster
from shared.domain.errors import PermanentError, shown
from shared.domain.resource_id import GROUP, ResourceId, folded, same
from shared.domain.states import Meaning, unknown_state
from shared.domain.vaults.consents import consent_error
from shared.domain.vaults.machines import VirtualMachine
from shared.domain.vaults.policy import ProtectPolicy
from shared.domain.vaults.shares import FileShare
from shared.domain.vaults.source import FoundItem, JobNames, SourceCandidate

type DataSource = FileShare | VirtualMachine

KINDS: tuple[type[DataSource], ...] = (FileShare, VirtualMachine)
MOST_SOURCES = 200  # of a cluster


def sources_of(cluster: Cluster) -> tuple[DataSource, ...]:
    """What the cluster's tags name, in order; raises PermanentError "BadTag" for what names nothing, or too much."""
    found = [source for kind in KINDS for source in _named(cluster, kind)]
    if len(found) > MOST_SOURCES:
        message = (
            f"the tags of cluster {cluster.name} name {len(found)} shares and machines, {MOST_SOURCES} are the most"
        )
        raise PermanentError("BadTag", message)
    once = {folded(source.label): source for source in sorted(found, key=attrgetter("label"), reverse=True)}
    return tuple(sorted(once.values(), key=attrgetter("label")))


def _named(cluster: Cluster, kind: type[DataSource]) -> Iterator[DataSource]:
    for tag, value in cluster.tags.items():
        if re.fullmatch(rf"{kind.cluster_tag}(-[0-9]+)?", tag.lower()):
            for text in filter(None, map(str.strip, value.split(","))):
                source = kind.named(cluster, text)
                if source is None:
                    why = f"tag {kind.cluster_tag} of cluster {cluster.name} names {shown(text)!r}"
                    raise PermanentError("BadTag", f"{why}; it lists {kind.form}, separated by commas")
                yield source


def require_source(text: str) -> None:
    """Raise PermanentError unless a list of sources may hold this: an account, a machine or a resource group."""
    id = ResourceId(text)
    if not (id.type == GROUP or id.of_type(*(kind.type for kind in KINDS))):
        message = f"{shown(text)} isn't the resource id of a storage account, a virtual machine or a resource group"
        raise PermanentError("NotAResourceId", message)


def label_in_job(job: JobNames) -> str:
    """The label of the data source that a backup job names, empty if it names none."""
    return next(filter(None, (kind.label_in_job(job) for kind in KINDS)), "")


def refusal(
    source: DataSource,
    item: FoundItem | None,
    candidate: SourceCandidate | None,
    vault: str,
    region: str,
    terms: ProtectPolicy,
) -> str:
    """Why it can't be taken into the vault (resource id) of this region, and what to do; empty if it can.

    `item` is it in the vault, `candidate` it outside of the vault.
    """
    if why := unfit(item) if item else source.unfit(terms):
        return why
    if candidate is None or not candidate.exists:
        return f"it doesn't exist; correct the tag {source.cluster_tag}"
    if withheld := consent_error(candidate):
        return str(withheld)
    return "" if item else _untakable(candidate, vault, region)


def _untakable(candidate: SourceCandidate, vault: str, region: str) -> str:
    """Why Azure wouldn't let the vault take it, empty if it would."""
    if candidate.vault and not same(candidate.vault, vault):
        return f"{candidate.vault} holds it, or its storage account; Azure allows one vault only: unregister it there"
    if candidate.region != region:
        return f"it is in {candidate.region}, and the vault in {region}; a vault protects only its own region"
    return ""


def unfit(item: FoundItem) -> str:
    """Why an item in the vault doesn't count as protected, and what to do; empty if it does."""
    if item.deleted:
        return "its backup was deleted and is kept for some days; undelete it, or wait until it is gone"
    if same(item.state, "ProtectionStopped"):
        return "its protection was stopped; resume it, or remove it from the tag"
    why: dict[Meaning, str] = {
        "good": "",
        "bad": f"its protection is {item.state}; look at it in the vault, or remove it from the tag",
        "pending": f"its protection is {item.state}; wait until Azure is done with it",
        "unknown": unknown_state("its protection", item.state) + "; look at it in the vault",
    }
    return why[item.meaning]
