"""What a rotation would do to a member with Linkerd."""

from functions.trust.linkerd.bundle_steps import check_member
from shared.domain.trust.linkerd.waves import restartable
from shared.domain.trust.plan import MemberPlan
from shared.domain.trust.state import Member
from shared.wiring import services


async def plan_member(member: Member) -> MemberPlan:
    """Which workloads it would restart, and which pods it would wait for; raises what the member's check raises."""
    await check_member.work(member)
    async with services().rotator.linkerd.mesh(member.cluster) as mesh:
        workloads, proxies = await mesh.workloads(), await mesh.proxies()
    replaced = restartable(workloads, proxies)
    return MemberPlan(
        cluster=member.cluster,
        restarts=tuple(sorted({p.workload for p in replaced})),
        waits_for=tuple(sorted(p.id for p in proxies if p not in replaced)),
    )
