"""The activities of a trust rotation around a member's issuer: made under the phase's root, live, every leaf renewed.

Each observes, judges and does at most one thing, as those of fleet_steps. A private key is only ever in the
memory of the activity that makes it, and in the Secret.
"""

from datetime import datetime
from typing import TYPE_CHECKING

import azure.durable_functions as df

from functions.engine.activities import activity
from functions.trust.gates import require_gate_passed
from functions.trust.linkerd.issuing import PAUSE_AFTER_WRITE_SECONDS, look_at_reload, replace_issuer, signer_in
from functions.trust.linkerd.restarts import ensure_restarted
from functions.trust.linkerd.stages import leaves_verdict, replicas_verdict, require_signer_kept, require_trust_kept
from shared.domain.errors import NotConverged
from shared.domain.resource_id import name_of
from shared.domain.trust.linkerd.certificates import issuer_expiry
from shared.domain.trust.linkerd.facts import IssuerSecret, Proxy, ReloadLook
from shared.domain.trust.linkerd.gates import holds_older_leaf, issuer_gate
from shared.domain.trust.linkerd.owners import require_unchanged
from shared.domain.trust.phases import STAGES, Slot
from shared.domain.trust.state import Member, StepProof
from shared.wiring import services

if TYPE_CHECKING:
    from shared.adapters.meshes.linkerd import LinkerdMesh

app = df.Blueprint()


@activity(app)
async def ensure_issuer(member: Member) -> StepProof:
    """The member's issuer is signed by the root of the phase."""
    name, signer = name_of(member.cluster), await signer_in(member, STAGES[member.phase].signer)
    async with services().rotator.linkerd.mesh(member.cluster, member.trust_domain) as mesh:
        found, now = await mesh.issuer(), services().now()
        require_unchanged(name, found)
        if found.written_at is None or issuer_expiry(found.certificate, signer.certificate, now) is None:
            require_trust_kept(member, await mesh.bundle(), await mesh.proxies())
            roots = [await signer_in(member, slot) for slot in Slot]
            await replace_issuer(member, mesh, found, roots, now, signer)
            raise NotConverged("IssuerWritten", f"the issuer of {name} is written", PAUSE_AFTER_WRITE_SECONDS)
    return StepProof(at=now)


@activity(app)
async def verify_issuer(member: Member) -> StepProof:
    """Every replica of the identity controller uses the phase's issuer."""
    async with services().rotator.linkerd.mesh(member.cluster, member.trust_domain) as mesh:
        written_at, expires_at, now = await _issuer_written(member, mesh)
        verdict = issuer_gate(await mesh.identity_pods(now), expires_at, written_at)
        proof = require_gate_passed(member, verdict)
        require_trust_kept(member, await mesh.bundle(), await mesh.proxies())
        return proof


@activity(app)
async def look_for_missed(member: Member) -> ReloadLook:
    """Which replicas seem to have missed the phase's issuer; those that did minutes ago as well are restarted."""
    async with services().rotator.linkerd.mesh(member.cluster, member.trust_domain) as mesh:
        return await look_at_reload(member, mesh, *await _issuer_written(member, mesh))


async def _issuer_written(member: Member, mesh: "LinkerdMesh") -> tuple[datetime, datetime, datetime]:
    """When the phase's issuer was written, when it expires, and now; raises NotConverged if it isn't there."""
    name, signer = name_of(member.cluster), await signer_in(member, STAGES[member.phase].signer)
    found, now = await mesh.issuer(), services().now()
    require_unchanged(name, found)
    expires_at = issuer_expiry(found.certificate, signer.certificate, now)
    if expires_at is None or found.written_at is None:
        raise NotConverged("IssuerChanged", f"somebody has changed the issuer of {name}: undo the change")
    return found.written_at, expires_at, now


@activity(app)
async def verify_leaves(member: Member) -> StepProof:
    """Gate B2: every live proxy has got its leaf since the new issuer was proven, and both roots are still trusted."""
    async with services().rotator.linkerd.mesh(member.cluster, member.trust_domain) as mesh:
        issuer, proxies = await _require_stage(member, mesh)
        require_gate_passed(member, await replicas_verdict(member, mesh, issuer))
        verdict, pause_seconds = await leaves_verdict(member, mesh, proxies)
        return require_gate_passed(member, verdict, pause_seconds)


async def _require_stage(member: Member, mesh: "LinkerdMesh") -> tuple[IssuerSecret, list[Proxy]]:
    """The issuer and the proxies; raises PermanentError unless they are what the member has proven before."""
    bundle, issuer = await mesh.bundle(), await mesh.issuer()
    require_unchanged(name_of(member.cluster), bundle, issuer)
    await require_signer_kept(member, issuer)
    proxies = await mesh.proxies()
    require_trust_kept(member, bundle, proxies)
    return issuer, proxies


@activity(app)
async def ensure_renewed(member: Member) -> StepProof:
    """Each workload that can be restarted was, since the issuer was proven: a proxy gets a new leaf at its start."""
    assert member.activated_at
    async with services().rotator.linkerd.mesh(member.cluster, member.trust_domain) as mesh:
        await _require_stage(member, mesh)
        proxies = await mesh.pod_proxies()
        lacking = [p for p in proxies if holds_older_leaf(p, member.activated_at)]
        return await ensure_restarted(member, mesh, lacking, proxies, member.activated_at)
