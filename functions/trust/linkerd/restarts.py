"""What the activities of a rotation share in a member: the look for drift before each, and the next restarts."""

from typing import TYPE_CHECKING

from functions.engine.logs import log
from functions.trust.gates import NAMED, name_of
from shared.domain.errors import NotConverged
from shared.domain.trust.linkerd.facts import Bundle, IssuerSecret, Proxy
from shared.domain.trust.linkerd.owners import check_drift, check_kept
from shared.domain.trust.linkerd.waves import blockers, next_restarts, restartable, rolling
from shared.domain.trust.rounds import Member, StepProof
from shared.domain.trust.signals import WorkloadRestarted
from shared.wiring import services

if TYPE_CHECKING:
    from shared.adapters.meshes.linkerd import LinkerdMesh


APART = 5.0  # seconds between a write and what follows: pods tell their age in whole seconds


async def kept(member: Member, mesh: "LinkerdMesh") -> tuple[Bundle, IssuerSecret]:
    """Bundle and issuer, which nobody has changed since they were written."""
    name, found, issuer = name_of(member), await mesh.bundle(), await mesh.issuer()
    check_drift(name, found)
    check_drift(name, issuer)
    check_kept(name, found, issuer)
    return found, issuer


async def restarted(member: Member, mesh: "LinkerdMesh", lacking: list[Proxy], proxies: list[Proxy]) -> StepProof:
    """Nothing is left to restart for the proxies that lack something; the next wave is begun where there is."""
    now, workloads = services().now(), await mesh.workloads()
    stale = restartable(workloads, lacking)
    for workload in next_restarts(workloads, stale, now, member.policy):
        await mesh.restart(workload, now)
        log(WorkloadRestarted(cluster=member.cluster, workload=workload.id, phase=member.phase))
    if stale or rolling(workloads, [p for p in proxies if p.roots is None]):
        named = blockers(lacking, workloads)
        message = f"{len(stale)} proxies of {name_of(member)} await their restart: {', '.join(named[:NAMED]) or 'none'}"
        raise NotConverged("RollingOut", message, blockers=[f"{name_of(member)}/{name}" for name in named])
    return StepProof(at=now, count=len(proxies))
