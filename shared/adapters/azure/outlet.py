"""The one way out to Azure: each client of an SDK sends through an outlet, which is bound to a scope.

Rules:
- A request goes out only to where the scope lets it (`scope`), no matter who has named its URL: an id, a next page, an
  operation, the key of a certificate, a redirect. Its token isn't sent either.
- An answer is read in bounds of bytes and of time. So is all that belongs to one act, such as the pages of a list:
  `acting` says what an act is.
- Bytes are counted as they come over the wire, and no encoding is accepted that makes more of them.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, NamedTuple, Protocol, Self

from azure.core.exceptions import ServiceResponseTimeoutError
from azure.core.pipeline.transport import AioHttpTransport, AsyncHttpTransport
from azure.core.rest import AsyncHttpResponse, HttpRequest

from shared.domain.errors import PermanentError

_MIB = 1024 * 1024
_PLAIN = ("", "identity")


class AnswerBounds(NamedTuple):
    """The bounds of what is read."""

    answer: int = 64 * _MIB  # bytes of an answer; parts of a file have half of that
    act: float = 256 * _MIB  # bytes of all answers of an act
    requests: int = 1_000  # of an act; a page has some hundred rows
    call: float = 60.0  # seconds until an answer has been read
    visit: float = 240.0  # seconds of an act


class UrlScope(Protocol):
    """Where requests may go."""

    def require(self, url: str) -> None:
        """Raise PermanentError "OutsideFleet" for a URL that isn't within it."""


def _clock() -> float:
    return asyncio.get_running_loop().time()


@dataclass
class _Act:
    """What an act has taken so far."""

    doing: str
    requests: int = 0
    content: int = 0  # bytes
    began: float = field(default_factory=_clock)

    def require(self, *, within: bool, what: str) -> None:
        if not within:
            raise PermanentError("AnswerUnreadable", f"{self.doing}: {what}")


_ACT: ContextVar[_Act | None] = ContextVar("act", default=None)


@contextmanager
def acting(doing: str) -> Iterator[None]:
    """All that is asked for inside the block is one act, with one set of bounds; `doing` names it in messages."""
    if _ACT.get() is not None:
        yield
        return
    token = _ACT.set(_Act(doing))
    try:
        yield
    finally:
        _ACT.reset(token)


class Outlet(AsyncHttpTransport[HttpRequest, AsyncHttpResponse]):
    """A transport of SDK clients that keeps to a scope and to bounds; `inner` does the sending."""

    def __init__(self, scope: UrlScope, inner: AsyncHttpTransport[Any, Any], bounds: AnswerBounds) -> None:
        self._scope, self._inner, self._bounds = scope, inner, bounds

    async def send(self, request: HttpRequest, *, stream: bool = False, **more: Any) -> AsyncHttpResponse:
        """The answer, read unless it is to be streamed. Raises PermanentError "OutsideFleet" or "AnswerUnreadable"."""
        self._scope.require(request.url)
        act = _ACT.get() or _Act("asking Azure")
        act.requests += 1
        act.require(within=act.requests <= self._bounds.requests, what=f"more than {self._bounds.requests} requests")
        request.headers["Accept-Encoding"] = "identity"
        until = min(_clock() + self._bounds.call, act.began + self._bounds.visit)
        try:
            async with asyncio.timeout_at(until):
                answer = await self._inner.send(request, stream=True, **more)
                await self._bind(answer, act, until, stream=stream)
        except TimeoutError as error:
            raise ServiceResponseTimeoutError(f"no whole answer after {self._bounds.call:.0f} seconds") from error
        return answer  # type: ignore[no-any-return]  # the SDK's own transports have no type

    async def _bind(self, answer: Any, act: _Act, until: float, *, stream: bool) -> None:
        """Let nobody read more of the answer than the bounds allow, and read it if nobody else will."""
        wire = answer.internal_response
        try:
            encoding = answer.headers.get("Content-Encoding") or ""
            act.require(
                within=stream or encoding.lower() in _PLAIN, what="the answer is encoded, which wasn't asked for"
            )
            wire.content = _Counted(wire.content, self._counter(act), until)
            if not stream:
                await answer.load_body()
        except BaseException:
            wire.close()
            raise

    def _counter(self, act: _Act) -> Callable[[int], None]:
        """Counts the bytes of one answer."""
        read, bounds = 0, self._bounds

        def count(more: int) -> None:
            nonlocal read
            read, act.content = read + more, act.content + more
            act.require(within=read <= bounds.answer, what=f"the answer has more than {bounds.answer} bytes")
            act.require(within=act.content <= bounds.act, what=f"the answers have more than {bounds.act:.0f} bytes")

        return count

    async def sleep(self, duration: float) -> None:
        await self._inner.sleep(duration)

    async def open(self) -> None:
        await self._inner.open()

    async def close(self) -> None:
        await self._inner.close()

    async def __aenter__(self) -> Self:
        await self._inner.__aenter__()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        await self._inner.__aexit__(exc_type, exc_value, traceback)


class _Counted:
    """The bytes of an answer as they come (an aiohttp.StreamReader), counted, until a time."""

    def __init__(self, content: Any, count: Callable[[int], None], until: float) -> None:
        self._content, self._count, self._until = content, count, until

    async def read(self, most: int = -1) -> bytes:
        """At most so many bytes; all of them by default."""
        async with asyncio.timeout_at(self._until):
            if most >= 0:
                return await self._part(self._content.read(most))
            parts = []
            while part := await self._part(self._content.readany()):
                parts.append(part)
            return b"".join(parts)

    async def _part(self, reading: Any) -> bytes:
        part = bytes(await reading)
        self._count(len(part))
        return part

    def __getattr__(self, name: str) -> Any:
        return getattr(self._content, name)


def through(scope: UrlScope, options: Mapping[str, Any]) -> dict[str, Any]:
    """The options of an SDK's client, so that it sends through an outlet; none of them lets it out otherwise.

    A `transport` and `bounds` among the options are the outlet's.
    """
    own = dict(options)
    inner, bounds = own.pop("transport", None) or AioHttpTransport(), own.pop("bounds", AnswerBounds())
    return {**own, "transport": Outlet(scope, inner, bounds), "permit_redirects": False}
