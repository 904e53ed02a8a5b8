"""The activities of a trust rotation that concern the whole fleet: who takes part, the roots in Key Vault, the record.

Each looks at the world, asks shared.domain.trust, and does at most one thing. One that has done something, or waits
for others, raises NotConverged and is called again; it finishes only on what it has seen. So it may be killed or
doubled at any point.
"""

import azure.durable_functions as df
import msgspec
from cryptography import x509

from functions.engine.activities import activity
from functions.engine.logs import log
from shared.domain.errors import NotConverged
from shared.domain.trust.certificates import fingerprint, root_certificate
from shared.domain.trust.members import members_of
from shared.domain.trust.new_root import Act, CertificateVersion, check_ours, draft, next_act, root_version
from shared.domain.trust.phases import Phase, Roots
from shared.domain.trust.roots import Rotation, root_tags
from shared.domain.trust.rounds import (
    ROTATION,
    Hold,
    MemberOutcome,
    Reported,
    Rotated,
    RotationState,
    Round,
    StepProof,
    apply_words,
    begun,
    judged,
    members_to_try,
    result,
)
from shared.domain.trust.signals import PhaseProven, RotationEnded, RotationOnHold, WordNotActedOn
from shared.wiring import services

app = df.Blueprint()


class Retirement(msgspec.Struct, frozen=True, kw_only=True):
    """A version of a root in Key Vault that is to sign nothing any more."""

    certificate: str
    version: str


class Ending(msgspec.Struct, frozen=True, kw_only=True):
    """A rotation that has come to its end, and the instance that it was."""

    course: RotationState
    instance_id: str


@activity(app)
async def find_work(course: RotationState) -> Round:
    """The round that begins: who has to do what, by the trust domain's clusters as they are now."""
    mesh, domain = course.rotation.mesh, course.rotation.trust_domain
    seen, unseen = members_of(mesh, domain, await services().rotator.clusters.list())
    _log_refused(course)
    course = begun(course, [*seen, *unseen], services().now())
    policy = await services().policy()
    return Round(
        course=course,
        members=members_to_try(course, {c: policy.at(domain, c).trust for c in seen}, list(unseen)),
        unseen=[
            MemberOutcome(cluster=c, phase=course.phase, reason=reason, message=message, refused=True)
            for c, (reason, message) in unseen.items()
        ],
        policy=policy.at(domain).trust,
    )


def _log_refused(course: RotationState) -> None:
    """Say why some of what was said to the rotation can't act, as where the phase was left meanwhile."""
    about = course.rotation
    for word, why in apply_words(course)[1].items():
        log(
            WordNotActedOn(
                trust_domain=about.trust_domain,
                generation=about.generation,
                word=word,
                reason=why.reason,
                why=why.message,
            )
        )


@activity(app)
async def judge_round(reported: Reported) -> RotationState:
    """Where the rotation stands after the round."""
    before, now = reported.round.course, services().now()
    course = judged(reported, now)
    if course.phase is not before.phase:
        log(_passed(course, before.phase))
    if course.held and course.held != before.held:
        log(_on_hold(course, course.held))
    return course


def _passed(course: RotationState, phase: Phase) -> PhaseProven:
    of = course.rotation
    return PhaseProven(
        trust_domain=of.trust_domain, generation=of.generation, phase=phase, next=course.phase, seen=course.seen
    )


def _on_hold(course: RotationState, held: Hold) -> RotationOnHold:
    return RotationOnHold(
        trust_domain=course.rotation.trust_domain,
        generation=course.rotation.generation,
        phase=course.phase,
        reason=held.reason,
        why=held.message,
        blockers=held.blockers,
    )


@activity(app)
async def ensure_root(rotation: Rotation) -> Roots:
    """The new root is in Key Vault."""
    vault = services().rotator.key_vault
    versions, request = await vault.versions(rotation.new), await vault.request(rotation.new)
    check_ours(versions, rotation)
    act = next_act(versions, request)
    old_version, old = await vault.latest(rotation.old)
    if act is Act.DONE:
        new_version = root_version(versions).id
        new = await vault.certificate(rotation.new, new_version)
        return Roots(old=fingerprint(old), new=fingerprint(new), old_version=old_version, new_version=new_version)
    await _make_root(act, rotation, versions, old)
    raise NotConverged("RootUnderWay", f"making {rotation.new}: {act}")


async def _make_root(act: Act, rotation: Rotation, versions: list[CertificateVersion], old: x509.Certificate) -> None:
    vault, name = services().rotator.key_vault, rotation.new
    match act:
        case Act.CREATE_KEY | Act.REQUEST:
            hardware = await vault.hardware_protected(rotation.old)
            issuer = "Self" if act is Act.CREATE_KEY else "Unknown"
            await vault.create(name, issuer=issuer, new_key=act is Act.CREATE_KEY, hardware=hardware)
        case Act.MERGE:
            key = await vault.requested_key(name)
            policy = (await services().policy()).at(rotation.trust_domain).trust
            wanted = root_certificate(rotation, key, old, services().now(), policy.root_lifetime)
            root = await vault.sign(wanted, key, name, draft(versions).id)
            root.verify_directly_issued_by(root)
            await vault.merge(name, root, root_tags(rotation))
        case Act.DISABLE_DRAFT:
            await vault.disable(name, draft(versions).id)


@activity(app)
async def ensure_disabled(root: Retirement) -> StepProof:
    """The root's key signs nothing any more; the certificate stays."""
    vault = services().rotator.key_vault
    if any(v.enabled and v.id == root.version for v in await vault.versions(root.certificate)):
        await vault.disable(root.certificate, root.version)
    return StepProof(at=services().now())


@activity(app)
async def close_record(ending: Ending) -> Rotated:
    """The rotation's record is in the ledger: written once, never changed."""
    _log_refused(ending.course)
    ended, path = result(ending.course, services().now()), ROTATION.path(instance=ending.instance_id)
    if not await services().ledger.create(path, ROTATION.encoded(ended)):
        return await services().ledger.get(ROTATION, path)
    log(RotationEnded(trust_domain=ended.trust_domain, outcome=ended.outcome))
    return ended
