"""The worker: a child process that drives azure-functions-runtime, the library that runs Python apps on Azure.

Rules:
- `python -m local.host.worker SOCKET_FD APP_FOLDER [CLOCK_FILE]`; it ends when the socket closes, so it never outlives
  the host.
- The app's folder is the working directory and the first place to import from.
- With a clock file `time.time` is the virtual clock, for the app and for what it imports (token caches, for example).
  `datetime.now` stays the machine's: the type is immutable and imported by name everywhere.
- It imports little: what it imports counts in every cold start.
"""

import asyncio
import json
import logging
import os
import secrets
import socket
import sys
import time
from email.utils import formatdate
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from local.cloud.clock import mapped_time
from local.host import messages
from local.host.protocol import (
    Function,
    HttpRequest,
    HttpResponse,
    InvocationResult,
    Invoke,
    Loaded,
    LoadFailed,
    Value,
    pack,
    receive,
)


async def serve(channel: socket.socket, folder: Path) -> None:
    """Load the app, then run each invocation that comes as a task of its own, until the host hangs up."""
    reader, writer = await asyncio.open_connection(sock=channel)
    writer.write(pack(await load(folder)))
    running: set[asyncio.Task[None]] = set()
    while isinstance(frame := await receive(reader), Invoke):
        task = asyncio.create_task(_answer(frame, writer))
        running.add(task)
        task.add_done_callback(running.discard)
    os._exit(0)  # no thread of the app keeps a worker alive that has no host


async def load(folder: Path) -> Loaded | LoadFailed:
    """Index the app's functions; everything that is wrong with the app's declarations shows here."""
    import azure_functions_runtime as runtime  # type: ignore[import-untyped]

    runtime.start_threadpool_executor()
    request = SimpleNamespace(capabilities={}, function_app_directory=str(folder))
    answer = await runtime.worker_init_request(_request("worker_init_request", request))
    if answer.result.status == messages.StatusResult.Failure:
        return LoadFailed(answer.result.exception.message, answer.result.exception.stack_trace)
    answer = await runtime.functions_metadata_request(_request("functions_metadata_request", None))
    if answer.function_metadata_results is None:
        return LoadFailed(f"no function_app.py in {folder.name}", "")
    for one in answer.function_metadata_results:
        load_request = SimpleNamespace(function_id=one.function_id, metadata=one)
        await runtime.function_load_request(_request("function_load_request", load_request))
    return Loaded([_function(one) for one in answer.function_metadata_results])


def _request(kind: str, content: object) -> SimpleNamespace:
    properties = {"protos": messages, "host": "127.0.0.1"}
    return SimpleNamespace(request=SimpleNamespace(**{kind: content}), properties=properties)


def _function(metadata: Any) -> Function:
    return Function(
        name=metadata.name, id=metadata.function_id, bindings=[json.loads(one) for one in metadata.raw_bindings]
    )


async def _answer(invoke: Invoke, writer: asyncio.StreamWriter) -> None:
    writer.write(pack(await _run(invoke)))


async def _run(invoke: Invoke) -> InvocationResult:
    import azure_functions_runtime as runtime

    answer = await runtime.invocation_request(_request("invocation_request", _invocation(invoke)))
    if answer.result.status == messages.StatusResult.Success:
        return InvocationResult(number=invoke.number, value=_outgoing(answer.return_value))
    problem = answer.result.exception
    return InvocationResult(number=invoke.number, error=problem.message, stack_trace=problem.stack_trace)


def _invocation(invoke: Invoke) -> SimpleNamespace:
    trace_parent = f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"
    return SimpleNamespace(
        invocation_id=secrets.token_hex(16),
        function_id=invoke.function_id,
        input_data=[
            messages.ParameterBinding(name=name, data=_incoming(value)) for name, value in invoke.inputs.items()
        ],
        trigger_metadata={name: _incoming(value) for name, value in invoke.metadata.items()},
        trace_context=SimpleNamespace(trace_parent=trace_parent, trace_state="", attributes={}),
        retry_context=SimpleNamespace(retry_count=0, max_retry_count=0, exception=None),
    )


def _incoming(value: Value) -> messages.TypedData:
    if value.kind is None:
        return messages.TypedData()
    content = _http_request(value.content) if isinstance(value.content, HttpRequest) else value.content
    return messages.TypedData(**{value.kind: content})


def _http_request(request: HttpRequest) -> messages.Message:
    return messages.RpcHttp(
        method=request.method,
        url=request.url,
        headers=request.headers,
        query=request.query,
        params=request.params,
        body=messages.TypedData(bytes=request.body) if request.body else messages.TypedData(),
    )


def _outgoing(data: messages.TypedData | None) -> Value:
    kind = data.WhichOneof("data") if data else None
    if kind is None:
        return Value()
    content = getattr(data, kind)
    if isinstance(content, bytes):
        return Value("string", content.decode(errors="replace"))
    return Value(kind, _http_response(content) if kind == "http" else content)


def _http_response(http: Any) -> HttpResponse:
    body = next(iter(vars(http.body).values()), b"")
    return HttpResponse(
        status=int(http.status_code),
        headers=http.headers,
        cookies=[_cookie(one) for one in http.cookies or []],
        body=body.encode() if isinstance(body, str) else body,
    )


def _cookie(cookie: Any) -> dict[str, Any]:
    given = {name: one.value for name, one in vars(cookie).items() if hasattr(one, "value")}
    expires, age = given.get("expires"), given.get("max_age")
    return {
        "name": cookie.name,
        "value": cookie.value,
        "domain": given.get("domain"),
        "path": given.get("path") or "/",
        "expires": formatdate(expires.seconds, usegmt=True) if expires else None,
        "max_age": int(age) if age is not None else None,
        "secure": given.get("secure"),
        "httponly": given.get("http_only"),
        "samesite": cookie.same_site,
    }


class WithFields(logging.Formatter):
    """Appends a record's extra fields, which Azure Monitor shows as dimensions."""

    _OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}

    def format(self, record: logging.LogRecord) -> str:
        fields = " ".join(f"{name}={value}" for name, value in vars(record).items() if name not in self._OWN)
        return f"{super().format(record)} {fields}".rstrip()


def main(channel: str, folder: str, clock: str = "") -> None:
    if clock:
        now = mapped_time(clock)
        time.time, time.time_ns = now, lambda: int(now() * 1e9)
    lines = logging.StreamHandler()
    lines.setFormatter(WithFields("%(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[lines])
    for chatty in ("azure.functions", "azure.durable_functions"):  # they log every invocation and turn
        logging.getLogger(chatty).setLevel(logging.WARNING)
    sys.path[0] = folder
    os.chdir(folder)
    asyncio.run(serve(socket.socket(fileno=int(channel)), Path(folder)))


if __name__ == "__main__":
    main(*sys.argv[1:])
