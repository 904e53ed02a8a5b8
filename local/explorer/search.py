"""The search through every state that a small world can reach, and the end of each.

Rules:
- Between two rounds anything may happen that the world's hazards have, and an operator may give any command; but only
  so many of each on one path (`Bound`).
- In a round one member's work may stop at any point, or be struck. The others do nothing or all: how far two of them
  get in one round, they get in two.
- A state is left out where the same one was reached with as much still to come.
- From each state the rotation must come to an end by itself once the world gets better: nothing strikes any more,
  what was lost comes back, and each round gets as far as it can.
"""

import asyncio
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

from cryptography.x509 import Certificate

from local.explorer.fleet import Edge, FleetRounds
from local.explorer.hazards import ALL, Hazards
from local.explorer.roots import BEGIN, certificates
from local.explorer.stand_in import replaced
from local.explorer.state import MemberState, State
from local.explorer.world import Surroundings
from shared.domain.trust.linkerd import certificates as linkerd_certificates
from shared.domain.trust.linkerd import issuers as linkerd_issuers
from shared.domain.trust.moves import RotationEvent
from shared.domain.trust.phases import ENDS, Mode, Phase


class Bound(NamedTuple):
    """How far a search goes."""

    members: tuple[int, ...] = (1, 2)
    hazards: int = 1
    commands: int = 1
    kinds: Hazards = ALL
    back: bool = False  # whether it begins where an operator has aborted a rotation in settle
    short: bool = False  # whether the old root expires before a way back could end


class Findings(NamedTuple):
    """What a search has seen."""

    states: int
    transitions: int
    depth: int
    story: tuple[str, ...]  # how a promise is broken, step by step; empty: none is


def explored(bound: Bound) -> Findings:
    """Every state within the bound, up to the first one that breaks a promise."""
    return Search(bound).findings()


class _Reached(NamedTuple):
    before: "State | None"
    words: tuple[str, ...]
    depth: int


class Search:
    """One search, breadth first."""

    def __init__(self, bound: Bound) -> None:
        self._bound = bound
        self._reached: dict[State, _Reached] = {}
        self._budgets: dict[State, list[tuple[int, int]]] = {}
        self._ending: set[State] = set()  # states from which the rotation ends
        self._queue: deque[tuple[State, int, int]] = deque()
        self._transitions = 0

    def findings(self) -> Findings:
        """What the search sees."""
        with surroundings() as fleets:
            for start in _aborted(self._bound, fleets[False]) if self._bound.back else starts(self._bound):
                self._reach(start, None, (), self._bound.hazards, self._bound.commands)
            while self._queue:
                if story := self._expand(fleets):
                    return self._found(story)
        return self._found(())

    def _found(self, story: tuple[str, ...]) -> Findings:
        depth = max(one.depth for one in self._reached.values())
        return Findings(len(self._reached), self._transitions, depth, story)

    def _expand(self, fleets: "dict[bool, FleetRounds]") -> tuple[str, ...]:
        """Follow all that may happen in the next state; the story if that breaks a promise."""
        state, hazards, commands = self._queue.popleft()
        if state.phase in ENDS:
            return ()
        if story := self._endless(state, fleets):
            return story
        kinds = self._bound.kinds if hazards else None
        for edge in fleets[state.expired].edges(state, kinds, commands=commands > 0):
            self._transitions += 1
            if edge.fault:
                return (*self._story(state), *_broken(edge))
            self._reach(edge.after, state, edge.words, hazards - edge.struck, commands - edge.command)
        return ()

    def _reach(self, state: State, before: State | None, words: tuple[str, ...], hazards: int, commands: int) -> None:
        budgets = self._budgets.setdefault(state, [])
        if any(h >= hazards and c >= commands for h, c in budgets):
            return
        budgets.append((hazards, commands))
        depth = self._reached[before].depth + 1 if before else 0
        self._reached.setdefault(state, _Reached(before, words, depth))
        self._queue.append((state, hazards, commands))

    def _story(self, state: State) -> tuple[str, ...]:
        """How this state is reached."""
        steps: list[tuple[str, ...]] = []
        at: State | None = state
        while at is not None:
            steps.append(self._reached[at].words)
            at = self._reached[at].before
        return tuple(" ".join(step) for step in reversed(steps) if step)

    def _endless(self, state: State, fleets: dict[bool, FleetRounds]) -> tuple[str, ...]:
        """The story of this state if the rotation never ends from it, however good the world is; empty: it ends."""
        path: dict[State, tuple[str, ...]] = {}
        at = state
        while at.phase not in ENDS and at not in self._ending:
            if at in path:
                places = list(path)
                rest = [" ".join(path[one]) for one in places[places.index(at) :]]
                return (*self._story(state), "and then for ever:", *rest, "BROKEN: the rotation never ends")
            edge = next(edge for edge in fleets[at.expired].edges(at, None, commands=False) if edge.good or edge.fault)
            if edge.fault:
                return (*self._story(state), *(" ".join(words) for words in path.values()), *_broken(edge))
            path[at], at = edge.words, edge.after
        self._ending.update(path)
        return ()


def _broken(edge: Edge) -> tuple[str, ...]:
    return (" ".join(edge.words), f"BROKEN: {edge.fault}")


def starts(bound: Bound) -> Iterator[State]:
    """The states in which rotations begin."""
    for members in bound.members:
        fresh = State(members=(MemberState(),) * members, short=bound.short)
        yield fresh.canonical()
        yield fresh._replace(mode=Mode.SWIFT).canonical()
        yield fresh._replace(mode=Mode.REPLACE, expired=True).canonical()


def _aborted(bound: Bound, fleet: FleetRounds) -> Iterator[State]:
    """Rotations on their way back, which they have begun in settle."""
    for members in bound.members:
        at = State(members=(MemberState(),) * members).canonical()
        while at.phase is not Phase.SETTLE:
            at = next(edge.after for edge in fleet.edges(at, None, commands=False) if edge.good)
        yield at._replace(commands=(RotationEvent.ABORT,)).canonical()


@contextmanager
def surroundings() -> Iterator[dict[bool, FleetRounds]]:
    """The app's flows in worlds of the model, by whether the old root has expired."""
    loop, here = asyncio.new_event_loop(), list[Surroundings]()
    worlds = {expired: Surroundings(certificates(expired=expired)) for expired in (False, True)}
    with ExitStack() as stack:
        stack.callback(loop.close)
        for name, by in (("shared.wiring.services", lambda: here[-1]), *_QUICKER.items()):
            stack.enter_context(replaced(name, by))
        yield {expired: FleetRounds(world, loop, here) for expired, world in worlds.items()}


def _unsaid(signal: object) -> None:
    """A search logs nothing."""


def _as_it_is(text: str, longest: int = 0) -> str:
    """All texts of a search are its own."""
    return text


_REAL = (linkerd_certificates.issuer_expiry, linkerd_issuers.signed_by)


@cache
def _expiry(issuer_pem: str, root: Certificate) -> datetime | None:
    return _REAL[0](issuer_pem, root, BEGIN)


@cache
def _signer(cluster: str, issuer: Certificate, roots: tuple[Any, ...]) -> Any:
    return _REAL[1](cluster, issuer, roots)


_QUICKER: dict[str, Any] = {  # each gives the same answers as the real one, which checks signatures every time
    "functions.engine.logs.log": _unsaid,
    "shared.domain.errors.shown": _as_it_is,
    "shared.domain.trust.linkerd.certificates.issuer_expiry": lambda pem, root, now: _expiry(pem, root),
    "shared.domain.trust.linkerd.issuers.signed_by": lambda name, issuer, roots: _signer(name, issuer, tuple(roots)),
}
