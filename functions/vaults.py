"""A managed cluster that asks for it (tag meshward:protect=true) gets a Backup vault of its own.

    cluster written ─┐                        ┌─ resource groups: vault, snapshots
    daily sweep ─────┼─▶ protect_cluster ──▶  build  storage account and container
    by hand ─────────┘   (one run per life    │  Backup vault, hardened, with its policy
                          of a cluster)       │  backup extension in the cluster
                                              ├─ bind   trusted access, six role assignments
                                              ├─ prove  validations until one is clean
                                              └─ protect  backup instance: ProtectionConfigured

Every step looks first and acts on a difference, so that a run that is killed, doubled or started again meets its own
work. What is found weaker than wanted or in other hands ends the run with the reason.
"""

import logging
from datetime import timedelta

import azure.durable_functions as df
import azure.functions as func
import msgspec

from functions.bindings import bound
from functions.client import Client, with_client
from functions.durable import Runbook, Steps, activity, declined, orchestrator
from functions.incoming import received
from shared.domain.cluster import Cluster, cluster_id
from shared.domain.errors import InvalidEvent, MeshwardError, PermanentError
from shared.domain.events import cluster_written
from shared.domain.vault import Grant, Protection, check_ours, due, grants, protection_of
from shared.domain.vault_findings import (
    Finding,
    Found,
    FoundExtension,
    FoundVault,
    Protected,
    Unclaimed,
    Validation,
    concluded,
    installed,
    protected,
    settled,
    strong,
    unclaimed,
)
from shared.wiring import services

app = df.Blueprint()
log = logging.getLogger("meshward")

SOON = timedelta(seconds=30)
VALIDATIONS = 30  # each takes about a minute; roles and trusted access act within minutes


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """A resource group of a protection."""

    wanted: Protection
    name: str


@app.event_grid_trigger(arg_name="event")
@with_client(app)
async def on_cluster_event(event: func.EventGridEvent, client: Client) -> None:
    """Protect the cluster that was written; one life of a cluster starts one run, however often it is written."""
    try:
        written = cluster_written(received(event))
        if written is None:
            log.debug("another resource was written", extra={"event_id": event.id})
            return
        wanted = await _wanted(written.cluster_id)
    except MeshwardError as error:
        declined(error, event.id)
        raise
    if wanted is None:
        log.info("cluster asks for no protection", extra={"event_id": event.id, "cluster": written.cluster_id})
    else:
        await client.start_once("protect_cluster", wanted.run, wanted)


async def request_protection(client: Client, resource_id: str) -> str | None:
    """Protect the cluster, again if that failed before; the instance id, None if the cluster doesn't ask for it."""
    wanted = await _wanted(resource_id)
    return await client.start_again("protect_cluster", wanted.run, wanted) if wanted else None


async def sweep(client: Client) -> None:
    """Protect every cluster that asks for it and isn't protected, also those where it failed before."""
    for cluster in await services().protectable.list():
        try:
            wanted = _protection(cluster)
        except MeshwardError as error:
            log.warning(
                "cluster left out", extra={"cluster": cluster.id, "reason": error.reason, "error": error.message}
            )
            continue
        if wanted:
            await client.start_again("protect_cluster", wanted.run, wanted)


async def _wanted(resource_id: str) -> Protection | None:
    check_ours(cluster_id(resource_id), services().settings.subscriptions)
    cluster = await services().protectable.get(resource_id)
    if cluster is None:
        raise InvalidEvent("NoSuchCluster", f"there is no cluster {resource_id}")
    return _protection(cluster)


def _protection(cluster: Cluster) -> Protection | None:
    return protection_of(cluster, services().settings.backup_resource_group) if due(cluster) else None


@orchestrator(app)
def protect_cluster(run: Runbook, wanted: Protection) -> Steps[Protected]:
    """The runbook."""

    run.phase("build", cluster=wanted.cluster, vault=wanted.vault)
    yield from run.step(find_other_vaults, wanted)
    groups = [Group(wanted=wanted, name=name) for name in (wanted.group, wanted.snapshot_group)]
    yield from run.fan_out(ensure_group, groups, every=SOON)
    yield from run.step(ensure_account, wanted, every=SOON)
    yield from run.step(ensure_container, wanted, every=SOON)
    vault = yield from run.step(ensure_vault, wanted, every=SOON)
    yield from run.step(ensure_policy, wanted, every=SOON)
    extension = yield from run.step(ensure_extension, wanted, every=SOON)

    run.phase("bind", cluster=wanted.cluster, vault=wanted.vault)
    yield from run.step(ensure_trusted_access, wanted, every=SOON)
    yield from run.fan_out(ensure_role, grants(wanted, vault.principal, extension.principal), every=SOON)

    run.phase("prove", cluster=wanted.cluster, vault=wanted.vault)
    yield from validated(run, wanted)

    run.phase("protect", cluster=wanted.cluster, vault=wanted.vault)
    done = yield from run.step(ensure_instance, wanted, every=SOON)
    yield from bound(run, wanted)
    run.phase("protected", cluster=wanted.cluster, vault=wanted.vault)
    return done


def validated(run: Runbook, wanted: Protection) -> Steps[None]:
    """Validate until clean: a role that doesn't act yet shows here and nowhere else."""
    finding = Finding()
    for _ in range(VALIDATIONS):
        validation = yield from run.step(start_validation, wanted)
        finding = yield from run.step(finish_validation, validation, every=SOON)
        if not finding.code:
            return
    raise PermanentError(finding.code, f"cluster {wanted.cluster} can't be protected: {finding.message}")


@activity(app)
async def find_other_vaults(wanted: Protection) -> Unclaimed:
    """Refuse a cluster that another vault holds."""
    return unclaimed(wanted, await services().backup_vaults.vaults_holding(wanted))


@activity(app)
async def ensure_group(group: Group) -> Found:
    """A resource group, in the cluster's region if it must be made."""
    resources = services().azure_resources
    found = await resources.group(group.wanted, group.name)
    if found is None:
        await resources.create_group(group.wanted, group.name)
    return settled(f"resource group {group.name}", found)


@activity(app)
async def ensure_account(wanted: Protection) -> Found:
    """The storage account, closed to everything but Entra identities over TLS."""
    resources = services().azure_resources
    found = await resources.account(wanted)
    if found is None or found.lax:
        await resources.create_account(wanted)
        found = None
    return settled(f"storage account {wanted.account}", found)


@activity(app)
async def ensure_container(wanted: Protection) -> Found:
    """The account's blob container."""
    resources = services().azure_resources
    found = await resources.container(wanted)
    if found is None:
        await resources.create_container(wanted)
    return settled(f"the container of storage account {wanted.account}", found)


@activity(app)
async def ensure_vault(wanted: Protection) -> FoundVault:
    """The Backup vault, at least as strong as wanted."""
    vaults = services().backup_vaults
    found = await vaults.vault(wanted)
    if found is None:
        await vaults.create_vault(wanted)
    return strong(wanted.vault, found)


@activity(app)
async def ensure_policy(wanted: Protection) -> Found:
    """The vault's policy."""
    vaults = services().backup_vaults
    found = await vaults.policy(wanted)
    if found is None:
        await vaults.create_policy(wanted)
    return settled(f"the policy of Backup vault {wanted.vault}", found)


@activity(app)
async def ensure_extension(wanted: Protection) -> FoundExtension:
    """The backup extension, storing to our account."""
    resources = services().azure_resources
    found = await resources.extension(wanted)
    if found is None:
        account = settled(f"storage account {wanted.account}", await resources.account(wanted))
        await resources.create_extension(wanted, account.blob_url)
    return installed(wanted, found)


@activity(app)
async def ensure_trusted_access(wanted: Protection) -> Found:
    """The vault's access to the cluster's API server."""
    resources = services().azure_resources
    found = await resources.trusted_access(wanted)
    if found is None:
        await resources.create_trusted_access(wanted)
    return settled(f"the trusted access of cluster {wanted.cluster}", found)


@activity(app)
async def ensure_role(grant: Grant) -> Grant:
    """A role assignment; whether it acts, only a validation shows."""
    resources = services().azure_resources
    if not await resources.granted(grant):
        await resources.grant(grant)
    return grant


@activity(app)
async def start_validation(wanted: Protection) -> Validation:
    """Ask Azure Backup whether it could protect the cluster now; what it protects already isn't validated again."""
    vaults = services().backup_vaults
    if await vaults.instance(wanted) is not None:
        return Validation(wanted=wanted)
    return await vaults.start_validation(wanted)


@activity(app)
async def finish_validation(validation: Validation) -> Finding:
    """What the validation found."""
    if not validation.operation:
        return Finding()
    return concluded(validation.wanted, await services().backup_vaults.operation(validation))


@activity(app)
async def ensure_instance(wanted: Protection) -> Protected:
    """The backup instance, with its protection configured."""
    vaults = services().backup_vaults
    found = await vaults.instance(wanted)
    if found is None:
        await vaults.create_instance(wanted)
    return protected(wanted, found, services().now())
