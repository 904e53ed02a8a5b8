"""What whoever can make a pod, a ConfigMap or an API server may send: it is read in bounds, and named."""

import asyncio
import gzip
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.cloud.arm import Resource
from local.cloud.wire import InjectedFault, Reply
from local.cloud.world import World
from shared.adapters.azure.clusters import Clusters
from shared.adapters.kubernetes.api import Kubernetes
from shared.adapters.kubernetes.bounds import Bounds, document
from shared.adapters.kubernetes.errors import OutOfBounds, Unreachable
from shared.adapters.kubernetes.kinds import CONFIG_MAP, NAMESPACE, POD, SECRET
from shared.adapters.meshes import linkerd_objects as objects
from shared.domain.errors import MeshwardError, PermanentError
from tests.worlds import sdk
from tests.worlds.admission import everyone
from tests.worlds.settings import settings

SMALL = Bounds(answer=2000, listed=5000, pages=20, metrics=1000, call=0.3, visit=1.0)
KEY = "-----BEGIN EC PRIVATE KEY-----MHcCAQEEIEvq-----END EC PRIVATE KEY-----"


@pytest.fixture
async def made(world: World) -> Resource:
    return world.aks.add("aks-east")


@pytest.fixture
async def clusters(world: World) -> Clusters:
    return Clusters(settings(world), **sdk.aio(world, world.entra.add("rotator")))


@pytest.fixture
async def kubernetes(clusters: Clusters) -> Kubernetes:
    return Kubernetes(clusters, everyone, SMALL)


def answers(world: World, reply: Reply, on: str = "/k8s/") -> None:
    world.wire.inject(InjectedFault(on=on, kind="answer", times=10_000, reply=reply))


def page(more: str, *items: object) -> Reply:
    return Reply(body={"items": list(items), "metadata": {"continue": more}})


async def drops(between: float) -> AsyncIterator[bytes]:
    """One byte at a time, for ever."""
    while True:
        yield b" "
        await asyncio.sleep(between)


async def test_an_answer_larger_than_its_bound_is_not_read_to_its_end(
    world: World, made: Resource, kubernetes: Kubernetes
) -> None:
    sent: list[bytes] = []
    answers(world, Reply(stream=_flood(sent)))
    async with kubernetes.api(made["id"], "") as api:
        with pytest.raises(OutOfBounds, match="reading the metrics of pod shop/web in aks-east"):
            await api.metrics("web", "shop", 4191)
    assert len(sent) < 1000


async def _flood(sent: list[bytes]) -> AsyncIterator[bytes]:
    for _ in range(400 * 16):
        sent.append(part := b"x" * 65_536)
        yield part


async def test_an_encoding_that_makes_much_of_little_is_not_unpacked(
    world: World, made: Resource, kubernetes: Kubernetes
) -> None:
    bomb = gzip.compress(b"[" * 1_000_000)[:1900]
    answers(world, Reply(content=bomb, headers={"Content-Encoding": "gzip"}))
    async with kubernetes.api(made["id"], "") as api:
        with pytest.raises(OutOfBounds):
            await api.get(CONFIG_MAP, "settings", "shop")


async def test_a_continue_that_never_ends_is_left_after_a_number_of_pages(
    world: World, made: Resource, kubernetes: Kubernetes
) -> None:
    for number in range(100):
        world.wire.inject(InjectedFault(on="/k8s/", kind="answer", reply=page(f"page-{number}")))
    async with kubernetes.api(made["id"], "") as api:
        before = len(world.wire.exchanges)
        with pytest.raises(OutOfBounds, match="listing pods in aks-east: the list goes on without an end"):
            await api.list(POD)
    assert len(world.wire.exchanges) - before == SMALL.pages


async def test_a_continue_that_repeats_itself_is_left_at_once(
    world: World, made: Resource, kubernetes: Kubernetes
) -> None:
    answers(world, page("again"))
    async with kubernetes.api(made["id"], "") as api:
        before = len(world.wire.exchanges)
        with pytest.raises(OutOfBounds):
            await api.list(POD)
    assert len(world.wire.exchanges) - before == 2


async def test_pages_that_are_small_each_are_bounded_together(
    world: World, made: Resource, kubernetes: Kubernetes
) -> None:
    for number in range(9):
        world.wire.inject(
            InjectedFault(on="/k8s/", kind="answer", reply=page(f"page-{number}", {"metadata": {"name": "x" * 1500}}))
        )
    async with kubernetes.api(made["id"], "") as api:
        with pytest.raises(OutOfBounds, match="more than"):
            await api.list(POD)


async def test_one_byte_at_a_time_ends_with_the_time_of_a_call(
    world: World, made: Resource, kubernetes: Kubernetes
) -> None:
    answers(world, Reply(stream=drops(0.05)))
    async with kubernetes.api(made["id"], "") as api:
        with pytest.raises(Unreachable, match="listing namespaces in aks-east"):
            await api.list(NAMESPACE)


async def test_calls_that_each_take_their_time_end_with_the_time_of_the_activity(
    world: World, made: Resource, clusters: Clusters
) -> None:
    kubernetes = Kubernetes(clusters, everyone, SMALL._replace(call=60.0, visit=0.5))
    answers(world, Reply(stream=drops(0.05)))
    with pytest.raises(Unreachable, match="aks-east didn't answer all"):
        async with kubernetes.api(made["id"], "") as api:
            await api.list(NAMESPACE)


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"7", b"\xff", b"[" * 1900, b'{"a":' * 300, b'{"items":{}}', b'{"items":[7],"metadata":{}}', b"{}"],
)
async def test_an_answer_of_another_form_is_a_named_refusal(
    world: World, made: Resource, kubernetes: Kubernetes, content: bytes
) -> None:
    answers(world, Reply(content=content))
    async with kubernetes.api(made["id"], "") as api:
        with pytest.raises(OutOfBounds, match="listing pods in aks-east"):
            await api.list(POD)


@pytest.mark.parametrize("status", [400, 403, 409, 422, 500, 503])
async def test_what_is_said_of_a_secret_is_its_status_and_a_reason_of_kubernetes(
    world: World, made: Resource, kubernetes: Kubernetes, status: int
) -> None:
    said = {"kind": "Status", "message": f"denied: {KEY}", "reason": KEY, "details": {"name": KEY}}
    answers(world, Reply(status=status, body=said))
    async with kubernetes.api(made["id"], "") as api:
        for act in (api.patch(SECRET, "issuer", "linkerd", {}), api.get(SECRET, "issuer", "linkerd"), api.list(SECRET)):
            with pytest.raises(MeshwardError, match=f"{status}") as refused:
                await act
            assert "PRIVATE KEY" not in str(refused.value)
    said["reason"] = "Conflict"
    async with kubernetes.api(made["id"], "") as api:
        with pytest.raises(MeshwardError, match=f"{status} Conflict"):
            await api.patch(SECRET, "issuer", "linkerd", {})


async def test_what_an_api_server_says_is_quoted_shortly_and_on_one_line(
    world: World, made: Resource, kubernetes: Kubernetes
) -> None:
    answers(world, Reply(status=422, body={"message": "no\nERROR forged" + "x" * 1500, "reason": "Invalid"}))
    async with kubernetes.api(made["id"], "") as api:
        with pytest.raises(PermanentError) as refused:
            await api.list(POD)
    assert len(refused.value.message) < 300
    assert refused.value.message.isprintable()


@pytest.mark.parametrize("name", ["a/b", "a?b", "a#b", "%2e%2e", " ", "a\n", "ä", "x" * 1000])
async def test_a_name_that_is_no_segment_of_a_path_is_never_asked_for(
    world: World, made: Resource, kubernetes: Kubernetes, name: str
) -> None:
    async with kubernetes.api(made["id"], "") as api:
        before = len(world.wire.exchanges)
        with pytest.raises(PermanentError, match="NotAName"):
            await api.metrics(name, "shop", 1)
        for text in (name, "..", "."):
            with pytest.raises(PermanentError, match="NotAName"):
                await api.get(POD, "web", text)
            with pytest.raises(PermanentError, match="NotAName"):
                await api.delete(POD, text)
    assert len(world.wire.exchanges) == before


@pytest.mark.parametrize(
    "text",
    [
        "[" * 900_000,
        "[" * 100_000,
        "{" * 100_000,
        "- " * 100_000,
        "? " * 100_000,
        "a: " * 1000,
        "a: &a [x]\nb: [*a, *a]",
        "a: &a [*a]",
        "!!int ''",
        "!!bool 'x'",
        "!!timestamp 'x'",
        "2024-13-45",
        "9" * 5000,
        "!!python/object:os.system x",
        "? [a]\n: b",
        "\x00",
        "\ud800",
        "%YAML 9.9\n---\na",
        "a: 'open",
    ],
    ids=range(19),
)
def test_yaml_that_would_kill_or_hold_a_worker_is_refused(text: str) -> None:
    with pytest.raises(OutOfBounds, match="the ConfigMap linkerd-config"):
        objects.config(text)


@pytest.mark.parametrize("text", ["7", "[]", "a", "identity: 7", "identity: {issuer: []}"])
def test_values_that_are_no_values_are_refused(text: str) -> None:
    with pytest.raises(OutOfBounds):
        objects.config(text)


@given(st.text() | st.text(alphabet="[]{}&*!|>-?:,'\"#\n a1~<", max_size=200))
def test_whatever_a_config_map_holds_is_values_or_refused(text: str) -> None:
    with suppress(OutOfBounds):
        objects.config(text)


def test_a_leaf_that_lives_longer_than_a_year_is_refused() -> None:
    with pytest.raises(OutOfBounds):
        objects.config("identity: {issuer: {issuanceLifetime: 999999999h999999999h}}")
    assert document("a: 1", "it") == {"a": 1}


@given(st.text() | st.text(alphabet='aN{}="# 0123456789eE+-.\n', max_size=100))
def test_whatever_a_pod_tells_becomes_finite_numbers(text: str) -> None:
    found = objects.samples(text)
    assert all(value - value == 0 for value in found.values())


@pytest.mark.parametrize("value", ["NaN", "+Inf", "-Inf", "1e308", "-1e308", "1e18", "x", ""])
def test_a_moment_that_no_calendar_has_is_unknown_and_no_error(value: str) -> None:
    told = objects.samples(f"identity_cert_refresh_timestamp_seconds {value}\nother 1")
    assert objects.leaf_refreshed_at(told) is None
    expires = objects.samples(f"identity_cert_expiration_timestamp_seconds {value}")
    assert objects.leaf_refreshed_at(expires, timedelta(days=1)) is None
