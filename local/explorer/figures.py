"""What the searches have seen: for docs/rotation.md and for the bench."""

import time
from functools import cache
from typing import Any

from local.explorer.search import Bound, Findings, explored
from local.tables import table

BOUNDS = {  # in words, for docs/rotation.md
    "1 or 2 members, a command at any moment": Bound(members=(1, 2), hazards=0, commands=1),
    "1 member, a hazard at any moment": Bound(members=(1,), hazards=1, commands=0),
    "2 members and those that join, a hazard at any moment": Bound(members=(2,), hazards=1, commands=0),
}
LARGER = {
    "pair_commands": Bound(members=(1, 2), hazards=0, commands=2),
    "one_hazard_command": Bound(members=(1,), hazards=1, commands=1),
    "three_members": Bound(members=(3,), hazards=0, commands=1),
}


@cache
def findings(name: str) -> Findings:
    """What the search within one of the usual bounds has seen; raises ValueError with the story of a broken promise."""
    found = explored(BOUNDS[name])
    if found.story:
        raise ValueError("\n".join(found.story))
    return found


def explored_table() -> str:
    """How many states there are within each bound."""
    rows = [(name, *(f"{n:,}" for n in findings(name)[:3])) for name in BOUNDS]
    return table(("world", "states", "transitions", "depth"), rows)


def measured() -> dict[str, Any]:
    """The figures of the larger bounds for `out/bench.json`; `broken` counts promises that aren't kept."""
    figures: dict[str, Any] = {"broken": 0}
    for name, bound in LARGER.items():
        begun = time.process_time()
        seen = explored(bound)
        figures |= {f"{name}_states": seen.states, f"{name}_transitions": seen.transitions, f"{name}_depth": seen.depth}
        figures[f"{name}_cpu_s"] = round(time.process_time() - begun, 1)
        figures["broken"] += bool(seen.story)
    return figures
