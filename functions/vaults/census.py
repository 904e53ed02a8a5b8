"""Once a day every cluster is counted: protected, by what and how well proven, or why not.

    clusters (one list a subscription) ─┐
    backup instances, jobs (Resource ───┼─▶ take ──▶ census/<day>.json in the ledger ──▶ GET /api/census
    Graph), verdicts (ledger), runs ────┘

The first attempt of a day that succeeds makes the day's census; the timer calls several times in case one doesn't.
"""

from collections.abc import Sequence

from msgspec.structs import replace

from functions.engine.client import Client
from functions.engine.documents import unless_broken
from functions.engine.logs import log
from functions.engine.many import one_of_many
from functions.restores.documents import history_of
from functions.vaults.consents import consents_now
from functions.vaults.protection import protection_for
from functions.vaults.tagged import tagged_vaults
from shared.domain.cluster import Cluster
from shared.domain.errors import MeshwardError, NotFound
from shared.domain.policy import Policy
from shared.domain.resource_id import folded
from shared.domain.restores.watch import GRAPH_RETENTION, WatchedJob
from shared.domain.trust.membership import MEMBERSHIP, Membership
from shared.domain.vaults.census import (
    CENSUS,
    Census,
    Proof,
    Standing,
    by_source,
    census,
    good_backups,
    left_out,
    lost,
    path,
    protected,
    unprotected,
    with_volumes,
    without_consent,
)
from shared.domain.vaults.consents import unread
from shared.domain.vaults.signals import CensusTaken, ClustersLeftOut, ClustersUnprotected, ConsentsMissing
from shared.domain.vaults.source import FoundItem, SourceCandidate
from shared.domain.vaults.sources import DataSource, sources_of
from shared.domain.vaults.tagged import TaggedVault
from shared.wiring import services


async def take(client: Client) -> None:
    """Write the day's census, unless it is written already."""
    world, now = services(), services().now()
    if await world.ledger.read(path(now)) is not None:
        return
    fleet, policy = await world.provisioner.fleet(), await world.policy()
    vaults = await tagged_vaults()
    before = await _latest() or Census(taken_at=now, protected=0, coverage_percent=0.0, clusters=())
    items = await world.verifier.inventory.items()
    instances = by_source(items)
    jobs = await world.verifier.inventory.jobs(now - GRAPH_RETENTION)
    standings = []
    for cluster in fleet.clusters:
        instance = instances.get(folded(cluster.id))
        if instance and instance.configured:
            standing = protected(cluster, instance, await _proof(before, jobs, instance.id))
        else:
            standing = await _unprotected(client, cluster, policy, vaults, instance)
        volumes = with_volumes(standing, cluster, items, await _consents(cluster, policy, items))
        standings.append(await _with_proofs(volumes, before, jobs))
    behind = left_out(fleet.clusters, await _memberships())
    taken = census(standings, now, fleet.claims(), behind)
    await world.ledger.create(path(now), CENSUS.encoded(taken))
    log(CensusTaken(clusters=len(standings), protected=taken.protected))
    if taken.protected < len(standings):
        log(ClustersUnprotected(clusters=len(standings) - taken.protected))
    if unasked := without_consent(standings):
        log(ConsentsMissing(volumes=unasked))
    if behind:
        log(ClustersLeftOut(clusters=[one.cluster for one in behind]))


async def _consents(cluster: Cluster, policy: Policy, items: Sequence[FoundItem]) -> dict[str, SourceCandidate]:
    """By label, whether the owners of what the cluster names agree; nothing is known of a tag that can't be read."""
    sources: tuple[DataSource, ...] = ()
    try:
        with one_of_many(cluster.id):
            sources = sources_of(cluster)
            protected = [source for source in sources if any(map(source.protected_by, items))]
            return await consents_now(cluster.id, sources, policy.sources(cluster.id), protected)
    except MeshwardError as error:
        return dict.fromkeys((source.label for source in sources), unread(error))


async def _memberships() -> list[Membership]:
    """Who takes part in rotations; what is broken is skipped."""
    ledger, found = services().ledger, []
    for rotation in await ledger.list(MEMBERSHIP.folder()):
        if membership := await unless_broken(ledger.get(MEMBERSHIP, rotation)):
            found.append(membership)
    return found


async def latest() -> Census:
    """The newest census."""
    found = await _latest()
    if found is None:
        raise NotFound("NoCensus", "no census was taken yet; one is taken every morning")
    return found


async def _latest() -> Census | None:
    """The newest that can be read."""
    ledger = services().ledger
    for day in reversed(await ledger.list(CENSUS.folder())):
        if found := await unless_broken(ledger.get(CENSUS, day)):
            return found
    return None


async def _with_proofs(standing: Standing, before: Census, jobs: Sequence[WatchedJob]) -> Standing:
    """The standing, with the proof of each of its data sources that a vault protects."""
    volumes = [replace(v, proof=await _proof(before, jobs, v.item, v.name)) if v.item else v for v in standing.volumes]
    return replace(standing, volumes=tuple(volumes))


async def _proof(before: Census, jobs: Sequence[WatchedJob], item: str, volume: str = "") -> Proof:
    """The newest good backup, and the newest good verification; where there is none, that of the census `before`.

    `volume` is the label of the share or machine that the item protects.
    """
    previous, backups, history = (
        before.proof(item),
        good_backups(jobs, item, volume),
        await unless_broken(history_of(item)),
    )
    verified = history.last_verified if history else None
    return Proof(
        last_good_backup=backups[0].ended if backups else previous.last_good_backup,
        last_verified_restore=verified.at if verified else previous.last_verified_restore,
    )


async def _unprotected(
    client: Client, cluster: Cluster, policy: Policy, vaults: Sequence[TaggedVault], instance: FoundItem | None
) -> Standing:
    try:
        with one_of_many(cluster.id):
            protection = protection_for(cluster, policy, vaults)
    except MeshwardError as error:
        return unprotected(cluster, error.reason, error.message)
    if protection is None:
        return unprotected(
            cluster, "NotAskedFor", "neither its tag meshward:protect nor the policy asks for protection"
        )
    run = await client.latest(protection.run)
    if run is None:
        return unprotected(cluster, "NotStarted", "no flow has started to protect it; the next sweep will")
    if run.failure is not None:
        return unprotected(cluster, "ProtectionFailed", run.failure)
    if run.completed:
        return lost(cluster, instance)
    return unprotected(cluster, "UnderWay", f"flow {run.instance_id} is protecting it now")
