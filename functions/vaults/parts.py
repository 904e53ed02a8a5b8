"""How each part of a protection is read, and deleted by a release; what a plan says of it is in the domain's table."""

from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from functions.engine.asking import ask
from shared.domain.errors import NotConverged
from shared.domain.vaults.findings import Found
from shared.domain.vaults.protection import Protection
from shared.domain.vaults.release import registrations_to_end
from shared.wiring import services

if TYPE_CHECKING:
    from shared.wiring.provisioner import Provisioner


async def _nothing(_: "Provisioner", __: Protection) -> None:
    """What a part needs that may be deleted with all that is in it."""


async def _unregister_accounts(azure: "Provisioner", protection: Protection) -> None:
    """Raise NotConverged until no storage account is registered, so that none stays locked."""
    vaults = azure.recovery_services_vaults
    accounts = await vaults.accounts(protection)
    for name in registrations_to_end(accounts):
        what = f"the end of the registration of {name}"
        await ask(protection.backup_vault, what, partial(vaults.unregister, protection, name))
    if accounts:
        raise NotConverged("Deleting", f"the registrations of {', '.join(accounts)} are being ended")


class PartAccess(NamedTuple):
    """What Azure is asked about a part; one that goes with the cluster is never deleted."""

    read: Callable[["Provisioner", Protection], Awaitable[Found | None]]
    delete: Callable[["Provisioner", Protection], Awaitable[None]] | None = None
    empty: Callable[["Provisioner", Protection], Awaitable[None]] = _nothing  # before it can be deleted


ACCESS = {
    "snapshots": PartAccess(
        lambda azure, p: azure.azure_resources.group(p, p.snapshot_group),
        lambda azure, p: azure.azure_resources.delete_group(p, p.snapshot_group),
    ),
    "account": PartAccess(
        lambda azure, p: azure.azure_resources.account(p), lambda azure, p: azure.azure_resources.delete_account(p)
    ),
    "endpoint": PartAccess(
        lambda azure, p: azure.private_endpoints.endpoint(p),
        lambda azure, p: azure.private_endpoints.delete_endpoint(p),
    ),
    "extension": PartAccess(lambda azure, p: azure.azure_resources.extension(p)),
    "recovery_services_vault": PartAccess(
        lambda azure, p: azure.recovery_services_vaults.vault(p),
        lambda azure, p: azure.recovery_services_vaults.delete_vault(p),
        _unregister_accounts,
    ),
    "backup_vault": PartAccess(
        lambda azure, p: azure.backup_vaults.vault(p), lambda azure, p: azure.backup_vaults.delete_vault(p)
    ),
    "trusted_access": PartAccess(lambda azure, p: azure.azure_resources.trusted_access(p)),
    "identity": PartAccess(
        lambda azure, p: azure.workload_identities.identity(p), lambda azure, p: azure.workload_identities.delete(p)
    ),
}


async def parts_now(protection: Protection, names: Iterable[str]) -> dict[str, Any]:
    """What is there of these parts."""
    return {name: await ACCESS[name].read(services().provisioner, protection) for name in names}
