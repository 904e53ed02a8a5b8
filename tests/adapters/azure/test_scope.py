"""No request leaves the fleet, wherever its URL comes from: an id, a tag, the address of a next page."""

import asyncio
from contextlib import suppress
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.cloud.arm import SUBSCRIPTION
from local.cloud.wire import InjectedFault, Reply
from local.cloud.world import World
from shared.adapters.azure.clusters import Clusters
from shared.adapters.azure.scope import ServerScope, within
from shared.domain.cluster import Cluster
from shared.domain.errors import MeshwardError, PermanentError
from shared.domain.vaults.machines import VirtualMachine
from shared.domain.vaults.shares import FileShare
from tests.worlds import sdk
from tests.worlds.ids import GUID, SAFE, ids, mangled
from tests.worlds.listening import Listening, RequestMade, of
from tests.worlds.settings import settings

OTHER = "22222222-2222-4222-8222-222222222222"
ARM = "https://management.azure.com"
FLEET = ServerScope(ARM, within([GUID]))


def sent(url: str) -> bool:
    """Whether a request to this URL is let out."""
    with suppress(PermanentError):
        FLEET.require(url)
        return True
    return False


@pytest.mark.parametrize(
    "url",
    [
        f"{ARM}/subscriptions/{GUID}?api-version=1",
        f"{ARM}/Subscriptions/{GUID.upper()}/resourceGroups/rg/providers/Microsoft.X/y/z%3Ba?api-version=1",
    ],
)
def test_what_is_in_the_fleet_is_asked_for(url: str) -> None:
    assert sent(url)


@pytest.mark.parametrize(
    "url",
    [
        f"{ARM}/subscriptions/{OTHER}",
        f"{ARM}/subscriptions/{GUID}/../{OTHER}",
        f"{ARM}/subscriptions/{GUID}/%2e%2e/{OTHER}",
        f"{ARM}/subscriptions/{GUID}/a%2f..%2f..",
        f"{ARM}/subscriptions/{GUID}//x",
        f"{ARM}/subscriptions/{GUID}/x%00",
        f"{ARM}/subscriptions/{GUID}\\..\\{OTHER}",
        f"{ARM}/subscriptions",
        f"{ARM}/providers/Microsoft.X",
        f"{ARM}/",
        ARM,
        f"http://management.azure.com/subscriptions/{GUID}",
        f"https://mallory.example/subscriptions/{GUID}",
        f"{ARM}@mallory.example/subscriptions/{GUID}",
        f"{ARM}:444/subscriptions/{GUID}",
    ],
)
def test_what_isnt_in_the_fleet_is_never_asked_for(url: str) -> None:
    assert not sent(url)


@given(st.text() | ids() | mangled, st.sampled_from(["", "/..", "/%2e%2e/", "?x=", "#", "//"]))
def test_whatever_follows_the_server_only_the_fleet_is_asked(text: str, glue: str) -> None:
    for url in (f"{ARM}{text}", f"{ARM}/subscriptions/{GUID}{glue}{text}", f"{ARM}{glue}{text}"):
        with suppress(ValueError):
            if sent(url):
                words = urlsplit(url).path.split("/")[1:]
                assert words[1].lower() == GUID
                assert all(
                    set(unquote(word)) <= SAFE - {"/"} | {"=", "+"} and word not in ("", ".", "..") for word in words
                )


async def test_a_next_page_elsewhere_gets_no_token(world: World) -> None:
    clusters = Clusters(settings(world), **sdk.aio(world, world.entra.add("rotator")))
    for elsewhere in (
        f"{world.wire.url}/subscriptions/{OTHER}/x",
        f"https://127.0.0.1:1/subscriptions/{SUBSCRIPTION}/x",
    ):
        page = {"value": [], "nextLink": elsewhere}
        world.wire.inject(InjectedFault(on="managedClusters", kind="answer", reply=Reply(body=page)))
        with pytest.raises(PermanentError, match="OutsideFleet"):
            await clusters.list()


TAGS = [
    "../acct/share",
    "rg#y/acct/share",
    "rg?api-version=1/acct/share",
    "../vm",
    "rg#y/vm",
    "rg?x/vm",
    "..",
    "a/../b",
]
CLUSTER = Cluster(
    id=f"/subscriptions/{GUID}/resourceGroups/rg/providers/Microsoft.ContainerService/managedClusters/aks",
    name="aks",
    resource_group="rg",
    subscription_id=GUID,
    location="westeurope",
    tags={},
    node_resource_group="mc",
)


@pytest.mark.parametrize("kind", [FileShare, VirtualMachine])
@pytest.mark.parametrize("text", TAGS)
def test_a_tag_that_would_reach_another_path_names_nothing(
    kind: type[FileShare] | type[VirtualMachine], text: str
) -> None:
    assert kind.named(CLUSTER, text) is None


@given(
    st.text() | st.sampled_from(TAGS) | st.from_regex(r"[a-z./#?%;]{0,20}/[a-z]{3,5}/[a-z./#?%]{0,9}", fullmatch=True)
)
def test_whatever_a_tag_names_is_in_the_clusters_subscription(text: str) -> None:
    for kind in (FileShare, VirtualMachine):
        source = kind.named(CLUSTER, text)
        if source:
            assert source.source_id.startswith(f"/subscriptions/{GUID}/resourceGroups/")
            assert ".." not in source.source_id.split("/")


def test_a_cluster_of_another_subscription_is_never_asked_for() -> None:
    wire = Listening()
    with suppress(RequestMade), pytest.raises(MeshwardError, match="OutsideFleet"):
        asyncio.run(of(Clusters, wire).get(CLUSTER.id.replace(GUID, OTHER)))
    assert not wire.urls
