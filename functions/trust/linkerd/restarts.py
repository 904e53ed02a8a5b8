"""Restarts of a member's workloads, wave by wave, until no proxy lacks what the phase needs."""

from datetime import datetime
from typing import TYPE_CHECKING

from functions.engine.logs import log
from functions.trust.gates import BLOCKERS_IN_MESSAGE
from shared.domain.errors import NotConverged
from shared.domain.resource_id import name_of
from shared.domain.trust.linkerd.facts import Proxy
from shared.domain.trust.linkerd.waves import named_blockers, next_restarts, restartable, rolling
from shared.domain.trust.signals import WorkloadRestarted
from shared.domain.trust.state import Member, StepProof
from shared.wiring import services

if TYPE_CHECKING:
    from shared.adapters.meshes.linkerd import LinkerdMesh


async def ensure_restarted(
    member: Member, mesh: "LinkerdMesh", lacking: list[Proxy], proxies: list[Proxy], since: datetime
) -> StepProof:
    """Restart the next wave of proxies that lack what is there `since`; raises NotConverged until none is left."""
    now, workloads = services().now(), await mesh.workloads()
    stale = restartable(workloads, lacking)
    for workload in next_restarts(workloads, stale, now, member.policy, since=since):
        await mesh.restart(workload, now)
        log(WorkloadRestarted(cluster=member.cluster, workload=workload.id, phase=member.phase))
    if stale or rolling(workloads, [p for p in proxies if p.roots is None]):
        name, blockers = name_of(member.cluster), named_blockers(lacking, workloads)
        listed = ", ".join(blockers[:BLOCKERS_IN_MESSAGE]) or "none"
        message = f"{len(stale)} proxies of {name} wait for their restart: {listed}"
        raise NotConverged("RollingOut", message, blockers=[f"{name}/{blocker}" for blocker in blockers])
    return StepProof(at=now, seen=len(proxies))
