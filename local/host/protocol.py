"""The messages between the host and its worker: length-prefixed msgpack frames over a socket pair.

Rules:
- The worker first sends one `Loaded` or `LoadFailed`. Then the host sends `Invoke`s; each is answered by one
  `InvocationResult`, in any order.
- A `Value` is a TypedData of the Functions worker protocol: `kind` names its field, None means that none is set.
"""

import asyncio
import struct
from typing import Any

import msgspec

_LENGTH = struct.Struct("!I")


class HttpRequest(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A request to an HTTP function."""

    method: str
    url: str  # absolute
    headers: dict[str, str]  # by lower-case name
    query: dict[str, str]
    params: dict[str, str]  # from the route
    body: bytes


class HttpResponse(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """`cookies` are keyword arguments of aiohttp's `set_cookie`."""

    status: int
    headers: dict[str, str]
    cookies: list[dict[str, Any]]
    body: bytes


class Value(msgspec.Struct, frozen=True):
    kind: str | None = None
    content: str | int | float | HttpRequest | HttpResponse | None = None


class Function(msgspec.Struct, frozen=True, kw_only=True):
    """An indexed function; `bindings` as in a function.json."""

    name: str
    id: str
    bindings: list[dict[str, Any]]

    @property
    def trigger(self) -> dict[str, Any]:
        return next((one for one in self.bindings if str(one["type"]).endswith("Trigger")), {"type": "none"})


class Loaded(msgspec.Struct, frozen=True, tag=True):
    functions: list[Function]


class LoadFailed(msgspec.Struct, frozen=True, tag=True):
    message: str
    stack_trace: str


class Invoke(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """`number` tells invocations apart; `inputs` and `metadata` are by name."""

    number: int
    function_id: str
    inputs: dict[str, Value]
    metadata: dict[str, Value]


class InvocationResult(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """`error` is "Type: message" when the function failed."""

    number: int
    value: Value = Value()
    error: str | None = None
    stack_trace: str = ""


Frame = Loaded | LoadFailed | Invoke | InvocationResult

_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[Frame] = msgspec.msgpack.Decoder(Frame)


def pack(frame: Frame) -> bytes:
    content = _encoder.encode(frame)
    return _LENGTH.pack(len(content)) + content


async def receive(reader: asyncio.StreamReader) -> Frame | None:
    """The next frame, or None when the other side is gone."""
    try:
        (length,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
        return _decoder.decode(await reader.readexactly(length))
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
