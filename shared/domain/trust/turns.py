"""Which members of a rotation work on a phase at the same time: a first one, then a share, then the next.

Rules:
- Where a phase changes what runs in clusters (`Stage.in_turns`), a wave begins once each member before it has
  proven the phase. What breaks something breaks it in one cluster first.
- The first wave is the members that a tag names, or one member. A member that can't be asked holds up no wave: the
  phase waits for it anyway.
- There is no time for this in modes swift and replace.
"""

from collections.abc import Collection
from math import ceil
from typing import NamedTuple

from shared.domain.trust.phases import STAGES, Mode, Phase

FIRST_TAG = "meshward:rotate-first"


class Turns(NamedTuple):
    """Who comes first (resource ids), and which fraction of the members is a wave after that."""

    first: Collection[str] = ()
    fraction: float = 1.0


def in_turn(
    phase: Phase, mode: Mode, members: Collection[str], proven: Collection[str], turns: Turns | None
) -> Collection[str]:
    """Which of the members may work on the phase by now, if those in `proven` have proven it."""
    if turns is None or mode is not Mode.ROUTINE or not STAGES[phase].in_turns:
        return members
    order = sorted(members, key=lambda cluster: (cluster not in turns.first, cluster))
    end = sum(cluster in turns.first for cluster in order) or 1
    while end < len(order) and all(cluster in proven for cluster in order[:end]):
        end += max(1, ceil(len(order) * turns.fraction))
    return order[:end]
