"""A vault whose cluster is gone is kept for its time, then released: taken apart step by step, nothing purged.

daily sweep ── kept long enough ──┐
by hand ───── by the plan's hash ─┴─▶ release_cluster ──▶ take the backup workloads' identity away
                                                          delete backup instances and items (they stay soft-deleted)
                                                          wait until the vaults keep nothing any more
                                                          delete vaults, endpoint, storage account, snapshots
                                                          write down what was released
"""

from datetime import datetime, timedelta

import azure.durable_functions as df
import msgspec

from functions.engine.activities import activity
from functions.engine.client import Client
from functions.engine.durable import Runbook, Steps, orchestrator
from functions.engine.logs import log
from functions.vaults.bindings import unbound
from shared.domain.cluster import cluster_id
from shared.domain.errors import Conflict, MeshwardError, NotConverged, NotFound, shown
from shared.domain.resource_id import same
from shared.domain.vaults.protection import Protection, check_ours
from shared.domain.vaults.release import (
    GONE_AT,
    RELEASED,
    Release,
    Released,
    Remains,
    check_empty,
    is_gone,
    orphans,
    release_of,
)
from shared.domain.vaults.signals import VaultKept, VaultLeftOut, VaultReleased
from shared.wiring import services

app = df.Blueprint()

SOON = timedelta(seconds=30)
DAILY = timedelta(days=1)
LONGEST_SOFT_DELETE = timedelta(days=200)  # Azure Backup keeps what was deleted for 180 days at most


class ReleaseRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A release; `plan` is the hash of the plan that was agreed on."""

    wanted: Protection
    plan: str


async def sweep(client: Client) -> None:
    """Release every vault whose cluster has been gone for long enough; one that can't be read holds up no other."""
    for wanted in await _orphans():
        try:
            release = await _planned(wanted)
        except MeshwardError as error:
            log(VaultLeftOut(vault=wanted.vault_id, reason=error.reason, error=error.message))
            continue
        if release.steps and services().now() >= release.kept_until:
            await _start(client, release)
        else:
            log(VaultKept(vault=wanted.vault_id, until=release.kept_until.isoformat()))


async def request_plans(resource_id: str) -> list[Release]:
    """The plans of release for all lives of the cluster that are gone."""
    check_ours(cluster_id(resource_id), services().settings.subscriptions)
    return [await _planned(wanted) for wanted in await _orphans() if same(wanted.cluster_id, resource_id)]


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
    return await _start(client, chosen)


async def _start(client: Client, release: Release) -> str:
    order = ReleaseRequest(wanted=release.wanted, plan=release.hash)
    return await client.start_again("release_cluster", f"release-{release.wanted.vault}", order)


async def _orphans() -> list[Protection]:
    settings, policy = services().settings, await services().policy()
    vaults = services().provisioner.backup_vaults
    found = [v for s in settings.subscriptions for v in await vaults.tagged(s, settings.backup_resource_group)]
    clusters = await services().provisioner.clusters.list()
    return orphans(found, clusters, lambda cluster: policy.at(cluster=cluster).protect)


async def _planned(wanted: Protection) -> Release:
    return release_of(wanted, await _remains(wanted), await _gone_at(wanted))


async def _gone_at(wanted: Protection) -> datetime:
    """When the vault was first seen without its cluster."""
    path, ledger = GONE_AT.path(vault=wanted.vault), services().ledger
    await ledger.create(path, GONE_AT.encoded(services().now()))
    return await ledger.get(GONE_AT, path)


async def _remains(wanted: Protection) -> Remains:
    resources, vaults = services().provisioner.azure_resources, services().provisioner.backup_vaults
    there = await vaults.vault(wanted) is not None
    recovery = await services().provisioner.recovery_vaults.vault(wanted) is not None
    return Remains(
        instances=tuple(await vaults.instances(wanted)) if there else (),
        soft_deleted=tuple(await vaults.soft_deleted(wanted)) if there else (),
        vault=there,
        account=await resources.account(wanted) is not None,
        snapshots=await resources.group(wanted, wanted.snapshot_group) is not None,
        identity=await services().provisioner.workload_identities.identity(wanted) is not None,
        endpoint=await services().provisioner.private_endpoints.endpoint(wanted) is not None,
        recovery_vault=recovery,
        items=tuple(await services().provisioner.share_backups.items(wanted)) if recovery else (),
    )


@orchestrator(app)
def release_cluster(run: Runbook, order: ReleaseRequest) -> Steps[Released]:
    """The runbook."""
    wanted = order.wanted
    run.phase("plan", vault=wanted.vault)
    release = yield from run.step(plan_release, order, every=SOON)
    run.phase("stop", vault=wanted.vault)
    yield from unbound(run, wanted)
    yield from run.step(delete_instances, wanted, every=SOON)
    yield from run.step(delete_items, wanted, every=SOON)
    run.phase("keep", vault=wanted.vault)
    yield from run.step(await_emptiness, wanted, every=DAILY, deadline=LONGEST_SOFT_DELETE)
    run.phase("delete", vault=wanted.vault)
    for step in (delete_vault, delete_recovery_vault, delete_endpoint, delete_account, delete_snapshots):
        yield from run.step(step, wanted, every=SOON)
    released = yield from run.step(record_release, release, every=SOON)
    run.phase("released", vault=wanted.vault)
    return released


@activity(app)
async def plan_release(order: ReleaseRequest) -> Release:
    """The plan, refused if the cluster is there after all or another plan was agreed on."""
    wanted = order.wanted
    if not await _is_gone(wanted):
        raise Conflict("ClusterIsThere", f"cluster {wanted.cluster} still exists, so its vault isn't released")
    release = await _planned(wanted)
    if release.hash != order.plan:
        raise Conflict("PlanChanged", f"the plan to release {wanted.vault} has changed; its hash is now {release.hash}")
    return release


async def _is_gone(wanted: Protection) -> bool:
    return is_gone(wanted, await services().provisioner.clusters.get(wanted.cluster_id))


@activity(app)
async def delete_instances(wanted: Protection) -> Remains:
    """The vault's backup instances are deleted, which can be taken back for as long as the vault keeps them."""
    remains = await _remains(wanted)
    for name in remains.instances:
        await services().provisioner.backup_vaults.delete_instance(wanted, name)
    if remains.instances:
        raise NotConverged("Deleting", f"backup instances {', '.join(remains.instances)} are being deleted")
    return remains


@activity(app)
async def delete_items(wanted: Protection) -> Remains:
    """The backups of the cluster's volumes are deleted, which can be taken back for as long as the vault keeps them."""
    remains = await _remains(wanted)
    for item in remains.live_items:
        await services().provisioner.share_backups.delete(wanted, item)
    if remains.live_items:
        names = ", ".join(item.name for item in remains.live_items)
        raise NotConverged("Deleting", f"the backups of {names} are being deleted")
    return remains


@activity(app)
async def await_emptiness(wanted: Protection) -> Remains:
    """Nothing in the vault can be brought back any more."""
    remains = await _remains(wanted)
    check_empty(wanted, remains)
    return remains


@activity(app)
async def delete_vault(wanted: Protection) -> Protection:
    """The vault is gone."""
    if await services().provisioner.backup_vaults.vault(wanted) is not None:
        await services().provisioner.backup_vaults.delete_vault(wanted)
        raise NotConverged("Deleting", f"Backup vault {wanted.vault} is being deleted")
    return wanted


@activity(app)
async def delete_recovery_vault(wanted: Protection) -> Protection:
    """The Recovery Services vault is gone, and the storage accounts are no longer registered with it."""
    vaults, backups = services().provisioner.recovery_vaults, services().provisioner.share_backups
    if await vaults.vault(wanted) is None:
        return wanted
    registered = await backups.accounts(wanted)
    for container in registered:
        await backups.unregister(wanted, container)
    if not registered:
        await vaults.delete_vault(wanted)
    raise NotConverged("Deleting", f"{wanted.recovery_bar.what} is being deleted")


@activity(app)
async def delete_endpoint(wanted: Protection) -> Protection:
    """The private endpoint of the storage account is gone."""
    if await services().provisioner.private_endpoints.endpoint(wanted) is not None:
        await services().provisioner.private_endpoints.delete_endpoint(wanted)
    return wanted


@activity(app)
async def delete_account(wanted: Protection) -> Protection:
    """The storage account is gone."""
    if await services().provisioner.azure_resources.account(wanted) is not None:
        await services().provisioner.azure_resources.delete_account(wanted)
    return wanted


@activity(app)
async def delete_snapshots(wanted: Protection) -> Protection:
    """The group of the snapshots is gone."""
    found = await services().provisioner.azure_resources.group(wanted, wanted.snapshot_group)
    if found is None:
        return wanted
    if found.state != "Deleting":
        await services().provisioner.azure_resources.delete_group(wanted, wanted.snapshot_group)
    raise NotConverged("Deleting", f"resource group {wanted.snapshot_group} is being deleted")


@activity(app)
async def record_release(release: Release) -> Released:
    """What was released stands in the ledger."""
    released = Released(vault_id=release.wanted.vault_id, steps=release.steps, at=services().now())
    await services().ledger.create(RELEASED.path(vault=release.wanted.vault), RELEASED.encoded(released))
    log(VaultReleased(vault=released.vault_id, steps=released.steps))
    return released
