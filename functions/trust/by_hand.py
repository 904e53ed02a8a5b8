"""Rotations by hand: what is due, what a rotation would do, and an operator's commands to one that runs.

A plan is made from what is there now, and stored nowhere. To start by a plan is to name its hash, which is compared
with that of the plan of that moment.
"""

import asyncio

from functions.engine.client import Client
from functions.engine.many import one_of_many
from functions.trust.fleet_steps import find_work
from functions.trust.meshes import MESHES
from functions.trust.rotation import find_rotation, find_upcoming, request_rotation, rotate_trust_root
from shared.domain.errors import Conflict, MeshwardError, NotFound, PermanentError
from shared.domain.trust.certificates import fingerprint
from shared.domain.trust.moves import RotationEvent, phase_after
from shared.domain.trust.phases import FIRST_PHASE, Mode, Phase
from shared.domain.trust.plan import Blocker, MemberPlan, RotationPlan, Upcoming, plan_rotation, require_same_plan
from shared.domain.trust.roots import Rotation, VaultCertificate
from shared.domain.trust.state import Member, RotationState
from shared.wiring import services

CONCURRENT_CLUSTERS = 10
_MODES = {"compromise": Mode.SWIFT, "replace": Mode.REPLACE}


async def all_upcoming() -> list[Upcoming]:
    """What is due when, by the list of certificates and the policy document; no cluster is asked."""
    return await find_upcoming(await services().rotator.key_vault.certificates())


async def current_plan(certificate: str, mode: str = "") -> RotationPlan:
    """The plan of the rotation of this root as it is now: of what is due, or of the mode that is asked for."""
    if mode and mode not in _MODES:
        raise PermanentError("UnknownMode", f'"mode" must be {" or ".join(_MODES)}; leave it out for what is due')
    certificates = await services().rotator.key_vault.certificates()
    rotation, root = await find_rotation(certificate, certificates)
    return plan_rotation(
        root,
        rotation,
        await _fingerprints(rotation, certificates),
        await _members(rotation),
        compromised=mode == "compromise",
    )


async def _fingerprints(rotation: Rotation, certificates: list[VaultCertificate]) -> list[str]:
    names = {c.name for c in certificates}
    roots = [await services().rotator.key_vault.latest(name) for name in (rotation.old, rotation.new) if name in names]
    return [fingerprint(certificate) for _, certificate in roots]


async def _members(rotation: Rotation) -> list[MemberPlan]:
    round, slots = await find_work.work(RotationState(rotation=rotation)), asyncio.Semaphore(CONCURRENT_CLUSTERS)
    planned = await asyncio.gather(*(_member(member, slots) for member in round.members))
    blocked = [
        MemberPlan(cluster=o.cluster, blocker=Blocker(reason=o.reason, message=o.message)) for o in round.unavailable
    ]
    return [*planned, *blocked]


async def _member(member: Member, slots: asyncio.Semaphore) -> MemberPlan:
    try:
        async with slots:
            with one_of_many(member.cluster):
                return await MESHES[member.rotation.mesh].plan(member)
    except MeshwardError as error:
        return MemberPlan(cluster=member.cluster, blocker=Blocker(reason=error.reason, message=error.message))


async def start(client: Client, certificate: str, mode: str, hash: str) -> str:
    """Start a rotation in a mode, by the hash of the plan that was seen; one that runs goes on in it. The instance id.

    Raises Conflict if the plan is another one by now, or if the rotation that runs can't go on in the mode.
    """
    plan = await current_plan(certificate, mode)
    require_same_plan(plan, _MODES[mode], hash)
    instance_id = await request_rotation(client, certificate, plan.mode)
    return await send_command(client, instance_id, RotationEvent(plan.mode))


async def send_command(client: Client, instance_id: str, command: RotationEvent) -> str:
    """Send a command to a rotation; raises NotFound, or Conflict if it can't act where the rotation stands."""
    run = await client.state(instance_id)
    if run is None or run.flow != rotate_trust_root.name:
        raise NotFound("NoSuchInstance", "no rotation has this instance id")
    if not run.is_active:
        raise Conflict("RotationEnded", f"the rotation has ended: {run.status}")
    shown = run.progress or {}
    phase_after(Phase(shown.get("phase", FIRST_PHASE)), command, Mode(shown.get("mode", Mode.ROUTINE)))
    await client.raise_event(instance_id, command)
    return instance_id
