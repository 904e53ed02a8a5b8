"""Two services that talk through Consul's own proxies, each a real process: `web` calls `db`, which answers."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography import x509

from tests.real import build
from tests.real.consul_agents import RealConsul
from tests.real.programs import Program, free_port, running, until
from tests.worlds.consul import PRIMARY, ConsulUnderTest

_PAUSE, _PATIENCE = 0.02, 5.0


@dataclass(kw_only=True)
class ProxyTraffic:
    """New connections from `web` to `db`, one after another, until it is told to stop."""

    upstream: int  # the port at which web's proxy takes connections to db
    public: int  # the port at which db's proxy takes connections of the mesh
    made: int = 0
    failed: list[str] = field(default_factory=list)

    async def answers(self) -> bool:
        """Whether a new connection gets through, there and back."""
        try:
            async with asyncio.timeout(_PATIENCE):
                reader, writer = await asyncio.open_connection("127.0.0.1", self.upstream)
                writer.write(b"question")
                answer = await reader.readexactly(8)
                writer.close()
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            return False
        return answer == b"question"

    async def flow(self) -> None:
        """Connect for ever."""
        while True:
            self.made += 1
            if not await self.answers():
                self.failed.append(f"connection {self.made}")
            await asyncio.sleep(_PAUSE)

    async def presented(self) -> list[x509.Certificate]:
        """What db's proxy shows to who connects; nobody needs a certificate to see it."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        _, writer = await asyncio.open_connection("127.0.0.1", self.public, ssl=context)
        shown = writer.get_extra_info("ssl_object").get_unverified_chain()
        with contextlib.suppress(OSError):
            writer.close()
            await writer.wait_closed()
        return [x509.load_der_x509_certificate(der) for der in shown]


@asynccontextmanager
async def traffic(consul: ConsulUnderTest, agents: RealConsul, folder: Path) -> AsyncIterator[ProxyTraffic]:
    """Both services with their proxies, once they talk, and connections all the while."""
    db, public, upstream = free_port(), free_port(), free_port()
    found = ProxyTraffic(upstream=upstream, public=public)
    await consul.admin("PUT", "agent/service/register", _service("db", db, public))
    upstreams = [{"DestinationName": "db", "LocalBindPort": upstream}]
    await consul.admin("PUT", "agent/service/register", _service("web", free_port(), free_port(), upstreams))
    sources = [{"Name": "web", "Action": "allow"}]
    await consul.admin("PUT", "config", {"Kind": "service-intentions", "Name": "db", "Sources": sources})
    async with AsyncExitStack() as stack:
        server = await asyncio.start_server(_answer, "127.0.0.1", db)
        stack.push_async_callback(_closed, server)
        programs = [await stack.enter_async_context(_proxy(agents, name, folder / name)) for name in ("db", "web")]
        await until(found.answers, *programs)
        flow = asyncio.ensure_future(found.flow())
        stack.callback(flow.cancel)
        yield found


def _service(name: str, port: int, public: int, upstreams: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    check = {"Name": "listens", "TCP": f"127.0.0.1:{public}", "Interval": "1s"}
    sidecar = {"Port": public, "Checks": [check], "Proxy": {"Upstreams": upstreams or []}}
    return {"Name": name, "Port": port, "Connect": {"SidecarService": sidecar}}


@asynccontextmanager
async def _proxy(agents: RealConsul, name: str, folder: Path) -> AsyncIterator[Program]:
    path = (await asyncio.to_thread(build.programs))["consul"]
    flags = _flags(agents, folder)
    async with running(path, folder, "connect", "proxy", f"-sidecar-for={name}", *flags) as program:
        yield program


def _flags(agents: RealConsul, folder: Path) -> list[str]:
    folder.mkdir(parents=True)
    (folder / "ca.pem").write_bytes(agents.ca_pem)
    options = {"http-addr": agents.agents[PRIMARY].url, "ca-file": str(folder / "ca.pem"), "token": agents.management}
    return [f"-{option}={value}" for option, value in options.items()]


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Give back what comes."""
    with contextlib.suppress(OSError):
        while content := await reader.read(100):
            writer.write(content)
            await writer.drain()
        writer.close()


async def _closed(server: asyncio.Server) -> None:
    server.close()
