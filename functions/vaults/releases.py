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

    protection: Protection
    plan: str


async def sweep(client: Client) -> None:
    """Release every vault whose cluster has been gone for long enough; one that can't be read holds up no other."""
    for protection in await _orphans():
        try:
            release = await _planned(protection)
        except MeshwardError as error:
            log(VaultLeftOut(vault=protection.vault_id, reason=error.reason, error=error.message))
            continue
        if release.steps and services().now() >= release.kept_until:
            await _start(client, release)
        else:
            log(VaultKept(vault=protection.vault_id, until=release.kept_until.isoformat()))


async def request_plans(resource_id: str) -> list[Release]:
    """The plans of release for all lives of the cluster that are gone."""
    check_ours(cluster_id(resource_id), services().settings.subscriptions)
    return [await _planned(protection) for protection in await _orphans() if same(protection.cluster_id, resource_id)]


async def request_release(client: Client, resource_id: str, plan: str) -> str:
    """Release the vault of the cluster with this plan; the instance id."""
    plans = await request_plans(resource_id)
    if not plans:
        raise NotFound("NothingToRelease", f"no vault was left behind by {shown(resource_id)}")
    chosen = next((release for release in plans if release.hash == plan), None)
    if chosen is None:
        raise Conflict(
            "PlanChanged", f"{shown(plan)} is no plan of release for {shown(resource_id)} by now; look and call again"
        )
    return await _start(client, chosen)


async def _start(client: Client, release: Release) -> str:
    order = ReleaseRequest(protection=release.protection, plan=release.hash)
    return await client.start_again("release_cluster", f"release-{release.protection.vault}", order)


async def _orphans() -> list[Protection]:
    settings, policy = services().settings, await services().policy()
    vaults = services().provisioner.backup_vaults
    found = [v for s in settings.subscriptions for v in await vaults.tagged(s, settings.backup_resource_group)]
    clusters = await services().provisioner.clusters.list()
    return orphans(found, clusters, lambda cluster: policy.at(cluster=cluster).protect)


async def _planned(protection: Protection) -> Release:
    return release_of(protection, await _remains(protection), await _gone_at(protection))


async def _gone_at(protection: Protection) -> datetime:
    """When the vault was first seen without its cluster."""
    path, ledger = GONE_AT.path(vault=protection.vault), services().ledger
    await ledger.create(path, GONE_AT.encoded(services().now()))
    return await ledger.get(GONE_AT, path)


async def _remains(protection: Protection) -> Remains:
    resources, vaults = services().provisioner.azure_resources, services().provisioner.backup_vaults
    there = await vaults.vault(protection) is not None
    recovery = await services().provisioner.recovery_vaults.vault(protection) is not None
    return Remains(
        instances=tuple(await vaults.instances(protection)) if there else (),
        soft_deleted=tuple(await vaults.soft_deleted(protection)) if there else (),
        vault=there,
        account=await resources.account(protection) is not None,
        snapshots=await resources.group(protection, protection.snapshot_group) is not None,
        identity=await services().provisioner.workload_identities.identity(protection) is not None,
        endpoint=await services().provisioner.private_endpoints.endpoint(protection) is not None,
        recovery_vault=recovery,
        items=tuple(await services().provisioner.share_backups.items(protection)) if recovery else (),
    )


@orchestrator(app)
def release_cluster(run: Runbook, order: ReleaseRequest) -> Steps[Released]:
    """The runbook."""
    protection = order.protection
    run.phase("plan", vault=protection.vault)
    release = yield from run.step(plan_release, order, every=SOON)
    run.phase("stop", vault=protection.vault)
    yield from unbound(run, protection)
    yield from run.step(delete_instances, protection, every=SOON)
    yield from run.step(delete_items, protection, every=SOON)
    run.phase("keep", vault=protection.vault)
    yield from run.step(await_emptiness, protection, every=DAILY, deadline=LONGEST_SOFT_DELETE)
    run.phase("delete", vault=protection.vault)
    for step in (delete_vault, delete_recovery_vault, delete_endpoint, delete_account, delete_snapshots):
        yield from run.step(step, protection, every=SOON)
    released = yield from run.step(record_release, release, every=SOON)
    run.phase("released", vault=protection.vault)
    return released


@activity(app)
async def plan_release(order: ReleaseRequest) -> Release:
    """The plan, refused if the cluster is there after all or another plan was agreed on."""
    protection = order.protection
    if not await _is_gone(protection):
        raise Conflict("ClusterIsThere", f"cluster {protection.cluster} isn't gone; its vault isn't released")
    release = await _planned(protection)
    if release.hash != order.plan:
        raise Conflict("PlanChanged", f"the plan of release for {protection.vault} is {release.hash} by now")
    return release


async def _is_gone(protection: Protection) -> bool:
    return is_gone(protection, await services().provisioner.clusters.get(protection.cluster_id))


@activity(app)
async def delete_instances(protection: Protection) -> Remains:
    """The vault's backup instances are deleted, which can be taken back for as long as the vault keeps them."""
    remains = await _remains(protection)
    for name in remains.instances:
        await services().provisioner.backup_vaults.delete_instance(protection, name)
    if remains.instances:
        raise NotConverged("Deleting", f"backup instances {', '.join(remains.instances)} are being deleted")
    return remains


@activity(app)
async def delete_items(protection: Protection) -> Remains:
    """The backups of the cluster's volumes are deleted, which can be taken back for as long as the vault keeps them."""
    remains = await _remains(protection)
    for item in remains.live_items:
        await services().provisioner.share_backups.delete(protection, item)
    if remains.live_items:
        names = ", ".join(item.name for item in remains.live_items)
        raise NotConverged("Deleting", f"the backups of {names} are being deleted")
    return remains


@activity(app)
async def await_emptiness(protection: Protection) -> Remains:
    """Nothing in the vault can be brought back any more."""
    remains = await _remains(protection)
    check_empty(protection, remains)
    return remains


@activity(app)
async def delete_vault(protection: Protection) -> Protection:
    """The vault is gone."""
    if await services().provisioner.backup_vaults.vault(protection) is not None:
        await services().provisioner.backup_vaults.delete_vault(protection)
        raise NotConverged("Deleting", f"Backup vault {protection.vault} is being deleted")
    return protection


@activity(app)
async def delete_recovery_vault(protection: Protection) -> Protection:
    """The Recovery Services vault is gone, and the storage accounts are no longer registered with it."""
    vaults, backups = services().provisioner.recovery_vaults, services().provisioner.share_backups
    if await vaults.vault(protection) is None:
        return protection
    registered = await backups.accounts(protection)
    for container in registered:
        await backups.unregister(protection, container)
    if not registered:
        await vaults.delete_vault(protection)
    raise NotConverged("Deleting", f"{protection.recovery_bar.what} is being deleted")


@activity(app)
async def delete_endpoint(protection: Protection) -> Protection:
    """The private endpoint of the storage account is gone."""
    if await services().provisioner.private_endpoints.endpoint(protection) is not None:
        await services().provisioner.private_endpoints.delete_endpoint(protection)
    return protection


@activity(app)
async def delete_account(protection: Protection) -> Protection:
    """The storage account is gone."""
    if await services().provisioner.azure_resources.account(protection) is not None:
        await services().provisioner.azure_resources.delete_account(protection)
    return protection


@activity(app)
async def delete_snapshots(protection: Protection) -> Protection:
    """The group of the snapshots is gone."""
    found = await services().provisioner.azure_resources.group(protection, protection.snapshot_group)
    if found is None:
        return protection
    if found.state != "Deleting":
        await services().provisioner.azure_resources.delete_group(protection, protection.snapshot_group)
    raise NotConverged("Deleting", f"resource group {protection.snapshot_group} is being deleted")


@activity(app)
async def record_release(release: Release) -> Released:
    """What was released stands in the ledger."""
    released = Released(vault_id=release.protection.vault_id, steps=release.steps, at=services().now())
    await services().ledger.create(RELEASED.path(vault=release.protection.vault), RELEASED.encoded(released))
    log(VaultReleased(vault=released.vault_id, steps=released.steps))
    return released
