"""Requests to Azure Backup that are repeated until they succeed: only their failure shows that a role doesn't act yet.

    repeat_until_it_succeeds ─▶ attempt, a flow of its own for some tries at a time: start, wait, finish

A role may take half an hour to act. With all tries in its own history, the run that waits for them would read hundreds
of events again at each of its turns.
"""

from datetime import timedelta
from typing import Any
from zlib import crc32

import msgspec

from functions.engine.activities import Activity
from functions.engine.durable import Runbook, Steps, orchestrator
from functions.vaults import source_steps
from functions.vaults.steps import app, finish_sync, finish_validation, start_sync, start_validation
from shared.domain.errors import PermanentError, TemporaryError, service_code
from shared.domain.operations import OperationResult

ROLE_PROBE_INTERVAL = timedelta(seconds=15)  # what is protected waits so much longer than its roles take to act
FIRST_LOOK = timedelta(seconds=30)  # Azure Backup asks not to be asked sooner how an operation stands
TRIES = 5
ATTEMPTS = 12  # of five tries, each of a minute at least; a role acts within minutes, seldom half an hour
_FINISHES: dict[str, tuple[Activity[Any, Any], Activity[Any, OperationResult]]] = {
    start.name: (start, finish)
    for start, finish in (
        (start_validation, finish_validation),
        (start_sync, finish_sync),
        (source_steps.start_registration, source_steps.finish_registration),
        (source_steps.start_inquiry, source_steps.finish_inquiry),
        (source_steps.start_protecting, source_steps.finish_protecting),
    )
}


class RepeatedRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request to Azure Backup: the name of the activity that sends it, and what it takes, in JSON's types."""

    start: str
    request: dict[str, Any]


class TryOutcome(OperationResult, frozen=True, kw_only=True):
    """How the last try ended; `refused` if another one would fail too."""

    refused: bool = False


def repeat_until_it_succeeds[In](run: Runbook, start: Activity[In, Any], request: In, refused: str) -> Steps[None]:
    """Repeat the request until it succeeds; raises PermanentError with `refused` and the last failure."""
    repeated = RepeatedRequest(start=start.name, request=msgspec.to_builtins(request))
    name = f"-{start.name}-{crc32(msgspec.json.encode(repeated)):08x}"
    outcome = TryOutcome()
    for number in range(ATTEMPTS):
        (outcome,) = yield from run.flows(attempt, [repeated], f"{name}-{number}")
        if not outcome.code:
            return
        if outcome.refused:
            break
        run.show_waiting(start.name, [TemporaryError(service_code(outcome.code), outcome.message)])
    raise PermanentError(service_code(outcome.code), f"{refused}: {outcome.message}")


@orchestrator(app)
def attempt(run: Runbook, repeated: RepeatedRequest) -> Steps[TryOutcome]:
    """A few tries."""
    start, finish = _FINISHES[repeated.start]
    request, result = msgspec.convert(repeated.request, start.request), OperationResult()
    run.phase(start.name)
    try:
        for _ in range(TRIES):
            started = yield from run.step(start, request, every=ROLE_PROBE_INTERVAL)
            if started.operation:
                yield from run.pause(FIRST_LOOK)
            result = yield from run.step(finish, started, every=ROLE_PROBE_INTERVAL)
            if not result.code:
                break
    except PermanentError as error:
        return TryOutcome(code=error.reason, message=error.message, refused=True)
    return TryOutcome(code=result.code, message=result.message)
