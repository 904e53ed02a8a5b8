"""The activities of a trust rotation. Each looks at the world, asks shared.domain.trust*, and does at most one thing.

An activity that has done something, or waits for others, raises NotConverged and is called again; it finishes only on
what it has seen. So it may be killed or doubled at any point. Private keys live in an activity's memory alone.
"""

import logging
from datetime import datetime
from itertools import batched
from typing import TYPE_CHECKING, Any

import azure.durable_functions as df

from functions.durable import activity
from shared.domain.cluster import cluster_id
from shared.domain.errors import NotConverged
from shared.domain.trust import Candidate, Done, Member, Members, Retirement, Roots, Rotation, root_tags
from shared.domain.trust_certificates import (
    bundle,
    fingerprint,
    issuer_certificate,
    issuer_expiry,
    pem,
    root_certificate,
)
from shared.domain.trust_draft import Act, Version, draft, next_act, root_version
from shared.domain.trust_facts import IssuerSecret, Proxy
from shared.domain.trust_gates import (
    Verdict,
    Wanted,
    issuer_gate,
    leaf_gate,
    next_restarts,
    reload_missed,
    restartable,
    rolling,
    started_after,
    trust_gate,
    trusts,
    wanted_in,
)
from shared.domain.trust_members import check_bundle, check_config, check_owner, members_of
from shared.wiring import services

if TYPE_CHECKING:
    from shared.adapters.linkerd import Mesh

log = logging.getLogger("meshward")
app = df.Blueprint()

_READ_AT_ONCE = 8  # proxies whose metrics are read before the gate is judged
_APART = 5.0  # seconds between a write and what follows: pods tell their age in whole seconds


# prepare


@activity(app)
async def find_members(rotation: Rotation) -> Members:
    """The clusters of the trust domain."""
    members = members_of(rotation.trust_domain, await services().clusters.list())
    return Members(clusters=[c.id for c in members], at=services().now())


@activity(app)
async def check_member(candidate: Candidate) -> Done:
    """The cluster can be reached, and its mesh is of the trust domain and leaves bundle and issuer to us."""
    name = cluster_id(candidate.cluster).name
    _, old = await services().key_vault.latest(candidate.rotation.old)
    async with services().linkerd.mesh(candidate.cluster) as mesh:
        check_config(name, await mesh.config(), candidate.rotation)
        check_bundle(name, await mesh.bundle(), fingerprint(old))
        check_owner(name, await mesh.issuer())
        return Done(at=services().now(), count=len(await mesh.proxies()))


@activity(app)
async def ensure_root(rotation: Rotation) -> Roots:
    """The new root is in Key Vault."""
    vault = services().key_vault
    versions, request = await vault.versions(rotation.new), await vault.request(rotation.new)
    act = next_act(versions, request)
    old_version, old = await vault.latest(rotation.old)
    if act is Act.DONE:
        new_version = root_version(versions).id
        new = await vault.certificate(rotation.new, new_version)
        return Roots(old=fingerprint(old), new=fingerprint(new), old_version=old_version, new_version=new_version)
    await _make_root(act, rotation, versions, old)
    raise NotConverged("RootUnderWay", f"making {rotation.new}: {act}")


async def _make_root(act: Act, rotation: Rotation, versions: list[Version], old: Any) -> None:
    vault, name = services().key_vault, rotation.new
    match act:
        case Act.CREATE_KEY | Act.REQUEST:
            hardware = await vault.hardware_protected(rotation.old)
            issuer = "Self" if act is Act.CREATE_KEY else "Unknown"
            await vault.create(name, issuer=issuer, new_key=act is Act.CREATE_KEY, hardware=hardware)
        case Act.MERGE:
            key = await vault.requested_key(name)
            wanted = root_certificate(rotation, key, old, services().now())
            root = await vault.sign(wanted, key, name, draft(versions).id)
            root.verify_directly_issued_by(root)
            await vault.merge(name, root, root_tags(rotation))
        case Act.DISABLE_DRAFT:
            await vault.disable(name, draft(versions).id)


# distribute, retire


@activity(app)
async def ensure_bundle(member: Member) -> Done:
    """The member's bundle is that of the phase, and so is its copy beside the issuer."""
    old, new = await _roots(member)
    async with services().linkerd.mesh(member.cluster) as mesh:
        found, now = await mesh.bundle(), services().now()
        check_owner(_name(member), found)
        wanted = bundle(member.phase, found.text, old, new)
        if found.text != wanted or found.applied is None:
            await mesh.write_bundle(wanted, now)
            raise NotConverged("BundleWritten", f"the bundle of {_name(member)} is written", _APART)
        if (issuer := await mesh.issuer()).bundle != wanted:
            await mesh.write_issuer_bundle(issuer, wanted)
    return Done(at=now)


@activity(app)
async def ensure_control_plane(member: Member) -> Done:
    """Identity and injector have read the phase's bundle, before any workload is restarted."""
    async with services().linkerd.mesh(member.cluster) as mesh:
        wanted, proxies = wanted_in(member.phase, member.roots, await mesh.bundle()), await mesh.proxies()
        return await _renew(member, mesh, [p for p in proxies if p.roots is None], wanted)


@activity(app)
async def ensure_workloads(member: Member) -> Done:
    """Whatever can be restarted trusts the phase's roots."""
    async with services().linkerd.mesh(member.cluster) as mesh:
        wanted = wanted_in(member.phase, member.roots, await mesh.bundle())
        return await _renew(member, mesh, await mesh.proxies(), wanted)


async def _renew(member: Member, mesh: "Mesh", proxies: list[Proxy], wanted: Wanted) -> Done:
    now, workloads = services().now(), await mesh.workloads()
    stale = restartable(workloads, [p for p in proxies if not trusts(p, wanted)])
    for workload in next_restarts(workloads, stale, now):
        await mesh.restart(workload, now)
        log.info("restarted", extra={"cluster": member.cluster, "workload": workload.id, "phase": member.phase})
    if stale or rolling(workloads, proxies):
        names = ", ".join([p.id for p in stale][:5]) or "none"
        raise NotConverged("RollingOut", f"{len(stale)} proxies of {_name(member)} await their restart: {names}")
    return Done(at=now, count=len(proxies))


@activity(app)
async def verify_trust(member: Member) -> Done:
    """Gate B1, and that of retire: every live proxy trusts the phase's roots and no other of ours."""
    async with services().linkerd.mesh(member.cluster) as mesh:
        wanted = wanted_in(member.phase, member.roots, await mesh.bundle())
        return _through(member, trust_gate(await mesh.proxies(), wanted))


@activity(app)
async def ensure_old_root_disabled(retirement: Retirement) -> Done:
    """The old root's key signs nothing any more; the certificate stays."""
    vault, rotation, roots = services().key_vault, retirement.rotation, retirement.roots
    if any(v.enabled and v.id == roots.old_version for v in await vault.versions(rotation.old)):
        await vault.disable(rotation.old, roots.old_version)
    return Done(at=services().now())


# activate, settle


@activity(app)
async def ensure_issuer(member: Member) -> Done:
    """The member's issuer is signed by the new root."""
    _, new = await _roots(member)
    async with services().linkerd.mesh(member.cluster) as mesh:
        found, now = await mesh.issuer(), services().now()
        if found.applied is None or issuer_expiry(found.certificate, new, now) is None:
            check_owner(_name(member), found)
            await _issue(member, mesh, found, new, now)
            raise NotConverged("IssuerWritten", f"the issuer of {_name(member)} is written", _APART)
    return Done(at=now)


async def _issue(member: Member, mesh: "Mesh", found: IssuerSecret, root: Any, now: datetime) -> None:
    from shared.adapters.keys import new_key

    public_key, private_key = new_key()
    wanted = issuer_certificate(member.rotation.trust_domain, public_key, root, now)
    issuer = await services().key_vault.sign(wanted, public_key, member.rotation.new, member.roots.new_version)
    trusted = (await mesh.bundle()).text
    await mesh.write_issuer(found, certificate=pem(issuer), key=private_key, bundle=trusted, now=now)


@activity(app)
async def verify_issuer(member: Member) -> Done:
    """Every replica of the identity controller uses the new issuer; one that missed it is restarted."""
    _, new = await _roots(member)
    async with services().linkerd.mesh(member.cluster) as mesh:
        found, now = await mesh.issuer(), services().now()
        expires = issuer_expiry(found.certificate, new, now)
        if expires is None or found.applied is None:
            raise NotConverged("IssuerChanged", f"somebody has changed the issuer of {_name(member)}: put it back")
        replicas = await mesh.identity_replicas(now)
        if missed := reload_missed(replicas, expires, found.applied, now):
            stale = [p for p in await mesh.proxies() if p.id in missed]
            for workload in next_restarts(await mesh.workloads(), stale, now):
                await mesh.restart(workload, now)
                log.warning("restarted for a missed reload", extra={"cluster": member.cluster, "pods": missed})
        return _through(member, issuer_gate(replicas, expires, found.applied))


@activity(app)
async def verify_leaves(member: Member) -> Done:
    """Gate B2: every live proxy has got its leaf since the new issuer was proven."""
    assert member.since is not None
    async with services().linkerd.mesh(member.cluster) as mesh:
        proxies, refreshed = await mesh.proxies(), dict[str, datetime | None]()
        for some in batched([p for p in proxies if not started_after(p, member.since)], _READ_AT_ONCE, strict=False):
            refreshed |= await mesh.refreshed(some)
            if not leaf_gate(some, refreshed, member.since).passed:
                break  # the rest can wait for the next look
        return _through(member, leaf_gate(proxies, refreshed, member.since))


async def _roots(member: Member) -> tuple[Any, Any]:
    """The certificates of the old root and the new one."""
    vault, rotation, roots = services().key_vault, member.rotation, member.roots
    return (
        await vault.certificate(rotation.old, roots.old_version),
        await vault.certificate(rotation.new, roots.new_version),
    )


def _through(member: Member, verdict: Verdict) -> Done:
    """Past the gate, or not yet."""
    fields = {"cluster": member.cluster, "phase": member.phase, "reason": verdict.reason, "seen": verdict.seen}
    log.info("gate judged", extra={**fields, "blockers": verdict.blockers})
    if not verdict.passed:
        blockers = ", ".join(verdict.blockers)
        raise NotConverged(verdict.reason, f"{_name(member)}: {verdict.message}: {blockers}")
    return Done(at=services().now(), count=verdict.seen)


def _name(member: Member) -> str:
    return cluster_id(member.cluster).name
