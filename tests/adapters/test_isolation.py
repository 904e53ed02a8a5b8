"""Isolated namespaces in a simulated cluster, reached by the real clients."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from local.cloud.kubernetes.cluster import Cluster
from local.cloud.world import World
from shared.adapters.clusters import Clusters
from shared.adapters.isolation import Namespaces
from shared.adapters.kubernetes import Kubernetes
from shared.domain.restore import Item, Plan, RecoveryPoint
from shared.domain.restore_manifest import Manifest
from tests import sdk
from tests.adapters.test_azure_resources import settings

MINUTE = timedelta(minutes=1)
PLACE = "verify-shop-0a1b2c3d"


def object(kind: str, name: str, namespace: str | None = "shop", **content: Any) -> dict[str, Any]:
    api = "apps/v1" if kind == "Deployment" else "v1"
    where = {"namespace": namespace} if namespace else {}
    return {"apiVersion": api, "kind": kind, "metadata": {"name": name, **where}, **content}


def web(namespace: str) -> dict[str, Any]:
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "web", "image": "web:1"}]}}
    spec = {"replicas": 2, "selector": {"matchLabels": {"app": "web"}}, "template": template}
    return object("Deployment", "web", namespace, spec=spec)


@pytest.fixture
def cluster(world: World) -> Cluster:
    world.aks.add("aks-east")
    cluster = world.kubernetes.clusters["aks-east"]
    for name in ("shop", "orders", "linkerd-viz"):
        cluster.apply(object("Namespace", name, None))
    labels = {"metadata": {"name": "linkerd-viz", "labels": {"linkerd.io/extension": "viz"}}}
    cluster.apply({"apiVersion": "v1", "kind": "Namespace", **labels})
    cluster.apply(object("ConfigMap", "settings", data={"currency": "EUR"}))
    cluster.apply(web("shop"))
    return cluster


@pytest.fixture
async def namespaces(world: World, cluster: Cluster) -> AsyncIterator[Namespaces]:
    arguments = sdk.aio(world, world.entra.add("verifier"))
    clusters = Clusters(settings(world), **arguments)
    yield Namespaces(Kubernetes(clusters, arguments["credential"]))
    await clusters.close()


@pytest.fixture
def plan(world: World, cluster: Cluster) -> Plan:
    source = next(r["id"] for r in world.arm.of_type("Microsoft.ContainerService/managedClusters"))
    now = world.clock.now()
    return Plan(
        job_id="/vault/backupJobs/0f0e0d0c-1111-4222-8333-444455556666",
        item=Item(kind="cluster", id="i", source_id=source),
        point=RecoveryPoint(id="p", time=now, complete=True),
        rpo_s=0,
        taken=now,
        places={"shop": PLACE},
    )


async def test_the_protected_namespaces_are_described(namespaces: Namespaces, plan: Plan) -> None:
    held = await namespaces.held(plan.item)
    assert "linkerd-viz" not in held.names
    assert {"shop", "orders"} <= set(held.names)
    assert {"ConfigMap shop/settings", "Deployment shop/web"} <= set(held.entries)


async def test_a_place_is_closed_before_anything_is_in_it(cluster: Cluster, namespaces: Namespaces, plan: Plan) -> None:
    await namespaces.isolate(plan)
    version = cluster.version
    await namespaces.isolate(plan)
    assert cluster.version == version, "the second time changed something"
    assert cluster.get("NetworkPolicy", PLACE, "meshward-isolation")["spec"]["policyTypes"] == ["Ingress", "Egress"]
    labels = cluster.get("Namespace", "", PLACE)["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "baseline"
    assert labels["meshward.io/verifies"] == plan.job_name


async def test_a_copy_is_compared_by_the_names_of_its_source(
    world: World, cluster: Cluster, namespaces: Namespaces, plan: Plan
) -> None:
    held = await namespaces.held(plan.item)
    await namespaces.isolate(plan)
    cluster.apply(object("ConfigMap", "settings", PLACE, data={"currency": "EUR"}))
    cluster.apply(web(PLACE))
    nothing = Manifest(taken=world.clock.now(), entries={})
    assert not (await namespaces.copy(plan, nothing)).settled
    await world.clock.advance(5 * MINUTE)
    copy = await namespaces.copy(plan, nothing)
    assert copy.settled
    assert {name: e.digest for name, e in copy.entries.items()} == {n: held.entries[n].digest for n in copy.entries}
    assert len(copy.entries) == 2


async def test_a_place_is_told_as_left_over_until_it_is_gone(
    world: World, cluster: Cluster, namespaces: Namespaces, plan: Plan
) -> None:
    await namespaces.isolate(plan)
    assert await namespaces.remove(plan) == [PLACE]
    assert await namespaces.remove(plan) == [PLACE]
    await world.clock.advance(5 * MINUTE)
    assert await namespaces.remove(plan) == []
    assert cluster.find("Namespace", "", PLACE) is None


async def test_a_volume_that_outlives_its_claim_is_left_over(
    cluster: Cluster, namespaces: Namespaces, plan: Plan
) -> None:
    claim = {"claimRef": {"namespace": PLACE, "name": "data"}}
    cluster.apply(object("PersistentVolume", "pv-1", None, spec=claim))
    assert await namespaces.remove(plan) == ["pv-1"]


async def test_a_namespace_that_isn_t_ours_is_never_deleted(
    cluster: Cluster, namespaces: Namespaces, plan: Plan
) -> None:
    cluster.apply(object("Namespace", PLACE, None))
    assert await namespaces.remove(plan) == []
    assert cluster.find("Namespace", "", PLACE)
