"""Two real Consul datacenters on loopback: a primary and a secondary that are joined, with ACLs that deny by default.

Rules:
- Each is one server that elects itself, with a certificate for its HTTPS address of an authority made here.
- An auth method takes tokens of the simulated Entra, whose keys the servers fetch as they would Entra's.
- The secondary replicates tokens and gets its intermediate with the primary's management token.
"""

import asyncio
import json
import ssl
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import trustme

from tests.real import build
from tests.real.programs import Program, free_port, running, until
from tests.worlds.consul import PRIMARY, SECONDARY


@dataclass(frozen=True, kw_only=True)
class Agent:
    """A server of a datacenter."""

    program: Program
    url: str
    gossip: int  # the port that other datacenters join


@dataclass(frozen=True, kw_only=True)
class RealConsul:
    """The agents by datacenter, the authority of their certificates, and a token that may do everything."""

    authority: trustme.CA = field(default_factory=trustme.CA)
    management: str = field(default_factory=lambda: str(uuid.uuid4()))
    agents: dict[str, Agent] = field(default_factory=dict)

    @property
    def ca_pem(self) -> bytes:
        return self.authority.cert_pem.bytes()


@asynccontextmanager
async def datacenters(folder: Path) -> AsyncIterator[RealConsul]:
    """Both datacenters once they sign leaves; what they write goes to `folder`. Raises BuildMissing, NotReady."""
    path = (await asyncio.to_thread(build.programs))["consul"]
    consul = RealConsul()
    async with AsyncExitStack() as stack:
        for name in (PRIMARY, SECONDARY):
            consul.agents[name] = await stack.enter_async_context(_agent(consul, path, folder / name))
        yield consul


@asynccontextmanager
async def _agent(consul: RealConsul, path: Path, folder: Path) -> AsyncIterator[Agent]:
    (folder / "data").mkdir(parents=True)
    ports = {name: free_port() for name in ("https", "server", "serf_lan", "serf_wan")}
    (folder / "agent.json").write_text(json.dumps(_config(consul, folder, ports)))
    url = f"https://127.0.0.1:{ports['https']}"
    async with running(path, folder, "agent", "-config-file", str(folder / "agent.json")) as program:
        trust = ssl.create_default_context(cadata=consul.ca_pem.decode())
        async with httpx2.AsyncClient(base_url=url, verify=trust, trust_env=False, timeout=60) as client:
            await until(lambda: _signs(client, consul.management), program)
        yield Agent(program=program, url=url, gossip=ports["serf_wan"])


def _config(consul: RealConsul, folder: Path, ports: dict[str, int]) -> dict[str, Any]:
    certificate = consul.authority.issue_cert("127.0.0.1")
    (folder / "tls.crt").write_bytes(b"".join(blob.bytes() for blob in certificate.cert_chain_pems))
    (folder / "tls.key").write_bytes(certificate.private_key_pem.bytes())
    role = {"agent": consul.management}
    role |= {"initial_management": consul.management} if folder.name == PRIMARY else {"replication": consul.management}
    return {
        "datacenter": folder.name,
        "primary_datacenter": PRIMARY,
        "retry_join_wan": [f"127.0.0.1:{agent.gossip}" for agent in consul.agents.values()],
        "node_name": f"{folder.name}-server",
        "data_dir": str(folder / "data"),
        "server": True,
        "bootstrap_expect": 1,
        "bind_addr": "127.0.0.1",
        "client_addr": "127.0.0.1",
        "ports": {"http": -1, "grpc": -1, "grpc_tls": -1, "dns": -1, **ports},
        "tls": {"https": {"cert_file": str(folder / "tls.crt"), "key_file": str(folder / "tls.key")}},
        "connect": {"enabled": True},
        "performance": {"raft_multiplier": 1},  # elects in seconds, not in ten
        "disable_update_check": True,
        "acl": {"enabled": True, "default_policy": "deny", "enable_token_replication": True, "tokens": role},
    }


async def _signs(client: httpx2.AsyncClient, token: str) -> bool:
    """Whether it gives leaves, which takes a leader, a root and, in a secondary, the primary's tokens."""
    try:
        answer = await client.get("v1/agent/connect/ca/leaf/ready", headers={"X-Consul-Token": token})
    except httpx2.TransportError:
        return False
    return answer.status_code == 200
