"""A managed cluster that asks for it, by its tag or by where it is, gets a Backup vault of its own.

    cluster written ─┐                        ┌─ build    storage, then the cluster's extension; beside them the vault,
    daily sweep ─────┼─▶ protect_cluster ──▶  │           then its policy, trusted access and roles
    by hand ─────────┘   (a run at a time     ├─ prove    validations until one is clean: the roles act
                          for an incarnation  └─ protect  backup instance: ProtectionConfigured
                          of a cluster)       beside all that: the data sources that it names (sources.py)

A run begins with its plan: the differences between what is to be and what is found. A run without any is done at once.
Every step looks first and acts on a difference, so that a run that is killed, doubled or started again meets its own
work. What another vault holds, or what is too weak and can't be changed, ends the run with the reason.
"""

from collections.abc import Sequence
from datetime import timedelta
from functools import partial

import azure.functions as func

from functions.engine.client import Client, with_client
from functions.engine.durable import Runbook, Steps, orchestrator
from functions.engine.incoming import declined_if_refused, envelope_of
from functions.engine.logs import log
from functions.engine.many import one_of_many
from functions.vaults import steps
from functions.vaults.attempts import ROLE_PROBE_INTERVAL, repeat_until_it_succeeds
from functions.vaults.bindings import bind_workloads
from functions.vaults.building import build_vault
from functions.vaults.planning import ProtectionRequest, plan_now, plan_protection
from functions.vaults.sources import protect_sources
from functions.vaults.steps import POLL_INTERVAL, ExtensionInstallation, Group, app
from functions.vaults.tagged import recently_tagged_vaults, tagged_vaults
from shared.domain.cluster import Cluster, cluster_id
from shared.domain.errors import InvalidEvent, MeshwardError, PermanentError, shown
from shared.domain.events import cluster_written
from shared.domain.policy import Policy
from shared.domain.vaults.findings import Protected
from shared.domain.vaults.plan import ProtectionPlan, lacking, require_agreed
from shared.domain.vaults.protection import (
    Protection,
    extension_grants,
    is_due,
    protection_of,
    require_in_fleet,
    vault_grants,
)
from shared.domain.vaults.signals import ClusterLeftOut, OtherResourceWritten, ProtectionNotAskedFor
from shared.domain.vaults.source import VaultService
from shared.domain.vaults.tagged import TaggedVault, incarnation_of
from shared.wiring import services

SCATTER = timedelta(seconds=5)  # over which the plans of runs that start together are spread: Azure limits calls


@app.event_grid_trigger(arg_name="event")
@with_client(app)
async def on_cluster_event(event: func.EventGridEvent, client: Client) -> None:
    """Protect the cluster that was written; an incarnation starts one run, however often it is written."""
    with declined_if_refused(event.id):
        written = cluster_written(envelope_of(event))
        if written is None:
            log(OtherResourceWritten(event_id=event.id))
            return
        protection = await _protection(written)
    if protection is None:
        log(ProtectionNotAskedFor(event_id=event.id, cluster=written))
    else:
        await client.start_once("protect_cluster", protection.run, ProtectionRequest(protection=protection))


async def request_plan(resource_id: str) -> ProtectionPlan:
    """What protecting the cluster would change now."""
    return await plan_now(await _requested(resource_id))


async def request_protection(client: Client, resource_id: str, plan: str) -> str:
    """Protect the cluster; the instance id. With the hash of a plan, only that plan is applied."""
    protection = await _requested(resource_id)
    if plan:
        require_agreed(await plan_now(protection), plan)
    return await _protect(client, ProtectionRequest(protection=protection, plan=plan))


async def sweep(client: Client) -> None:
    """Protect every cluster that asks for it, also where that failed before, and correct what has drifted."""
    policy, vaults = await services().policy(), await tagged_vaults()
    for cluster in await services().provisioner.clusters.list():
        try:
            with one_of_many(cluster.id):
                protection = protection_for(cluster, policy, vaults)
        except MeshwardError as error:
            log(ClusterLeftOut(cluster=cluster.id, reason=error.reason, error=error.message))
            continue
        if protection:
            await _protect(client, ProtectionRequest(protection=protection))


async def _protect(client: Client, request: ProtectionRequest) -> str:
    """Start a run, or find the one under way; once a cluster is protected, there is one a day, and one per plan."""
    first = await client.start_again("protect_cluster", request.protection.run, request)
    run = await client.state(first)
    if run is None or not run.completed:
        return first
    today = f"{request.protection.run}-{services().now():%Y%m%d}"
    return await client.start_again("protect_cluster", today, request, completed=bool(request.plan))


async def _requested(resource_id: str) -> Protection:
    protection = await _protection(resource_id)
    if protection is None:
        raise PermanentError("NotOptedIn", "the cluster has no tag meshward:protect=true; set it and call again")
    return protection


async def _protection(resource_id: str) -> Protection | None:
    require_in_fleet(cluster_id(resource_id), services().settings.subscriptions)
    cluster = await services().provisioner.clusters.get(resource_id)
    if cluster is None:
        raise InvalidEvent("NoSuchCluster", f"there is no cluster {shown(resource_id)}")
    vaults = await recently_tagged_vaults(cluster.subscription_id)
    return protection_for(cluster, await services().policy(), vaults)


def protection_for(cluster: Cluster, policy: Policy, vaults: Sequence[TaggedVault]) -> Protection | None:
    """The protection that the cluster is to get, None if it asks for none; raises MeshwardError if it can't get it.

    One that claims a trust domain which doesn't list it gets none, and keeps what it has: which knobs hold for it is
    open. A cluster that has one of the vaults keeps it.
    """
    terms = policy.at(cluster.trust_domain, cluster.id).protect
    if not is_due(cluster, terms):
        return None
    policy.allow_list.contactable(cluster.trust_domain, cluster.id)
    group = services().settings.backup_resource_group
    return protection_of(cluster, group, terms, incarnation_of(cluster, vaults), policy.sources(cluster.id))


@orchestrator(app)
def protect_cluster(run: Runbook, request: ProtectionRequest) -> Steps[Protected]:
    """The runbook of a protection."""
    protection = request.protection
    run.phase("plan", cluster=protection.cluster, vault=protection.backup_vault)
    yield from run.jitter(SCATTER)
    plan = yield from run.step(plan_protection, request, every=POLL_INTERVAL)
    if plan.differences:
        run.phase("build", cluster=protection.cluster, vault=protection.backup_vault, changes=plan.lines)
        groups = [Group(protection=protection, name=name) for name in (protection.group, protection.snapshot_group)]
        yield from run.steps(*((steps.ensure_group, group) for group in groups), every=ROLE_PROBE_INTERVAL)
    protected, _ = yield from run.chains(protect_itself(run, plan), protect_sources(run, plan))
    run.phase("protected", cluster=protection.cluster, vault=protection.backup_vault)
    done: Protected = protected
    return done


def protect_itself(run: Runbook, plan: ProtectionPlan) -> Steps[Protected]:
    """Build, prove, protect and bind the cluster itself."""
    protection, redundancy = plan.protection, plan.redundancy
    if plan.changes:
        steps_beside = ((steps.ensure_policy, protection), (steps.ensure_trusted_access, protection))
        vault = build_vault(run, plan, VaultService.BACKUP, partial(vault_grants, protection), *steps_beside)
        _, found = yield from run.chains(build_storage(run, plan), vault)
        redundancy = found.redundancy
    if plan.in_error or not plan.instance:
        run.phase("prove", cluster=protection.cluster, vault=protection.backup_vault)
        proof = steps.start_sync if plan.in_error else steps.start_validation
        yield from repeat_until_it_succeeds(run, proof, protection, f"cluster {protection.cluster} can't be protected")
    run.phase("protect", cluster=protection.cluster, vault=protection.backup_vault)
    instance = plan.standing or (yield from run.step(steps.ensure_instance, protection, every=ROLE_PROBE_INTERVAL))
    yield from bind_workloads(run, protection)
    return Protected(
        cluster_id=protection.cluster_id,
        vault_id=protection.backup_vault_id,
        instance_id=instance.id,
        protection=instance.protection,
        redundancy=redundancy,
        changes=plan.lines,
        volumes=tuple(source.label for source in protection.sources),
    )


def build_storage(run: Runbook, plan: ProtectionPlan) -> Steps[None]:
    """The storage of the backups, and the cluster's extension that writes to it."""
    protection = plan.protection
    # What needs the account isn't asked for before the account is there.
    account = yield from run.step(steps.ensure_storage, protection, every=POLL_INTERVAL)
    if protection.terms.subnet:
        yield from run.step(steps.ensure_endpoint, protection, every=ROLE_PROBE_INTERVAL)
    installation = ExtensionInstallation(protection=protection, blob_url=account.blob_url)
    extension = yield from run.step(steps.ensure_extension, installation, every=ROLE_PROBE_INTERVAL)
    roles = lacking(plan, extension_grants(protection, extension.principal))
    yield from run.steps(*((steps.ensure_role, role) for role in roles), every=ROLE_PROBE_INTERVAL)
