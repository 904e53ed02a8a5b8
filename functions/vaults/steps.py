"""The activities of a cluster's protection. Each looks first and does at most one thing.

So it may be killed or doubled. An activity that has asked for something that takes time raises NotConverged and is
called again; it finishes only on what it has seen, or on what the answer to its own request says.
"""

from collections.abc import Awaitable, Callable

import azure.durable_functions as df
import msgspec

from functions.engine.activities import activity
from functions.engine.logs import log
from shared.domain.errors import NotConverged, PermanentError
from shared.domain.resource_id import same
from shared.domain.vaults.findings import (
    Found,
    FoundAccount,
    FoundExtension,
    FoundInstance,
    FoundVault,
    OperationResult,
    Validation,
    at_least,
    concluded,
    installed,
    names_redundancy,
    protected,
    settled,
    strong,
    unguarded,
    weaknesses,
)
from shared.domain.vaults.policy import Redundancy
from shared.domain.vaults.protection import Grant, Protection, VaultRequirements
from shared.domain.vaults.signals import RedundancyFellBack
from shared.wiring import services

app = df.Blueprint()

INSTALLING = 180.0  # seconds that an extension takes at least


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """A resource group of a protection."""

    wanted: Protection
    name: str


class Guarding(msgspec.Struct, frozen=True, kw_only=True):
    """A vault that a Resource Guard is to watch over: the Recovery Services vault (`recovery`) or the Backup vault."""

    wanted: Protection
    recovery: bool


class ExtensionInstallation(msgspec.Struct, frozen=True, kw_only=True):
    """The backup extension of a protection, which stores at this URL."""

    wanted: Protection
    blob_url: str


@activity(app)
async def ensure_group(group: Group) -> Found:
    """A resource group, in the cluster's region if it must be made."""
    resources = services().provisioner.azure_resources
    found = await resources.group(group.wanted, group.name)
    return settled(f"resource group {group.name}", found or await resources.create_group(group.wanted, group.name))


@activity(app)
async def ensure_storage(wanted: Protection) -> FoundAccount:
    """The storage account, closed to everything but Entra identities over TLS, with its container."""
    resources = services().provisioner.azure_resources
    found = await resources.account(wanted)
    if found is None or found.lax:
        await resources.create_account(wanted)
        found = None
    account = settled(f"storage account {wanted.account}", found)
    if await resources.container(wanted) is None:
        await resources.create_container(wanted)
    return account


@activity(app)
async def ensure_endpoint(wanted: Protection) -> Found:
    """The private endpoint of the storage account, with its DNS record where the policy document names a zone."""
    endpoints = services().provisioner.private_endpoints
    found = await endpoints.endpoint(wanted)
    if found is None:
        await endpoints.create_endpoint(wanted)
    endpoint = settled(f"the private endpoint of storage account {wanted.account}", found)
    if wanted.terms.dns_zone and await endpoints.record(wanted) is None:
        await endpoints.create_record(wanted)
    return endpoint


@activity(app)
async def ensure_vault(wanted: Protection) -> FoundVault:
    """The Backup vault, at least as strong as wanted."""
    vaults = services().provisioner.backup_vaults
    found = await vaults.vault(wanted)
    if found is None:
        await made(wanted, wanted.bar, vaults.create_vault)
    return await hardened(wanted, wanted.bar, found, vaults.harden_vault)


async def made(
    wanted: Protection, bar: VaultRequirements, create: Callable[[Protection, Redundancy], Awaitable[None]]
) -> None:
    """Ask for a vault, with less redundancy only where a region lacks more and the policy document allows it."""
    terms = bar.terms
    try:
        await create(wanted, terms.redundancy)
    except PermanentError as error:
        if terms.redundancy_fallback is None or not names_redundancy(error.reason):
            raise
        log(RedundancyFellBack(vault=bar.what, redundancy=terms.redundancy_fallback, error=error.message))
        await create(wanted, terms.redundancy_fallback)


async def hardened(
    wanted: Protection,
    bar: VaultRequirements,
    found: FoundVault | None,
    harden: Callable[[Protection, FoundVault], Awaitable[None]],
) -> FoundVault:
    """The vault, at least as strong as the bar."""
    vault = strong(bar, found)
    if weak := weaknesses(bar, vault):
        await harden(wanted, at_least(bar, vault))
        raise NotConverged("Hardening", f"{bar.what} is being hardened: {'; '.join(weak)}")
    return vault


@activity(app)
async def ensure_guard(guarding: Guarding) -> Guarding:
    """The Resource Guard of the policy document watches over the vault."""
    guards, wanted = services().provisioner.guards, guarding.wanted
    found = await guards.guard(wanted, recovery=guarding.recovery)
    if unguarded(wanted.recovery_bar if guarding.recovery else wanted.bar, found):
        await guards.tie(wanted, recovery=guarding.recovery)
    return guarding


@activity(app)
async def ensure_policy(wanted: Protection) -> Found:
    """The vault's backup policy, beside those that were there before."""
    vaults = services().provisioner.backup_vaults
    return await vaults.policy(wanted) or await vaults.create_policy(wanted)


@activity(app)
async def ensure_extension(installation: ExtensionInstallation) -> FoundExtension:
    """The backup extension, storing to our account."""
    resources, wanted = services().provisioner.azure_resources, installation.wanted
    found = await resources.extension(wanted)
    if found is None:
        await resources.create_extension(wanted, installation.blob_url)
        raise NotConverged("Asked", f"the backup extension of cluster {wanted.cluster} was requested", INSTALLING)
    return installed(wanted, found)


@activity(app)
async def ensure_trusted_access(wanted: Protection) -> Found:
    """The vault's access to the cluster's API server."""
    resources = services().provisioner.azure_resources
    found = await resources.trusted_access(wanted)
    if found is None:
        await resources.create_trusted_access(wanted)
    return settled(f"the trusted access of cluster {wanted.cluster}", found)


@activity(app)
async def ensure_role(grant: Grant) -> Grant:
    """A role assignment, which is the same however often it is made; whether it acts, only a validation shows."""
    await services().provisioner.azure_resources.grant(grant)
    return grant


@activity(app)
async def start_validation(wanted: Protection) -> Validation:
    """Ask Azure Backup whether it could protect the cluster now."""
    return await services().provisioner.backup_vaults.start_validation(wanted)


@activity(app)
async def finish_validation(validation: Validation) -> OperationResult:
    """What the validation found."""
    found = await services().provisioner.backup_vaults.operation(validation)
    return concluded(f"the validation of the backup of cluster {validation.wanted.cluster}", found)


@activity(app)
async def ensure_instance(wanted: Protection) -> FoundInstance:
    """The backup instance, going by the wanted policy, with its protection configured."""
    vaults = services().provisioner.backup_vaults
    found = await vaults.instance(wanted)
    if found is None or not same(found.policy, wanted.policy_id):
        await vaults.put_instance(wanted)
        found = None
    return protected(wanted, found)
