"""Adapters whose requests are listened to and never go out."""

from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import msgspec
from azure.core.credentials import AccessToken
from azure.core.pipeline.transport import AsyncHttpTransport, HttpRequest

from shared.settings import Settings
from tests.worlds.ids import GUID


class RequestMade(Exception):  # no error of anybody's
    """A request was about to go out."""


class Listening(AsyncHttpTransport[HttpRequest, Any]):
    """Lets no request out, and keeps where each was to go."""

    def __init__(self) -> None:
        self.urls: list[str] = []

    async def send(self, request: HttpRequest, **_: Any) -> Any:
        self.urls.append(request.url)
        raise RequestMade

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None: ...


class OneTokenCredential:
    async def get_token(self, *_: str, **__: Any) -> AccessToken:
        return AccessToken("token", 4_000_000_000)

    async def close(self) -> None: ...


def of(kind: Callable[..., Any], wire: Listening, subscription: str = GUID, **more: Any) -> Any:
    """An adapter of this kind, for a fleet of one subscription."""
    told: Any = dict.fromkeys(field.name for field in msgspec.structs.fields(Settings) if field.required)
    settings = Settings(**told | {"subscription_ids": subscription, "arm_url": "https://arm.invalid"})
    return kind(settings, credential=OneTokenCredential(), transport=wire, **more)
