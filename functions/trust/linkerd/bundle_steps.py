"""The activities of a trust rotation around a member's bundle: is it fit, the bundle of the phase, restarts, the gate.

Each looks, judges and does at most one thing, as those of fleet_steps.
"""

from typing import TYPE_CHECKING, Any

import azure.durable_functions as df

from functions.engine.activities import activity
from functions.trust.gates import name_of, roots_of, through
from functions.trust.linkerd.restarts import APART, kept, restarted
from shared.domain.errors import NotConverged
from shared.domain.trust.certificates import fingerprint
from shared.domain.trust.linkerd.certificates import bundle
from shared.domain.trust.linkerd.facts import Proxy
from shared.domain.trust.linkerd.fitness import check_bundle, check_config, check_links, check_permissions
from shared.domain.trust.linkerd.gates import Wanted, trust_gate, trusts, wanted_in
from shared.domain.trust.linkerd.owners import check_drift, check_owner
from shared.domain.trust.rounds import Member, StepProof
from shared.wiring import services

if TYPE_CHECKING:
    from shared.adapters.meshes.linkerd import LinkerdMesh

app = df.Blueprint()


@activity(app)
async def check_member(member: Member) -> StepProof:
    """The cluster can be reached, and its mesh is of the trust domain and leaves bundle and issuer to us."""
    name = name_of(member)
    roots = await _known_roots(member)
    async with services().rotator.linkerd.mesh(member.cluster) as mesh:
        check_config(name, await mesh.config(), member.rotation)
        check_bundle(name, await mesh.bundle(), roots)
        check_owner(name, await mesh.issuer())
        check_permissions(name, await mesh.missing_permissions())
        if links := await mesh.links():
            check_links(name, links, member.rotation.trust_domain, await services().rotator.clusters.list())
        return StepProof(at=services().now(), count=len(await mesh.proxies()))


async def _known_roots(member: Member) -> frozenset[str]:
    """The fingerprints of the old root, and of the new one if it is there: members may have come to it already."""
    vault, rotation = services().rotator.key_vault, member.rotation
    _, old = await vault.latest(rotation.old)
    made = [await vault.certificate(rotation.new, v.id) for v in await vault.versions(rotation.new) if v.is_root]
    return frozenset(fingerprint(root) for root in (old, *made))


@activity(app)
async def ensure_bundle(member: Member) -> StepProof:
    """The member's bundle is that of the phase, and so is its copy beside the issuer."""
    old, new = await _roots(member)
    async with services().rotator.linkerd.mesh(member.cluster) as mesh:
        (found, issuer), now = await kept(member, mesh), services().now()
        check_owner(name_of(member), found)
        wanted = bundle(member.phase, found.text, old, new)
        if found.text != wanted or found.applied is None:
            await mesh.write_bundle(found, wanted, now)
            raise NotConverged("BundleWritten", f"the bundle of {name_of(member)} is written", APART)
        if issuer.bundle != wanted:
            await mesh.write_issuer_bundle(issuer, wanted)
    return StepProof(at=now)


@activity(app)
async def ensure_control_plane(member: Member) -> StepProof:
    """Identity and injector have read the phase's bundle, before any workload is restarted."""
    async with services().rotator.linkerd.mesh(member.cluster) as mesh:
        wanted, proxies = await _wanted(member, mesh), await mesh.pod_proxies()
        return await _renew(member, mesh, [p for p in proxies if p.roots is None], wanted)


@activity(app)
async def ensure_workloads(member: Member) -> StepProof:
    """Whatever can be restarted trusts the phase's roots."""
    async with services().rotator.linkerd.mesh(member.cluster) as mesh:
        return await _renew(member, mesh, await mesh.pod_proxies(), await _wanted(member, mesh))


async def _wanted(member: Member, mesh: "LinkerdMesh") -> Wanted:
    found = await mesh.bundle()
    check_drift(name_of(member), found)
    return wanted_in(member.phase, roots_of(member), found)


async def _renew(member: Member, mesh: "LinkerdMesh", proxies: list[Proxy], wanted: Wanted) -> StepProof:
    return await restarted(member, mesh, [p for p in proxies if not trusts(p, wanted)], proxies)


@activity(app)
async def verify_trust(member: Member) -> StepProof:
    """Gate B1, and that of retire: every live proxy trusts the phase's roots and no other of ours."""
    async with services().rotator.linkerd.mesh(member.cluster) as mesh:
        wanted, proxies = await _wanted(member, mesh), await mesh.proxies()
        verdict = trust_gate(proxies, wanted)
        if not verdict.passed:
            verdict = trust_gate(proxies, wanted, await mesh.workloads())
        return through(member, verdict)


async def _roots(member: Member) -> tuple[Any, Any]:
    """The certificates of the old root and the new one."""
    vault, rotation, roots = services().rotator.key_vault, member.rotation, roots_of(member)
    return (
        await vault.certificate(rotation.old, roots.old_version),
        await vault.certificate(rotation.new, roots.new_version),
    )
