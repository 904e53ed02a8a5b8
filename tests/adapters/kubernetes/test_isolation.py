"""Isolated namespaces in a simulated cluster, reached by the real clients."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from local.cloud.kubernetes.cluster import SimulatedCluster
from local.cloud.world import World
from local.manifests import places
from shared.adapters.azure.clusters import Clusters
from shared.adapters.kubernetes.api import Kubernetes
from shared.adapters.kubernetes.isolation import Namespaces
from shared.domain.errors import PermanentError, TemporaryError
from shared.domain.restores.calls import calls_of
from shared.domain.restores.items import ClusterItem
from shared.domain.restores.policy import Probe, VerifyPolicy
from shared.domain.restores.refusals import CONFINED, OWN, PLAIN, RESERVED
from shared.domain.restores.verification import RestorePlan
from tests.worlds import sdk
from tests.worlds.admission import everyone
from tests.worlds.facts.plans import a_manifest, a_plan
from tests.worlds.removal import at_once
from tests.worlds.settings import settings

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
def cluster(world: World) -> SimulatedCluster:
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
async def namespaces(world: World, cluster: SimulatedCluster) -> Namespaces:
    arguments = sdk.aio(world, world.entra.add("verifier"))
    clusters = Clusters(settings(world), **arguments)
    return Namespaces(Kubernetes(clusters, everyone))


@pytest.fixture
def item(world: World, cluster: SimulatedCluster) -> ClusterItem:
    source = next(r["id"] for r in world.arm.of_type("Microsoft.ContainerService/managedClusters"))
    return ClusterItem(id="i", source_id=source)


@pytest.fixture
def plan(world: World, item: ClusterItem) -> RestorePlan:
    return a_plan(world.clock.now(), item=item, target_id=item.source_id, isolated={"shop": PLACE})


async def test_the_protected_namespaces_are_described(namespaces: Namespaces, item: ClusterItem) -> None:
    held = await namespaces.contents(item, "")
    assert "linkerd-viz" not in held.names
    assert {"shop", "orders"} <= set(held.names)
    assert {"ConfigMap shop/settings", "Deployment shop/web"} <= set(held.entries)


async def test_a_place_is_closed_before_anything_is_in_it(
    cluster: SimulatedCluster, namespaces: Namespaces, plan: RestorePlan
) -> None:
    uids = await namespaces.isolate(plan)
    assert cluster.get("NetworkPolicy", PLACE, "meshward-isolation")["spec"]["policyTypes"] == ["Ingress", "Egress"]
    assert cluster.get("ResourceQuota", PLACE, "meshward-limits")["spec"]["hard"]["pods"] == "500"
    metadata = cluster.get("Namespace", "", PLACE)["metadata"]
    assert metadata["labels"]["pod-security.kubernetes.io/enforce"] == "baseline"
    assert (metadata["labels"]["meshward.io/verifies"], uids) == (plan.name, {PLACE: metadata["uid"]})
    await namespaces.require_isolated(msgspec.structs.replace(plan, uids=uids))


async def test_a_place_of_which_no_uid_was_written_down_is_removed_and_made_again(
    world: World, cluster: SimulatedCluster, namespaces: Namespaces, plan: RestorePlan
) -> None:
    lost = await namespaces.isolate(plan)
    with pytest.raises(TemporaryError, match="PlaceRemade"):
        await namespaces.isolate(plan)
    await world.clock.advance(MINUTE)
    made = await namespaces.isolate(plan)
    assert made != lost
    assert made == {PLACE: cluster.get("Namespace", "", PLACE)["metadata"]["uid"]}


async def test_a_namespace_that_took_the_place_of_the_one_that_was_made_gets_nothing_and_is_left_alone(
    world: World, cluster: SimulatedCluster, namespaces: Namespaces, plan: RestorePlan
) -> None:
    plan = msgspec.structs.replace(plan, uids=await namespaces.isolate(plan))
    cluster.delete("Namespace", "", PLACE)
    await world.clock.advance(MINUTE)
    stranger = {"name": PLACE, "labels": {"meshward.io/verifies": plan.name}}
    cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": stranger})
    for act in (namespaces.require_isolated(plan), namespaces.call(plan, [])):
        with pytest.raises(PermanentError, match="PlaceTaken"):
            await act
    assert await namespaces.remove(plan, at_once) == []
    assert cluster.find("Namespace", "", PLACE)


@pytest.mark.parametrize("opened", [True, False], ids=["a policy", "a volume"])
async def test_a_place_that_somebody_opens_or_a_volume_that_is_free_ends_the_verification(
    cluster: SimulatedCluster, namespaces: Namespaces, plan: RestorePlan, opened: bool
) -> None:
    plan = msgspec.structs.replace(plan, uids=await namespaces.isolate(plan))
    if opened:
        open_all = {"podSelector": {}, "policyTypes": ["Egress"], "egress": [{}]}
        policy = object("NetworkPolicy", "open", PLACE, spec=open_all)
        cluster.apply({**policy, "apiVersion": "networking.k8s.io/v1"})
    else:
        cluster.apply(object("PersistentVolume", "pv-1", None, spec={}, status={"phase": "Available"}))
    with pytest.raises(PermanentError, match="NotIsolated" if opened else "VolumesFree"):
        await namespaces.require_isolated(plan)


async def test_without_the_policies_of_infra_cluster_nothing_is_confined_and_the_selftest_says_what_is_missing(
    world: World, cluster: SimulatedCluster, namespaces: Namespaces, plan: RestorePlan
) -> None:
    plan, image = msgspec.structs.replace(plan, uids=await namespaces.isolate(plan)), VerifyPolicy().probe_image
    with pytest.raises(PermanentError, match="PoliciesMissing"):
        await namespaces.require_confined(plan, image)
    for manifest in places(world.entra.named("verifier").object_id):
        cluster.apply(manifest)
    await namespaces.require_confined(plan, image)
    assert await namespaces.unproven(plan.target_id, plan.domain_of_target, image) == []
    for name in (CONFINED, OWN, PLAIN, RESERVED):
        policy = cluster.get("ValidatingAdmissionPolicy", "", name)
        cluster.delete("ValidatingAdmissionPolicy", "", name)
        assert await namespaces.unproven(plan.target_id, plan.domain_of_target, image) != [], name
        cluster.apply({**policy, "metadata": {"name": name}})


async def test_a_copy_is_compared_by_the_names_of_its_source(
    world: World, cluster: SimulatedCluster, namespaces: Namespaces, item: ClusterItem, plan: RestorePlan
) -> None:
    held = await namespaces.contents(item, "")
    await namespaces.isolate(plan)
    cluster.apply(object("ConfigMap", "settings", PLACE, data={"currency": "EUR"}))
    cluster.apply(web(PLACE))
    nothing = a_manifest()
    assert not (await namespaces.copy(plan, nothing, [])).settled
    await world.clock.advance(5 * MINUTE)
    copy = await namespaces.copy(plan, nothing, [])
    assert copy.settled
    assert {name: e.digest for name, e in copy.entries.items()} == {n: held.entries[n].digest for n in copy.entries}
    assert len(copy.entries) == 2


async def test_a_place_is_told_as_left_over_until_it_is_gone(
    world: World, cluster: SimulatedCluster, namespaces: Namespaces, plan: RestorePlan
) -> None:
    await namespaces.isolate(plan)
    assert await namespaces.remove(plan, at_once) == [PLACE]
    assert await namespaces.remove(plan, at_once) == [PLACE]
    await world.clock.advance(5 * MINUTE)
    assert await namespaces.remove(plan, at_once) == []
    assert cluster.find("Namespace", "", PLACE) is None


async def test_a_volume_that_outlives_its_claim_is_left_over(
    cluster: SimulatedCluster, namespaces: Namespaces, plan: RestorePlan
) -> None:
    claim = {"claimRef": {"namespace": PLACE, "name": "data"}}
    cluster.apply(object("PersistentVolume", "pv-1", None, spec=claim))
    assert await namespaces.remove(plan, at_once) == ["pv-1"]


async def test_a_namespace_that_isn_t_ours_is_never_deleted(
    cluster: SimulatedCluster, namespaces: Namespaces, plan: RestorePlan
) -> None:
    cluster.apply(object("Namespace", PLACE, None))
    assert await namespaces.remove(plan, at_once) == []
    assert cluster.find("Namespace", "", PLACE)


async def test_a_namespace_of_that_name_that_is_somebody_else_s_is_refused(
    cluster: SimulatedCluster, namespaces: Namespaces, plan: RestorePlan
) -> None:
    cluster.apply(object("Namespace", PLACE, None))
    with pytest.raises(PermanentError, match="PlaceTaken"):
        await namespaces.isolate(plan)
    assert cluster.objects("NetworkPolicy", PLACE) == []


async def test_a_place_may_be_in_another_cluster_and_the_source_is_only_read(
    world: World, cluster: SimulatedCluster, namespaces: Namespaces, plan: RestorePlan
) -> None:
    world.aks.add("aks-scratch")
    (scratch,) = [
        r["id"] for r in world.arm.of_type("Microsoft.ContainerService/managedClusters") if "scratch" in r["id"]
    ]
    elsewhere = msgspec.structs.replace(plan, target_id=scratch)
    await namespaces.isolate(elsewhere)
    assert world.kubernetes.clusters["aks-scratch"].find("Namespace", "", PLACE)
    await namespaces.remove(elsewhere, at_once)
    await world.clock.advance(5 * MINUTE)
    assert await namespaces.remove(elsewhere, at_once) == []
    assert cluster.find("Namespace", "", PLACE) is None
    assert [e for e in world.wire.exchanges if "/k8s/aks-east/" in e.url and e.method != "GET"] == []


async def test_calls_are_made_once_and_are_no_part_of_the_copy(
    world: World, cluster: SimulatedCluster, namespaces: Namespaces, plan: RestorePlan
) -> None:
    await namespaces.isolate(plan)
    probe = Probe(namespace="shop", image="contoso/check:1", command=("check",))
    calls = calls_of(await namespaces.running(plan), plan.isolated, VerifyPolicy(probes=(probe,)), meshed=True)
    pods = await namespaces.call(plan, calls)
    assert [pod["metadata"]["name"] for pod in pods.values()] == ["meshward-probe-0"]
    await world.clock.advance(5 * MINUTE)
    version = cluster.version
    assert list(await namespaces.call(plan, calls)) == list(pods)
    assert cluster.version == version, "the second time changed something"
    copy = await namespaces.copy(plan, a_manifest(), [])
    assert copy.workloads is not None
    assert (copy.workloads.pods, copy.entries) == (0, {})
