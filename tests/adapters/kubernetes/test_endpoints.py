"""A kubeconfig is what a cluster's owner says: the token goes only to the server that Resource Manager names."""

import base64
from contextlib import suppress
from urllib.parse import urlsplit

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from local.cloud.wire import InjectedFault, Reply
from local.cloud.world import World
from shared.adapters.azure.clusters import Clusters
from shared.adapters.kubernetes.api import Kubernetes
from shared.adapters.kubernetes.endpoints import endpoint_of
from shared.adapters.kubernetes.kinds import POD
from shared.domain.admission import AdmittedCluster
from shared.domain.errors import MeshwardError, PermanentError
from tests.worlds import sdk
from tests.worlds.admission import everyone
from tests.worlds.settings import settings

FQDN = "aks-east-dns.hcp.westeurope.azmk8s.io"
PRIVATE = "aks-east-dns.1234.privatelink.westeurope.azmk8s.io"
HOSTS = frozenset({FQDN, PRIVATE})


def kubeconfig(server: str, authority: str = "") -> str:
    return f'clusters:\n- cluster: {{certificate-authority-data: "{authority}", server: "{server}"}}\n'


@pytest.mark.parametrize(
    ("server", "url"),
    [
        (f"https://{FQDN}:443", f"https://{FQDN}:443/"),
        (f"https://{PRIVATE}", f"https://{PRIVATE}:443/"),
        (f"https://mallory.example\\\\@{FQDN}", f"https://{FQDN}:443/"),  # libraries differ on the host of such a URL
        (f"HTTPS://{FQDN.upper()}/", f"https://{FQDN}:443/"),
    ],
)
def test_the_public_and_the_private_name_of_a_cluster_are_its_own(server: str, url: str) -> None:
    assert endpoint_of("aks-east", kubeconfig(server), HOSTS).url == url


FOREIGN = [
    f"http://{FQDN}",
    f"ftp://{FQDN}",
    "https://127.0.0.1:6443",
    f"https://{FQDN}@mallory.example",
    f"https://mallory.example#{FQDN}",
    f"https://mallory.example?{FQDN}",
    f"https://{FQDN}.mallory.example",
    f"https://{FQDN}:443@mallory.example",
    f"https://{FQDN}:99999",
    f"https://{FQDN}/../x",
    f"//{FQDN}",
    FQDN,
    "",
    "https://[::1",
]


@pytest.mark.parametrize("server", FOREIGN)
def test_another_server_than_resource_manager_names_is_refused(server: str) -> None:
    with pytest.raises(PermanentError, match=r"ApiServerElsewhere.*aks-east"):
        endpoint_of("aks-east", kubeconfig(server), HOSTS)


def test_a_cluster_of_which_resource_manager_names_no_server_gets_no_token() -> None:
    with pytest.raises(PermanentError, match="ApiServerElsewhere"):
        endpoint_of("aks-east", kubeconfig("https://"), frozenset())


@given(st.text() | st.sampled_from(FOREIGN), st.sampled_from(sorted(HOSTS)), st.text("@/?#\\:.[]% \n", max_size=4))
def test_whatever_a_kubeconfig_names_the_host_is_one_of_resource_managers(text: str, host: str, glue: str) -> None:
    for server in (text, f"https://{text}{glue}{host}", f"https://{host}{glue}{text}"):
        with suppress(MeshwardError):
            assert urlsplit(endpoint_of("aks-east", kubeconfig(server), HOSTS).url).hostname in HOSTS


@given(st.text())
def test_whatever_a_kubeconfig_is_it_is_an_endpoint_or_refused(text: str) -> None:
    with suppress(MeshwardError):
        endpoint_of("aks-east", text, HOSTS)


async def test_no_token_is_got_or_sent_for_a_kubeconfig_that_names_another_server(world: World) -> None:
    heard, got = [], []

    async def listen(request: web.Request) -> web.Response:
        heard.append(request.headers.get("Authorization"))
        return web.json_response({"items": [], "metadata": {}})

    class Watched(Clusters):
        async def token(self, cluster: AdmittedCluster) -> str:
            got.append(cluster.id)
            return await super().token(cluster)

    runner = web.AppRunner(_app(listen))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        made = world.aks.add("aks-east")
        foreign = f"http://127.0.0.1:{runner.addresses[0][1]}"
        clusters = Watched(settings(world), **sdk.aio(world, world.entra.add("rotator")))
        reply = kubeconfig(foreign, "")
        _answer_with(world, reply)
        with pytest.raises(PermanentError, match="ApiServerElsewhere"):
            async with Kubernetes(clusters, everyone).api(made["id"], "") as api:
                await api.list(POD)
    finally:
        await runner.cleanup()
    assert (heard, got) == ([], [])


def _app(listen: object) -> web.Application:
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", listen)  # type: ignore[arg-type]
    return app


def _answer_with(world: World, text: str) -> None:
    body = {"kubeconfigs": [{"name": "clusterUser", "value": base64.b64encode(text.encode()).decode()}]}
    world.wire.inject(InjectedFault(on="listClusterUserCredential", kind="answer", reply=Reply(body=body)))
