"""API servers of simulated clusters, reached as those of AKS are."""

from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import timedelta

import pytest

from local.cloud.arm import Resource
from local.cloud.kubernetes.cluster import SimulatedCluster
from local.cloud.wire import InjectedFault, Reply
from local.cloud.world import World
from shared.adapters.azure.clusters import Clusters
from shared.adapters.kubernetes.api import ClusterApi, Kubernetes
from shared.adapters.kubernetes.kinds import CONFIG_MAP, DEPLOYMENT, NAMESPACE, POD
from shared.domain.admission import AllowList
from shared.domain.errors import PermanentError, TemporaryError
from tests.worlds import sdk
from tests.worlds.admission import everyone
from tests.worlds.kubernetes import workload
from tests.worlds.settings import settings

SHOP = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}


@pytest.fixture
async def made(world: World) -> Resource:
    return world.aks.add("aks-east")


@pytest.fixture
async def cluster(world: World, made: Resource) -> SimulatedCluster:
    cluster = world.kubernetes.clusters["aks-east"]
    cluster.apply(SHOP)
    return cluster


@pytest.fixture
async def kubernetes(world: World) -> Kubernetes:
    rotator = sdk.aio(world, world.entra.add("rotator"))
    clusters = Clusters(settings(world), **rotator)
    return Kubernetes(clusters, everyone)


@pytest.fixture
async def api(kubernetes: Kubernetes, made: Resource, cluster: SimulatedCluster) -> AsyncIterator[ClusterApi]:
    async with kubernetes.api(made["id"], "") as api:
        yield api


def settings_map(**data: str) -> dict[str, object]:
    return {"metadata": {"name": "settings", "namespace": "shop"}, "data": data}


async def test_what_is_applied_is_found_and_what_is_deleted_is_gone(api: ClusterApi) -> None:
    assert await api.get(CONFIG_MAP, "settings", "shop") is None
    await api.apply(CONFIG_MAP, settings_map(currency="EUR"))
    found = await api.get(CONFIG_MAP, "settings", "shop")
    assert found is not None
    assert found["data"] == {"currency": "EUR"}
    assert [o["metadata"]["name"] for o in await api.list(CONFIG_MAP, namespace="shop")] == ["settings"]
    assert "shop" in [o["metadata"]["name"] for o in await api.list(NAMESPACE)]
    await api.delete(CONFIG_MAP, "settings", "shop")
    await api.delete(CONFIG_MAP, "settings", "shop")
    assert await api.get(CONFIG_MAP, "settings", "shop") is None


async def test_labels_select_by_value_or_by_being_there(
    api: ClusterApi, cluster: SimulatedCluster, world: World
) -> None:
    cluster.apply(workload("web"))
    await world.clock.advance(timedelta(minutes=1))
    pods = len(await api.list(POD))
    assert pods
    assert len(await api.list(POD, labels={"app": None})) == len(await api.list(POD, labels={"app": "web"})) == pods
    assert await api.list(POD, labels={"app": "other"}) == []


async def test_a_field_of_another_owner_is_taken_over_only_when_told_to(
    api: ClusterApi, cluster: SimulatedCluster
) -> None:
    cluster.apply({"apiVersion": "v1", "kind": "ConfigMap", **settings_map(currency="EUR")}, manager="Helm")
    with pytest.raises(TemporaryError, match="409"):
        await api.apply(CONFIG_MAP, settings_map(currency="USD"))
    await api.apply(CONFIG_MAP, settings_map(currency="USD"), take_over=True)
    assert cluster.get("ConfigMap", "shop", "settings")["data"] == {"currency": "USD"}


async def test_a_patch_of_what_somebody_changed_meanwhile_is_refused(
    api: ClusterApi, cluster: SimulatedCluster
) -> None:
    seen = cluster.apply(workload("web"))["metadata"]["resourceVersion"]
    change = {"metadata": {"resourceVersion": seen}, "spec": {"replicas": 5}}
    await api.patch(DEPLOYMENT, "web", "shop", change)
    with pytest.raises(TemporaryError, match="409"):
        await api.patch(DEPLOYMENT, "web", "shop", change)
    assert cluster.get("Deployment", "shop", "web")["spec"]["replicas"] == 5


@pytest.mark.parametrize(
    ("reply", "error", "retry_after"),
    [
        (Reply(status=503, headers={"Retry-After": "5"}), TemporaryError, 5),
        (Reply(status=500, body={"kind": "Status", "message": "etcd", "code": 500}), TemporaryError, None),
        (Reply(status=403, body={"kind": "Status", "message": "no", "code": 403}), TemporaryError, None),
        (Reply(status=422, body={"kind": "Status", "message": "no", "code": 422}), PermanentError, None),
    ],
)
async def test_failures_say_whether_another_try_helps(
    api: ClusterApi, world: World, reply: Reply, error: type[Exception], retry_after: float | None
) -> None:
    world.wire.inject(InjectedFault(on="GET /k8s/", kind="answer", reply=reply))
    with pytest.raises(error) as caught:
        await api.list(POD)
    assert getattr(caught.value, "retry_after", None) == retry_after
    assert "aks-east" in str(caught.value)


async def test_a_lost_answer_is_worth_another_try(api: ClusterApi, world: World) -> None:
    world.wire.inject(InjectedFault(on="GET /k8s/", kind="lose", times=2))
    with pytest.raises(TemporaryError, match="Unreachable"):
        await api.list(POD)
    assert await api.list(NAMESPACE)


async def test_a_change_whose_answer_is_lost_is_not_sent_again(api: ClusterApi, world: World) -> None:
    await api.apply(CONFIG_MAP, settings_map(colour="red"))
    world.wire.inject(InjectedFault(on="PATCH /k8s/", kind="lose"))
    before = world.wire.calls
    with pytest.raises(TemporaryError, match="Unreachable"):
        await api.patch(CONFIG_MAP, "settings", "shop", {"data": {"colour": "blue"}})
    assert world.wire.calls == before + 1


async def test_the_list_is_asked_at_each_contact_and_who_is_not_on_it_gets_no_request(
    world: World, made: Resource, cluster: SimulatedCluster
) -> None:
    listed = [[made["id"]], [made["id"]], []]

    async def allow_list() -> AllowList:
        return AllowList({"shop.example": listed.pop(0)})

    kubernetes = Kubernetes(Clusters(settings(world), **sdk.aio(world, world.entra.add("rotator"))), allow_list)
    async with kubernetes.member_api(made["id"], "shop.example") as api:
        assert await api.list(NAMESPACE)
    async with kubernetes.api(made["id"], "shop.example") as api:
        assert await api.list(NAMESPACE)
    before = len(world.wire.exchanges)
    with pytest.raises(PermanentError, match="NotAdmitted"):
        async with kubernetes.api(made["id"], "shop.example"):
            pass
    assert len(world.wire.exchanges) == before


async def test_the_way_to_an_api_server_is_asked_for_once_and_again_when_nobody_was_reached_there(
    kubernetes: Kubernetes, made: Resource, world: World
) -> None:
    async def asked() -> int:
        with suppress(TemporaryError):
            async with kubernetes.api(made["id"], "") as api:
                await api.list(NAMESPACE)
        return sum("listClusterUserCredential" in e.url for e in world.wire.exchanges)

    assert [await asked() for _ in range(3)] == [1, 1, 1]
    await world.clock.advance(timedelta(days=30))
    assert await asked() == 1
    world.wire.inject(InjectedFault(on="GET /k8s/", kind="lose", times=2))
    assert [await asked(), await asked(), await asked()] == [1, 2, 2]
