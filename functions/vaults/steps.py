"""The activities of a cluster's protection. Each looks first and does at most one thing.

So it may be killed or run twice. An activity that has asked for something that takes time raises NotConverged and is
called again; it finishes once it has seen the result, or once the answer to its own request confirms it.
"""

from datetime import timedelta
from typing import TYPE_CHECKING, NoReturn

import azure.durable_functions as df
import msgspec

from functions.engine.activities import activity
from functions.engine.logs import log
from functions.vaults.asking import ask
from shared.domain.errors import NotConverged, PermanentError, service_code
from shared.domain.resource_id import same
from shared.domain.vaults.findings import (
    REQUESTED,
    Found,
    FoundAccount,
    FoundExtension,
    FoundInstance,
    FoundVault,
    InstanceRequest,
    OperationResult,
    Validation,
    concluded,
    require_installed,
    require_protected,
    require_settled,
)
from shared.domain.vaults.parts import PARTS
from shared.domain.vaults.protection import Grant, Protection, VaultRequirements
from shared.domain.vaults.signals import RedundancyFellBack
from shared.domain.vaults.strength import at_least, lacks_guard, names_redundancy, require_strong, weaknesses
from shared.wiring import services

if TYPE_CHECKING:
    from shared.adapters.backup.vaults import Vaults

app = df.Blueprint()

INSTALL_SECONDS = 180.0  # what an extension takes at least
HARDEN_SECONDS = 120.0  # what the change of a vault takes
POLL_INTERVAL = timedelta(seconds=30)


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """A resource group of a protection."""

    protection: Protection
    name: str


class ExtensionInstallation(msgspec.Struct, frozen=True, kw_only=True):
    """The backup extension of a protection, which stores at this URL."""

    protection: Protection
    blob_url: str


@activity(app)
async def ensure_group(group: Group) -> Found:
    """A resource group, in the cluster's region if it must be made."""
    resources = services().provisioner.azure_resources
    found = await resources.group(group.protection, group.name)
    return require_settled(
        f"resource group {group.name}", found or await resources.create_group(group.protection, group.name)
    )


@activity(app)
async def ensure_storage(protection: Protection) -> FoundAccount:
    """The storage account, closed to everything but Entra identities over TLS, with its container."""
    resources = services().provisioner.azure_resources
    found, label = await resources.account(protection), PARTS["account"].label(protection)
    if found is None:
        await resources.create_account(protection)
    elif found.lax:
        await ask(protection.backup_vault, f"the closing of {label}", lambda: resources.create_account(protection))
        found = None
    account = require_settled(label, found)
    if await resources.container(protection) is None:
        await resources.create_container(protection)
    return account


@activity(app)
async def ensure_endpoint(protection: Protection) -> Found:
    """The private endpoint of the storage account, with its DNS record where the policy document names a zone."""
    endpoints = services().provisioner.private_endpoints
    found = await endpoints.endpoint(protection)
    if found is None:
        await endpoints.create_endpoint(protection)
    endpoint = require_settled(PARTS["endpoint"].label(protection), found)
    if protection.terms.dns_zone and await endpoints.record(protection) is None:
        await endpoints.create_record(protection)
    return endpoint


@activity(app)
async def ensure_vault(required: VaultRequirements) -> FoundVault:
    """A vault, at least as strong as required."""
    vaults = services().provisioner.vaults(required.service)
    found = await vaults.vault(required.protection)
    if found is None:
        await create(required, vaults)
    vault = require_strong(required, found)
    if weak := weaknesses(required, vault):
        await _harden(required, vault, weak, vaults)
    return vault


async def _harden(required: VaultRequirements, vault: FoundVault, weak: list[str], vaults: "Vaults") -> NoReturn:
    better = at_least(required, vault)
    what = f"the hardening of {required.label} ({'; '.join(weak)})"
    await ask(required.name, what, lambda: vaults.harden_vault(required.protection, better))
    raise NotConverged("Hardening", f"{what} is under way", HARDEN_SECONDS)


async def create(required: VaultRequirements, vaults: "Vaults") -> None:
    """Ask for a vault, with less redundancy only where a region lacks more and the policy document allows it."""
    protection, terms = required.protection, required.terms
    try:
        await vaults.create_vault(protection, terms.redundancy)
    except PermanentError as error:
        if terms.redundancy_fallback is None or not names_redundancy(error.reason):
            raise
        log(RedundancyFellBack(vault=required.label, redundancy=terms.redundancy_fallback, error=error.message))
        await vaults.create_vault(protection, terms.redundancy_fallback)


@activity(app)
async def ensure_guard(required: VaultRequirements) -> VaultRequirements:
    """The Resource Guard of the policy document watches over a vault."""
    vaults = services().provisioner.vaults(required.service)
    vault = require_settled(required.label, await vaults.vault(required.protection))
    if lacks_guard(required, vault.guard):
        await vaults.attach_guard(required.protection)
    return required


@activity(app)
async def ensure_policy(protection: Protection) -> Found:
    """The vault's backup policy, beside those that were there before."""
    provisioner, terms = services().provisioner, protection.terms
    policy = provisioner.cluster_backups.policy(terms)
    return await provisioner.backup_vaults.ensure_policy(protection, terms.backup_policy, policy)


@activity(app)
async def ensure_extension(installation: ExtensionInstallation) -> FoundExtension:
    """The backup extension, storing to our account."""
    resources, protection = services().provisioner.azure_resources, installation.protection
    found = await resources.extension(protection)
    if found is None:
        await resources.create_extension(protection, installation.blob_url)
        raise NotConverged("Asked", f"{PARTS['extension'].label(protection)} was requested", INSTALL_SECONDS)
    return require_installed(protection, found)


@activity(app)
async def ensure_trusted_access(protection: Protection) -> Found:
    """The vault's access to the cluster's API server."""
    resources = services().provisioner.azure_resources
    found = await resources.trusted_access(protection)
    if found is None:
        await resources.create_trusted_access(protection)
    return require_settled(PARTS["trusted_access"].label(protection), found)


@activity(app)
async def ensure_role(grant: Grant) -> Grant:
    """A role assignment, which may be repeated; only a validation shows whether it acts yet."""
    await services().provisioner.azure_resources.grant(grant)
    return grant


@activity(app)
async def start_validation(protection: Protection) -> Validation:
    """Ask Azure Backup whether it could protect the cluster now."""
    return await services().provisioner.cluster_backups.start_validation(protection)


@activity(app)
async def finish_validation(validation: Validation) -> OperationResult:
    """What the validation found."""
    protection, vaults = validation.protection, services().provisioner.backup_vaults
    what = f"the validation of the backup of cluster {protection.cluster}"
    return concluded(what, await vaults.operation(protection, validation.operation, what))


@activity(app)
async def start_sync(protection: Protection) -> Validation:
    """Ask Azure Backup to take up the backup instance again, if its protection is in error."""
    backups = services().provisioner.cluster_backups
    found = await backups.instance(protection)
    return await backups.start_sync(protection) if found and found.in_error else Validation(protection=protection)


@activity(app)
async def finish_sync(sync: Validation) -> OperationResult:
    """How the sync ended: well only if the protection isn't in error any more."""
    protection, provisioner = sync.protection, services().provisioner
    if sync.operation:
        what = f"the sync of the backup of cluster {protection.cluster}"
        ended = concluded(what, await provisioner.backup_vaults.operation(protection, sync.operation, what))
        if ended.code:
            return ended
    found = await provisioner.cluster_backups.instance(protection)
    if found is None or not found.in_error:
        return OperationResult()
    return OperationResult(code=found.protection, message=found.message)


@activity(app)
async def ensure_instance(protection: Protection) -> FoundInstance:
    """The backup instance, going by the policy of the protection, with its protection configured."""
    backups = services().provisioner.cluster_backups
    found = await backups.instance(protection)
    if found is None or (found.movable and not same(found.policy, protection.policy_id)):
        await request_instance(protection)
        found = None
    return require_protected(protection, found)


async def request_instance(protection: Protection) -> None:
    """Ask for the backup instance, unless what was asked is under way; raises PermanentError once that has failed."""
    path, world = REQUESTED.path(instance=protection.instance), services()
    backups, seen = world.provisioner.cluster_backups, await world.ledger.read(path)
    last = REQUESTED.decoded(path, seen) if seen is not None else InstanceRequest()
    if not (last.operation and same(last.policy, protection.policy_id)):
        asked = InstanceRequest(policy=protection.policy_id, operation=await backups.put_instance(protection))
        await world.ledger.update(path, REQUESTED.encoded(asked), seen=seen)
        return
    found = await backups.instance_operation(protection, last.operation)
    result = concluded(f"the request for the backup of cluster {protection.cluster}", found) if found else None
    await world.ledger.update(path, REQUESTED.encoded(InstanceRequest()), seen=seen)
    if result and result.code:
        raise PermanentError(service_code(result.code), f"cluster {protection.cluster}: {result.message}")
