"""Consul datacenters, reached with a managed identity: one login for each activity, ended with it.

Rules:
- The servers' certificate must be of the authority that the policy document pins; the system's authorities don't count.
- The auth method is the primary's, whichever servers are asked; so its tokens have to be global.
- The identity's Entra token is for the auth method alone, never for Azure. Consul gives a token for it that lives for
  minutes; it stays in this session, and is given back at the end, also after a failure. Where that fails too, it ends
  by itself.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import NamedTuple, Protocol
from urllib.parse import urlsplit

import aiohttp
import msgspec

from shared.adapters.kubernetes.errors import Unreachable
from shared.adapters.meshes.consul.acl import Acl
from shared.adapters.meshes.consul.authority import ConsulAuthority
from shared.adapters.meshes.consul.calls import Calls, ConsulBounds, Request
from shared.adapters.meshes.consul.catalog import Catalog
from shared.adapters.meshes.consul.entries import ConsulEntries
from shared.adapters.meshes.consul.status import Status
from shared.domain.errors import MeshwardError, PermanentError, shown
from shared.domain.trust.consul.facts import ConsulServers

_USER_AGENT = "meshward"


class EntraTokens(Protocol):
    """Gives tokens of the rotator's identity for the app registration that auth methods take."""

    async def token(self) -> str: ...


class ConsulSession(NamedTuple):
    """What a logged-in activity does at the servers of a datacenter, and through them in others (`dc`)."""

    authority: ConsulAuthority  # roots, CA configuration, leaves
    acl: Acl  # auth methods and binding rules
    entries: ConsulEntries  # intentions and other config entries
    catalog: Catalog  # services and their proxies
    status: Status  # leaders, health, versions


class _Login(msgspec.Struct):
    secret: str = msgspec.field(name="SecretID")


class Consul:
    """Opens sessions at datacenters."""

    def __init__(self, entra: EntraTokens, bounds: ConsulBounds = ConsulBounds()) -> None:  # noqa: B008  # it never changes
        self._entra, self._bounds = entra, bounds

    @asynccontextmanager
    async def session(self, servers: ConsulServers, purpose: Mapping[str, str]) -> AsyncIterator[ConsulSession]:
        """A session for the length of one activity; Consul notes `purpose` beside the login, as its audit trail."""
        name = servers.datacenter
        try:
            async with asyncio.timeout(self._bounds.visit), self._http(servers) as http:
                calls = Calls(name, http, self._bounds)
                calls.token = await self._login(calls, servers, purpose)
                try:
                    yield session_of(calls)
                finally:
                    await _logout(calls)
        except TimeoutError as error:
            raise Unreachable(f"{name} didn't answer all in {self._bounds.visit:.0f} seconds") from error

    def _http(self, servers: ConsulServers) -> aiohttp.ClientSession:
        url, tls = _endpoint(servers)
        return aiohttp.ClientSession(
            url,
            connector=aiohttp.TCPConnector(ssl=tls),
            headers={"User-Agent": _USER_AGENT, "Accept-Encoding": "identity", "Content-Type": "application/json"},
            auto_decompress=False,
        )

    async def _login(self, calls: Calls, servers: ConsulServers, purpose: Mapping[str, str]) -> str:
        bearer, doing = await self._entra.token(), f"logging in with {servers.auth_method}"
        body = {"AuthMethod": servers.auth_method, "BearerToken": bearer, "Meta": dict(purpose)}
        request = Request("POST", "acl/login", servers.primary, body=body, refused="LoginRefused", secrets=(bearer,))
        request = request._replace(refusals=(400, 403, 500))
        answer = await calls.send(doing, request)
        return calls.decoded(answer.content, _Login, doing).secret


def session_of(calls: Calls) -> ConsulSession:
    """What is done by these calls."""
    return ConsulSession(ConsulAuthority(calls), Acl(calls), ConsulEntries(calls), Catalog(calls), Status(calls))


async def _logout(calls: Calls) -> None:
    with suppress(MeshwardError):
        await calls.send("logging out", Request("POST", "acl/logout"))


def _endpoint(servers: ConsulServers) -> tuple[str, ssl.SSLContext]:
    """Where the servers are, and who vouches for them; raises PermanentError for what can't be meant."""
    try:
        parts = urlsplit(servers.url)
        port = parts.port or 443
        tls = ssl.create_default_context(cadata=servers.authority)
    except (ValueError, ssl.SSLError) as error:
        raise PermanentError("BadPolicy", f"{servers.datacenter}: {shown(str(error))}") from error
    if parts.scheme != "https" or not parts.hostname or "@" in parts.netloc or parts.query or parts.fragment:
        raise PermanentError("BadPolicy", f"{servers.datacenter}: {shown(servers.url)} isn't https://host:port")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"https://{host}:{port}{parts.path.rstrip('/')}/", tls
