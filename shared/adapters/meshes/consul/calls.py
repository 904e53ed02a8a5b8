"""Calls of Consul's HTTP API at the servers of one datacenter, with the token of one login.

Rules:
- Answers are read in bounds of bytes and of time, uncompressed. No redirect is followed.
- If a connection breaks, aiohttp sends once more what RFC 9110 lets it: reads, PUT and DELETE. A configuration that is
  written twice is the same; an entry's second write finds it changed, and the caller observes again.
- A token that was just made may be unknown to another server for a moment. What was refused for that wasn't done: it is
  sent again, a few times.
"""

import asyncio
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from http import HTTPStatus
from types import MappingProxyType
from typing import NamedTuple
from urllib.parse import quote

import aiohttp
import msgspec
from yarl import URL

from shared.adapters.kubernetes.bounds import content_of
from shared.adapters.kubernetes.errors import OutOfBounds, Unreachable
from shared.adapters.meshes.consul.errors import ConsulAbsent, TokenUnknown, refusal
from shared.domain.errors import PermanentError, shown
from shared.domain.reasons import RefusedReason

_MIB = 1024 * 1024
_CONNECT_SECONDS = 10.0
_LONGEST_NAME = 512
_PATIENCE = 17 / 16  # Consul lets a question wait up to a sixteenth longer than asked


class ConsulBounds(NamedTuple):
    """The bounds of what is read of one datacenter."""

    answer: int = 32 * _MIB  # bytes of an answer
    services: int = 5_000  # of a datacenter, each of which is a call
    at_once: int = 4  # calls for these
    call: float = 30.0  # seconds until an answer has been read, beside what the question may wait
    visit: float = 240.0  # seconds of all calls of an activity
    tries: int = 5  # of a call whose token isn't known yet
    pause: float = 0.2  # seconds between these


class Request(NamedTuple):
    """What is asked of Consul."""

    method: str  # HTTP's
    path: str  # below v1; names in it are quoted (`segment`)
    dc: str = ""  # which datacenter it is about; empty: the one whose servers are asked
    query: Mapping[str, str] = MappingProxyType({})  # beside `dc`
    body: Mapping[str, object] | None = None  # sent as JSON
    wait: timedelta = timedelta()  # how long the answer may wait for something newer
    answers: int = 200  # a status that is an answer, beside 200
    refused: RefusedReason | None = None  # the reason for what Consul won't have, which it says by these statuses:
    refusals: tuple[int, ...] = (400, 500)  # HTTP's
    secrets: tuple[str, ...] = ()  # what is in the body and never repeated


class ConsulAnswer(NamedTuple):
    """What Consul says, and the index of the state that it speaks of."""

    content: bytes
    at: int  # the index


class Calls:
    """The calls of one visit. `token` is the login's; without one, the caller is anonymous."""

    def __init__(self, datacenter: str, session: aiohttp.ClientSession, bounds: ConsulBounds) -> None:
        self.datacenter, self.bounds, self.token = datacenter, bounds, ""
        self._session = session

    async def read[T](self, kind: type[T], doing: str, path: str, dc: str = "", **query: str) -> T:
        """What a path holds, in the form of `kind`."""
        answer = await self.send(doing, Request("GET", path, dc, query))
        return self.decoded(answer.content, kind, doing)

    async def find[T](self, kind: type[T], doing: str, path: str, dc: str = "") -> T | None:
        """The same, None if there is nothing."""
        try:
            return await self.read(kind, doing, path, dc)
        except ConsulAbsent:
            return None

    async def ask[T](self, kind: type[T], doing: str, request: Request, index: int) -> tuple[T, int]:
        """The answer and its index. With the index of the last one, Consul answers once there is something newer, or
        after the request's `wait`.
        """
        waiting = {"index": str(index), "wait": f"{request.wait.total_seconds():.0f}s"} if request.wait else {}
        answer = await self.send(doing, request._replace(query={**request.query, **waiting}))
        return self.decoded(answer.content, kind, doing), answer.at

    async def send(self, doing: str, request: Request) -> ConsulAnswer:
        """One call; raises the errors of `errors`. `doing` names the act in them."""
        doing = f"{shown(doing)} in {request.dc or self.datacenter}"
        for left in reversed(range(self.bounds.tries if self.token else 1)):
            try:
                return await self._once(doing, request)
            except TokenUnknown:
                if not left:
                    raise
                await asyncio.sleep(self.bounds.pause)
        raise AssertionError("a call is sent once at least")

    async def _once(self, doing: str, request: Request) -> ConsulAnswer:
        try:
            async with self._open(request) as answer:
                content = await content_of(answer, self.bounds.answer, doing)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise Unreachable(f"{doing}: {type(error).__name__}") from error
        if answer.status not in (HTTPStatus.OK, request.answers):
            secrets = (*request.secrets, *([self.token] if self.token else []))
            refused = request.refused if answer.status in request.refusals else None
            text = content.decode(errors="replace")
            raise refusal(answer.status, text, doing, refused=refused, secrets=secrets)
        return ConsulAnswer(content, _index(answer.headers.get("X-Consul-Index", "")))

    def _open(self, request: Request) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        elsewhere = {"dc": request.dc} if request.dc and request.dc != self.datacenter else {}
        return self._session.request(
            request.method,
            URL(f"v1/{request.path}", encoded=True),
            params={**request.query, **elsewhere},
            headers={"X-Consul-Token": self.token} if self.token else {},
            data=None if request.body is None else msgspec.json.encode(request.body),
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(
                total=self.bounds.call + request.wait.total_seconds() * _PATIENCE, sock_connect=_CONNECT_SECONDS
            ),
        )

    def decoded[T](self, content: bytes, kind: type[T], doing: str) -> T:
        """An answer in the form of `kind`; raises OutOfBounds that quotes nothing of it."""
        try:
            return msgspec.json.decode(content, type=kind)
        except (msgspec.MsgspecError, RecursionError) as error:
            why = f"{shown(doing)} in {self.datacenter}: the answer isn't of the form it should be"
            raise OutOfBounds(f"{why}: {shown(str(error))}") from error


def segment(name: str) -> str:
    """A name as a part of a path; raises PermanentError if nothing in Consul can have it."""
    if name in ("", ".", "..") or len(name) > _LONGEST_NAME:
        raise PermanentError("NotAName", f"{shown(name)} isn't the name of anything in Consul")
    return quote(name, safe="")


def _index(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else 0  # 64 bits
