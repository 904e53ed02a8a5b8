"""The rounds of a small world: the app's own orchestrator, with what may come of each member's work.

A round begins as `find_work` says. `Workshop` has the ends that each member's work may have. For each combination
`rotate_trust_root` runs again from the same state, and hands the next one on.
"""

import asyncio
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import product
from typing import NamedTuple

from msgspec.structs import replace

from functions.trust.fleet_steps import find_work
from local.explorer.cluster import Exposure
from local.explorer.hazards import Hazards, befallen, mended
from local.explorer.member_work import Result, Work, Workshop
from local.explorer.mesh import Act
from local.explorer.promises import (
    broken_by_command,
    broken_by_expiry,
    broken_by_move,
    misplaced_command,
    parted_by,
    unsaid,
)
from local.explorer.roots import ROTATION
from local.explorer.round_run import RoundRun, at_once
from local.explorer.state import GONE, NAMES, State, id_of
from local.explorer.world import FLEET_NOW, Surroundings
from shared.domain.errors import Conflict, PermanentError
from shared.domain.trust.exclusions import plan_exclusion
from shared.domain.trust.membership import Membership
from shared.domain.trust.moves import COMMANDS, RotationEvent, phase_after
from shared.domain.trust.phases import ENDS, Phase, Slot
from shared.domain.trust.rounds import conclude_round
from shared.domain.trust.state import RotationState, Round, RoundReport

_LATE = FLEET_NOW.replace(year=FLEET_NOW.year - 1)


class Edge(NamedTuple):
    """A round, or what happens between two."""

    words: tuple[str, ...]
    after: State
    struck: bool = False
    command: bool = False
    good: bool = False  # whether that is what happens where nothing strikes and each round gets as far as it can
    fault: str = ""  # the promise that was broken


class FleetRounds:
    """All that may follow from a state."""

    def __init__(self, world: Surroundings, loop: asyncio.AbstractEventLoop, here: list[Surroundings]) -> None:
        self._world, self._loop, self._here = world, loop, here
        self._workshop = Workshop(world, loop)

    def edges(self, state: State, hazards: Hazards | None, *, commands: bool) -> Iterator[Edge]:
        """What may follow; without hazards nothing strikes any more."""
        self._here[:] = [self._world]
        better = mended(state)
        if better is not None:
            yield Edge(("the world gets better",), better, good=True)
        for happens in hazards.happen if hazards else ():
            yield from (Edge((f"({words})",), after.canonical(), struck=True) for words, after in happens(state))
        for words, after in befallen(state, hazards) if hazards else ():
            yield Edge((f"({words})",), after.canonical(), struck=True)
        yield from self._rounds(state, hazards, commands=commands, good=better is None)

    def _rounds(self, state: State, hazards: Hazards | None, *, commands: bool, good: bool) -> Iterator[Edge]:
        rotation = self._look_at(state)
        begun = self._begun(rotation)
        if isinstance(begun, Round):
            if fault := broken_by_command(state, rotation, begun.state) or broken_by_expiry(state, begun.state):
                yield Edge((f"the round begins with {', '.join(state.commands)}",), state, fault=fault)
            if commands and (fault := misplaced_command(state)):
                yield Edge(("an operator gives a command",), state, fault=fault)
            if fault := self._silent(state, begun):
                yield Edge(("the phase takes too long",), state, fault=fault)
            works = [self._workshop.work(m, state.members[_place(m.cluster)].cluster, hazards) for m in begun.members]
        else:
            works = []
        combined = list(_combined(works))
        for n, results in enumerate(combined):
            yield self._round(state, begun, results, good=good and n == 0)
        for words, command, place in self._commands(state) if commands else ():
            for results in combined[:2]:
                yield self._round(state, begun, results, words=words, command=command, place=place)

    def _look_at(self, state: State) -> RotationState:
        """The rotation as it is in this state, with the world around it."""
        world, rotation = self._world, state.rotation(self._world.known)
        world.clusters, world.unknown, world.made = state.clusters(), state.unknown(), state.root_exists
        world.enabled = dict(zip(Slot, state.enabled, strict=True))
        world.ledger.ended.clear()
        world.membership = Membership(
            trust_domain=ROTATION.trust_domain,
            generation=ROTATION.generation,
            members=rotation.members,
            excluded=state.exclusions(),
        )
        return rotation

    def _begun(self, rotation: RotationState) -> Round | PermanentError:
        try:
            return at_once(find_work.work(rotation))
        except PermanentError as error:
            return error

    def _round(
        self,
        state: State,
        begun: Round | PermanentError,
        results: Sequence[Result],
        *,
        good: bool = False,
        words: str = "",
        command: RotationEvent | None = None,
        place: int | None = None,
    ) -> Edge:
        """The edge of a round with these results."""
        members = begun.members if isinstance(begun, Round) else []
        outcomes = [replace(r.outcome, cluster=m.cluster) for m, r in zip(members, results, strict=True)]
        self._look_at(state)
        run = RoundRun(self._world, self._loop, begun, outcomes, [command] if command else [])
        after = run.through(state.rotation(self._world.known))
        clusters = {m.cluster: r.cluster for m, r in zip(members, results, strict=True)}
        anew = {o.cluster for o in outcomes if o.proof}
        struck = {m.cluster for m, r in zip(members, results, strict=True) if r.struck} - anew
        moved = state._replace(
            enabled=(self._world.enabled[Slot.OLD], self._world.enabled[Slot.NEW]), root_exists=self._world.made
        ).after(after, clusters, anew=anew, struck=struck, worked=bool(members), left_out_now=place)
        said = tuple(
            f"{NAMES[_place(m.cluster)]}: {', '.join(r.words)}"
            for m, r in zip(members, results, strict=True)
            if r.words
        )
        refused = any(o.refused for o in outcomes)
        fault = (
            next((r.fault for r in results if r.fault), "")
            or self._parted(state, begun, results)
            or broken_by_move(state, moved)
            or (unsaid(after.hold) if refused else "")
        )
        head = f"[{state.phase}{'' if state.mode == 'routine' else f', {state.mode}'}]"
        tail = (f"then: {after.phase}",) if after.phase is not state.phase else ()
        return Edge(
            (head, *said, *((words,) if words else ()), *tail),
            moved,
            struck=any(r.struck for r in results),
            command=command is not None,
            good=good,
            fault=fault,
        )

    def _parted(self, state: State, begun: Round | PermanentError, results: Sequence[Result]) -> str:
        """Whether what one member's work did parts it from another."""
        if not isinstance(begun, Round) or begun.state.phase is Phase.REPLACE:
            return ""
        works = {_place(m.cluster): r for m, r in zip(begun.members, results, strict=True)}
        for one, result in works.items():
            for other, member in enumerate(state.members):
                struck = member.struck or (other in works and works[other].struck)
                if other == one or state.members[one].out or member.out or member.there == GONE or struck:
                    continue  # what has just befallen a cluster nobody can have seen
                seen = works[other].exposures if other in works else frozenset({member.cluster.exposure})
                if fault := _parting(result.acts, seen):
                    return fault
        return ""

    def _silent(self, state: State, begun: Round) -> str:
        """Whether a phase that takes too long isn't told of."""
        outcomes = [
            self._workshop.work(m, state.members[_place(m.cluster)].cluster, None).nothing for m in begun.members
        ]
        blocked = [replace(r.outcome, cluster=m.cluster) for m, r in zip(begun.members, outcomes, strict=True)]
        if begun.state.phase in ENDS or not (blocked or begun.unavailable):
            return ""
        late = replace(begun, state=replace(begun.state, phase_started_at=_LATE))
        return unsaid(conclude_round(RoundReport(round=late, outcomes=blocked), FLEET_NOW).hold)

    def _commands(self, state: State) -> Iterator[tuple[str, RotationEvent, int | None]]:
        """The commands that the API takes now."""
        if state.phase in ENDS:
            return
        for command in COMMANDS:
            try:
                phase_after(state.phase, command, state.mode)
            except Conflict:
                continue
            if command is not RotationEvent.EXCLUDE:
                yield f"an operator says {command}", command, None
                continue
            for place, one in enumerate(state.members):
                if not one.out and self._may_exclude(state, place):
                    yield f"an operator leaves {NAMES[place]} out", command, place

    def _may_exclude(self, state: State, place: int) -> bool:
        self._look_at(state)
        assert self._world.membership
        try:
            plan_exclusion("r", id_of(place), self._world.membership, state.phase, state.mode, FLEET_NOW)
        except Conflict:
            return False
        return True


def _combined(works: Sequence[Work]) -> Iterator[tuple[Result, ...]]:
    """All do all first; then each of them nothing or all, or one of them something in between."""
    yield from product(*((work.complete, work.nothing) for work in works))
    for n, work in enumerate(works):
        others = [(one.complete, one.nothing) for m, one in enumerate(works) if m != n]
        for mine in (*work.partial, *work.struck):
            for rest in product(*others):
                yield (*rest[:n], mine, *rest[n:])


@cache
def _parting(acts: tuple[Act, ...], seen: frozenset[Exposure]) -> str:
    return next((fault for act in acts for other in seen if (fault := parted_by(act, other))), "")


def _place(cluster: str) -> int:
    return NAMES.index(cluster.rpartition("/")[2])
