"""Rotations by hand: what is due, what a rotation would do, and an operator's commands to one that runs.

A plan is made from what is there now, and stored nowhere. To start by a plan is to name its hash, which is compared
with that of the plan of that moment.
"""

import asyncio
from typing import NamedTuple

from functions.engine.client import Client
from functions.engine.many import one_of_many
from functions.trust.fleet_steps import next_round
from functions.trust.meshes import MESHES
from functions.trust.roll import remembered
from functions.trust.roots import old_root, refused_roots, roots_seen
from functions.trust.rotation import find_rotation, find_upcoming, request_rotation, rotate_trust_root, rotation_with
from shared.domain.admission import Claim
from shared.domain.errors import Conflict, MeshwardError, NotFound, PermanentError
from shared.domain.trust.admission import RefusedRoot
from shared.domain.trust.deadlines import require_time_back
from shared.domain.trust.moves import RotationEvent, phase_after
from shared.domain.trust.phases import FIRST_PHASE, Mode, Phase
from shared.domain.trust.plan import Blocker, MemberPlan, RotationPlan, Upcoming, plan_rotation, require_same_plan
from shared.domain.trust.roots import Rotation
from shared.domain.trust.state import Member, RotationState
from shared.wiring import services

CONCURRENT_CLUSTERS = 10
_MODES = {"compromise": Mode.SWIFT, "replace": Mode.REPLACE}


class RootsShown(NamedTuple):
    """What is due when; and what claims to be a root, or a member, and isn't used."""

    rotations: list[Upcoming]
    refused: list[RefusedRoot]  # certificates
    not_admitted: list[Claim]  # clusters


async def all_upcoming() -> RootsShown:
    """What is due when, by the roots of record and the policy document; no cluster is asked."""
    seen = await roots_seen()
    return RootsShown(await find_upcoming(seen.lineages), await refused_roots(seen), await all_claims())


async def all_claims(trust_domain: str = "") -> list[Claim]:
    """Who claims a trust domain that doesn't list it, and so isn't rotated; with a name, that one alone."""
    return (await services().rotator.fleet()).claims(trust_domain)


async def current_plan(certificate: str, mode: str = "") -> RotationPlan:
    """The plan of the rotation of this root as it is now: of what is due, or of the mode that is asked for."""
    if mode and mode not in _MODES:
        raise PermanentError("UnknownMode", f'"mode" must be {" or ".join(_MODES)}; leave it out for what is due')
    rotation, root, lineage = await find_rotation(certificate, await roots_seen())
    return plan_rotation(
        root,
        rotation,
        [r.fingerprint for r in lineage.roots if r.certificate in (rotation.old, rotation.new)],
        await _members(rotation),
        await all_claims(rotation.trust_domain),
        compromised=mode == "compromise",
    )


async def _members(rotation: Rotation) -> list[MemberPlan]:
    round = await next_round(RotationState(rotation=rotation), await remembered(rotation))
    slots = asyncio.Semaphore(CONCURRENT_CLUSTERS)
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
    phase, mode = await position(client, instance_id)
    phase_after(phase, command, mode)
    if command is RotationEvent.ABORT and phase is not FIRST_PHASE:
        await _require_time_back(await rotation_with(instance_id), phase, mode)
    await client.raise_event(instance_id, command)
    return instance_id


async def _require_time_back(rotation: Rotation, phase: Phase, mode: Mode) -> None:
    policy = (await services().policy()).at(rotation.trust_domain).trust
    root, members = await old_root(rotation), (await remembered(rotation)).members
    require_time_back(phase, mode, policy, len(members), root.expires_at, services().now())


async def position(client: Client, instance_id: str) -> tuple[Phase, Mode]:
    """Where a rotation stands; raises NotFound, or Conflict if it has ended."""
    run = await client.state(instance_id)
    if run is None or run.flow != rotate_trust_root.name:
        raise NotFound("NoSuchInstance", "no rotation has this instance id")
    if not run.is_active:
        raise Conflict("RotationEnded", f"the rotation has ended: {run.status}")
    shown = run.progress or {}
    return Phase(shown.get("phase", FIRST_PHASE)), Mode(shown.get("mode", Mode.ROUTINE))
