"""Past a gate, or not yet: what the steps of every mesh make of its verdict.

What a gate judges is each mesh's own, and stands in its room under shared/domain/trust.
"""

from functions.engine.logs import log
from shared.domain.cluster import cluster_id
from shared.domain.errors import NotConverged
from shared.domain.trust.phases import Roots
from shared.domain.trust.rounds import Member, StepProof
from shared.domain.trust.signals import GateJudged
from shared.domain.trust.verdicts import GateVerdict
from shared.wiring import services

NAMED = 5  # blockers in a message; status and log name more


def roots_of(member: Member) -> Roots:
    """The two roots."""
    assert member.roots, "roots are made before any phase that needs them"
    return member.roots


def through(member: Member, verdict: GateVerdict, pause: float | None = None) -> StepProof:
    """Past the gate, or not yet."""
    seen, blockers = verdict.seen, verdict.blockers
    log(GateJudged(cluster=member.cluster, phase=member.phase, reason=verdict.reason, seen=seen, blockers=blockers))
    if verdict.reason != "Proven":
        named = [f"{name_of(member)}/{blocker}" for blocker in verdict.blockers]
        message = f"{name_of(member)}: {verdict.message}: {', '.join(verdict.blockers[:NAMED])}"
        raise NotConverged(verdict.reason, message, pause, named)
    return StepProof(at=services().now(), count=verdict.seen)


def name_of(member: Member) -> str:
    """The cluster's name in Azure."""
    return cluster_id(member.cluster).name
