"""Azurite, Microsoft's emulator of Azure Storage, on loopback.

Rules:
- It speaks TLS and takes Entra's bearer tokens, as Blob Storage does, so that the app's own way to the store is tested.
  (It looks at a token's claims, not at its signature.)
- Nothing outlives it: it keeps blobs in memory.
"""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import trustme

from shared.adapters.azure.ledger import Ledger
from tests.builds.npm import installed
from tests.real.build import need
from tests.real.programs import free_port, running, until

_ACCOUNT = "devstoreaccount1"
_LOCK = Path(__file__).parent / "servers" / "azurite" / "package-lock.json"


@dataclass(frozen=True, kw_only=True)
class Azurite:
    """A running emulator; `url` is its account's."""

    url: str
    authority: ssl.SSLContext

    def ledger(self, container: str, credential: Any) -> Ledger:
        """A ledger as the app opens it, but for the address and the authority, which obstore can't be told."""
        trust = {"allow_invalid_certificates": True}
        return Ledger(f"az://{_ACCOUNT}/{container}", credential, endpoint=self.url, client_options=trust)

    async def create_container(self, name: str, token: str) -> None:
        headers = {"Authorization": f"Bearer {token}", "x-ms-version": "2025-07-05"}
        async with httpx2.AsyncClient(verify=self.authority, headers=headers, trust_env=False) as client:
            (await client.put(f"{self.url}/{name}?restype=container")).raise_for_status()


@asynccontextmanager
async def azurite(folder: Path) -> AsyncIterator[Azurite]:
    """A running emulator; raises Missing, NotReady."""
    program, port, authority = _program(), free_port(), trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    certificate.private_key_pem.write_to_path(folder / "key.pem")
    (folder / "cert.pem").write_bytes(b"".join(pem.bytes() for pem in certificate.cert_chain_pems))
    options = ["--silent", "--disableTelemetry", "--skipApiVersionCheck", "--inMemoryPersistence", "--oauth", "basic"]
    options += ["--blobPort", str(port), "--cert", str(folder / "cert.pem"), "--key", str(folder / "key.pem")]
    trust = ssl.create_default_context(cadata=authority.cert_pem.bytes().decode())
    async with running(program, folder, *options) as server:
        await until(lambda: _answers(port, trust), server)
        yield Azurite(url=f"https://127.0.0.1:{port}/{_ACCOUNT}", authority=trust)


def _program() -> Path:
    need("npm")
    return installed(_LOCK) / ".bin" / "azurite-blob"


async def _answers(port: int, trust: ssl.SSLContext) -> bool:
    async with httpx2.AsyncClient(verify=trust, trust_env=False) as client:
        try:
            await client.get(f"https://127.0.0.1:{port}/")
        except httpx2.TransportError:
            return False
    return True
