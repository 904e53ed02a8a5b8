"""Which mesh is rotated by which room, and what such a room provides: the one place that names them all."""

from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple

from functions.engine.durable import Runbook, Steps
from functions.trust.linkerd import phases as linkerd
from shared.domain.trust.mesh import Mesh
from shared.domain.trust.phases import Phase
from shared.domain.trust.plan import MemberPlan
from shared.domain.trust.state import Member, StepProof


class MeshSteps(NamedTuple):
    """What a member does in each phase, and what a rotation would do to it."""

    phases: Mapping[Phase, Callable[[Runbook, Member], Steps[StepProof]]]
    plan: Callable[[Member], Awaitable[MemberPlan]]  # raises MeshwardError if the member isn't fit to take part


MESHES = {Mesh.LINKERD: MeshSteps(phases=linkerd.PHASES, plan=linkerd.plan_member)}
