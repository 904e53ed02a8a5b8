"""The app without a part of it, and how far a search has to go to see that."""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any, NamedTuple

from local.explorer.hazards import Befalls, Happens, Hazards, old_root_ends_soon
from local.explorer.search import Bound, explored
from local.explorer.stand_in import changed, replaced
from shared.domain.trust.verdicts import GateVerdict

LINKERD, TRUST = "shared.domain.trust.linkerd", "shared.domain.trust"
QUIET = Bound(members=(1, 2), hazards=0, commands=1)
STRUCK = Bound(members=(1,), hazards=1, commands=0)
STRUCK_BACK = Bound(members=(1,), hazards=1, commands=0, back=True)
STRUCK_PAIR = Bound(members=(2,), hazards=1, commands=0)


def befalls(kind: Befalls) -> Bound:
    """One member, whom this may befall at any moment."""
    return STRUCK._replace(kinds=Hazards((kind,), ()))


def happens(kind: Happens) -> Bound:
    """One member, and this may happen between two rounds."""
    return STRUCK._replace(kinds=Hazards((), (kind,)))


TURNED = happens(old_root_ends_soon)._replace(back=True)


class Cut(NamedTuple):
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
            except Exception as error:  # whatever the app raises where it has a way on
                return (f"BROKEN: the app fails: {type(error).__name__}: {error}",)


def nothing(*_: Any, **__: Any) -> None:
    """A check that raises nothing, or an answer that is none."""
    return


def yes(*_: Any) -> bool:
    """A rule that always holds."""
    return True


def no(*_: Any) -> bool:
    """A rule that never holds."""
    return False


def passed(*_: Any, **__: Any) -> Any:
    """A gate that is always passed."""
    return GateVerdict(reason="Proven", message="", blockers=(), seen=1)


async def nothing_async(*_: Any) -> None:
    """The same, of an activity."""
    return


async def passed_async(*_: Any) -> Any:
    """The same, and when to look again."""
    return passed(), 60.0
