"""The census: for every cluster whether it is protected, by what and how well proven, or why not.

Rules:
- Protected is what Azure Backup calls ProtectionConfigured, no matter who configured it. In a state that isn't known, a
  cluster or a data source isn't counted as protected, and the census says why.
- A backup counts if it made a copy, a restore if a verification restored that copy and judged it good. What an earlier
  census knew is kept where nothing newer is found: Resource Graph shows jobs of 14 days (Azure Backup docs).
- A data source is protected where a vault has it as an item in a state that is known to be good. It doesn't count for
  the coverage. Jobs of a Backup vault name their item. Those of a Recovery Services vault name the share or machine.
- A data source whose owner doesn't agree (any more) is named, whether it is protected or not.
- Who claims a trust domain that doesn't list it is named, whether it is protected or not.
- Coverage is over all clusters, those included that nobody wants to be protected, and never rounded up.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import msgspec

from shared.domain.admission import Claim
from shared.domain.cluster import Cluster
from shared.domain.documents import Document
from shared.domain.errors import PermanentError
from shared.domain.reasons import Reason
from shared.domain.resource_id import ResourceId, folded, same
from shared.domain.restores.verification import vault_in
from shared.domain.restores.watch import WatchedJob
from shared.domain.states import JOB, unknown_state
from shared.domain.trust.membership import Membership, still_left_out
from shared.domain.vaults.consents import consent_error
from shared.domain.vaults.source import FoundItem, SourceCandidate
from shared.domain.vaults.sources import DataSource, sources_of, unfit


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """How well a backup is proven: when the last good one ended, and when a restore was last judged good."""

    last_good_backup: datetime | None = None
    last_verified_restore: datetime | None = None


class CensusVolume(msgspec.Struct, frozen=True, kw_only=True):
    """A data source that a cluster names."""

    name: str  # its label
    protected: bool  # whether backups are taken
    reason: str = ""  # NotConsented or ConsentUnknown, if its owner isn't known to agree
    message: str = ""  # why it isn't protected, or that its owner doesn't agree
    item: str = ""  # resource id of its protected item
    policy: str = ""  # resource id of its backup policy
    proof: Proof = Proof()  # how well its backups are proven


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How one cluster stands."""

    cluster: str  # resource id
    protected: bool  # whether backups are taken
    reason: str = ""  # why it isn't protected
    message: str = ""  # the same, for people
    instance: str = ""  # resource id of its backup instance
    vault: str = ""  # resource id
    policy: str = ""  # resource id of its backup policy
    proof: Proof = Proof()  # how well its backups are proven
    volumes: tuple[CensusVolume, ...] = ()  # its data sources


class LeftOut(msgspec.Struct, frozen=True, kw_only=True):
    """A cluster that was left out of the rotation of its trust root, and has taken part in none since."""

    cluster: str  # resource id
    since: datetime  # UTC
    reason: str  # the operator's words


class Census(msgspec.Struct, frozen=True, kw_only=True):
    """All clusters at one moment."""

    taken_at: datetime  # UTC
    protected: int  # clusters
    coverage_percent: float  # of all clusters
    clusters: tuple[Standing, ...]  # each of them
    not_admitted: tuple[Claim, ...] = ()  # who claims a trust domain
    left_out: tuple[LeftOut, ...] = ()  # those whose proxies may not trust the root of their trust domain

    def proof(self, item: str) -> Proof:
        """The proof of a backup instance, or of a data source's item."""
        proofs = {folded(s.instance): s.proof for s in self.clusters}
        proofs |= {folded(v.item): v.proof for s in self.clusters for v in s.volumes}
        return proofs.get(folded(item), Proof())


CENSUS = Document("census/{day}.json", "The census of a day.", Census)


def by_source(items: Iterable[FoundItem]) -> dict[str, FoundItem]:
    """The item of each source, by the source's id in lower case; of several one that protects it, if there is one."""
    return {folded(i.source_id): i for i in sorted(items, key=lambda item: item.configured)}


def path(day: datetime) -> str:
    """Where the census of a day is kept."""
    return CENSUS.path(day=f"{day:%Y-%m-%d}")


def left_out(clusters: Iterable[Cluster], memberships: Iterable[Membership]) -> tuple[LeftOut, ...]:
    """Those of the clusters that have to catch up with a rotation."""
    out = still_left_out(memberships)
    return tuple(
        LeftOut(cluster=cluster.id, since=exclusion.at, reason=exclusion.reason)
        for cluster in clusters
        if (exclusion := out.get(folded(cluster.id)))
    )


def census(
    standings: Sequence[Standing], now: datetime, claims: Iterable[Claim] = (), behind: Iterable[LeftOut] = ()
) -> Census:
    """The census of these clusters, of who claims a trust domain, and of who has to catch up with a rotation."""
    protected = sum(standing.protected for standing in standings)
    tenths = math.floor(1000 * protected / len(standings)) if standings else 1000
    ordered = sorted(standings, key=lambda standing: (standing.protected, folded(standing.cluster)))
    return Census(
        taken_at=now,
        protected=protected,
        coverage_percent=tenths / 10,
        clusters=tuple(ordered),
        not_admitted=tuple(claims),
        left_out=tuple(behind),
    )


def good_backups(jobs: Iterable[WatchedJob], item: str, volume: str = "") -> list[WatchedJob]:
    """The backups that made a copy, the latest first: of the item by its id, or of its `volume` by its label."""
    vault = vault_in(item)
    own = (job for job in jobs if same(job.item, item) or _of(job, vault, volume))
    made = (job for job in own if job.operation.lower() == "backup" and JOB.meaning(job.status) == "good")
    return sorted(made, key=lambda job: job.when, reverse=True)


def _of(job: WatchedJob, vault: ResourceId | None, volume: str) -> bool:
    return bool(volume) and same(job.volume, volume) and vault is not None and vault_in(job.id) == vault


def protected(cluster: Cluster, instance: FoundItem, proof: Proof) -> Standing:
    """A cluster that an instance protects."""
    vault = str(vault_in(instance.id) or "")
    return Standing(
        cluster=cluster.id, protected=True, instance=instance.id, vault=vault, policy=instance.policy, proof=proof
    )


def with_volumes(
    standing: Standing, cluster: Cluster, items: Sequence[FoundItem], consents: Mapping[str, SourceCandidate]
) -> Standing:
    """The standing with that of each volume which the cluster names; a tag that can't be read is reported instead.

    `consents` are, by label, whether the owners agree.
    """
    try:
        sources = sources_of(cluster)
    except PermanentError as error:
        unreadable = CensusVolume(name="", protected=False, message=error.message)
        return msgspec.structs.replace(standing, volumes=(unreadable,))
    found = [_volume(source, next((i for i in items if source.protected_by(i)), None)) for source in sources]
    return msgspec.structs.replace(standing, volumes=tuple(_consented(v, consents.get(v.name)) for v in found))


def without_consent(standings: Iterable[Standing]) -> list[str]:
    """The volumes that are backed up though their owners don't agree: cluster (resource id) and label."""
    found = ((s.cluster, v) for s in standings for v in s.volumes if v.protected and v.reason == "NotConsented")
    return [f"{cluster}: {volume.name}" for cluster, volume in found]


def _consented(volume: CensusVolume, known: SourceCandidate | None) -> CensusVolume:
    """The volume, with what is told if its owner isn't known to agree."""
    withheld = consent_error(known) if known and known.exists else None
    return msgspec.structs.replace(volume, reason=withheld.reason, message=withheld.message) if withheld else volume


def _volume(source: DataSource, item: FoundItem | None) -> CensusVolume:
    if item is None:
        return CensusVolume(name=source.label, protected=False, message="no vault protects it")
    if why := unfit(item):
        return CensusVolume(name=source.label, protected=False, message=why, item=item.id)
    return CensusVolume(name=source.label, protected=True, item=item.id, policy=item.policy)


def lost(cluster: Cluster, instance: FoundItem | None) -> Standing:
    """A cluster that was protected before, and whose backup instance (None: not listed) no longer does."""
    if instance and instance.meaning == "unknown":
        return unprotected(cluster, "StateUnknown", unknown_state("its backup instance", instance.state))
    state = instance.state if instance else "not listed"
    return unprotected(cluster, "ProtectionLost", f"it was protected before; its backup instance is now {state}")


def unprotected(cluster: Cluster, reason: Reason, message: str) -> Standing:
    """A cluster that isn't protected."""
    return Standing(cluster=cluster.id, protected=False, reason=reason, message=message)
