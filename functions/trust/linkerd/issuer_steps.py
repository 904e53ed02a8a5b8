"""The activities of a trust rotation around a member's issuer: made under the phase's root, live, every leaf renewed.

Each observes, judges and does at most one thing, as those of fleet_steps. A private key is only ever in the
memory of the activity that makes it, and in the Secret.
"""

import azure.durable_functions as df

from functions.engine.activities import activity
from functions.trust.gates import require_gate_passed
from functions.trust.linkerd.issuing import PAUSE_AFTER_WRITE_SECONDS, ensure_reloaded, replace_issuer, signer_in
from functions.trust.linkerd.restarts import ensure_restarted
from shared.domain.errors import NotConverged
from shared.domain.resource_id import name_of
from shared.domain.trust.linkerd.certificates import issuer_expiry
from shared.domain.trust.linkerd.gates import leaf_gate, may_be_renewed, seconds_until_renewed, started_after
from shared.domain.trust.linkerd.owners import require_unchanged
from shared.domain.trust.phases import STAGES, Slot
from shared.domain.trust.policy import LEAF_LIFETIME
from shared.domain.trust.state import Member, StepProof
from shared.wiring import services

app = df.Blueprint()


@activity(app)
async def ensure_issuer(member: Member) -> StepProof:
    """The member's issuer is signed by the root of the phase."""
    name, signer = name_of(member.cluster), await signer_in(member, STAGES[member.phase].signer)
    async with services().rotator.linkerd.mesh(member.cluster, member.trust_domain) as mesh:
        found, now = await mesh.issuer(), services().now()
        require_unchanged(name, found)
        if found.written_at is None or issuer_expiry(found.certificate, signer.certificate, now) is None:
            roots = [await signer_in(member, slot) for slot in Slot]
            await replace_issuer(member, mesh, found, roots, now, signer)
            raise NotConverged("IssuerWritten", f"the issuer of {name} is written", PAUSE_AFTER_WRITE_SECONDS)
    return StepProof(at=now)


@activity(app)
async def verify_issuer(member: Member) -> StepProof:
    """Every replica of the identity controller uses the phase's issuer; one that missed it is restarted."""
    name, signer = name_of(member.cluster), await signer_in(member, STAGES[member.phase].signer)
    async with services().rotator.linkerd.mesh(member.cluster, member.trust_domain) as mesh:
        found, now = await mesh.issuer(), services().now()
        require_unchanged(name, found)
        expires_at = issuer_expiry(found.certificate, signer.certificate, now)
        if expires_at is None or found.written_at is None:
            raise NotConverged("IssuerChanged", f"somebody has changed the issuer of {name}: undo the change")
        verdict = await ensure_reloaded(member, mesh, found.written_at, expires_at, now)
        return require_gate_passed(member, verdict)


@activity(app)
async def verify_leaves(member: Member) -> StepProof:
    """Gate B2: every live proxy has got its leaf since the new issuer was proven."""
    assert member.activated_at
    async with services().rotator.linkerd.mesh(member.cluster, member.trust_domain) as mesh:
        require_unchanged(name_of(member.cluster), await mesh.bundle(), await mesh.issuer())
        config, proxies = await mesh.config(), await mesh.proxies()
        lifetime, now = config.leaf_lifetime if config else LEAF_LIFETIME, services().now()
        older = [p for p in proxies if not started_after(p, member.activated_at)]
        older.sort(key=lambda p: p.created_at, reverse=True)  # the youngest renews last
        refreshed_at = await mesh.leaves_refreshed_at(older[:1], lifetime)
        if may_be_renewed(refreshed_at.values(), member.activated_at, lifetime, now):
            refreshed_at |= await mesh.leaves_refreshed_at(older[1:], lifetime)
        pause_seconds = seconds_until_renewed(refreshed_at.values(), lifetime, now)
        return require_gate_passed(member, leaf_gate(proxies, refreshed_at, member.activated_at), pause_seconds)


@activity(app)
async def ensure_renewed(member: Member) -> StepProof:
    """Each workload that can be restarted was, since the issuer was proven: a proxy gets a new leaf at its start."""
    assert member.activated_at
    async with services().rotator.linkerd.mesh(member.cluster, member.trust_domain) as mesh:
        proxies = await mesh.pod_proxies()
        lacking = [p for p in proxies if not started_after(p, member.activated_at)]
        return await ensure_restarted(member, mesh, lacking, proxies)
