"""The app without one of its rules, moves, steps or facts of a phase: a search has to find what that breaks.

Rules:
- Where the app has a table (moves, phases, steps), there is a mutant for every row of it. So a new row has its mutant.
- A rule that a function keeps is cut by what takes the function's place.
- A mutant is searched within the smallest bound that shows what it breaks.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from typing import Any, NamedTuple

from msgspec.structs import replace

from functions.trust.linkerd.phases import PHASES
from local.explorer.member_work import steps_of
from local.explorer.roots import BEGIN, ROTATION
from local.explorer.search import Bound, explored
from local.explorer.stand_in import changed, replaced
from shared.domain.trust.moves import MOVES, TABLE, RotationEvent
from shared.domain.trust.phases import STAGES, Mode, Phase, Slot
from shared.domain.trust.policy import TrustPolicy
from shared.domain.trust.state import Member, StepProof

QUIET = Bound(members=(1, 2), hazards=0, commands=1)
STRUCK = Bound(members=(1,), hazards=1, commands=0)
STRUCK_PAIR = Bound(members=(2,), hazards=1, commands=0)


class Mutant(NamedTuple):
    """What is changed of the app, and how far a search has to go to see it."""

    tables: tuple[tuple[dict[Any, Any], Mapping[Any, Any]], ...] = ()
    functions: Mapping[str, Callable[..., Any]] = {}
    bound: Bound = QUIET

    def story(self) -> tuple[str, ...]:
        """How the app without it breaks a promise; empty: the search doesn't see it."""
        with ExitStack() as stack:
            for table, rows in self.tables:
                stack.enter_context(changed(table, rows=dict(rows)))
            for name, by in self.functions.items():
                stack.enter_context(replaced(name, by))
            try:
                return explored(self.bound).story
            except Exception as error:  # noqa: BLE001  # whatever the app raises where it has a way on
                return (f"BROKEN: the app fails: {type(error).__name__}: {error}",)
