"""The first step of a protection: what would change, and whether that is what was agreed on."""

import msgspec

from functions.engine.activities import activity
from functions.engine.logs import log
from functions.vaults.consents import candidates_now
from functions.vaults.ownership import require_own, take_names
from functions.vaults.parts import parts_now
from functions.vaults.steps import app
from shared.domain.cluster import require_started
from shared.domain.vaults.parts import VAULTS, planned_parts
from shared.domain.vaults.plan import ProtectionPlan, Seen, plan_of, require_agreed
from shared.domain.vaults.protection import Protection
from shared.domain.vaults.signals import ProtectionDrifted, SourceRefused
from shared.wiring import services


class ProtectionRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A protection to be made."""

    protection: Protection
    plan: str = ""  # hash of the plan that was agreed on, empty if none was


async def plan_now(protection: Protection) -> ProtectionPlan:
    """The plan as things are now: six reads, fewer while little is there; more where data sources are named.

    Raises PermanentError if it needs the cluster, which is stopped.
    """
    provisioner = services().provisioner
    holders = await provisioner.cluster_backups.holders(protection)
    parts = await parts_now(protection, planned_parts(protection))
    await require_own(protection, parts)
    recoverable = parts["backup_vault"] and not holders
    protecting = sorted({source.service for source in protection.sources if parts[VAULTS[source.service]]})
    seen = Seen(
        parts=parts,
        holders=tuple(holders),
        deleted=tuple(await provisioner.backup_vaults.deleted_items(protection)) if recoverable else (),
        items=tuple([i for s in protecting for i in await provisioner.vaults(s).items(protection)]),
    )
    candidates = await candidates_now(protection, [source for source in protection.sources if seen.item(source)])
    identities = [protection.cluster_principal, *filter(None, map(seen.principal, parts))]
    granted = await provisioner.inventory.grants(identities) if len(identities) > 1 else []
    granted_names = tuple(grant.name for grant in granted)
    plan = plan_of(protection, msgspec.structs.replace(seen, candidates=candidates, granted=granted_names))
    if seen.needs_cluster:
        await require_running(protection)
    return plan


async def require_running(protection: Protection) -> None:
    """Raise PermanentError if the cluster is stopped: what was asked of it would fail an hour later."""
    cluster = await services().provisioner.clusters.get(protection.cluster_id)
    if cluster:
        require_started(cluster)


@activity(app)
async def plan_protection(request: ProtectionRequest) -> ProtectionPlan:
    """What would change, refused if something else was agreed on."""
    plan = require_agreed(await plan_now(request.protection), request.plan)
    await take_names(request.protection, made_before=bool(plan.redundancy))
    if plan.instance and plan.differences:
        log(ProtectionDrifted(cluster=plan.protection.cluster_id, changes=plan.lines))
    for line in plan.refused:
        log(SourceRefused(cluster=plan.protection.cluster_id, why=line))
    return plan
