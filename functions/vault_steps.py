"""The activities of a cluster's protection. Each looks first and does at most one thing.

So it may be killed or doubled. An activity that has asked for something that takes time raises NotConverged and is
called again; it finishes only on what it has seen, or on what the answer to its own request says.
"""

import logging

import azure.durable_functions as df
import msgspec

from functions.durable import activity
from shared.domain.errors import NotConverged, PermanentError
from shared.domain.vault import Grant, Protection
from shared.domain.vault_findings import (
    Finding,
    Found,
    FoundAccount,
    FoundExtension,
    FoundInstance,
    FoundVault,
    Validation,
    at_least,
    concluded,
    installed,
    protected,
    settled,
    strong,
    weaknesses,
)
from shared.domain.vault_plan import Plan, Seen, agreed, plan_of
from shared.wiring import services

log = logging.getLogger("meshward")
app = df.Blueprint()


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """A protection to be made; `plan` is the hash of the plan that was agreed on, empty if none was."""

    wanted: Protection
    plan: str = ""


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """A resource group of a protection."""

    wanted: Protection
    name: str


class Installation(msgspec.Struct, frozen=True, kw_only=True):
    """The backup extension of a protection, which stores at this URL."""

    wanted: Protection
    blob_url: str


async def plan_now(wanted: Protection) -> Plan:
    """The plan as the world is now: six reads, fewer while little is there."""
    resources, vaults = services().azure_resources, services().backup_vaults
    seen = Seen(
        holders=tuple(await vaults.holders(wanted)),
        vault=await vaults.vault(wanted),
        account=await resources.account(wanted),
        extension=await resources.extension(wanted),
        access=await resources.trusted_access(wanted),
    )
    known = [wanted.cluster_principal, *filter(None, seen.principals)]
    granted = await services().assets.grants(known) if len(known) > 1 else []
    return plan_of(wanted, msgspec.structs.replace(seen, granted=tuple(g.name for g in granted)))


@activity(app)
async def plan_protection(order: Order) -> Plan:
    """What would change, refused if something else was agreed on."""
    plan = agreed(await plan_now(order.wanted), order.plan)
    if plan.instance and plan.changes:
        log.warning("a protection has drifted", extra={"cluster": plan.wanted.cluster_id, "changes": plan.lines})
    return plan


@activity(app)
async def ensure_group(group: Group) -> Found:
    """A resource group, in the cluster's region if it must be made."""
    resources = services().azure_resources
    found = await resources.group(group.wanted, group.name)
    return settled(f"resource group {group.name}", found or await resources.create_group(group.wanted, group.name))


@activity(app)
async def ensure_storage(wanted: Protection) -> FoundAccount:
    """The storage account, closed to everything but Entra identities over TLS, with its container."""
    resources = services().azure_resources
    found = await resources.account(wanted)
    if found is None or found.lax:
        await resources.create_account(wanted)
        found = None
    account = settled(f"storage account {wanted.account}", found)
    if await resources.container(wanted) is None:
        await resources.create_container(wanted)
    return account


@activity(app)
async def ensure_vault(wanted: Protection) -> FoundVault:
    """The Backup vault, at least as strong as wanted."""
    found = await services().backup_vaults.vault(wanted)
    if found is None:
        await _create_vault(wanted)
    vault = strong(wanted, found)
    if weak := weaknesses(wanted, vault):
        await services().backup_vaults.harden_vault(wanted, at_least(wanted, vault))
        raise NotConverged("Hardening", f"Backup vault {wanted.vault} is hardened: {'; '.join(weak)}")
    return vault


async def _create_vault(wanted: Protection) -> None:
    vaults, terms = services().backup_vaults, wanted.terms
    try:
        await vaults.create_vault(wanted, terms.redundancy)
    except PermanentError as error:
        if terms.redundancy_fallback is None or "StorageType" not in error.reason:
            raise
        fallen = {"vault": wanted.vault, "redundancy": terms.redundancy_fallback, "error": error.message}
        log.warning("redundancy falls back, as the policy document allows", extra=fallen)
        await vaults.create_vault(wanted, terms.redundancy_fallback)


@activity(app)
async def ensure_policy(wanted: Protection) -> Found:
    """The vault's backup policy, beside those that were there before."""
    vaults = services().backup_vaults
    return await vaults.policy(wanted) or await vaults.create_policy(wanted)


@activity(app)
async def ensure_extension(installation: Installation) -> FoundExtension:
    """The backup extension, storing to our account."""
    resources, wanted = services().azure_resources, installation.wanted
    found = await resources.extension(wanted)
    if found is None:
        await resources.create_extension(wanted, installation.blob_url)
        raise NotConverged("Asked", f"the backup extension of cluster {wanted.cluster} was asked for")
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
    """A role assignment, which is the same however often it is made; whether it acts, only a validation shows."""
    await services().azure_resources.grant(grant)
    return grant


@activity(app)
async def start_validation(wanted: Protection) -> Validation:
    """Ask Azure Backup whether it could protect the cluster now."""
    return await services().backup_vaults.start_validation(wanted)


@activity(app)
async def finish_validation(validation: Validation) -> Finding:
    """What the validation found."""
    return concluded(validation.wanted, await services().backup_vaults.operation(validation))


@activity(app)
async def ensure_instance(wanted: Protection) -> FoundInstance:
    """The backup instance, going by the wanted policy, with its protection configured."""
    vaults = services().backup_vaults
    found = await vaults.instance(wanted)
    if found is None or found.policy.lower() != wanted.policy_id.lower():
        await vaults.put_instance(wanted)
        found = None
    return protected(wanted, found)
