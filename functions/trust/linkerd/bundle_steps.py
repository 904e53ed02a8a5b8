"""The activities of a trust rotation around a member's bundle: is it fit, the bundle of the phase, restarts, the gate.

Each observes, judges and does at most one thing, as those of fleet_steps.
"""

from typing import TYPE_CHECKING

import azure.durable_functions as df

from functions.engine.activities import activity
from functions.trust.gates import require_gate_passed, roots_of
from functions.trust.linkerd.issuing import PAUSE_AFTER_WRITE_SECONDS, Signer, signer_in
from functions.trust.linkerd.restarts import ensure_restarted
from functions.trust.linkerd.stages import leaves_verdict, replicas_verdict, require_signer_kept
from functions.trust.roots import require_signs, rotation_roots
from shared.domain.errors import NotConverged
from shared.domain.resource_id import name_of
from shared.domain.trust.certificates import fingerprint
from shared.domain.trust.linkerd import fitness
from shared.domain.trust.linkerd.certificates import bundle_pem
from shared.domain.trust.linkerd.facts import Proxy
from shared.domain.trust.linkerd.gates import DesiredTrust, desired_trust, is_untouched, trust_gate, trusts
from shared.domain.trust.linkerd.issuers import require_possession
from shared.domain.trust.linkerd.owners import require_no_other_owner, require_unchanged
from shared.domain.trust.phases import STAGES, Slot
from shared.domain.trust.state import Member, StepProof
from shared.wiring import services

if TYPE_CHECKING:
    from shared.adapters.meshes.linkerd import LinkerdMesh

app = df.Blueprint()


@activity(app)
async def check_member(member: Member) -> StepProof:
    """The cluster can be reached, and its mesh is of the trust domain and leaves bundle and issuer to Meshward."""
    name = name_of(member.cluster)
    signers, now = await _signers(member), services().now()
    roots = fitness.trusted_roots(member, fingerprint(signers[0].certificate))
    async with services().rotator.linkerd.mesh(member.cluster, member.trust_domain) as mesh:
        fitness.require_config(name, await mesh.config(), member.trust_domain)
        fitness.require_bundle(name, await mesh.bundle(), roots)
        issuer = await mesh.issuer()
        require_no_other_owner(name, issuer)
        require_possession(name, issuer, signers, now)
        fitness.require_permissions(name, await mesh.missing_permissions())
        if links := await mesh.links():
            fitness.require_linked_members(name, links, member.trust_domain, await services().rotator.fleet())
        return StepProof(at=now, seen=len(await mesh.proxies()))


async def _signers(member: Member) -> list[Signer]:
    """The old root, and the new one if it is there: the member's issuer may be under it already."""
    vault = services().rotator.key_vault
    roots = await rotation_roots(member.rotation)
    return [Signer(r.certificate, r.version, await vault.certificate(r.certificate, r.version)) for r in roots]


@activity(app)
async def ensure_bundle(member: Member) -> StepProof:
    """The member's bundle is that of the phase, and so is its copy beside the issuer."""
    old, new = [(await signer_in(member, slot)).certificate for slot in (Slot.OLD, Slot.NEW)]
    name = name_of(member.cluster)
    async with services().rotator.linkerd.mesh(member.cluster, member.trust_domain) as mesh:
        bundle, issuer, now = await mesh.bundle(), await mesh.issuer(), services().now()
        require_unchanged(name, bundle, issuer)
        require_no_other_owner(name, bundle)
        desired = bundle_pem(member.phase, bundle.pem, old, new)
        if bundle.pem == desired and is_untouched(member.phase, bundle, issuer):
            return StepProof(at=now)
        if bundle.pem != desired or bundle.written_at is None:
            await require_signer_kept(member, issuer)
            if STAGES[member.phase].disables:
                await require_signs(*await signer_in(member, STAGES[member.phase].signer))
            await mesh.write_bundle(bundle, desired, now)
            raise NotConverged("BundleWritten", f"the bundle of {name} is written", PAUSE_AFTER_WRITE_SECONDS)
        if issuer.bundle != desired:
            await mesh.write_issuer_bundle(issuer, desired)
    return StepProof(at=now)


@activity(app)
async def ensure_control_plane(member: Member) -> StepProof:
    """Identity and injector have read the phase's bundle, before any workload is restarted."""
    async with services().rotator.linkerd.mesh(member.cluster, member.trust_domain) as mesh:
        proxies = await mesh.pod_proxies()
        return await _restart(member, mesh, [p for p in proxies if p.roots is None])


@activity(app)
async def ensure_workloads(member: Member) -> StepProof:
    """Whatever can be restarted trusts the phase's roots."""
    async with services().rotator.linkerd.mesh(member.cluster, member.trust_domain) as mesh:
        return await _restart(member, mesh, await mesh.pod_proxies())


async def _restart(member: Member, mesh: "LinkerdMesh", proxies: list[Proxy]) -> StepProof:
    desired = await _desired(member, mesh)
    if member.activated_at:  # linkerd-identity couldn't start again with an issuer that was put back
        await require_signer_kept(member, await mesh.issuer())
    return await ensure_restarted(
        member, mesh, [p for p in proxies if not trusts(p, desired)], proxies, desired.written_at
    )


async def _desired(member: Member, mesh: "LinkerdMesh") -> DesiredTrust:
    bundle = await mesh.bundle()
    require_unchanged(name_of(member.cluster), bundle)
    return desired_trust(member.phase, roots_of(member), bundle)


@activity(app)
async def verify_trust(member: Member) -> StepProof:
    """Gate B1, and that of retire: every live proxy trusts the phase's roots and no other of ours.

    Where issuers were replaced before, it proves again who signs, and which leaves live.
    """
    async with services().rotator.linkerd.mesh(member.cluster, member.trust_domain) as mesh:
        desired, proxies = await _desired(member, mesh), await mesh.proxies()
        verdict = trust_gate(proxies, desired)
        if not verdict.passed:
            verdict = trust_gate(proxies, desired, await mesh.workloads())
        proof = require_gate_passed(member, verdict)
        if member.activated_at and not STAGES[member.phase].downtime:
            issuer = await mesh.issuer()
            await require_signer_kept(member, issuer)
            require_gate_passed(member, await replicas_verdict(member, mesh, issuer))
            require_gate_passed(member, *await leaves_verdict(member, mesh, proxies))
        return proof
