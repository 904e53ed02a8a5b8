"""Durable Functions as Meshward uses them. No other folder imports their library.

Rules:
- A step is an activity called until it finishes or its deadline passes. Waiting is a durable timer; no activity sleeps.
- An orchestrator reads as a runbook: it decides nothing, does no I/O and reads no clock. It calls:

      step             an activity
      steps            activities side by side; those that aren't done are called again together
      chains           sequences of steps side by side, each at its own pace and in its own phase
      flows            an orchestration of its own, with its own history, for each request
      sharded_flows    an orchestration for every thirty-two requests
- A flow that lasts continues as new, with an empty history, so that no history grows without bound.
"""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from inspect import signature
from itertools import batched
from typing import Any, get_type_hints

import azure.durable_functions as df
import msgspec
from durabletask.task import CancellableTask, OrchestrationContext, Task, TaskFailedError, when_all, when_any

from functions.engine.activities import Activity
from functions.engine.outcomes import ActivityOutcome, Finished, Refused, Waiting
from shared.domain.errors import PermanentError, TemporaryError, shown
from shared.domain.pace import jitter, next_look
from shared.domain.unique import bounded

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
_REQUESTS_PER_FLOW = 32

type Steps[T] = Generator[Task[Any], Any, T]


class DeadlinePassed(PermanentError):
    """A step, named by its activity, didn't finish in time. `waited` is the error it last waited with."""

    def __init__(self, step: str, waited: TemporaryError) -> None:
        super().__init__("DeadlinePassed", f"{step} didn't finish in time: {waited.reason}: {waited.message}")
        self.step, self.waited = step, waited


@dataclass(frozen=True)
class Orchestrator[In, Out]:
    """An orchestrator with the types of its input and result."""

    name: str
    request: type[In]
    result: Any
    work: Callable[["Runbook", In], Steps[Out]]


def orchestrator[In, Out](
    app: df.Blueprint,
) -> Callable[[Callable[["Runbook", In], Steps[Out]]], Orchestrator[In, Out]]:
    """Register a runbook, a generator function of a `Runbook` and one struct, as an orchestrator of `app`."""

    def register(work: Callable[["Runbook", In], Steps[Out]]) -> Orchestrator[In, Out]:
        hints = get_type_hints(work)
        _, request_name = signature(work).parameters
        (result,) = hints["return"].__args__
        defined: Orchestrator[In, Out] = Orchestrator(work.__name__, hints[request_name], result, work)

        def run(context: OrchestrationContext, request: Any) -> Steps[Any]:
            done = yield from work(Runbook(context), msgspec.convert(request, defined.request))
            return msgspec.to_builtins(done)

        run.__name__ = work.__name__
        app.orchestration_trigger(context_name="context")(run)
        return defined

    return register


class Runbook:
    """One run of an orchestrator. Its phase, and what it waits for, are shown as the instance's custom status."""

    def __init__(self, context: OrchestrationContext) -> None:
        self._context = context
        self._phase = ""
        self._until = datetime.max  # noqa: DTZ901  # an orchestration tells its time in UTC without saying so

    @property
    def instance_id(self) -> str:
        return self._context.instance_id

    def phase(self, name: str, **facts: object) -> None:
        """Show that this phase begins, with facts about it."""
        self._phase = name
        self._context.set_custom_status({"phase": name, **facts})

    def show_waiting(self, step: str, reasons: Sequence[TemporaryError]) -> None:
        """Show which step the phase waits for, how many reasons there are, and the first of them."""
        first = reasons[0]
        status = {"phase": self._phase, "step": step, "reason": first.reason, "message": first.message}
        self._context.set_custom_status({**status, "waiting": len(reasons)})

    def limit(self, time: timedelta) -> None:
        """From now on, end every step of this run after this time at the latest."""
        self._until = self._now() + time

    def step[In, Out](
        self, activity: Activity[In, Out], request: In, *, every: timedelta = MINUTE, deadline: timedelta = HOUR
    ) -> Steps[Out]:
        """Call the activity until it finishes; raises PermanentError when it refuses or the deadline passes."""
        (result,) = yield from self.steps((activity, request), every=every, deadline=deadline)
        done: Out = result
        return done

    def steps(
        self, *steps: tuple[Activity[Any, Any], Any], every: timedelta = MINUTE, deadline: timedelta = HOUR
    ) -> Steps[list[Any]]:
        """Call activities, each with its request, side by side; the results in their order."""
        begun = self._now()
        until = min(self._until, begun + deadline)
        results: dict[int, Any] = {}
        retry_afters = 0
        while pending := [i for i in range(len(steps)) if i not in results]:
            outcomes = yield from self._call([steps[i] for i in pending])
            waits: list[tuple[str, TemporaryError]] = []
            for i, outcome in zip(pending, outcomes, strict=True):
                activity, _ = steps[i]
                match outcome:
                    case Finished(result):
                        results[i] = msgspec.convert(result, activity.result)
                    case Waiting():
                        waits.append((activity.name, outcome.error))
                    case Refused():
                        raise outcome.error
            if waits:
                retry_afters = retry_afters + 1 if any(wait.retry_after is not None for _, wait in waits) else 0
                yield from self._pause(waits, every, begun, until, retry_afters)
        return [results[i] for i in range(len(steps))]

    def chains(self, *several: Steps[Any]) -> Steps[list[Any]]:
        """Run chains of steps side by side, each at its own pace and in its own phase; their results in order.

        A chain that is refused holds up no other: its error is raised once all have ended.
        """
        phase = self._phase
        chains = [_Chain(steps, phase) for steps in several]
        refused: list[PermanentError] = []
        going = list(chains)
        while going:
            for chain in [chain for chain in going if chain.may_go_on]:
                self._phase = chain.phase
                if error := chain.go_on():
                    refused.append(error)
                chain.phase = self._phase
                going.remove(chain)  # to the end of the line, as histories have it
                going += [] if chain.ended else [chain]
            self._phase = phase
            if going:
                yield when_any([chain.awaited for chain in going if chain.awaited])
        if refused:
            raise refused[0]
        return [chain.result for chain in chains]

    def sharded_flows[In, Out](
        self, flow: Orchestrator[list[In], list[Out]], requests: Sequence[In], part: str = ""
    ) -> Steps[list[Out]]:
        """Like `flows`, but each flow takes up to thirty-two requests, so that no history grows long.

        A run that shards several times gives each time another `part`: the flows' ids hold it.
        """
        shards = [list(some) for some in batched(requests, _REQUESTS_PER_FLOW, strict=False)]
        results: list[list[Out]] = yield from self.flows(flow, shards, part)
        return [result for shard in results for result in shard]

    def flows[In, Out](self, flow: Orchestrator[In, Out], requests: Sequence[In], part: str = "") -> Steps[list[Out]]:
        """Run a flow for each request, side by side; the results in their order. Their ids hold `part` and a number."""
        results = yield when_all(
            [
                self._context.call_sub_orchestrator(
                    flow.name,
                    input=msgspec.to_builtins(request),
                    instance_id=bounded(f"{self.instance_id}{part}-{number}"),
                )
                for number, request in enumerate(requests)
            ]
        )
        return [msgspec.convert(result, flow.result) for result in results]

    def pause(self, time: timedelta) -> Steps[None]:
        """Wait for this long."""
        yield self._context.create_timer(self._now() + time)

    def jitter(self, most: timedelta) -> Steps[None]:
        """Wait for up to `most`, differently from run to run: runs that were started together don't go on together."""
        yield from self.pause(jitter(self.instance_id, self._now(), most))

    def listen(self, *names: str) -> "EventInbox":
        """The external events of these names that reach this run from now on."""
        return EventInbox(self._context, {name: self._context.wait_for_external_event(name) for name in names})

    def continue_as_new(self, request: object) -> None:
        """Start over with this request and an empty history. Events that nothing has waited for yet are kept."""
        self._context.continue_as_new(msgspec.to_builtins(request), save_events=True)

    def _call(self, steps: Sequence[tuple[Activity[Any, Any], Any]]) -> Steps[list[ActivityOutcome]]:
        calls: list[Task[Any]] = [
            self._context.call_activity(activity.name, input=msgspec.to_builtins(request))
            for activity, request in steps
        ]
        try:
            records = yield when_all(calls)
        except TaskFailedError as error:
            names = ", ".join(dict.fromkeys(activity.name for activity, _ in steps))
            raise PermanentError("StepBroken", f"{names} broke: {shown(str(error))}") from error
        outcomes: list[ActivityOutcome] = msgspec.convert(records, list[ActivityOutcome])
        return outcomes

    def _pause(
        self,
        waits: list[tuple[str, TemporaryError]],
        every: timedelta,
        begun: datetime,
        until: datetime,
        retry_afters: int,
    ) -> Steps[None]:
        """Wait until it is time to try again; the first of those that wait is shown.

        `retry_afters` is how often in a row a service has said when that is.
        """
        (step, _), reasons = waits[0], [reason for _, reason in waits]
        resume_at = next_look(self.instance_id, self._now(), begun, every, reasons, retry_afters)
        if resume_at > until:
            raise DeadlinePassed(step, reasons[0])
        self.show_waiting(step, reasons)
        yield self._context.create_timer(resume_at)

    def _now(self) -> datetime:
        return self._context.current_utc_datetime


class _Chain:
    """A sequence of steps beside others: the phase it is in, and the task it waits for."""

    def __init__(self, steps: Steps[Any], phase: str) -> None:
        self._steps, self.phase = steps, phase
        self.awaited: Task[Any] | None = None
        self.result: Any = None
        self.ended = False

    @property
    def may_go_on(self) -> bool:
        return self.awaited is None or self.awaited.is_complete

    def go_on(self) -> PermanentError | None:
        """Run up to the next task to wait for, or to the end; the error that the chain ended with, if any."""
        try:
            self.awaited = self._resumed()
        except StopIteration as end:
            self.result, self.ended = end.value, True
        except PermanentError as error:
            self.ended = True
            return error
        return None

    def _resumed(self) -> Task[Any]:
        if self.awaited is None:
            return next(self._steps)
        if self.awaited.is_failed:
            return self._steps.throw(self.awaited.get_exception())
        return self._steps.send(self.awaited.get_result())


class EventInbox:
    """External events by name; each is received once."""

    def __init__(self, context: OrchestrationContext, events: dict[str, CancellableTask[Any]]) -> None:
        self._context, self._events = context, events

    def wait(self, time: timedelta) -> Steps[list[str]]:
        """Wait until an event has come, for this long at most; the names of all that have. Earlier events count."""
        if not self.received() and time:
            timer = self._context.create_timer(self._context.current_utc_datetime + time)
            yield when_any([timer, *self._events.values()])
        return self.received()

    def received(self) -> list[str]:
        """The names of the events that have come until now."""
        return [name for name, event in self._events.items() if event.is_complete]
