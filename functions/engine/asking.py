"""Requests that aren't repeated for ever, though Azure accepts them and nothing changes."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

from shared.domain.asking import ASKED, FORGOTTEN_AFTER, Asked, asked_path
from shared.domain.errors import PermanentError, service_code
from shared.domain.operations import FoundOperation, concluded
from shared.wiring import services

type Request = Callable[[], Awaitable[str | None]]  # gives the id of the operation that it begins, if Azure names one
type Follow = Callable[[str], Awaitable[FoundOperation | None]]  # None: Azure doesn't know the operation (any more)


async def ask(
    vault: str,
    what: str,
    request: Request,
    *,
    times: int = 1,
    within: timedelta = FORGOTTEN_AFTER,
    follow: Follow | None = None,
) -> None:
    """Send the request, unless it was just sent, or the operation that it has begun goes on.

    Raises PermanentError with the code of an operation that has failed, or "WithoutEffect" once the request was sent
    `times` an hour (or `within`) and nothing has come of it.
    """
    path, ledger, now = asked_path(vault, what), services().ledger, services().now()
    seen = await ledger.read(path)
    asked = ASKED.decoded(path, seen) if seen is not None else Asked(what=what)
    if asked.operation and follow:
        found = await follow(asked.operation)
        failed = concluded(what, found) if found else None
        asked = asked.failed() if failed and failed.code else asked.ended(now, known=found is not None)
        await ledger.update(path, ASKED.encoded(asked), seen=seen)
        if failed and failed.code:
            raise PermanentError(service_code(failed.code), f"{what}: {failed.message}")
    elif asked.due(now, times, within):
        operation = await request()
        await ledger.update(path, ASKED.encoded(asked.again(now, operation or "", within)), seen=seen)


async def forget(vault: str, what: str) -> None:
    """What was asked for has come about: should it change again, it may be asked for at once."""
    path, ledger = asked_path(vault, what), services().ledger
    seen, nothing = await ledger.read(path), ASKED.encoded(Asked(what=what))
    if seen not in (None, nothing):
        await ledger.update(path, nothing, seen=seen)
