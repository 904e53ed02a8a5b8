"""Activities: one frozen struct in, one out. See `durable` for how they are called.

An activity either finishes its piece of work, raises TemporaryError ("not yet, come back") or PermanentError ("never").
What it raises becomes a value, so that reasons stand in history whole. So does what nobody expected: `one_of_many`.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from inspect import signature
from typing import Any, get_type_hints

import azure.durable_functions as df
import msgspec

from functions.engine.logs import log
from functions.engine.many import one_of_many
from functions.engine.outcomes import ActivityOutcome, Finished, Refused, Waiting
from shared.domain.errors import PermanentError, TemporaryError
from shared.domain.signals import StepRefused


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
        hints = get_type_hints(work)
        (request_name,) = signature(work).parameters
        defined = Activity(work.__name__, hints[request_name], hints["return"], work)

        async def run(request: dict) -> dict:  # type: ignore[type-arg]  # the Functions indexer refuses dict[str, Any]
            outcome: dict[str, Any] = msgspec.to_builtins(await _outcome(defined, request))
            return outcome

        run.__name__ = work.__name__
        app.activity_trigger(input_name="request")(run)
        return defined

    return register


async def _outcome[In, Out](activity: Activity[In, Out], request: dict[str, Any]) -> ActivityOutcome:
    try:
        with one_of_many(activity.name):
            done = await activity.work(msgspec.convert(request, activity.request))
    except TemporaryError as error:
        return Waiting(error.reason, error.message, error.retry_after, error.blockers)
    except PermanentError as error:
        log(StepRefused(step=activity.name, reason=error.reason, error=error.message))
        return Refused(error.reason, error.message)
    return Finished(msgspec.to_builtins(done))
