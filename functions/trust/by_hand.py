"""Rotations by hand: what is due, what a rotation would do, and an operator's words to one that runs.

A plan is made from the world as it is, for whoever asks, and kept nowhere: to start by it is to name its hash, which is
compared with that of the plan of that moment.
"""

import asyncio

from functions.engine.client import Client
from functions.trust.fleet_steps import find_work
from functions.trust.meshes import MESHES
from functions.trust.rotation import find_upcoming, request_rotation, rotate_trust_root
from shared.domain.errors import Conflict, MeshwardError, NotFound, PermanentError
from shared.domain.trust.certificates import fingerprint
from shared.domain.trust.moves import moved
from shared.domain.trust.phases import FIRST_PHASE, Mode, Phase, Word
from shared.domain.trust.plan import Blocker, MemberPlan, RotationPlan, Upcoming, check_plan, plan
from shared.domain.trust.roots import Rotation, VaultCertificate, rotation_of
from shared.domain.trust.rounds import Member, RotationState
from shared.wiring import services

_AT_ONCE = 10  # clusters that are read side by side
_MODES = {"compromise": Mode.SWIFT, "replace": Mode.REPLACE}


async def all_upcoming() -> list[Upcoming]:
    """What is due when: one list of certificates and the policy document, no cluster."""
    return await find_upcoming(await services().rotator.key_vault.certificates())


async def planned(certificate: str, mode: str = "") -> RotationPlan:
    """The plan of the rotation of this root as it is now: of what is due, or of the mode that is asked for."""
    if mode and mode not in _MODES:
        raise PermanentError("UnknownMode", f'"mode" is {" or ".join(_MODES)}, or left out for what is due')
    certificates = await services().rotator.key_vault.certificates()
    rotation = rotation_of(certificate, certificates)
    (root,) = [u for u in await find_upcoming(certificates) if u.certificate == rotation.old]
    return plan(
        root,
        rotation,
        await _fingerprints(rotation, certificates),
        await _members(rotation),
        compromised=mode == "compromise",
    )


async def _fingerprints(rotation: Rotation, certificates: list[VaultCertificate]) -> list[str]:
    there = {c.name for c in certificates}
    roots = [await services().rotator.key_vault.latest(name) for name in (rotation.old, rotation.new) if name in there]
    return [fingerprint(certificate) for _, certificate in roots]


async def _members(rotation: Rotation) -> list[MemberPlan]:
    round, gate = await find_work.work(RotationState(rotation=rotation)), asyncio.Semaphore(_AT_ONCE)
    seen = await asyncio.gather(*(_member(member, gate) for member in round.members))
    unseen = [MemberPlan(cluster=o.cluster, blocker=Blocker(reason=o.reason, message=o.message)) for o in round.unseen]
    return [*seen, *unseen]


async def _member(member: Member, gate: asyncio.Semaphore) -> MemberPlan:
    try:
        async with gate:
            return await MESHES[member.rotation.mesh].plan(member)
    except MeshwardError as error:
        return MemberPlan(cluster=member.cluster, blocker=Blocker(reason=error.reason, message=error.message))


async def start(client: Client, certificate: str, mode: str, hash: str) -> str:
    """Start a rotation in a mode, by the hash of the plan that was seen; one that runs goes on in it. The instance id.

    Raises Conflict if the plan is another one by now, or if the rotation that runs can't go on in the mode.
    """
    found = await planned(certificate, mode)
    check_plan(found, _MODES[mode], hash)
    return await tell(client, await request_rotation(client, certificate, found.mode), Word(found.mode))


async def tell(client: Client, instance_id: str, word: Word) -> str:
    """Say a word to a rotation, by its instance id; raises NotFound, or Conflict if it can't act where that stands."""
    run = await client.state(instance_id)
    if run is None or run.flow != rotate_trust_root.name:
        raise NotFound("NoSuchInstance", "no rotation has this instance id")
    if not run.goes_on:
        raise Conflict("RotationEnded", f"the rotation has ended: {run.status}")
    shown = run.progress or {}
    moved(Phase(shown.get("phase", FIRST_PHASE)), word, Mode(shown.get("mode", Mode.ROUTINE)))
    await client.say(instance_id, word)
    return instance_id
