"""What a gate concludes from what was seen.

A gate is passed only on something seen: no proxies at all is a failed observation, not a proof.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import msgspec

from shared.domain.reasons import WaitingReason

MAX_BLOCKERS = 50  # that are named in a verdict or a hold


class GateVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """A gate's judgement: one CamelCase word, a sentence, what blocks it, and how many were seen."""

    reason: WaitingReason | Literal["Proven"]
    message: str
    blockers: tuple[str, ...]
    seen: int

    @property
    def passed(self) -> bool:
        return self.reason == "Proven"


class GateFault(NamedTuple):
    """Why a gate isn't passed: `subject` and `predicate` make a sentence, such as proxies, aren't renewed."""

    reason: WaitingReason
    subject: str
    predicate: str


def gate_verdict(fault: GateFault, blockers: Sequence[str], faulty: int, seen: int) -> GateVerdict:
    """The judgement of a gate that has found the fault in so many of those that it has seen."""
    nothing = f"no {fault.subject} were seen"
    found = f"{faulty} of {seen} {fault.subject} {fault.predicate}"
    return GateVerdict(
        reason="NothingSeen" if seen == 0 else fault.reason if faulty else "Proven",
        message=found if faulty else f"all {seen} {fault.subject} are as they should be" if seen else nothing,
        blockers=tuple(blockers),
        seen=seen,
    )
