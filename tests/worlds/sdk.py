"""Real Azure SDK clients against the simulated cloud.

Rules:
- `arm(world, principal)` gives all arguments of an aio management client: `ResourceClient(**arm(world, principal))`.
- `aio` and `sync` give what every client takes: a credential and a transport.
- TLS is verified against the world's own authority.
- When the SDK sleeps (retries, pollers), virtual time passes instead.
- A sync client must run in a thread (`asyncio.to_thread`), because the world answers on the test's own event loop.
"""

import asyncio
import re
import tempfile
from datetime import timedelta
from typing import Any, Self
from weakref import WeakKeyDictionary

from azure.core import AsyncPipelineClient
from azure.core.credentials import AccessToken
from azure.core.pipeline import PipelineRequest
from azure.core.pipeline.policies import AsyncBearerTokenCredentialPolicy, AsyncRetryPolicy, CustomHookPolicy
from azure.core.pipeline.transport import AioHttpTransport, RequestsTransport
from azure.core.rest import AsyncHttpResponse, HttpRequest

from local.cloud.entra import Principal
from local.cloud.world import SUBSCRIPTION, World


class Credential:
    """A sync credential: tokens of one principal, as Entra issues them, for any scope; `claims` override theirs."""

    def __init__(self, world: World, principal: Principal, **claims: Any) -> None:
        self._world, self._principal, self._claims = world, principal, claims

    def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        token = self._world.entra.token(self._principal, scopes[0].removesuffix("/.default"), **self._claims)
        return AccessToken(token, 0)  # never kept: virtual time may pass the token's life between two requests


class AsyncCredential:
    """The same for the aio clients."""

    def __init__(self, world: World, principal: Principal, **claims: Any) -> None:
        self._sync = Credential(world, principal, **claims)

    async def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        return self._sync.get_token(*scopes)

    async def close(self) -> None: ...

    async def __aenter__(self) -> "AsyncCredential":
        return self

    async def __aexit__(self, *_: object) -> None: ...


class _AioTransport(AioHttpTransport):  # type: ignore[misc]  # a lazy export without a type
    def __init__(self, world: World) -> None:
        super().__init__(connection_verify=ca_file(world))
        self._clock = world.clock

    async def sleep(self, duration: float) -> None:
        await self._clock.advance(timedelta(seconds=duration))


class _SyncTransport(RequestsTransport):  # type: ignore[misc]
    def __init__(self, world: World) -> None:
        super().__init__(connection_verify=ca_file(world))
        self._clock, self._loop = world.clock, asyncio.get_running_loop()

    def sleep(self, duration: float) -> None:
        asyncio.run_coroutine_threadsafe(self._clock.advance(timedelta(seconds=duration)), self._loop).result()


_transports: WeakKeyDictionary[World, list[_AioTransport]] = WeakKeyDictionary()
_ca_files: WeakKeyDictionary[World, Any] = WeakKeyDictionary()


def ca_file(world: World) -> str:
    """A PEM file of the world's certificate authority; it lives as long as the world."""
    if world not in _ca_files:
        _ca_files[world] = file = tempfile.NamedTemporaryFile(prefix="ca-", suffix=".pem")  # noqa: SIM115 (it lives with the world)
        file.write(world.wire.ca_pem)
        file.flush()
    return str(_ca_files[world].name)


def aio(world: World, principal: Principal) -> dict[str, Any]:
    """`credential` and `transport` of an aio client (`async with` it, or `close` all of the world's)."""
    transport = _AioTransport(world)
    _transports.setdefault(world, []).append(transport)
    return {"credential": AsyncCredential(world, principal), "transport": transport}


async def close(world: World) -> None:
    """End the connections of the world's aio clients."""
    for transport in _transports.pop(world, []):
        await transport.close()


def sync(world: World, principal: Principal) -> dict[str, Any]:
    """`credential` and `transport` of a sync client."""
    return {"credential": Credential(world, principal), "transport": _SyncTransport(world)}


def arm(world: World, principal: Principal) -> dict[str, Any]:
    """All arguments of an aio management client: `ContainerServiceClient(**arm(world, principal))`."""
    return {**aio(world, principal), "subscription_id": SUBSCRIPTION, "base_url": world.wire.url}


class OfVersion(CustomHookPolicy[Any, Any]):
    """Lets a client speak another version of its API: `custom_hook_policy=OfVersion("2025-07-01")`.

    The SDKs' own `api_version` refuses parameters that the version lacks although nobody sends them.
    """

    def __init__(self, version: str) -> None:
        super().__init__()
        self._version = version

    def on_request(self, request: PipelineRequest[Any]) -> None:
        super().on_request(request)
        url = request.http_request.url
        request.http_request.url = re.sub(r"(?<=api-version=)[\w-]+", self._version, url)


class Raw(AsyncPipelineClient[HttpRequest, AsyncHttpResponse]):
    """An authorised client for providers without an SDK package among ours: `await client.call("GET", path)`."""

    def __init__(self, world: World, principal: Principal) -> None:
        arguments = aio(world, principal)
        scope = "https://management.azure.com/.default"
        policies = [AsyncRetryPolicy(), AsyncBearerTokenCredentialPolicy(arguments["credential"], scope)]
        super().__init__(base_url=world.wire.url, policies=policies, transport=arguments["transport"])
        self._url = world.wire.url

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        return self

    async def call(self, method: str, path: str, body: Any = None) -> AsyncHttpResponse:
        """`path` may be a full URL, such as the poll of an operation, and carries its api-version."""
        url = path if path.startswith("https:") else self._url + path
        return await self.send_request(HttpRequest(method, url, json=body))
