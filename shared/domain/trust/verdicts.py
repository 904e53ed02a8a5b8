"""What a gate concludes from what was seen.

A gate passes only on something seen: no proxies at all is a failed observation, not a proof.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import msgspec

from shared.domain.reasons import WaitingReason


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
    """What is wrong where a gate doesn't pass: the reason, of what it is true, and in which words."""

    reason: WaitingReason
    what: str
    words: str


def verdict_on(fault: GateFault, blockers: Sequence[str], faulty: int, seen: int) -> GateVerdict:
    """The judgement of a gate that has found the fault in so many of those that it has seen."""
    found = f"{faulty} of {seen} {fault.what} {fault.words}"
    return GateVerdict(
        reason="NothingSeen" if seen == 0 else fault.reason if faulty else "Proven",
        message=found if faulty else f"all {seen} {fault.what} are as they should be",
        blockers=tuple(blockers),
        seen=seen,
    )
