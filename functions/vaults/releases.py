"""A vault whose cluster is gone is kept for `release_after`, then deleted step by step; nothing is purged.

daily sweep ── kept long enough ──┐
by hand ───── by the plan's hash ─┴─▶ release_cluster ──▶ take the backup workloads' identity away
                                                          delete backup instances and items (they stay soft-deleted)
                                                          wait until the vaults keep nothing any more
                                                          delete the Recovery Services vault, endpoint, storage
                                                          account, snapshots, then the Backup vault
                                                          write down what was released
"""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial

import azure.durable_functions as df
import msgspec

from functions.engine.activities import activity
from functions.engine.asking import ask
from functions.engine.client import Client
from functions.engine.durable import Runbook, Steps, orchestrator
from functions.engine.logs import log
from functions.engine.many import one_of_many
from functions.vaults.bindings import close_binding
from functions.vaults.ownership import change_mark
from functions.vaults.parts import ACCESS, parts_now
from functions.vaults.steps import POLL_INTERVAL
from functions.vaults.tagged import tagged_vaults
from shared.domain.cluster import Cluster, cluster_id
from shared.domain.errors import Conflict, MeshwardError, NotConverged, NotFound, shown
from shared.domain.resource_id import folded, same
from shared.domain.vaults.parts import PARTS, VAULTS, WhenReleased, released_parts
from shared.domain.vaults.protection import Protection, require_in_fleet
from shared.domain.vaults.release import (
    ABSENCE,
    RELEASED,
    Absence,
    Release,
    Released,
    Remains,
    is_gone,
    may_delete,
    protections,
    release_of,
    require_absent,
    require_confirmed,
    require_deleted,
    require_empty,
    require_unlisted,
)
from shared.domain.vaults.signals import VaultKept, VaultLeftOut, VaultReleased
from shared.wiring import services

app = df.Blueprint()

SOFT_DELETE_CHECK_INTERVAL = timedelta(days=1)
DELETIONS = 2  # of the same within an hour
LONGEST_SOFT_DELETE = timedelta(days=200)  # what is deleted is kept for 180 days at most


class ReleaseRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A release."""

    protection: Protection
    plan: str  # hash of the plan that was agreed on
    by_hand: bool = False  # whether somebody has agreed on it, not the sweep


class PartRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a protection, by its name in the table."""

    protection: Protection
    part: str


async def sweep(client: Client) -> None:
    """Release every vault whose cluster has been gone for long enough; one that can't be read holds up no other."""
    found, clusters = await _protections(), await services().provisioner.clusters.list()
    listed = {folded(cluster.id): cluster for cluster in clusters}
    for protection in found:
        try:
            with one_of_many(protection.backup_vault_id):
                await _release_if_due(client, protection, listed.get(folded(protection.cluster_id)))
        except MeshwardError as error:
            log(VaultLeftOut(vault=protection.backup_vault_id, reason=error.reason, error=error.message))


async def _release_if_due(client: Client, protection: Protection, listed: Cluster | None) -> None:
    """A list shows what its reader may see: that a cluster isn't there, only a look at itself can tell."""
    cluster = listed or await services().provisioner.clusters.get(protection.cluster_id)
    absence = await _absence(protection, cluster)
    if absence.since is None:
        return
    require_absent(protection, cluster)
    release = release_of(protection, await _remains(protection), absence.since)
    if release.steps and services().now() >= release.kept_until:
        require_confirmed(protection, absence, cluster, services().now())
        await _start(client, release)
    else:
        log(VaultKept(vault=protection.backup_vault_id, until=release.kept_until.isoformat()))


async def request_plans(resource_id: str) -> list[Release]:
    """The plans of release for all incarnations of the cluster that are gone."""
    require_in_fleet(cluster_id(resource_id), services().settings.subscriptions)
    cluster = await services().provisioner.clusters.get(resource_id)
    plans = []
    for protection in await _protections():
        if same(protection.cluster_id, resource_id) and (since := (await _absence(protection, cluster)).since):
            plans.append(release_of(protection, await _remains(protection), since))
    return plans


async def request_release(client: Client, resource_id: str, plan: str) -> str:
    """Release the vault of the cluster with this plan; the instance id."""
    plans = await request_plans(resource_id)
    if not plans:
        raise NotFound("NothingToRelease", f"there is no vault of a deleted cluster {shown(resource_id)}")
    chosen = next((release for release in plans if release.hash == plan), None)
    if chosen is None:
        raise Conflict(
            "PlanChanged",
            f"no plan to release {shown(resource_id)} has the hash {shown(plan)}; get the plans and call again",
        )
    cluster = await services().provisioner.clusters.get(resource_id)
    require_confirmed(chosen.protection, await _absence(chosen.protection, cluster), cluster, services().now())
    return await _start(client, chosen, by_hand=True)


async def _start(client: Client, release: Release, *, by_hand: bool = False) -> str:
    request = ReleaseRequest(protection=release.protection, plan=release.hash, by_hand=by_hand)
    return await client.start_again("release_cluster", f"release-{release.protection.backup_vault}", request)


async def _protections() -> list[Protection]:
    policy = await services().policy()
    return protections(await tagged_vaults(), lambda cluster: policy.at(cluster=cluster).protect)


async def _absence(protection: Protection, cluster: Cluster | None) -> Absence:
    """Since when the cluster is gone, with what this look has found (None: nothing has its id)."""
    path, ledger = ABSENCE.path(vault=protection.backup_vault), services().ledger
    found = await ledger.read(path)
    before = ABSENCE.decoded(path, found) if found is not None else Absence()
    now = before.after(services().now(), gone=is_gone(protection, cluster), free=cluster is None)
    if now != before:
        await ledger.update(path, ABSENCE.encoded(now), seen=found)
    return now


async def _remains(protection: Protection) -> Remains:
    provisioner = services().provisioner
    parts = await parts_now(protection, released_parts("before the backups", "after the backups", "last"))
    if not parts["backup_vault"]:
        require_unlisted(protection, await tagged_vaults(protection.subscription))
    standing = [service for service, part in VAULTS.items() if parts[part]]
    return Remains(
        parts=tuple(name for name, found in parts.items() if found),
        items=tuple([i for s in standing for i in await provisioner.vaults(s).items(protection)]),
    )


@orchestrator(app)
def release_cluster(run: Runbook, request: ReleaseRequest) -> Steps[Released]:
    """The runbook of a release."""
    protection = request.protection
    run.phase("plan", vault=protection.backup_vault)
    release = yield from run.step(plan_release, request, every=POLL_INTERVAL)
    run.phase("stop", vault=protection.backup_vault)
    yield from run.step(close_binding, protection, every=POLL_INTERVAL)
    yield from delete_parts(run, protection, "before the backups")
    yield from run.step(delete_backups, protection, every=POLL_INTERVAL)
    run.phase("keep", vault=protection.backup_vault)
    yield from run.step(await_emptiness, protection, every=SOFT_DELETE_CHECK_INTERVAL, deadline=LONGEST_SOFT_DELETE)
    run.phase("delete", vault=protection.backup_vault)
    yield from delete_parts(run, protection, "after the backups", "last")
    released = yield from run.step(record_release, release, every=POLL_INTERVAL)
    run.phase("released", vault=protection.backup_vault)
    return released


def delete_parts(run: Runbook, protection: Protection, *when: WhenReleased) -> Steps[None]:
    """Delete the parts that go then, one after the other."""
    for part in released_parts(*when):
        yield from run.step(delete_part, PartRequest(protection=protection, part=part), every=POLL_INTERVAL)


@activity(app)
async def plan_release(request: ReleaseRequest) -> Release:
    """The plan, refused unless the cluster has been gone for a day and this very plan was agreed on."""
    protection = request.protection
    cluster = await services().provisioner.clusters.get(protection.cluster_id)
    since = require_confirmed(protection, await _absence(protection, cluster), cluster, services().now())
    if not request.by_hand:
        require_absent(protection, cluster)
    release = release_of(protection, await _remains(protection), since)
    if release.hash != request.plan:
        raise Conflict(
            "PlanChanged", f"the plan to release {protection.backup_vault} has changed; its hash is now {release.hash}"
        )
    return release


@activity(app)
async def delete_backups(protection: Protection) -> Remains:
    """All backups in both vaults are deleted, which can be taken back for as long as the vaults keep them."""
    remains, provisioner = await _remains(protection), services().provisioner
    for item in remains.deletable_items:
        delete = partial(provisioner.vaults(item.service).delete_item, protection, item)
        await _delete(protection, f"the backups of {item.id}", delete)
    require_deleted(remains)
    return remains


@activity(app)
async def await_emptiness(protection: Protection) -> Remains:
    """Nothing in the vault can be brought back any more."""
    remains = await _remains(protection)
    require_empty(protection, remains)
    return remains


@activity(app)
async def delete_part(request: PartRequest) -> PartRequest:
    """A part of the protection is gone."""
    access, provisioner, protection = ACCESS[request.part], services().provisioner, request.protection
    found = await access.read(provisioner, protection)
    if found is None:
        return request
    label = PARTS[request.part].label(protection)
    if access.delete and may_delete(label, found):
        await access.empty(provisioner, protection)
        await _delete(protection, label, partial(access.delete, provisioner, protection))
    raise NotConverged("Deleting", f"{label} is being deleted")


async def _delete(protection: Protection, label: str, request: Callable[[], Awaitable[None]]) -> None:
    await ask(protection.backup_vault, f"the deletion of {label}", request, times=DELETIONS)


@activity(app)
async def record_release(release: Release) -> Released:
    """What was released stands in the ledger."""
    released = Released(vault_id=release.protection.backup_vault_id, steps=release.steps, at=services().now())
    await change_mark(release.protection)
    await services().ledger.create(RELEASED.path(vault=release.protection.backup_vault), RELEASED.encoded(released))
    log(VaultReleased(vault=released.vault_id, steps=released.steps))
    return released
