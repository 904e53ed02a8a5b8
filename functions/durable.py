"""Durable Functions as Meshward uses them; this module and `client` are the only ones that know how they behave.

Rules:
- An activity takes one frozen struct and returns one. It either finishes its piece of work, raises TemporaryError ("not
  yet, come back") or PermanentError ("never"). What it raises becomes a value, so that reasons stand in history whole.
- A step is an activity called until it finishes or its deadline passes. Waiting is a durable timer; no activity sleeps.
- An orchestrator reads as a runbook: `phase`, `step`, `fan_out`. It has no rule, no I/O and no clock of its own.
"""

import logging
from collections.abc import Awaitable, Callable, Generator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, get_type_hints

import azure.durable_functions as df
import msgspec
from durabletask.task import TaskFailedError

from shared.domain.errors import MeshwardError, PermanentError, TemporaryError

log = logging.getLogger("meshward")

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
_LONGEST_WAIT = timedelta(minutes=30)

type Steps[T] = Generator[Any, Any, T]


@dataclass(frozen=True)
class Activity[In, Out]:
    """An activity function with the types of its input and result."""

    name: str
    request: type[In]
    result: type[Out]
    work: Callable[[In], Awaitable[Out]]


def activity[In, Out](app: df.Blueprint) -> Callable[[Callable[[In], Awaitable[Out]]], Activity[In, Out]]:
    """Register an async function from one struct to another as an activity of `app`."""

    def register(work: Callable[[In], Awaitable[Out]]) -> Activity[In, Out]:
        request, result = list(get_type_hints(work).values())
        defined = Activity(work.__name__, request, result, work)

        async def run(request: dict) -> dict:  # type: ignore[type-arg]  # the Functions indexer refuses dict[str, Any]
            return await _outcome(defined, request)

        run.__name__ = work.__name__
        app.activity_trigger(input_name="request")(run)
        return defined

    return register


async def _outcome[In, Out](activity: Activity[In, Out], request: dict[str, Any]) -> dict[str, Any]:
    try:
        done = await activity.work(msgspec.convert(request, activity.request))
    except TemporaryError as error:
        return {"wait": {"reason": error.reason, "message": error.message, "retry_after": error.retry_after}}
    except PermanentError as error:
        log.warning("step refused", extra={"step": activity.name, "reason": error.reason, "error": error.message})
        return {"refused": {"reason": error.reason, "message": error.message}}
    return {"done": msgspec.to_builtins(done)}


class Runbook:
    """One run of an orchestrator: its phase, its steps and what it waits for, shown as the instance's custom status."""

    def __init__(self, context: Any) -> None:
        self._context = context
        self._phase = ""

    def phase(self, name: str, **facts: Any) -> None:
        """Say which phase begins, with facts for whoever watches."""
        self._phase = name
        self._context.set_custom_status({"phase": name, **facts})

    def step[In, Out](
        self, activity: Activity[In, Out], request: In, *, every: timedelta = MINUTE, deadline: timedelta = HOUR
    ) -> Steps[Out]:
        """Call the activity until it finishes; raises PermanentError when it refuses or the deadline passes."""
        (result,) = yield from self.fan_out(activity, [request], every=every, deadline=deadline)
        return result

    def fan_out[In, Out](
        self,
        activity: Activity[In, Out],
        requests: Sequence[In],
        *,
        every: timedelta = MINUTE,
        deadline: timedelta = HOUR,
    ) -> Steps[list[Out]]:
        """`step` for many requests side by side; the results in the order of the requests."""
        until = self._now() + deadline
        results: dict[int, Out] = {}
        while True:
            pending = [i for i in range(len(requests)) if i not in results]
            calls = [self._context.call_activity(activity.name, msgspec.to_builtins(requests[i])) for i in pending]
            try:
                outcomes = yield self._context.task_all(calls)
            except TaskFailedError as error:
                raise PermanentError("StepBroken", f"{activity.name} broke: {error}") from error
            waits = []
            for i, outcome in zip(pending, outcomes, strict=True):
                if "refused" in outcome:
                    raise PermanentError(**outcome["refused"])
                if "done" in outcome:
                    results[i] = msgspec.convert(outcome["done"], activity.result)
                else:
                    waits.append(outcome["wait"])
            if not waits:
                return [results[i] for i in range(len(requests))]
            yield from self._pause(activity.name, waits, every, until)

    def _pause(self, step: str, waits: list[dict[str, Any]], every: timedelta, until: datetime) -> Steps[None]:
        first = waits[0]
        if self._now() >= until:
            raise PermanentError(
                "DeadlinePassed", f"{step} didn't finish in time: {first['reason']}: {first['message']}"
            )
        asked = [timedelta(seconds=w["retry_after"]) for w in waits if w["retry_after"] is not None]
        pause = min(max(asked), _LONGEST_WAIT) if asked else every
        self._context.set_custom_status(
            {
                "phase": self._phase,
                "step": step,
                "reason": first["reason"],
                "message": first["message"],
                "waiting": len(waits),
            }
        )
        yield self._context.create_timer(self._now() + pause)

    def _now(self) -> datetime:
        now: datetime = self._context.current_utc_datetime
        return now


def declined(error: MeshwardError, event_id: str) -> None:
    """Log why an event starts nothing."""
    log.warning("event declined", extra={"event_id": event_id, "reason": error.reason, "error": error.message})
