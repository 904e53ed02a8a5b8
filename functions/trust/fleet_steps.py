"""The activities of a trust rotation that concern the whole fleet: who takes part, the roots in Key Vault, the record.

Each observes, asks shared.domain.trust, and does at most one thing. An activity that has changed something, or waits
for something, raises NotConverged and is called again; it finishes only on what it has seen. So it may be killed or run
twice at any point.
"""

import azure.durable_functions as df
import msgspec
from cryptography import x509

from functions.engine.activities import activity
from functions.engine.logs import log
from shared.domain.errors import NotConverged
from shared.domain.trust.certificates import fingerprint, root_certificate
from shared.domain.trust.members import members_of
from shared.domain.trust.new_root import CertificateVersion, RootStep, draft, next_step, require_own_root, root_version
from shared.domain.trust.phases import Phase, Roots
from shared.domain.trust.roots import Rotation, root_tags
from shared.domain.trust.rounds import apply_commands, begin_round, conclude_round, members_to_try, record_of
from shared.domain.trust.signals import CommandNotActedOn, PhaseProven, RotationEnded, RotationOnHold
from shared.domain.trust.state import (
    ROTATION,
    Hold,
    MemberOutcome,
    RotationRecord,
    RotationState,
    Round,
    RoundReport,
    StepProof,
)
from shared.wiring import services

app = df.Blueprint()


class RootVersion(msgspec.Struct, frozen=True, kw_only=True):
    """A version of a root in Key Vault."""

    certificate: str
    version: str


class EndedRotation(msgspec.Struct, frozen=True, kw_only=True):
    """A rotation that has come to its end, and its instance."""

    state: RotationState
    instance_id: str


@activity(app)
async def find_work(state: RotationState) -> Round:
    """The round that begins: who has to do what, by the trust domain's clusters as they are now."""
    mesh, domain = state.rotation.mesh, state.rotation.trust_domain
    available, unavailable = members_of(mesh, domain, await services().rotator.fleet())
    _log_refused_commands(state)
    state = begin_round(state, [*available, *unavailable], services().now())
    policy = await services().policy()
    return Round(
        state=state,
        members=members_to_try(state, {c: policy.at(domain, c).trust for c in available}, list(unavailable)),
        unavailable=[
            MemberOutcome(cluster=c, phase=state.phase, reason=reason, message=message, refused=True)
            for c, (reason, message) in unavailable.items()
        ],
        policy=policy.at(domain).trust,
    )


def _log_refused_commands(state: RotationState) -> None:
    """Log why some commands can't act, for instance because the phase was left meanwhile."""
    for command, why in apply_commands(state)[1].items():
        log(
            CommandNotActedOn(
                trust_domain=state.rotation.trust_domain,
                generation=state.rotation.generation,
                word=command,
                reason=why.reason,
                why=why.message,
            )
        )


@activity(app)
async def judge_round(report: RoundReport) -> RotationState:
    """Where the rotation stands after the round."""
    before, state = report.round.state, conclude_round(report, services().now())
    if state.phase is not before.phase:
        log(_phase_proven(state, before.phase))
    if state.hold and state.hold != before.hold:
        log(_on_hold(state, state.hold))
    return state


def _phase_proven(state: RotationState, phase: Phase) -> PhaseProven:
    return PhaseProven(
        trust_domain=state.rotation.trust_domain,
        generation=state.rotation.generation,
        phase=phase,
        next=state.phase,
        seen=state.seen,
    )


def _on_hold(state: RotationState, hold: Hold) -> RotationOnHold:
    return RotationOnHold(
        trust_domain=state.rotation.trust_domain,
        generation=state.rotation.generation,
        phase=state.phase,
        reason=hold.reason,
        why=hold.message,
        blockers=hold.blockers,
    )


@activity(app)
async def ensure_root(rotation: Rotation) -> Roots:
    """The new root is in Key Vault."""
    vault = services().rotator.key_vault
    versions, request = await vault.versions(rotation.new), await vault.latest_request(rotation.new)
    require_own_root(versions, rotation)
    step = next_step(versions, request)
    old_version, old = await vault.latest(rotation.old)
    if step is RootStep.DONE:
        new_version = root_version(versions).id
        new = await vault.certificate(rotation.new, new_version)
        return Roots(old=fingerprint(old), new=fingerprint(new), old_version=old_version, new_version=new_version)
    await _take_step(step, rotation, versions, old)
    raise NotConverged("RootUnderWay", f"creating {rotation.new}: {step}")


async def _take_step(
    step: RootStep, rotation: Rotation, versions: list[CertificateVersion], old: x509.Certificate
) -> None:
    vault, name = services().rotator.key_vault, rotation.new
    match step:
        case RootStep.CREATE_KEY | RootStep.REQUEST:
            hardware = await vault.hardware_protected(rotation.old)
            issuer = "Self" if step is RootStep.CREATE_KEY else "Unknown"
            await vault.request_version(name, issuer=issuer, new_key=step is RootStep.CREATE_KEY, hardware=hardware)
        case RootStep.MERGE:
            key = await vault.requested_key(name)
            policy = (await services().policy()).at(rotation.trust_domain).trust
            unsigned = root_certificate(rotation, key, old, services().now(), policy.root_lifetime)
            root = await vault.sign(unsigned, key, name, draft(versions).id)
            root.verify_directly_issued_by(root)
            await vault.merge(name, root, root_tags(rotation))
        case RootStep.DISABLE_DRAFT:
            await vault.disable(name, draft(versions).id)


@activity(app)
async def ensure_disabled(root: RootVersion) -> StepProof:
    """The root's key signs nothing any more; the certificate stays."""
    vault = services().rotator.key_vault
    if any(v.enabled and v.id == root.version for v in await vault.versions(root.certificate)):
        await vault.disable(root.certificate, root.version)
    return StepProof(at=services().now())


@activity(app)
async def close_record(ended: EndedRotation) -> RotationRecord:
    """The rotation's record is evidence: written once, never changed."""
    _log_refused_commands(ended.state)
    record, path = record_of(ended.state, services().now()), ROTATION.path(instance=ended.instance_id)
    if not await services().evidence.create(path, ROTATION.encoded(record)):
        return await services().evidence.get(ROTATION, path)
    log(RotationEnded(trust_domain=record.trust_domain, outcome=record.outcome))
    return record
