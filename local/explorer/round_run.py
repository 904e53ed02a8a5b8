"""A run of the app's own orchestrator for the length of one round, whose members' outcomes are given."""

import asyncio
from collections.abc import Awaitable, Generator
from typing import Any

from functions.trust.fleet_steps import find_work, judge_round
from functions.trust.rotation import rotate_trust_root
from local.explorer.roots import ROTATION
from local.explorer.world import Surroundings
from shared.domain.errors import PermanentError, TemporaryError
from shared.domain.trust.moves import RotationEvent
from shared.domain.trust.state import MemberOutcome, RotationState, Round

_TRIES = 5


class RoundRun:
    """A runbook whose steps are done at once, for one round."""

    def __init__(
        self,
        world: Surroundings,
        loop: asyncio.AbstractEventLoop,
        begun: Round | PermanentError,
        outcomes: list[MemberOutcome],
        commands: list[RotationEvent],
    ) -> None:
        self.instance_id = ROTATION.instance_id
        self._world, self._loop, self._begun = world, loop, begun
        self._outcomes, self._commands = outcomes, commands
        self._judged: RotationState | None = None
        self._next: RotationState | None = None

    def through(self, state: RotationState) -> RotationState:
        """The state with which the run goes on, or has ended."""
        for _ in rotate_trust_root.work(self, state):  # type: ignore[arg-type]
            raise AssertionError("every step is done at once")
        found = self._next or self._judged
        assert found
        return found

    def listen(self, *names: str) -> "RoundRun":
        return self

    def received(self) -> list[RotationEvent]:
        return self._commands

    def wait(self, time: object) -> Generator[Any, Any, list[str]]:
        return []
        yield

    def phase(self, name: str, **facts: object) -> None:
        return

    def continue_as_new(self, state: RotationState) -> None:
        self._next = state

    def sharded_flows(self, flow: object, requests: object, part: str = "") -> Generator[Any, Any, list[MemberOutcome]]:
        return self._outcomes
        yield

    def step(
        self, activity: Any, request: Any, *, every: object = None, deadline: object = None
    ) -> Generator[Any, Any, Any]:
        if activity is find_work:
            if isinstance(self._begun, PermanentError):
                raise self._begun
            return self._begun
        if activity is judge_round:
            self._judged = at_once(judge_round.work(request))
            return self._judged
        self._world.made |= activity.name == "ensure_root"
        done = self._done(activity, request)
        return done
        yield

    def _done(self, activity: Any, request: Any) -> Any:
        for _ in range(_TRIES):
            try:
                return self._loop.run_until_complete(activity.work(request))
            except TemporaryError:
                continue
        raise AssertionError(f"{activity.name} doesn't end")


def at_once[T](work: Awaitable[T]) -> T:
    """What comes of work that never waits."""
    try:
        work.__await__().send(None)
    except StopIteration as ended:
        return ended.value  # type: ignore[no-any-return]
    raise AssertionError("it waits")
