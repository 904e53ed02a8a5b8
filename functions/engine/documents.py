"""Documents of which one that is broken must not hold up the others."""

from collections.abc import Awaitable

from functions.engine.logs import log
from shared.domain.errors import Unreadable
from shared.domain.signals import DocumentSkipped


async def unless_broken[T](reading: Awaitable[T]) -> T | None:
    """What is read from the store; None for what was broken there, which the log then names."""
    try:
        return await reading
    except Unreadable as error:
        log(DocumentSkipped(reason=error.reason, error=error.message))
        return None
