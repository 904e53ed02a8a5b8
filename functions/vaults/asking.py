"""Requests that aren't repeated for ever, though Azure accepts them and nothing changes."""

from collections.abc import Awaitable, Callable

from shared.domain.vaults.asking import ASKED, Asked, asked_path
from shared.wiring import services


async def ask(vault: str, what: str, request: Callable[[], Awaitable[None]], *, times: int = 1) -> None:
    """Send the request, unless it was just sent; raises PermanentError "WithoutEffect" once it was sent `times` an hour
    and nothing has come of it.
    """
    path, ledger, now = asked_path(vault, what), services().ledger, services().now()
    seen = await ledger.read(path)
    asked = ASKED.decoded(path, seen) if seen is not None else Asked(what=what)
    if asked.due(now, times):
        await request()
        await ledger.update(path, ASKED.encoded(asked.again(now)), seen=seen)
