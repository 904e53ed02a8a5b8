"""What starts a function from outside: HTTP routes, the Event Grid webhook and timers.

Rules:
- Routes are matched as ASP.NET does: without case, a literal segment before a parameter. Keys (`authLevel`) aren't
  checked, as in Core Tools.
- The Event Grid webhook answers as the Event Grid extension does: 404 for an unknown function, 200 for a handshake, one
  invocation per event in parallel, 202 when all succeeded and 500 when any failed (the service then sends all again).
- A timer never overlaps itself; a tick that fails is logged, and the next one comes at its time.
"""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiohttp import web

from local.cloud.clock import Alarm, Clock
from local.host.process import InvocationFailed, WorkerLost
from local.host.protocol import Function, HttpRequest, HttpResponse, Value
from local.host.schedule import parse_schedule

Run = Callable[[Function, Value, dict[str, Value]], Awaitable[Value]]

_PARAMETER = re.compile(r"\{(\*{0,2})(\w+)(?::(\w+)[^{}]*)?(\?)?\}")
_CONSTRAINTS = {
    "int": r"-?\d+",
    "long": r"-?\d+",
    "alpha": "[A-Za-z]+",
    "bool": "true|false",
    "guid": "[0-9a-fA-F-]{32,36}",
}


class HttpRoute:
    """An HTTP function at its route: `{name}`, `{name?}`, `{name:int}`, `{*rest}`."""

    def __init__(self, function: Function, prefix: str) -> None:
        self.function = function
        template = str(function.trigger.get("route") or function.name).strip("/")
        segments = [one for one in f"{prefix}/{template}".split("/") if one]
        self._regex = re.compile("".join(_segment(one) for one in segments) + "/?", re.IGNORECASE)
        self._methods = {str(one).upper() for one in function.trigger.get("methods") or []}
        self.rank = [_rank(one) for one in segments]

    def match(self, method: str, path: str) -> dict[str, str] | None:
        found = self._regex.fullmatch(path) if not self._methods or method in self._methods else None
        return {name: value for name, value in found.groupdict().items() if value is not None} if found else None


def _segment(template: str) -> str:
    parts = _PARAMETER.split(template)
    regex = "/" + re.escape(parts[0])
    for star, name, constraint, optional, literal in zip(*(parts[i::5] for i in range(1, 6)), strict=True):
        regex += f"(?P<{name}>{'.*' if star else _CONSTRAINTS.get(constraint, '[^/]+')})" + re.escape(literal)
        if star or optional:
            regex = f"(?:{regex})?"
    return regex


def _rank(segment: str) -> int:
    return 2 if segment.startswith("{*") else 1 if "{" in segment else 0


async def serve_http(
    run: Run, route: HttpRoute, params: dict[str, str], request: web.Request, body: bytes
) -> web.Response:
    """The function's answer; 500 if it raised, 502 if its worker died."""
    data = HttpRequest(
        method=request.method,
        url=str(request.url),
        headers={name.lower(): value for name, value in request.headers.items()},
        query=dict(request.query),
        params=params,
        body=body,
    )
    try:
        metadata = {name: Value("string", value) for name, value in params.items()}
        return _response((await run(route.function, Value("http", data), metadata)).content)
    except InvocationFailed:
        return web.Response(status=500)
    except WorkerLost:
        return web.Response(status=502)


def _response(content: Any) -> web.Response:
    if not isinstance(content, HttpResponse):
        body = content.encode() if isinstance(content, str) else content
        return web.Response(status=200 if body else 204, body=body)
    response = web.Response(status=content.status, body=content.body, headers=content.headers)
    for cookie in content.cookies:
        response.set_cookie(**cookie)
    return response


async def serve_event_grid(
    run: Run, functions: Mapping[str, Function], request: web.Request, body: bytes
) -> web.Response:
    """The webhook of the Event Grid extension; `functions` by lower-case name."""
    function = functions.get(request.query.get("functionName", "").lower())
    if function is None:
        return web.Response(status=404, text=f"cannot find function: '{request.query.get('functionName', '')}'")
    if request.method == "OPTIONS":
        return web.Response(headers={"Webhook-Allowed-Origin": "eventgrid.azure.net"})
    kind = request.headers.get("aeg-event-type", "").lower()
    if kind == "subscriptionvalidation":
        return web.json_response({"validationResponse": json.loads(body)[0]["data"]["validationCode"]})
    if kind == "notification":
        return web.Response(status=202 if await _notify(run, function, json.loads(body)) else 500)
    return web.Response(status=202 if kind == "unsubscribe" else 400)


async def _notify(run: Run, function: Function, content: Any) -> bool:
    events = content if isinstance(content, list) else [content]
    return all(await asyncio.gather(*(_succeeds(run, function, one) for one in events)))


async def _succeeds(run: Run, function: Function, event: dict[str, Any]) -> bool:
    try:
        await run(function, Value("json", json.dumps(event)), {"data": Value("json", json.dumps(event.get("data")))})
    except (InvocationFailed, WorkerLost):
        return False
    return True


class Timer:
    """A timer function on the clock, from `start` to `stop`. Raises ValueError for a schedule that can't be read."""

    def __init__(self, function: Function, environ: Mapping[str, str], clock: Clock, run: Run) -> None:
        self.function, self._clock, self._run = function, clock, run
        text = str(function.trigger["schedule"])
        self._schedule = parse_schedule(environ.get(text.strip("%"), text) if text.startswith("%") else text)
        self._last = clock.now()
        self._alarm: Alarm | None = None
        self._tick: asyncio.Task[Any] | None = None

    def start(self) -> None:
        if self.function.trigger.get("runOnStartup"):
            self._ring()
        else:
            self._wait()

    def stop(self) -> None:
        if self._alarm:
            self._alarm.cancel()
        if self._tick:
            self._tick.cancel()

    async def run(self) -> None:
        """Run the function now. Raises InvocationFailed or WorkerLost."""
        now, last = self._clock.now(), self._last
        self._last = now
        status = {"Last": last, "Next": self._schedule.next_after(now), "LastUpdated": last}
        data = {
            "Schedule": {"AdjustForDST": True},
            "ScheduleStatus": {name: moment.isoformat() for name, moment in status.items()},
            "IsPastDue": False,
        }
        await self._run(self.function, Value("json", json.dumps(data)), {})

    def _wait(self) -> None:
        self._alarm = self._clock.at(self._schedule.next_after(self._clock.now()).timestamp(), self._ring)

    def _ring(self) -> None:
        self._tick = self._clock.spawn(self._run_and_wait())

    async def _run_and_wait(self) -> None:
        try:
            await self.run()
        except (InvocationFailed, WorkerLost):
            pass
        finally:
            self._wait()
