"""The activities of a trust rotation in one member: its bundle, restarts, issuer, and the gates over its proxies.

Each looks, judges and does at most one thing, as those of trust_steps. Private keys live in an activity's memory alone.
"""

import logging
from typing import TYPE_CHECKING, Any

import azure.durable_functions as df

from functions.durable import activity
from functions.issuing import Place, Signer, issue, proven_live
from shared.domain.cluster import cluster_id
from shared.domain.errors import NotConverged
from shared.domain.trust import STAGES, Roots, Slot
from shared.domain.trust_certificates import bundle, fingerprint, issuer_expiry
from shared.domain.trust_course import Done, Member
from shared.domain.trust_facts import Bundle, IssuerSecret, Proxy
from shared.domain.trust_gates import (
    Verdict,
    Wanted,
    leaf_gate,
    started_after,
    trust_gate,
    trusts,
    until_renewed,
    wanted_in,
    worth_reading_on,
)
from shared.domain.trust_members import check_bundle, check_config, check_links, check_permissions
from shared.domain.trust_owners import check_drift, check_kept, check_owner
from shared.domain.trust_policy import LEAF_LIFETIME
from shared.domain.trust_waves import blockers, next_restarts, restartable, rolling
from shared.wiring import services

if TYPE_CHECKING:
    from shared.adapters.linkerd import Mesh

log = logging.getLogger("meshward")
app = df.Blueprint()

_APART = 5.0  # seconds between a write and what follows: pods tell their age in whole seconds
_NAMED = 5  # in messages; status and log name more


@activity(app)
async def check_member(member: Member) -> Done:
    """The cluster can be reached, and its mesh is of the trust domain and leaves bundle and issuer to us."""
    name = _name(member)
    roots = await _known_roots(member)
    async with services().linkerd.mesh(member.cluster) as mesh:
        check_config(name, await mesh.config(), member.rotation)
        check_bundle(name, await mesh.bundle(), roots)
        check_owner(name, await mesh.issuer())
        check_permissions(name, await mesh.missing_permissions())
        if links := await mesh.links():
            check_links(name, links, member.rotation.trust_domain, await services().clusters.list())
        return Done(at=services().now(), count=len(await mesh.proxies()))


async def _known_roots(member: Member) -> frozenset[str]:
    """The fingerprints of the old root, and of the new one if it is there: members may have come to it already."""
    vault, rotation = services().key_vault, member.rotation
    _, old = await vault.latest(rotation.old)
    made = [await vault.certificate(rotation.new, v.id) for v in await vault.versions(rotation.new) if v.is_root]
    return frozenset(fingerprint(root) for root in (old, *made))


@activity(app)
async def ensure_bundle(member: Member) -> Done:
    """The member's bundle is that of the phase, and so is its copy beside the issuer."""
    old, new = await _roots(member)
    async with services().linkerd.mesh(member.cluster) as mesh:
        (found, issuer), now = await _kept(member, mesh), services().now()
        check_owner(_name(member), found)
        wanted = bundle(member.phase, found.text, old, new)
        if found.text != wanted or found.applied is None:
            await mesh.write_bundle(found, wanted, now)
            raise NotConverged("BundleWritten", f"the bundle of {_name(member)} is written", _APART)
        if issuer.bundle != wanted:
            await mesh.write_issuer_bundle(issuer, wanted)
    return Done(at=now)


async def _kept(member: Member, mesh: "Mesh") -> tuple[Bundle, IssuerSecret]:
    """Bundle and issuer, which nobody has changed since they were written."""
    name, found, issuer = _name(member), await mesh.bundle(), await mesh.issuer()
    check_drift(name, found)
    check_drift(name, issuer)
    check_kept(name, found, issuer)
    return found, issuer


@activity(app)
async def ensure_control_plane(member: Member) -> Done:
    """Identity and injector have read the phase's bundle, before any workload is restarted."""
    async with services().linkerd.mesh(member.cluster) as mesh:
        wanted, proxies = await _wanted(member, mesh), await mesh.pod_proxies()
        return await _renew(member, mesh, [p for p in proxies if p.roots is None], wanted)


@activity(app)
async def ensure_workloads(member: Member) -> Done:
    """Whatever can be restarted trusts the phase's roots."""
    async with services().linkerd.mesh(member.cluster) as mesh:
        return await _renew(member, mesh, await mesh.pod_proxies(), await _wanted(member, mesh))


async def _wanted(member: Member, mesh: "Mesh") -> Wanted:
    found = await mesh.bundle()
    check_drift(_name(member), found)
    return wanted_in(member.phase, _fingerprints(member), found)


async def _renew(member: Member, mesh: "Mesh", proxies: list[Proxy], wanted: Wanted) -> Done:
    return await _restart(member, mesh, [p for p in proxies if not trusts(p, wanted)], proxies)


async def _restart(member: Member, mesh: "Mesh", lacking: list[Proxy], proxies: list[Proxy]) -> Done:
    now, workloads = services().now(), await mesh.workloads()
    stale = restartable(workloads, lacking)
    for workload in next_restarts(workloads, stale, now, member.policy):
        await mesh.restart(workload, now)
        log.info("restarted", extra={"cluster": member.cluster, "workload": workload.id, "phase": member.phase})
    if stale or rolling(workloads, [p for p in proxies if p.roots is None]):
        named = blockers(lacking, workloads)
        message = f"{len(stale)} proxies of {_name(member)} await their restart: {', '.join(named[:_NAMED]) or 'none'}"
        raise NotConverged("RollingOut", message, blockers=[f"{_name(member)}/{name}" for name in named])
    return Done(at=now, count=len(proxies))


@activity(app)
async def verify_trust(member: Member) -> Done:
    """Gate B1, and that of retire: every live proxy trusts the phase's roots and no other of ours."""
    async with services().linkerd.mesh(member.cluster) as mesh:
        wanted, proxies = await _wanted(member, mesh), await mesh.proxies()
        verdict = trust_gate(proxies, wanted)
        if not verdict.passed:
            verdict = trust_gate(proxies, wanted, await mesh.workloads())
        return _through(member, verdict)


@activity(app)
async def ensure_issuer(member: Member) -> Done:
    """The member's issuer is signed by the root of the phase."""
    signer = await _signer(member)
    async with services().linkerd.mesh(member.cluster) as mesh:
        found, now = await mesh.issuer(), services().now()
        check_drift(_name(member), found)
        if found.applied is None or issuer_expiry(found.certificate, signer.certificate, now) is None:
            await issue(_place(member, mesh), found, signer, now)
            raise NotConverged("IssuerWritten", f"the issuer of {_name(member)} is written", _APART)
    return Done(at=now)


@activity(app)
async def verify_issuer(member: Member) -> Done:
    """Every replica of the identity controller uses the phase's issuer; one that missed it is restarted."""
    signer = await _signer(member)
    async with services().linkerd.mesh(member.cluster) as mesh:
        found, now = await mesh.issuer(), services().now()
        check_drift(_name(member), found)
        expires = issuer_expiry(found.certificate, signer.certificate, now)
        if expires is None or found.applied is None:
            raise NotConverged("IssuerChanged", f"somebody has changed the issuer of {_name(member)}: put it back")
        return _through(member, await proven_live(_place(member, mesh), found.applied, expires, now))


@activity(app)
async def verify_leaves(member: Member) -> Done:
    """Gate B2: every live proxy has got its leaf since the new issuer was proven."""
    assert member.since is not None
    async with services().linkerd.mesh(member.cluster) as mesh:
        await _kept(member, mesh)
        config, proxies = await mesh.config(), await mesh.proxies()
        life, now = config.leaf_life if config else LEAF_LIFETIME, services().now()
        older = [p for p in proxies if not started_after(p, member.since)]
        older.sort(key=lambda p: p.created, reverse=True)  # the youngest renews last
        refreshed = await mesh.refreshed(older[:1], life)
        if worth_reading_on(refreshed.values(), member.since, life, now):
            refreshed |= await mesh.refreshed(older[1:], life)
        pause = until_renewed(refreshed.values(), life, now)
        return _through(member, leaf_gate(proxies, refreshed, member.since), pause)


@activity(app)
async def ensure_renewed(member: Member) -> Done:
    """Whatever can be restarted has done so since the issuer was proven: a proxy gets a new leaf at its start."""
    assert member.since is not None
    async with services().linkerd.mesh(member.cluster) as mesh:
        proxies = await mesh.pod_proxies()
        return await _restart(member, mesh, [p for p in proxies if not started_after(p, member.since)], proxies)


async def _roots(member: Member) -> tuple[Any, Any]:
    """The certificates of the old root and the new one."""
    vault, rotation, roots = services().key_vault, member.rotation, _fingerprints(member)
    return (
        await vault.certificate(rotation.old, roots.old_version),
        await vault.certificate(rotation.new, roots.new_version),
    )


async def _signer(member: Member) -> Signer:
    """The root that signs the phase's issuers."""
    rotation, roots = member.rotation, _fingerprints(member)
    new = STAGES[member.phase].signer is Slot.NEW
    name, version = (rotation.new, roots.new_version) if new else (rotation.old, roots.old_version)
    return Signer(name, version, await services().key_vault.certificate(name, version))


def _place(member: Member, mesh: "Mesh") -> Place:
    return Place(member.cluster, member.rotation.trust_domain, mesh, member.policy)


def _fingerprints(member: Member) -> Roots:
    assert member.roots, "roots are made before any phase that needs them"
    return member.roots


def _through(member: Member, verdict: Verdict, pause: float | None = None) -> Done:
    """Past the gate, or not yet."""
    fields = {"cluster": member.cluster, "phase": member.phase, "reason": verdict.reason, "seen": verdict.seen}
    log.info("gate judged", extra={**fields, "blockers": verdict.blockers})
    if not verdict.passed:
        named = [f"{_name(member)}/{blocker}" for blocker in verdict.blockers]
        message = f"{_name(member)}: {verdict.message}: {', '.join(verdict.blockers[:_NAMED])}"
        raise NotConverged(verdict.reason, message, pause, named)
    return Done(at=services().now(), count=verdict.seen)


def _name(member: Member) -> str:
    return cluster_id(member.cluster).name
