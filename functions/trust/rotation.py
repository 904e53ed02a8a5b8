"""Rotate the trust root of a mesh: trigger → orchestrator → activities.

    CertificateNearExpiry ─┐
    sweep ─────────────────┼─▶ request_rotation ─▶ rotate_trust_root, once per trust domain and generation
    HTTP, pipeline, agent ─┘
                                 find_work     the phase's round: who has to do what
                                 rotate_member each for itself, side by side, for some minutes (members)
      prepare                      is it fit?                          then the new root in Key Vault
      distribute                   bundle of both roots, restarts, B1
      activate                     an issuer under the new root, live in each replica
      settle                       B2: every leaf renewed since
      retire                       bundle of the new root, restarts    then the old key is disabled
                                 judge_round   proven by all: the next phase; late or refused: on hold; else again
                                 what operators say is heard between rounds

What each phase is, is in shared.domain.trust.phases; which follows which, and what a word does, in moves; what follows
from a round, in rounds.
"""

from collections.abc import Iterable, Sequence

import azure.functions as func
import msgspec
from msgspec.structs import replace

from functions.engine.client import Client, with_client
from functions.engine.durable import MINUTE, Runbook, Steps, declined, orchestrator
from functions.engine.incoming import received
from functions.engine.logs import log
from functions.trust.fleet_steps import (
    Ending,
    Retirement,
    app,
    close_record,
    ensure_disabled,
    ensure_root,
    find_work,
    judge_round,
)
from functions.trust.members import outcome_of, rotate_members
from shared.domain.errors import InvalidEvent, MeshwardError, PermanentError, shown
from shared.domain.events import certificate_near_expiry
from shared.domain.resource_id import same
from shared.domain.trust.members import members_in
from shared.domain.trust.moves import SPOKEN
from shared.domain.trust.phases import ENDS, STAGES, Mode, Word
from shared.domain.trust.plan import Upcoming, starts_unasked, unasked_mode, upcoming
from shared.domain.trust.roots import AlreadyRotated, Rotation, VaultCertificate, current_roots, rotation_of
from shared.domain.trust.rounds import HOLD_POLL, Hold, MemberOutcome, Reported, Rotated, RotationState, Round
from shared.domain.trust.signals import NothingToRotate, RootLookedAt, RotationNotStarted
from shared.wiring import services


@app.event_grid_trigger(arg_name="event")
@with_client(app)
async def on_certificate_event(event: func.EventGridEvent, client: Client) -> None:
    """A certificate nears its expiry: rotate it, if it is a current trust root of ours and nobody has aborted that."""
    try:
        expiring = certificate_near_expiry(received(event))
        if not same(expiring.vault, services().settings.key_vault_name):
            raise InvalidEvent("ForeignVault", f"vault {shown(expiring.vault)} isn't ours")
        found, now = await services().rotator.key_vault.certificates(), services().now()
        rotation, root = await _rotation(expiring.certificate, found)
        if starts_unasked(root, found, max(now, root.due)):
            course = RotationState(rotation=rotation, mode=unasked_mode(root))
            await client.start_once("rotate_trust_root", rotation.instance_id, course)
    except AlreadyRotated as done:
        log(NothingToRotate(event_id=event.id, reason=done.reason, why=done.message))
    except MeshwardError as error:
        declined(error, event.id)
        raise


async def request_rotation(client: Client, certificate: str, mode: Mode | None = None) -> str:
    """Rotate a root by its certificate's name, again if that failed or was aborted; the instance id.

    Without a mode, it is the one that is due; a rotation that runs already stays in its own. Raises InvalidEvent if the
    certificate isn't a root of ours, AlreadyRotated if it isn't the current one, PermanentError if it can only be
    replaced and nobody asked for that.
    """
    rotation, root = await _rotation(certificate, await services().rotator.key_vault.certificates())
    course = RotationState(rotation=rotation, mode=mode or unasked_mode(root))
    return await client.start_again("rotate_trust_root", course.rotation.instance_id, course, completed=True)


async def sweep(client: Client) -> None:
    """Rotate every current root that is due; what an operator has aborted stays aborted."""
    found, now = await services().rotator.key_vault.certificates(), services().now()
    for root in await find_upcoming(found):
        log(RootLookedAt(certificate=root.certificate, days_left=(root.expires - now).days))
        try:
            if starts_unasked(root, found, now):
                course = RotationState(rotation=rotation_of(root.certificate, found), mode=unasked_mode(root))
                await client.start_again("rotate_trust_root", course.rotation.instance_id, course)
        except PermanentError as error:
            log(RotationNotStarted(reason=error.reason, error=error.message))


async def find_upcoming(found: Sequence[VaultCertificate]) -> list[Upcoming]:
    """What is due when, the earliest first; clusters are counted only where the time left may be short for them."""
    policy, now = await services().policy(), services().now()
    due = {root: upcoming(root, policy.at(root.trust_domain).trust, now) for root in current_roots(found)}
    if any(one.mode is not Mode.ROUTINE for one in due.values()):
        clusters = await services().rotator.clusters.list()
        for root in due:
            members = members_in(root.mesh, root.trust_domain, clusters)
            due[root] = upcoming(root, policy.at(root.trust_domain).trust, now, len(members))
    return sorted(due.values(), key=lambda root: root.due)


async def _rotation(certificate: str, found: Sequence[VaultCertificate]) -> tuple[Rotation, Upcoming]:
    rotation = rotation_of(certificate, found)
    (root,) = [u for u in await find_upcoming(found) if u.certificate == rotation.old]
    return rotation, root


@orchestrator(app)
def rotate_trust_root(run: Runbook, course: RotationState) -> Steps[Rotated | None]:
    """One round of the rotation, then the next."""
    words = run.listen(*SPOKEN)
    _show(run, course)
    try:
        round = yield from run.step(find_work, course)
        _show(run, round.course)
        outcomes = yield from _tried(run, round)
        heard = replace(round.course, words=_words(words.heard()))
        tried = replace(round, course=heard, members=[])  # what came of them is in the outcomes
        course = yield from run.step(judge_round, Reported(round=tried, outcomes=outcomes))
        if course.phase in ENDS:
            return (yield from run.step(close_record, Ending(course=course, instance_id=run.instance_id)))
    except PermanentError as error:
        course = replace(course, held=Hold(reason=error.reason, message=error.message), pause=HOLD_POLL)
    _show(run, course)
    said = yield from words.wait(course.pause)
    run.again(replace(course, words=_words([*course.words, *said])))
    return None


def _words(said: Iterable[str]) -> list[Word]:
    return [Word(word) for word in dict.fromkeys(said)]


def _show(run: Runbook, course: RotationState) -> None:
    mode = {"mode": course.mode} if course.mode is not Mode.ROUTINE else {}
    proven = {"proven": course.gate} if course.gate else {}
    held = {"held": msgspec.to_builtins(course.held)} if course.held else {}
    run.phase(course.phase, members=len(course.proven), **mode, **proven, **held)


def _tried(run: Runbook, round: Round) -> Steps[list[MemberOutcome]]:
    """What came of every member's try; of the fleet's own part when no member has anything left to do."""
    if round.members:
        return (yield from run.sharded(rotate_members, round.members, f"-r{round.course.round}"))
    if round.unseen or round.course.phase in ENDS:
        return []
    return [(yield from outcome_of("", round.course.phase, _fleet_part(run, round.course)))]


def _fleet_part(run: Runbook, course: RotationState) -> Steps[MemberOutcome]:
    """What is done once, when every member has proven the phase."""
    rotation, roots, stage = course.rotation, course.roots, STAGES[course.phase]
    if stage.creates_root:
        made = yield from run.step(ensure_root, rotation, every=MINUTE / 4)
        return MemberOutcome(cluster="", phase=course.phase, fleet=True, roots=made)
    if roots and stage.disables:
        gone = Retirement(certificate=rotation.certificate(stage.disables), version=roots.version(stage.disables))
        yield from run.step(ensure_disabled, gone)
    return MemberOutcome(cluster="", phase=course.phase, fleet=True)
