"""Leave a member out of a rotation that runs: what that would break, and the operator's command that does it.

The exclusion stands in the store, beside the members. The rotation's next round reads it there; the command wakes it.
"""

from functions.engine.client import Client
from functions.engine.logs import log
from functions.trust.by_hand import position, send_command
from functions.trust.roll import remember, remembered
from functions.trust.roots import old_root
from functions.trust.rotation import rotation_with
from shared.domain.trust.exclusions import ExclusionPlan, is_left_out, plan_exclusion, with_exclusion
from shared.domain.trust.membership import Membership
from shared.domain.trust.moves import RotationEvent
from shared.domain.trust.roots import Rotation
from shared.domain.trust.signals import MemberExcluded
from shared.wiring import services


async def current_plan(client: Client, instance_id: str, cluster: str) -> ExclusionPlan:
    """What it would break now to leave the member out."""
    rotation = await rotation_with(instance_id)
    return await _plan(client, instance_id, cluster, rotation, await remembered(rotation))


async def exclude(client: Client, instance_id: str, cluster: str, plan: str, reason: str) -> str:
    """Leave the member out by the hash of a plan; the instance id. Who repeats the call gets the same answer."""
    rotation = await rotation_with(instance_id)
    known = await remembered(rotation)
    if not is_left_out(known, cluster, plan):
        found = await _plan(client, instance_id, cluster, rotation, known)
        without = with_exclusion(known, found, plan, reason, services().now())
        await remember(rotation, known, without)
        log(MemberExcluded(rotation=instance_id, cluster=found.cluster, plan=plan, why=reason, breaks=found.message))
    return await send_command(client, instance_id, RotationEvent.EXCLUDE)


async def _plan(client: Client, instance_id: str, cluster: str, rotation: Rotation, known: Membership) -> ExclusionPlan:
    phase, mode = await position(client, instance_id)
    old = await old_root(rotation)
    return plan_exclusion(instance_id, cluster, known, phase, mode, old.expires_at)
