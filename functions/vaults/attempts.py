"""Requests that are repeated until Azure Backup completes them: only so it shows that a role assignment takes effect.

    until_clean ─▶ attempt, a flow of its own for some tries at a time: start, wait, finish

A role may take half an hour to act. All tries in the history of the run that waits for them would be read again at each
of its turns, and there are hundreds.
"""

from datetime import timedelta
from typing import Any
from zlib import crc32

import msgspec

from functions.engine.activities import Activity
from functions.engine.durable import Runbook, Steps, orchestrator
from functions.vaults.steps import app, finish_validation, start_validation
from functions.vaults.volume_steps import (
    finish_inquiry,
    finish_protecting,
    finish_registration,
    start_inquiry,
    start_protecting,
    start_registration,
)
from shared.domain.errors import PermanentError, TemporaryError, service_code
from shared.domain.vaults.findings import OperationResult

PROBE = timedelta(seconds=15)  # how soon it is seen that a role acts decides how soon something is protected
FIRST = timedelta(seconds=30)  # when Azure Backup asks to be asked how something stands
TRIES = 5
ATTEMPTS = 12  # of five tries, each of a minute at least; a role acts within minutes, seldom half an hour
_ENDS: dict[str, tuple[Activity[Any, Any], Activity[Any, OperationResult]]] = {
    start.name: (start, finish)
    for start, finish in (
        (start_validation, finish_validation),
        (start_registration, finish_registration),
        (start_inquiry, finish_inquiry),
        (start_protecting, finish_protecting),
    )
}


class Asking(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for: the name of the activity that asks, and its request in JSON's types."""

    start: str
    request: dict[str, Any]


class Tried(OperationResult, frozen=True, kw_only=True):
    """How the last try ended; `refused` if another one can't end better."""

    refused: bool = False


def until_clean[In](run: Runbook, start: Activity[In, Any], request: In, what: str) -> Steps[None]:
    """Repeat the request until it succeeds; raises PermanentError with the last failure."""
    asking = Asking(start=start.name, request=msgspec.to_builtins(request))
    name = f"-{start.name}-{crc32(msgspec.json.encode(asking)):08x}"
    tried = Tried()
    for number in range(ATTEMPTS):
        (tried,) = yield from run.flows(attempt, [asking], f"{name}-{number}")
        if not tried.code:
            return
        if tried.refused:
            break
        run.show_waiting(start.name, [TemporaryError(service_code(tried.code), tried.message)])
    raise PermanentError(service_code(tried.code), f"{what}: {tried.message}")


@orchestrator(app)
def attempt(run: Runbook, asking: Asking) -> Steps[Tried]:
    """Some tries."""
    start, finish = _ENDS[asking.start]
    request, finding = msgspec.convert(asking.request, start.request), OperationResult()
    run.phase(start.name)
    try:
        for _ in range(TRIES):
            started = yield from run.step(start, request, every=PROBE)
            if started.operation:
                yield from run.pause(FIRST)
            finding = yield from run.step(finish, started, every=PROBE)
            if not finding.code:
                break
    except PermanentError as error:
        return Tried(code=error.reason, message=error.message, refused=True)
    return Tried(code=finding.code, message=finding.message)
