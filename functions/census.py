"""Once a day every cluster is counted: protected, by what and how well proven, or why not.

    clusters (one list a subscription) ─┐
    backup instances, jobs (Resource ───┼─▶ take ──▶ census/<day>.json in the ledger ──▶ GET /api/census
    Graph), verdicts (ledger), runs ────┘

The first attempt of a day that succeeds makes the day's census; the timer calls several times in case one doesn't.
"""

import logging
from collections.abc import Sequence

import msgspec
from durabletask.client import OrchestrationStatus

from functions import vaults
from functions.client import Client
from functions.restore_ledger import history_of
from shared.domain.census import (
    FOLDER,
    Census,
    Instance,
    Proof,
    Standing,
    census,
    good_backups,
    path,
    protected,
    unprotected,
    with_volumes,
)
from shared.domain.cluster import Cluster
from shared.domain.errors import MeshwardError, NotFound
from shared.domain.policy import Policy
from shared.domain.restore_watch import SHOWN, WatchedJob
from shared.wiring import services

log = logging.getLogger("meshward")


async def take(client: Client) -> None:
    """Write the day's census, unless it stands."""
    outer, now = services(), services().now()
    if await outer.ledger.read(path(now)) is not None:
        return
    clusters, policy, before = await outer.protectable.list(), await outer.policy(), await _latest()
    instances = {instance.cluster_id.lower(): instance for instance in await outer.inventory.instances()}
    jobs = await outer.inventory.jobs(now - SHOWN)
    items = await outer.inventory.items()
    standings = []
    for cluster in clusters:
        instance = instances.get(cluster.id.lower())
        if instance and instance.configured:
            known = before.proof(instance.id) if before else Proof()
            standing = protected(cluster, instance, await _proof(instance, good_backups(instance, jobs), known))
        else:
            standing = await _unprotected(client, cluster, policy, instance)
        standings.append(with_volumes(standing, cluster, items))
    taken = census(standings, now)
    await outer.ledger.create(path(now), msgspec.json.encode(taken))
    log.info("census taken", extra={"clusters": len(standings), "protected": taken.protected})
    if taken.protected < len(standings):
        log.warning("clusters unprotected", extra={"clusters": len(standings) - taken.protected})


async def latest() -> Census:
    """The newest census."""
    found = await _latest()
    if found is None:
        raise NotFound("NoCensus", "no census was taken yet; one is taken every morning")
    return found


async def _latest() -> Census | None:
    paths = await services().ledger.list(FOLDER)
    found = await services().ledger.read(paths[-1]) if paths else None
    return msgspec.json.decode(found, type=Census) if found else None


async def _proof(instance: Instance, backups: Sequence[WatchedJob], known: Proof) -> Proof:
    """The newest good backup, and the newest verification that was good; what was `known` where there is none."""
    history = await history_of(instance.id)
    verified = history.last_verified if history else None
    return Proof(
        last_good_backup=backups[0].ended if backups else known.last_good_backup,
        last_verified_restore=verified.at if verified else known.last_verified_restore,
    )


async def _unprotected(client: Client, cluster: Cluster, policy: Policy, instance: Instance | None) -> Standing:
    try:
        wanted = vaults.protection(cluster, policy)
    except MeshwardError as error:
        return unprotected(cluster, error.reason, error.message)
    if wanted is None:
        return unprotected(
            cluster, "NotAskedFor", "neither its tag meshward:protect nor the policy asks for protection"
        )
    run = await client.latest(wanted.run)
    if run is None:
        return unprotected(cluster, "NotStarted", "nothing has begun to protect it; the next sweep does")
    if run.failure_details:
        return unprotected(cluster, "ProtectionFailed", run.failure_details.message)
    if run.runtime_status is OrchestrationStatus.COMPLETED:
        state = instance.state if instance else "not listed"
        return unprotected(cluster, "ProtectionLost", f"it was protected once; its backup instance is {state} now")
    return unprotected(cluster, "UnderWay", f"{run.instance_id} protects it just now")
