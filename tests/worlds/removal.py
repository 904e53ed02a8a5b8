"""Deletions that are sent whenever they are asked for."""

from collections.abc import Awaitable, Callable


async def at_once(what: str, request: Callable[[], Awaitable[object]]) -> None:  # others remember it
    """Send the deletion."""
    await request()
