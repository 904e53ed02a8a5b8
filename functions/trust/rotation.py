"""Rotate the trust root of a mesh: trigger → orchestrator → activities.

    CertificateNearExpiry ─┐
    sweep ─────────────────┼─▶ start ─▶ rotate_trust_root, once per trust domain and generation
    HTTP, pipeline, agent ─┘
                                 find_work     the round that begins: who has to do what
                                 rotate_member each for itself, side by side, for some minutes (members)
      prepare                      is it fit?                          then the new root in Key Vault
      distribute                   bundle of both roots, restarts, B1
      activate                     an issuer under the new root, live in each replica
      settle                       B2: every leaf renewed since
      retire                       bundle of the new root, restarts    then the old key is disabled
                                 judge_round   proven by all: the next phase; late or refused: on hold; else again
                                 commands of operators act between rounds

What each phase is, is in shared.domain.trust.phases; which follows which, and what a command does, in moves; what
follows from a round, in rounds.
"""

from collections.abc import Iterable, Sequence
from contextlib import suppress

import azure.functions as func
import msgspec
from msgspec.structs import replace

from functions.engine.client import Client, with_client
from functions.engine.durable import MINUTE, Runbook, Steps, orchestrator
from functions.engine.incoming import declined_if_refused, envelope_of
from functions.engine.logs import log
from functions.engine.many import one_of_many
from functions.trust.fleet_steps import (
    EndedRotation,
    app,
    close_record,
    find_work,
    judge_round,
)
from functions.trust.members import ROUND_TIME_LIMIT, outcome_of, rotate_members
from functions.trust.root_steps import RootVersion, ensure_disabled, ensure_root, verify_signs
from functions.trust.roots import RootsSeen, all_lineages, require_of_record, roots_seen, tell_refused, tell_unsigned
from shared.domain.errors import InvalidEvent, NotFound, PermanentError, shown
from shared.domain.events import certificate_near_expiry
from shared.domain.resource_id import same
from shared.domain.trust.holds import HOLD_POLL_INTERVAL
from shared.domain.trust.members import members_in
from shared.domain.trust.moves import COMMANDS, RotationEvent, root_to_prove
from shared.domain.trust.phases import ENDS, STAGES, Mode
from shared.domain.trust.plan import Upcoming, starts_unattended, unattended_mode, upcoming
from shared.domain.trust.roots import AlreadyRotated, Lineage, Rotation, current_roots, lineage_of, rotation_of
from shared.domain.trust.signals import NothingToRotate, RootLookedAt, RotationNotStarted
from shared.domain.trust.state import Hold, MemberOutcome, RotationRecord, RotationState, Round, RoundReport
from shared.wiring import services


@app.event_grid_trigger(arg_name="event")
@with_client(app)
async def on_certificate_event(event: func.EventGridEvent, client: Client) -> None:
    """A certificate nears its expiry: rotate it if it is a current trust root and nobody has aborted its rotation."""
    with declined_if_refused(event.id):
        expiring = certificate_near_expiry(envelope_of(event))
        if not same(expiring.vault, services().settings.key_vault_name):
            raise InvalidEvent("ForeignVault", f"key vault {shown(expiring.vault)} isn't the configured one")
        try:
            rotation, root, lineage = await find_rotation(expiring.certificate, await roots_seen())
        except AlreadyRotated as done:
            log(NothingToRotate(event_id=event.id, reason=done.reason, why=done.message))
            return
        if starts_unattended(root, max(services().now(), root.due), aborted=lineage.aborted):
            await start(client, rotation, unattended_mode(root), failed=False)


async def sweep(client: Client) -> None:
    """Rotate every current root that is due; what an operator has aborted stays aborted."""
    seen, now = await roots_seen(), services().now()
    await tell_refused(seen)
    tell_unsigned(seen, await services().rotator.fleet())
    for root in await find_upcoming(seen.lineages):
        log(RootLookedAt(certificate=root.certificate, days_left=(root.expires - now).days))
        try:
            with one_of_many(root.certificate):
                if starts_unattended(root, now, aborted=lineage_of(root.certificate, seen.lineages).aborted):
                    await start(client, rotation_of(root.certificate, seen.lineages), unattended_mode(root))
        except PermanentError as error:
            log(RotationNotStarted(reason=error.reason, error=error.message))


async def request_rotation(client: Client, certificate: str, mode: Mode | None = None) -> str:
    """Rotate a root by its certificate's name, again if that failed or was aborted; the instance id.

    Without a mode, it is the one that is due; a rotation that runs already stays in its own. Raises InvalidEvent if the
    certificate isn't a root of record, AlreadyRotated if it isn't the current one, PermanentError if it can only be
    replaced and nobody asked for that.
    """
    rotation, root, _ = await find_rotation(certificate, await roots_seen())
    return await start(client, rotation, mode or unattended_mode(root), completed=True)


async def start(client: Client, rotation: Rotation, mode: Mode, *, failed: bool = True, completed: bool = False) -> str:
    """Start the rotation unless it runs; again if it `failed`, or has `completed`. The instance id.

    An event starts none again, as many events would make as many runs that fail; the daily sweep does.
    """
    state = RotationState(rotation=rotation, mode=mode)
    if not failed:
        await client.start_once("rotate_trust_root", rotation.instance_id, state, about=("rotation",))
        return rotation.instance_id
    return await client.start_again(
        "rotate_trust_root", rotation.instance_id, state, completed=completed, about=("rotation",)
    )


async def find_rotation(certificate: str, seen: RootsSeen) -> tuple[Rotation, Upcoming, Lineage]:
    """The rotation of the root with this certificate, and when it is due; raises as `rotation_of` does."""
    await require_of_record(certificate, seen)
    rotation, lineage = rotation_of(certificate, seen.lineages), lineage_of(certificate, seen.lineages)
    (root,) = [u for u in await find_upcoming(seen.lineages) if u.certificate == rotation.old]
    return rotation, root, lineage


async def rotation_with(instance_id: str) -> Rotation:
    """The rotation that an instance is a run of; raises NotFound for any other instance."""
    lineages = await all_lineages()
    for root in current_roots(lineages):
        with suppress(PermanentError):
            rotation = rotation_of(root.certificate, lineages)
            if rotation.is_run(instance_id):
                return rotation
    raise NotFound("NoSuchInstance", "no rotation that runs has this instance id")


async def find_upcoming(lineages: Sequence[Lineage]) -> list[Upcoming]:
    """What is due when, the earliest first; clusters are counted only where the time left may be short for them."""
    policy, now = await services().policy(), services().now()
    due = {root: upcoming(root, policy.at(root.trust_domain).trust, now) for root in current_roots(lineages)}
    if any(one.mode is not Mode.ROUTINE for one in due.values()):
        fleet = await services().rotator.fleet()
        for root in due:
            members = members_in(root.mesh, root.trust_domain, fleet)
            due[root] = upcoming(root, policy.at(root.trust_domain).trust, now, len(members))
    return sorted(due.values(), key=lambda root: root.due)


@orchestrator(app)
def rotate_trust_root(run: Runbook, state: RotationState) -> Steps[RotationRecord | None]:
    """One round of the rotation, then the next."""
    inbox = run.listen(*COMMANDS)
    _show(run, state)
    try:
        round = yield from run.step(find_work, state)
        _show(run, round.state)
        outcomes = yield from _run_members(run, round)
        with_commands = replace(round.state, commands=_commands(inbox.received()))
        tried = replace(round, state=with_commands, members=[])  # what came of them is in the outcomes
        state = yield from run.step(judge_round, RoundReport(round=tried, outcomes=outcomes))
        if state.phase in ENDS:
            _show(run, replace(round.state, hold=None))
            return (yield from run.step(close_record, EndedRotation(state=state, instance_id=run.instance_id)))
    except PermanentError as error:
        state = replace(state, hold=Hold(reason=error.reason, message=error.message), pause=HOLD_POLL_INTERVAL)
    _show(run, state)
    received = yield from inbox.wait(state.pause)
    run.continue_as_new(replace(state, commands=_commands([*state.commands, *received])))
    return None


def _commands(names: Iterable[str]) -> list[RotationEvent]:
    return [RotationEvent(name) for name in dict.fromkeys(names)]


def _show(run: Runbook, state: RotationState) -> None:
    mode = {"mode": state.mode} if state.mode is not Mode.ROUTINE else {}
    proven = {"proven": state.gate_passed} if state.gate_passed else {}
    held = {"held": msgspec.to_builtins(state.hold)} if state.hold else {}
    run.phase(state.phase, members=len(state.proven), **mode, **proven, **held)


def _run_members(run: Runbook, round: Round) -> Steps[list[MemberOutcome]]:
    """What came of every member's work; of the fleet's when no member has anything left to do."""
    if round.members:
        return (yield from run.sharded_flows(rotate_members, round.members, f"-r{round.state.rounds}"))
    if round.unavailable or round.state.phase in ENDS:
        return []
    return [(yield from outcome_of("", round.state.phase, _fleet_work(run, round.state)))]


def _fleet_work(run: Runbook, state: RotationState) -> Steps[MemberOutcome]:
    """What is done once, when every member has proven the phase."""
    rotation, roots, stage = state.rotation, state.roots, STAGES[state.phase]
    if stage.creates_root:
        made = yield from run.step(ensure_root, rotation, every=MINUTE / 4)
        return MemberOutcome(cluster="", phase=state.phase, fleet_done=True, roots=made)
    if roots and (kept := root_to_prove(state.phase)):
        signing = RootVersion(certificate=rotation.certificate(kept), version=roots.version(kept))
        yield from run.step(verify_signs, signing, deadline=ROUND_TIME_LIMIT)
    if roots and stage.disables:
        retired = RootVersion(certificate=rotation.certificate(stage.disables), version=roots.version(stage.disables))
        yield from run.step(ensure_disabled, retired)
    return MemberOutcome(cluster="", phase=state.phase, fleet_done=True)
