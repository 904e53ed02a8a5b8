"""The activities of a cluster's protection. Each looks first and does at most one thing.

So it may be killed or run twice. An activity that has asked for something that takes time raises NotConverged and is
called again; it finishes once it has seen the result, or once the answer to its own request confirms it.
"""

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, NoReturn

import azure.durable_functions as df
import msgspec

from functions.engine.activities import activity
from functions.engine.asking import ask, forget
from functions.engine.logs import log
from functions.vaults.creations import ask_if_absent
from functions.vaults.ownership import owner_of_names
from shared.domain.errors import NotConverged, PermanentError
from shared.domain.operations import OperationResult, concluded
from shared.domain.resource_id import same
from shared.domain.vaults.findings import (
    Found,
    FoundAccount,
    FoundExtension,
    FoundInstance,
    FoundVault,
    Validation,
    require_installed,
    require_protected,
    require_settled,
)
from shared.domain.vaults.ownership import require_own_group
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
    """A resource group, in the cluster's region if it must be made; that of the snapshots isn't anybody else's."""
    resources, protection = services().provisioner.azure_resources, group.protection
    owner = await owner_of_names(protection) if group.name == protection.snapshot_group else None
    found, mark = await resources.group(protection, group.name), owner.mark if owner else ""
    if mark:
        require_own_group(protection, found, mark)
    label = f"resource group {group.name}"
    return require_settled(label, found or await resources.create_group(protection, group.name, mark))


@activity(app)
async def ensure_storage(protection: Protection) -> FoundAccount:
    """The storage account, closed to everything but Entra identities over TLS, with its container."""
    resources = services().provisioner.azure_resources
    found, label = await resources.account(protection), PARTS["account"].label(protection)
    create = partial(resources.create_account, protection)
    await ask_if_absent(protection.backup_vault, label, found, create)
    if found and found.lax:
        await ask(protection.backup_vault, f"the closing of {label}", create)
        found = None
    account = require_settled(label, found)
    if await resources.container(protection) is None:
        await resources.create_container(protection)
    return account


@activity(app)
async def ensure_endpoint(protection: Protection) -> Found:
    """The private endpoint of the storage account, with its DNS record where the policy document names a zone."""
    endpoints, label = services().provisioner.private_endpoints, PARTS["endpoint"].label(protection)
    found = await endpoints.endpoint(protection)
    await ask_if_absent(protection.backup_vault, label, found, partial(endpoints.create_endpoint, protection))
    endpoint = require_settled(label, found)
    if protection.terms.dns_zone and await endpoints.record(protection) is None:
        await endpoints.create_record(protection)
    return endpoint


@activity(app)
async def ensure_vault(required: VaultRequirements) -> FoundVault:
    """A vault, at least as strong as required."""
    vaults = services().provisioner.vaults(required.service)
    found = await vaults.vault(required.protection)
    follow = partial(vaults.creation, required.protection)
    await ask_if_absent(required.name, required.label, found, partial(create, required, vaults), follow=follow)
    vault = require_strong(required, found)
    if weak := weaknesses(required, vault):
        await _harden(required, vault, weak, vaults)
    return vault


async def _harden(required: VaultRequirements, vault: FoundVault, weak: list[str], vaults: "Vaults") -> NoReturn:
    better = at_least(required, vault)
    what = f"the hardening of {required.label} ({'; '.join(weak)})"
    await ask(required.name, what, lambda: vaults.harden_vault(required.protection, better))
    raise NotConverged("Hardening", f"{what} is under way", HARDEN_SECONDS)


async def create(required: VaultRequirements, vaults: "Vaults") -> str:
    """Ask for a vault, with less redundancy only where a region lacks more and the policy document allows it.

    The operation.
    """
    protection, terms = required.protection, required.terms
    try:
        return await vaults.create_vault(protection, terms.redundancy)
    except PermanentError as error:
        if terms.redundancy_fallback is None or not names_redundancy(error.reason):
            raise
        log(RedundancyFellBack(vault=required.label, redundancy=terms.redundancy_fallback, error=error.message))
        return await vaults.create_vault(protection, terms.redundancy_fallback)


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
    found, label = await resources.extension(protection), PARTS["extension"].label(protection)
    create = partial(resources.create_extension, protection, installation.blob_url)
    await ask_if_absent(protection.backup_vault, label, found, create)
    if found is None:
        raise NotConverged("Asked", f"{label} was requested", INSTALL_SECONDS)
    return require_installed(protection, found)


@activity(app)
async def ensure_trusted_access(protection: Protection) -> Found:
    """The vault's access to the cluster's API server."""
    resources, label = services().provisioner.azure_resources, PARTS["trusted_access"].label(protection)
    found = await resources.trusted_access(protection)
    await ask_if_absent(protection.backup_vault, label, found, partial(resources.create_trusted_access, protection))
    return require_settled(label, found)


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
    vault, what = protection.backup_vault, f"the backup of {protection.cluster} by {protection.terms.backup_policy}"
    if found is None or (found.movable and not same(found.policy, protection.policy_id)):
        follow = partial(backups.instance_operation, protection)
        await ask(vault, what, partial(backups.put_instance, protection), follow=follow)
        found = None
    elif not found.changing:
        await forget(vault, what)
    return require_protected(protection, found)
