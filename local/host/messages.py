"""Stand-ins for the FunctionRpc messages: the `protos` module that azure-functions-runtime is given.

The library reads attributes and `WhichOneof`, and calls these constructors by keyword; it never serializes them.
"""

from typing import Any


class Message:
    def __init__(self, **fields: Any) -> None:
        self.__dict__.update(fields)


class TypedData(Message):
    """One of `string`, `json`, `bytes`, `http`, `int`, `double`, or nothing."""

    def WhichOneof(self, _group: str) -> str | None:
        return next(iter(self.__dict__), None)


class ParameterBinding(Message):
    def WhichOneof(self, _group: str) -> str:
        return "data"


class StatusResult(Message):
    Failure, Success = 0, 1


class BindingInfo(Message):
    undefined = 0
    out, inout = 1, 2


class RpcHttpCookie(Message):
    class SameSite:
        Lax, Strict, ExplicitNone = "Lax", "Strict", "None"


setattr(RpcHttpCookie.SameSite, "None", None)  # the enumeration's own name for "not said"

RpcHttp = RpcException = Message
WorkerInitResponse = WorkerMetadata = Message
FunctionMetadataResponse = RpcFunctionMetadata = RpcRetryOptions = Message
FunctionLoadResponse = InvocationResponse = Message
NullableString = NullableBool = NullableDouble = NullableTimestamp = Timestamp = Message
