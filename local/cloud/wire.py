"""The wire of the simulated cloud: a TLS server on loopback that routes by path, records and injects faults."""

import asyncio
import inspect
import json
import re
import ssl
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any, Literal

import msgspec
import trustme
from aiohttp import web

from local.cloud.clock import Clock

_MOST_EXCHANGES = 50_000


@dataclass(frozen=True, kw_only=True)
class CloudRequest:
    """A request to the simulated cloud."""

    method: str
    url: str
    path: str
    params: dict[str, str]  # from the route's pattern
    query: dict[str, str]
    headers: dict[str, str]  # by lower-case name
    content: bytes

    @property
    def body(self) -> Any:
        """The content as parsed JSON, None if there is none."""
        return json.loads(self.content) if self.content else None

    @property
    def api_version(self) -> str:
        """The version of the API that the request speaks, empty without one."""
        return next((value for name, value in self.query.items() if name.lower() == "api-version"), "")

    @property
    def token(self) -> str | None:
        scheme, _, token = self.headers.get("authorization", "").partition(" ")
        return token if scheme.lower() == "bearer" and token else None


@dataclass(frozen=True, kw_only=True)
class Reply:
    """An answer with a body, content, or a stream; or one that comes later."""

    status: int = 200
    body: Any = None  # sent as JSON
    headers: dict[str, str] = field(default_factory=dict)
    content: bytes | None = None  # sent as it is
    stream: AsyncIterator[bytes] | None = None  # sent as it comes, while the connection stays open
    later: Awaitable["Reply"] | None = None  # the answer itself, once it comes; time may pass until then


class NoAnswer(Exception):
    """Raised by a handler that stands for an absent server: the connection breaks off."""


Handler = Callable[[CloudRequest], Reply | Awaitable[Reply]]
Guard = Callable[[CloudRequest], Reply | None]


class Route:
    """A method and a path pattern: `{name}` matches one segment, `{name:path}` the rest. Matching ignores case.

    `first` is the pattern's first segment in lower case, empty if it is a parameter.
    """

    def __init__(self, method: str, pattern: str, handler: Handler) -> None:
        self.method, self.handler = method, handler
        segment = pattern.lower().split("/")[1]
        self.first = "" if "{" in segment else segment
        parts = re.split(r"\{(\w+)(:path)?\}", pattern)
        regex = ""
        for literal, name, rest in zip(parts[0::3], [*parts[1::3], ""], [*parts[2::3], ""], strict=True):
            regex += re.escape(literal) + (f"(?P<{name}>{'.+' if rest else '[^/]+'})" if name else "")
        self._regex = re.compile(regex, re.IGNORECASE)

    def match(self, path: str) -> dict[str, str] | None:
        found = self._regex.fullmatch(path)
        return found.groupdict() if found else None


@dataclass
class InjectedFault:
    """A failure of the next calls that match.

    `answer`: give `reply` instead of doing the work. `lose`: do it, then cut the connection. `double`: do it twice.
    `after`: do it, then give `reply` all the same.
    """

    on: str  # a regular expression for "METHOD path"
    kind: Literal["answer", "lose", "double", "after"]
    times: int = 1  # how many calls fail
    reply: Reply = field(default_factory=lambda: Reply(status=503, headers={"Retry-After": "5"}))
    then: Callable[[], object] = lambda: None  # called when it has failed


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """One recorded request and its answer, without credentials."""

    method: str
    url: str
    request: bytes
    request_headers: dict[str, str]
    status: int
    headers: dict[str, str]
    body: Any


class Wire:
    """Serves the mounted routes over TLS with a certificate authority made at start (`ca_pem`); `calls` counts.

    Answers are dated by the clock, which a test may set wrong by `clock_skew` seconds.
    """

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.exchanges: deque[Exchange] = deque(maxlen=_MOST_EXCHANGES)
        self.calls = 0
        self.clock_skew = 0.0
        self.faults: list[InjectedFault] = []
        self.url = ""
        self._mounts: dict[tuple[str, str], list[tuple[Route, Guard | None]]] = defaultdict(
            list
        )  # by method and first segment
        self._authority = trustme.CA()
        self._runner: web.AppRunner | None = None

    @property
    def ca_pem(self) -> bytes:
        return self._authority.cert_pem.bytes()

    def mount(self, routes: Iterable[Route], guard: Guard | None = None) -> None:
        """Add routes; `guard` may answer a call before its handler sees it (no token, for example)."""
        for route in routes:
            self._mounts[route.method, route.first].append((route, guard))

    async def start(self, port: int = 0) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._authority.issue_cert("localhost").configure_cert(context)
        app = web.Application(client_max_size=64 * 2**20)
        app.router.add_route("*", "/{tail:.*}", self._serve)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port, ssl_context=context)
        await site.start()
        self.url = f"https://localhost:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        if self._runner:
            await self._runner.cleanup()

    def inject(self, fault: InjectedFault) -> InjectedFault:
        self.faults.append(fault)
        return fault

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        content = await request.read()
        self.calls += 1
        reply = None
        with self.clock.busy(), suppress(NoAnswer):
            reply = await self._answer(request, content)
        if reply is None:
            assert request.transport is not None
            request.transport.abort()
            raise asyncio.CancelledError
        return await self._send(request, await reply.later if reply.later else reply)

    async def _answer(self, request: web.Request, content: bytes) -> Reply | None:
        fault = self._fault(f"{request.method} {request.path}")
        if fault and fault.kind == "answer":
            fault.then()
            return self._record(request, content, fault.reply)
        reply = await self._dispatch(request, content)
        if fault and fault.kind == "double":
            reply = await self._dispatch(request, content)
        if fault and fault.kind == "after":
            reply = fault.reply
        self._record(request, content, reply)
        if fault:
            fault.then()
        return None if fault and fault.kind == "lose" else reply

    async def _dispatch(self, request: web.Request, content: bytes) -> Reply:
        headers = {name.lower(): value for name, value in request.headers.items()}
        path = "/" + request.path.lstrip("/")  # az puts a second slash between an endpoint and what it asks for
        first = path.lower().split("/")[1]
        for route, guard in (*self._mounts[request.method, first], *self._mounts[request.method, ""]):
            params = route.match(path)
            if params is not None:
                call = CloudRequest(
                    method=request.method,
                    url=str(request.url),
                    path=path,
                    params=params,
                    query=dict(request.query),
                    headers=headers,
                    content=content,
                )
                refused = guard(call) if guard else None
                if refused:
                    return refused
                reply = route.handler(call)
                return await reply if inspect.isawaitable(reply) else reply
        return Reply(
            status=404,
            body={"error": {"code": "NoSuchRoute", "message": f"{request.method} {request.path} isn't simulated"}},
        )

    def _fault(self, line: str) -> InjectedFault | None:
        for fault in self.faults:
            if fault.times > 0 and re.search(fault.on, line):
                fault.times -= 1
                return fault
        return None

    def _record(self, request: web.Request, content: bytes, reply: Reply) -> Reply:
        if self.exchanges.maxlen == 0:
            return reply
        headers = {k.lower(): v for k, v in request.headers.items() if k.lower() != "authorization"}
        self.exchanges.append(
            Exchange(
                method=request.method,
                url=str(request.url),
                request=content,
                request_headers=headers,
                status=reply.status,
                headers=reply.headers,
                body=reply.body,
            )
        )
        return reply

    async def _send(self, request: web.Request, reply: Reply) -> web.StreamResponse:
        date = {"Date": formatdate(self.clock.time() + self.clock_skew, usegmt=True)}
        if reply.stream is None:
            content = reply.content if reply.body is None else msgspec.json.encode(reply.body)
            typed = {"Content-Type": "application/json; charset=utf-8"} if reply.body is not None else {}
            return web.Response(status=reply.status, body=content, headers={**date, **typed, **reply.headers})
        response = web.StreamResponse(status=reply.status, headers={**date, **reply.headers})
        await response.prepare(request)
        async for chunk in reply.stream:
            await response.write(chunk)
        return response
