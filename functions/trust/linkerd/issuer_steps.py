"""The activities of a trust rotation around a member's issuer: made under the phase's root, live, every leaf renewed.

Each looks, judges and does at most one thing, as those of fleet_steps. Private keys live in an activity's memory alone.
"""

from typing import TYPE_CHECKING

import azure.durable_functions as df

from functions.engine.activities import activity
from functions.trust.gates import name_of, roots_of, through
from functions.trust.linkerd.issuing import Place, Signer, issue, proven_live
from functions.trust.linkerd.restarts import APART, kept, restarted
from shared.domain.errors import NotConverged
from shared.domain.trust.linkerd.certificates import issuer_expiry
from shared.domain.trust.linkerd.gates import leaf_gate, started_after, until_renewed, worth_reading_on
from shared.domain.trust.linkerd.owners import check_drift
from shared.domain.trust.phases import STAGES
from shared.domain.trust.policy import LEAF_LIFETIME
from shared.domain.trust.rounds import Member, StepProof
from shared.wiring import services

if TYPE_CHECKING:
    from shared.adapters.meshes.linkerd import LinkerdMesh

app = df.Blueprint()


@activity(app)
async def ensure_issuer(member: Member) -> StepProof:
    """The member's issuer is signed by the root of the phase."""
    signer = await _signer(member)
    async with services().rotator.linkerd.mesh(member.cluster) as mesh:
        found, now = await mesh.issuer(), services().now()
        check_drift(name_of(member), found)
        if found.applied is None or issuer_expiry(found.certificate, signer.certificate, now) is None:
            await issue(_place(member, mesh), found, signer, now)
            raise NotConverged("IssuerWritten", f"the issuer of {name_of(member)} is written", APART)
    return StepProof(at=now)


@activity(app)
async def verify_issuer(member: Member) -> StepProof:
    """Every replica of the identity controller uses the phase's issuer; one that missed it is restarted."""
    signer = await _signer(member)
    async with services().rotator.linkerd.mesh(member.cluster) as mesh:
        found, now = await mesh.issuer(), services().now()
        check_drift(name_of(member), found)
        expires = issuer_expiry(found.certificate, signer.certificate, now)
        if expires is None or found.applied is None:
            raise NotConverged("IssuerChanged", f"somebody has changed the issuer of {name_of(member)}: put it back")
        return through(member, await proven_live(_place(member, mesh), found.applied, expires, now))


@activity(app)
async def verify_leaves(member: Member) -> StepProof:
    """Gate B2: every live proxy has got its leaf since the new issuer was proven."""
    assert member.since is not None
    async with services().rotator.linkerd.mesh(member.cluster) as mesh:
        await kept(member, mesh)
        config, proxies = await mesh.config(), await mesh.proxies()
        life, now = config.leaf_life if config else LEAF_LIFETIME, services().now()
        older = [p for p in proxies if not started_after(p, member.since)]
        older.sort(key=lambda p: p.created, reverse=True)  # the youngest renews last
        refreshed = await mesh.refreshed(older[:1], life)
        if worth_reading_on(refreshed.values(), member.since, life, now):
            refreshed |= await mesh.refreshed(older[1:], life)
        pause = until_renewed(refreshed.values(), life, now)
        return through(member, leaf_gate(proxies, refreshed, member.since), pause)


@activity(app)
async def ensure_renewed(member: Member) -> StepProof:
    """Whatever can be restarted has done so since the issuer was proven: a proxy gets a new leaf at its start."""
    assert member.since is not None
    async with services().rotator.linkerd.mesh(member.cluster) as mesh:
        proxies = await mesh.pod_proxies()
        return await restarted(member, mesh, [p for p in proxies if not started_after(p, member.since)], proxies)


async def _signer(member: Member) -> Signer:
    """The root that signs the phase's issuers."""
    rotation, roots = member.rotation, roots_of(member)
    slot = STAGES[member.phase].signer
    name, version = rotation.certificate(slot), roots.version(slot)
    return Signer(name, version, await services().rotator.key_vault.certificate(name, version))


def _place(member: Member, mesh: "LinkerdMesh") -> Place:
    return Place(member.cluster, member.rotation.trust_domain, mesh, member.policy)
