"""What a step does with the verdict of a gate: it ends with a proof, or waits. For every mesh.

What a gate judges differs by mesh, and is in the mesh's folder under shared/domain/trust.
"""

from functions.engine.logs import log
from shared.domain.errors import NotConverged
from shared.domain.resource_id import name_of
from shared.domain.trust.phases import Roots
from shared.domain.trust.signals import GateJudged
from shared.domain.trust.state import Member, StepProof
from shared.domain.trust.verdicts import GateVerdict
from shared.wiring import services

BLOCKERS_IN_MESSAGE = 5  # status and log name more


def roots_of(member: Member) -> Roots:
    """The two roots."""
    assert member.roots, "roots are made before any phase that needs them"
    return member.roots


def require_gate_passed(member: Member, verdict: GateVerdict, pause_seconds: float | None = None) -> StepProof:
    """The proof that the member has passed the gate; logs the verdict, raises NotConverged if it hasn't."""
    seen, blockers = verdict.seen, verdict.blockers
    log(GateJudged(cluster=member.cluster, phase=member.phase, reason=verdict.reason, seen=seen, blockers=blockers))
    return require_passed(member.cluster, verdict, pause_seconds)


def require_passed(cluster: str, verdict: GateVerdict, pause_seconds: float | None = None) -> StepProof:
    """The proof that the cluster is as the gate asks; raises NotConverged, with what blocks it, if it isn't."""
    if verdict.reason != "Proven":
        name = name_of(cluster)
        message = f"{name}: {verdict.message}: {', '.join(verdict.blockers[:BLOCKERS_IN_MESSAGE])}"
        blockers = [f"{name}/{blocker}" for blocker in verdict.blockers]
        raise NotConverged(verdict.reason, message, pause_seconds, blockers)
    return StepProof(at=services().now(), seen=verdict.seen)
