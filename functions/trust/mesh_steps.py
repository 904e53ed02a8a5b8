"""What a mesh provides so that its trust domains can be rotated."""

from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple

from functions.engine.durable import Runbook, Steps
from shared.domain.trust.phases import Phase
from shared.domain.trust.plan import MemberPlan
from shared.domain.trust.state import Member, StepProof

type PhaseSteps = Callable[[Runbook, Member], Steps[StepProof]]


class MeshSteps(NamedTuple):
    """What a member does in each phase, and what a rotation would do to it."""

    phases: Mapping[Phase, PhaseSteps]
    plan: Callable[[Member], Awaitable[MemberPlan]]  # raises MeshwardError if the member isn't fit to take part
