"""The first step of a protection: what would change, and whether that is what was agreed on."""

import msgspec

from functions.engine.activities import activity
from functions.engine.logs import log
from functions.vaults.steps import app
from functions.vaults.volume_steps import volumes_now
from shared.domain.vaults.plan import ProtectionPlan, Seen, agreed, plan_of
from shared.domain.vaults.protection import Protection
from shared.domain.vaults.signals import ProtectionDrifted
from shared.wiring import services


class ProtectionRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A protection to be made; `plan` is the hash of the plan that was agreed on, empty if none was."""

    protection: Protection
    plan: str = ""


async def plan_now(protection: Protection) -> ProtectionPlan:
    """The plan as the world is now: six reads, fewer while little is there; two more where volumes are named."""
    resources, vaults = services().provisioner.azure_resources, services().provisioner.backup_vaults
    holders, vault = await vaults.holders(protection), await vaults.vault(protection)
    seen = Seen(
        holders=tuple(holders),
        vault=vault,
        deleted=tuple(await vaults.soft_deleted(protection)) if vault and not holders else (),
        guard=await services().provisioner.guards.guard(protection, recovery=False)
        if vault and protection.terms.guard
        else "",
        account=await resources.account(protection),
        extension=await resources.extension(protection),
        access=await resources.trusted_access(protection),
        endpoint=await services().provisioner.private_endpoints.endpoint(protection)
        if protection.terms.subnet
        else None,
        volumes=await volumes_now(protection),
    )
    known = [protection.cluster_principal, *filter(None, (*seen.principals, seen.volumes.principal))]
    granted = await services().provisioner.inventory.grants(known) if len(known) > 1 else []
    return plan_of(protection, msgspec.structs.replace(seen, granted=tuple(g.name for g in granted)))


@activity(app)
async def plan_protection(order: ProtectionRequest) -> ProtectionPlan:
    """What would change, refused if something else was agreed on."""
    plan = agreed(await plan_now(order.protection), order.plan)
    if plan.instance and plan.differences:
        log(ProtectionDrifted(cluster=plan.protection.cluster_id, changes=plan.lines))
    return plan
