"""The activities that protect the data sources which a cluster names. Each looks first and does at most one thing.

What takes time is asked for by one activity and followed by another, because only its operation says how it ended.
"""

from functions.engine.activities import activity
from functions.vaults.consents import require_consent
from functions.vaults.steps import app
from shared.domain.operations import OperationResult, concluded
from shared.domain.resource_id import name_of, same
from shared.domain.vaults.findings import Found
from shared.domain.vaults.protection import Grant, SourceOperation, SourceRequest
from shared.wiring import services


@activity(app)
async def ensure_source_policy(request: SourceRequest) -> Found:
    """The vault's backup policy for data sources of this kind, written once."""
    source, terms, provisioner = request.source, request.protection.terms, services().provisioner
    policy = provisioner.source_backups[type(source)].policy(terms)
    return await provisioner.vaults(source.service).ensure_policy(request.protection, source.policy(terms), policy)


class SourceGrant(SourceRequest, frozen=True, kw_only=True):
    """A role for the vault's identity on a data source."""

    grant: Grant


@activity(app)
async def ensure_source_role(request: SourceGrant) -> Grant:
    """The role, if the source's owner agrees now; it may be repeated."""
    await require_consent(request.protection, request.source)
    await services().provisioner.azure_resources.grant(request.grant)
    return request.grant


@activity(app)
async def start_registration(request: SourceRequest) -> SourceOperation:
    """Ask the vault to take in the storage account of a share."""
    backups = services().provisioner.share_backups
    if await backups.registered(request.protection, request.source):
        return _asked(request, "")
    await require_consent(request.protection, request.source)
    return _asked(request, await backups.register(request.protection, request.source))


@activity(app)
async def finish_registration(asked: SourceOperation) -> OperationResult:
    """How the registration ended; a role that doesn't act yet shows here."""
    return await _of_account(asked, f"the registration of storage account {name_of(asked.source.source_id)}")


@activity(app)
async def start_inquiry(request: SourceRequest) -> SourceOperation:
    """Ask the vault to look which shares the account has: before, it knows none."""
    return _asked(request, await services().provisioner.share_backups.inquire(request.protection, request.source))


@activity(app)
async def finish_inquiry(asked: SourceOperation) -> OperationResult:
    """How the inquiry ended."""
    return await _of_account(asked, f"the discovery of the file shares of {name_of(asked.source.source_id)}")


@activity(app)
async def start_protecting(request: SourceRequest) -> SourceOperation:
    """Ask the vault to protect the data source by the policy of the protection."""
    provisioner, protection, source = services().provisioner, request.protection, request.source
    items = await provisioner.vaults(source.service).items(protection)
    item = next((item for item in items if source.protected_by(item)), None)
    if item and same(item.policy, protection.source_policy_id(source)):
        return _asked(request, "")
    await require_consent(protection, source)
    return _asked(request, await provisioner.source_backups[type(source)].protect(protection, source, item))


@activity(app)
async def finish_protecting(asked: SourceOperation) -> OperationResult:
    """How the request for protection ended."""
    if not asked.operation:
        return OperationResult()
    what, vaults = f"the protection of {asked.source.label}", services().provisioner.vaults(asked.source.service)
    return concluded(what, await vaults.operation(asked.protection, asked.operation, what))


def _asked(request: SourceRequest, operation: str) -> SourceOperation:
    return SourceOperation(protection=request.protection, source=request.source, operation=operation)


async def _of_account(asked: SourceOperation, what: str) -> OperationResult:
    if not asked.operation:
        return OperationResult()
    return concluded(what, await services().provisioner.share_backups.operation(asked))
