"""The authority of a cluster is pinned: its chain, name and dates count, and not what older ones lack."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from local.cloud.world import World
from shared.adapters.azure.clusters import Clusters
from shared.adapters.kubernetes.api import Kubernetes
from shared.adapters.kubernetes.errors import Unreachable
from shared.adapters.kubernetes.kinds import POD
from tests.worlds import sdk
from tests.worlds.admission import everyone
from tests.worlds.settings import settings

LONG_AGO, AFTER_THAT, FOR_EVER = (datetime(year, 1, 1, tzinfo=UTC) for year in (2000, 2001, 9999))  # TLS has no clock


class OldAuthority:
    """An authority as older clusters have it: CA:TRUE and nothing else."""

    def __init__(self) -> None:
        self.key, self.name = ec.generate_private_key(ec.SECP256R1()), _named("cluster-ca")
        constraints = x509.BasicConstraints(ca=True, path_length=None)
        self.certificate = _made(self, self.name, self.key, FOR_EVER).add_extension(constraints, critical=True)
        self.pem = self.certificate.sign(self.key, hashes.SHA256()).public_bytes(Encoding.PEM)

    def server(self, folder: Path, name: str, until: datetime) -> ssl.SSLContext:
        """What a server of this name has."""
        key, names = ec.generate_private_key(ec.SECP256R1()), x509.SubjectAlternativeName([x509.DNSName(name)])
        certificate = _made(self, _named(name), key, until).add_extension(names, critical=False)
        kept = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (folder / "server.pem").write_bytes(
            kept + certificate.sign(self.key, hashes.SHA256()).public_bytes(Encoding.PEM)
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "server.pem")
        return context


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])


def _made(
    authority: OldAuthority, subject: x509.Name, key: ec.EllipticCurvePrivateKey, until: datetime
) -> x509.CertificateBuilder:
    number = x509.random_serial_number()
    return x509.CertificateBuilder(authority.name, subject, key.public_key(), number, LONG_AGO, until)


@asynccontextmanager
async def served(tls: ssl.SSLContext) -> AsyncIterator[str]:
    """An API server without pods; its URL."""

    async def answer(_: web.Request) -> web.Response:
        return web.json_response({"items": [], "metadata": {}})

    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
        yield f"https://localhost:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def pods(world: World, url: str, authority: OldAuthority) -> object:
    """The pods of a cluster whose API server is there, by its pinned authority."""
    made = world.aks.add("aks-old")
    world.aks.api_servers["aks-old"] = url, authority.pem
    clusters = Clusters(settings(world), **sdk.aio(world, world.entra.add("rotator")))
    async with Kubernetes(clusters, everyone).api(made["id"], "") as api:
        return await api.list(POD)


async def test_an_authority_of_an_older_cluster_is_as_good_as_any(world: World, tmp_path: Path) -> None:
    authority = OldAuthority()
    async with served(authority.server(tmp_path, "localhost", FOR_EVER)) as url:
        assert await pods(world, url, authority) == []


@pytest.mark.parametrize(
    ("name", "until", "ours", "words"),
    [
        ("elsewhere.example", FOR_EVER, True, "Hostname mismatch"),
        ("localhost", AFTER_THAT, True, "certificate has expired"),
        ("localhost", FOR_EVER, False, "certificate signature failure|unable to get local issuer"),
    ],
)
async def test_a_certificate_of_another_authority_name_or_time_is_refused_in_the_library_s_words(
    world: World, tmp_path: Path, name: str, until: datetime, ours: bool, words: str
) -> None:
    authority = OldAuthority()
    signer = authority if ours else OldAuthority()
    async with served(signer.server(tmp_path, name, until)) as url:
        with pytest.raises(Unreachable, match=rf"ApiServerUntrusted.*aks-old.*({words})"):
            await pods(world, url, authority)
