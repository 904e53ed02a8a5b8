"""Real Kubernetes control planes on loopback: one etcd, and for each cluster API server, controllers and scheduler.

Rules:
- kwok stands in for the kubelets: pods become ready at once, no container runs (`stages.yaml`). While `kubelets` are
  held, pods neither become ready nor go.
- An API server takes tokens of the simulated Entra as AKS takes Entra's: its user is the claim `oid`. The harness has a
  token of its own that may do everything.
- Authorization is RBAC: who isn't bound to a role may do nothing.
"""

import asyncio
import base64
import json
import secrets
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import trustme
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from local.cloud.kubernetes.api import AUDIENCE
from local.cloud.world import TENANT, World
from tests.real import build
from tests.real.programs import Program, free_port, running, until

NODES = 3
_STAGES = Path(__file__).with_name("stages.yaml")


@dataclass(frozen=True, kw_only=True)
class ApiServer:
    """A real API server. `admin` is a client that may do everything, `anybody` one without any permission."""

    url: str
    authority: bytes
    admin: httpx2.AsyncClient
    anybody: httpx2.AsyncClient
    program: Program
    kubelets: Program

    async def ready(self) -> bool:
        """Whether it serves, and knows the keys of the tokens' issuer."""
        return await _serves(self.admin, self.anybody)

    async def restart(self) -> None:
        """Run again after it was killed, over the same etcd."""
        await self.program.start()
        await until(self.ready, self.program)

    async def apply(self, manifest: Mapping[str, Any]) -> None:
        """Apply it as kubectl does."""
        group, kind, metadata = manifest["apiVersion"], manifest["kind"].lower(), manifest["metadata"]
        plural = f"{kind[:-1]}ies" if kind.endswith("y") else f"{kind}{'es' if kind.endswith('s') else 's'}"
        within = f"namespaces/{metadata['namespace']}/" if "namespace" in metadata else ""
        answer = await self.admin.patch(
            f"{'apis' if '/' in group else 'api'}/{group}/{within}{plural}/{metadata['name']}",
            params={"fieldManager": "kubectl", "force": "true"},
            json=manifest,
            headers={"Content-Type": "application/apply-patch+yaml"},
        )
        assert answer.is_success, answer.text


@dataclass(frozen=True, kw_only=True)
class RealControlPlane:
    """The API servers by the names of their clusters, and the etcd that they share."""

    servers: Mapping[str, ApiServer]
    etcd: str

    async def compact(self) -> None:
        """Drop the history, as an API server does every five minutes; each notices within 15 seconds."""
        async with httpx2.AsyncClient(base_url=self.etcd, trust_env=False) as client:
            revision = (await client.post("v3/maintenance/status", json={})).json()["header"]["revision"]
            key, value = (base64.b64encode(text.encode()).decode() for text in ("compact_rev_key", revision))
            (await client.post("v3/kv/put", json={"key": key, "value": value})).raise_for_status()
            (await client.post("v3/kv/compaction", json={"revision": revision})).raise_for_status()


@asynccontextmanager
async def control_plane(world: World, names: list[str], folder: Path) -> AsyncIterator[RealControlPlane]:
    """A running control plane for each name; what it writes goes to `folder`. Raises build.Missing, NotReady."""
    programs = await asyncio.to_thread(build.programs)
    async with AsyncExitStack() as stack:
        etcd = await _etcd(stack, programs, folder)
        async with asyncio.TaskGroup() as group:
            starts = [stack.enter_async_context(_cluster(world, programs, etcd, folder / name)) for name in names]
            servers = [group.create_task(start) for start in starts]
        yield RealControlPlane(
            servers={n: server.result() for n, server in zip(names, servers, strict=True)}, etcd=etcd
        )


async def _etcd(stack: AsyncExitStack, programs: Mapping[str, Path], folder: Path) -> str:
    url, peers = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
    own = ["--listen-client-urls", url, "--advertise-client-urls", url, "--listen-peer-urls", peers]
    etcd = await stack.enter_async_context(
        running(programs["etcd"], folder, "--data-dir", str(folder / "etcd"), *own, "--unsafe-no-fsync")
    )
    client = await stack.enter_async_context(httpx2.AsyncClient(trust_env=False))
    await until(lambda: _answers(client, f"{url}/health"), etcd)
    return url


@asynccontextmanager
async def _cluster(world: World, programs: Mapping[str, Path], etcd: str, folder: Path) -> AsyncIterator[ApiServer]:
    token, port, authority = secrets.token_urlsafe(), free_port(), trustme.CA()
    files = _files(world, folder, token, f"https://127.0.0.1:{port}", authority)
    options = {"etcd-servers": etcd, "etcd-prefix": f"/{folder.name}", "secure-port": port, **_API_SERVER, **files}
    url, kubeconfig = f"https://127.0.0.1:{port}", f"--kubeconfig={folder / 'kubeconfig'}"
    async with AsyncExitStack() as stack:
        program = await stack.enter_async_context(running(programs["kube-apiserver"], folder, *_options(options)))
        trust = authority.cert_pem.bytes()
        other = world.entra.token(world.entra.named("anybody"), AUDIENCE)
        admin, anybody = [await stack.enter_async_context(_client(url, trust, each)) for each in (token, other)]
        await until(lambda: _serves(admin, anybody), program)
        started = dict[str, Program]()
        for name, own in _CONTROLLERS.items():
            keys = {"service-account-private-key-file": folder / "sa.key"} if "manager" in name else {}
            controller = running(programs[name], folder, kubeconfig, *_options({**own, **keys}))
            started[name] = await stack.enter_async_context(controller)
        for number in range(NODES):
            node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": f"aks-nodepool1-vmss00000{number}"}}
            (await admin.post("api/v1/nodes", json=node)).raise_for_status()
        await until(lambda: _runs_pods(admin), *started.values())
        own = {"program": program, "kubelets": started["kwok"]}
        yield ApiServer(url=url, authority=trust, admin=admin, anybody=anybody, **own)


_API_SERVER = {
    "allow-privileged": "true",  # as on AKS: what must not be, policies refuse
    "bind-address": "127.0.0.1",
    "advertise-address": "127.0.0.1",
    "endpoint-reconciler-type": "none",  # it would refuse to publish a loopback address
    "authorization-mode": "RBAC",
    "service-cluster-ip-range": "10.0.0.0/24",
    "service-account-issuer": "https://kubernetes.default.svc",
}
_CONTROLLERS: dict[str, dict[str, Any]] = {
    "kube-controller-manager": {
        "use-service-account-credentials": "true",
        "leader-elect": "false",
        "secure-port": 0,
        "node-monitor-grace-period": "24h",  # kwok's nodes send no heartbeat
    },
    "kube-scheduler": {"leader-elect": "false", "secure-port": 0, "authentication-skip-lookup": "true"},
    "kwok": {"manage-all-nodes": "true", "config": _STAGES, "node-port": 0},
}


def _files(world: World, folder: Path, token: str, url: str, authority: trustme.CA) -> dict[str, Path]:
    """Writes what the programs read, and names it by the API server's options."""
    folder.mkdir()
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    certificate = authority.issue_cert("127.0.0.1")
    content = {
        "sa.key": key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ),
        "sa.pub": key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        ),
        "tls.crt": b"".join(blob.bytes() for blob in certificate.cert_chain_pems),
        "tls.key": certificate.private_key_pem.bytes(),
        "tokens.csv": f'{token},admin,1,"system:masters"\n'.encode(),
        "authentication": json.dumps(_authentication(world)).encode(),
        "kubeconfig": json.dumps(_kubeconfig(url, authority.cert_pem.bytes().decode(), token, folder)).encode(),
    }
    for name, text in content.items():
        (folder / name).write_bytes(text)
    named = {
        "service-account-key-file": "sa.pub",
        "service-account-signing-key-file": "sa.key",
        "tls-cert-file": "tls.crt",
        "tls-private-key-file": "tls.key",
        "token-auth-file": "tokens.csv",
        "authentication-config": "authentication",
    }
    return {option: folder / name for option, name in named.items()}


def _authentication(world: World) -> dict[str, Any]:
    issuer = {
        "url": world.entra.issuer,
        "audiences": [AUDIENCE],
        "certificateAuthority": world.wire.ca_pem.decode(),
    }
    tenant = {"expression": f"claims.tid == '{TENANT}'", "message": "a token of another tenant"}
    user = {"username": {"claim": "oid", "prefix": ""}}
    return {
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": "AuthenticationConfiguration",
        "jwt": [{"issuer": issuer, "claimMappings": user, "claimValidationRules": [tenant]}],
    }


def _kubeconfig(url: str, authority: str, token: str, folder: Path) -> dict[str, Any]:
    (folder / "ca.crt").write_text(authority)
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "own",
        "contexts": [{"name": "own", "context": {"cluster": "own", "user": "own"}}],
        "clusters": [{"name": "own", "cluster": {"server": url, "certificate-authority": str(folder / "ca.crt")}}],
        "users": [{"name": "own", "user": {"token": token}}],
    }


def _options(options: Mapping[str, Any]) -> list[str]:
    return [f"--{name}={value}" for name, value in options.items()]


def _client(url: str, authority: bytes, token: str) -> httpx2.AsyncClient:
    trust = ssl.create_default_context(cadata=authority.decode())
    headers = {"Authorization": f"Bearer {token}"}
    return httpx2.AsyncClient(base_url=url, headers=headers, verify=trust, trust_env=False, timeout=60)


async def _answers(client: httpx2.AsyncClient, url: str) -> bool:
    try:
        return (await client.get(url)).status_code == 200
    except httpx2.TransportError:
        return False


async def _serves(admin: httpx2.AsyncClient, anybody: httpx2.AsyncClient) -> bool:
    return await _answers(admin, "readyz") and await _answers(anybody, "apis")


async def _runs_pods(admin: httpx2.AsyncClient) -> bool:
    """Whether every controller is at work: nodes are ready, and namespaces get their service account."""
    nodes = (await admin.get("api/v1/nodes")).json()["items"]
    conditions = [c for node in nodes for c in node["status"].get("conditions", ())]
    ready = sum(c["type"] == "Ready" and c["status"] == "True" for c in conditions)
    return ready == NODES and await _answers(admin, "api/v1/namespaces/default/serviceaccounts/default")
