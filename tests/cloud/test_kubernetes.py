"""The simulated Kubernetes API as the real client sees it, and its controllers on the virtual clock."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from lightkube import ApiError, AsyncClient
from lightkube.generic_resource import create_namespaced_resource
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.operators import not_equal
from lightkube.resources.apps_v1 import Deployment
from lightkube.resources.core_v1 import ConfigMap, Namespace, Pod, Secret
from lightkube.types import CascadeType, PatchType

from local.cloud.kubernetes.cluster import SimulatedCluster
from local.cloud.kubernetes.objects import Object
from local.cloud.world import World
from tests.worlds.kubernetes import client_for, restart, workload

MINUTE = timedelta(minutes=1)


@pytest.fixture
def cluster(world: World) -> SimulatedCluster:
    cluster = world.kubernetes.add("east")
    cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
    return cluster


@pytest.fixture
async def client(world: World, cluster: SimulatedCluster) -> AsyncIterator[AsyncClient]:
    client = client_for(world, cluster.name)
    yield client
    await client.close()


def pods(cluster: SimulatedCluster, app: str) -> list[Object]:
    return [p for p in cluster.objects("Pod", "shop") if p["metadata"]["labels"].get("app") == app]


def is_ready(pod: Object) -> bool:
    return any(c["type"] == "Ready" and c["status"] == "True" for c in pod["status"]["conditions"])


async def test_a_token_for_another_audience_is_refused(world: World, cluster: SimulatedCluster) -> None:
    client = client_for(world, cluster.name, audience="https://management.azure.com")
    with pytest.raises(ApiError) as refused:
        await client.get(Namespace, "shop")
    assert (refused.value.status.code, refused.value.status.reason) == (401, "Unauthorized")


async def test_an_object_is_created_read_patched_and_deleted(client: AsyncClient) -> None:
    made = await client.create(ConfigMap(metadata=ObjectMeta(name="colours", namespace="shop"), data={"a": "red"}))
    assert made.metadata
    assert made.metadata.uid
    await client.patch(ConfigMap, "colours", {"data": {"b": "blue"}}, namespace="shop", patch_type=PatchType.MERGE)
    await client.patch(
        ConfigMap,
        "colours",
        [{"op": "remove", "path": "/data/a"}],
        namespace="shop",
        patch_type=PatchType.JSON,
    )
    assert (await client.get(ConfigMap, "colours", namespace="shop")).data == {"b": "blue"}
    await client.delete(ConfigMap, "colours", namespace="shop")
    with pytest.raises(ApiError) as gone:
        await client.get(ConfigMap, "colours", namespace="shop")
    assert gone.value.status.reason == "NotFound"
    assert gone.value.status.message == 'configmaps "colours" not found'


async def test_creating_what_exists_is_a_conflict(client: AsyncClient) -> None:
    secret = Secret(metadata=ObjectMeta(name="key", namespace="shop"))
    await client.create(secret)
    with pytest.raises(ApiError) as refused:
        await client.create(secret)
    assert (refused.value.status.code, refused.value.status.reason) == (409, "AlreadyExists")


async def test_replacing_an_outdated_version_is_a_conflict(client: AsyncClient) -> None:
    first = await client.create(ConfigMap(metadata=ObjectMeta(name="colours", namespace="shop"), data={"a": "red"}))
    await client.patch(ConfigMap, "colours", {"data": {"a": "green"}}, namespace="shop")
    with pytest.raises(ApiError) as refused:
        await client.replace(first)
    assert refused.value.status.reason == "Conflict"


async def test_applying_twice_changes_nothing(client: AsyncClient) -> None:
    config = ConfigMap(metadata=ObjectMeta(name="colours", namespace="shop"), data={"a": "red"})
    first = await client.apply(config)
    again = await client.apply(config)
    assert first.metadata
    assert again.metadata
    assert first.metadata.resourceVersion == again.metadata.resourceVersion


async def test_applying_a_field_of_another_manager_is_a_conflict_unless_forced(
    client: AsyncClient, cluster: SimulatedCluster
) -> None:
    theirs = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "colours", "namespace": "shop"}}
    cluster.apply({**theirs, "data": {"a": "red", "b": "blue"}}, manager="helm")
    config = ConfigMap(metadata=ObjectMeta(name="colours", namespace="shop"), data={"a": "green"})
    with pytest.raises(ApiError) as refused:
        await client.apply(config)
    assert refused.value.status.reason == "Conflict"
    assert 'conflict with "helm" using v1: .data.a' in (refused.value.status.message or "")
    forced = await client.apply(config, force=True)
    assert forced.data == {"a": "green", "b": "blue"}


async def test_applying_the_value_of_another_manager_shares_the_field(
    client: AsyncClient, cluster: SimulatedCluster
) -> None:
    theirs = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "colours", "namespace": "shop"}}
    cluster.apply({**theirs, "data": {"a": "red"}}, manager="helm")
    await client.apply(ConfigMap(metadata=ObjectMeta(name="colours", namespace="shop"), data={"a": "red"}))
    owners = cluster.get("ConfigMap", "shop", "colours")["metadata"]["managedFields"]
    assert [(o["manager"], o["operation"]) for o in owners] == [("helm", "Update"), ("meshward", "Apply")]
    assert owners[0]["fieldsV1"] == owners[1]["fieldsV1"] == {"f:data": {"f:a": {}}}


async def test_a_field_that_is_no_longer_applied_goes_away(client: AsyncClient) -> None:
    meta = ObjectMeta(name="colours", namespace="shop")
    await client.apply(ConfigMap(metadata=meta, data={"a": "red", "b": "blue"}))
    assert (await client.apply(ConfigMap(metadata=meta, data={"a": "red"}))).data == {"a": "red"}


async def test_a_field_that_another_manager_applies_too_stays(client: AsyncClient) -> None:
    meta, data = ObjectMeta(name="colours", namespace="shop"), {"a": "red", "b": "blue"}
    await client.apply(ConfigMap(metadata=meta, data=data))
    await client.apply(ConfigMap(metadata=meta, data=data), field_manager="helm")
    assert (await client.apply(ConfigMap(metadata=meta, data={"a": "red"}))).data == data


async def test_a_strategic_patch_merges_containers_by_name(client: AsyncClient, cluster: SimulatedCluster) -> None:
    cluster.apply(workload("web"))
    containers = [{"name": "app", "image": "shop/app:2"}, {"name": "log", "image": "shop/log:1"}]
    patch = {"spec": {"template": {"spec": {"containers": containers}}}}
    patched = await client.patch(Deployment, "web", patch, namespace="shop", patch_type=PatchType.STRATEGIC)
    assert patched.spec
    assert patched.spec.template.spec
    assert [c.image for c in patched.spec.template.spec.containers] == ["shop/app:2", "shop/log:1"]


async def test_a_dry_run_stores_nothing(client: AsyncClient, cluster: SimulatedCluster) -> None:
    config = ConfigMap(metadata=ObjectMeta(name="colours", namespace="shop"), data={"a": "red"})
    assert (await client.create(config, dry_run=True)).data == {"a": "red"}
    assert cluster.find("ConfigMap", "shop", "colours") is None


async def test_a_patch_of_the_object_leaves_its_status_alone(client: AsyncClient, cluster: SimulatedCluster) -> None:
    cluster.apply(workload("web"))
    await cluster.clock.advance(MINUTE)
    patched = await client.patch(Deployment, "web", {"status": {"readyReplicas": 9}}, namespace="shop")
    assert patched.status
    assert patched.status.readyReplicas == 3


async def test_an_unknown_kind_is_not_found(client: AsyncClient) -> None:
    config = create_namespaced_resource("example.org", "v1", "Colour", "colours")
    with pytest.raises(ApiError) as refused:
        await client.get(config, "red", namespace="shop")
    assert (refused.value.status.code, refused.value.status.reason) == (404, "NotFound")


async def test_a_custom_resource_definition_makes_its_kind_served(
    client: AsyncClient, cluster: SimulatedCluster
) -> None:
    cluster.apply(
        {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": "colours.example.org"},
            "spec": {
                "group": "example.org",
                "scope": "Namespaced",
                "names": {"kind": "Colour", "plural": "colours"},
                "versions": [{"name": "v1", "served": True, "storage": True}],
            },
        }
    )
    await cluster.clock.advance(timedelta(seconds=1))
    colour = create_namespaced_resource("example.org", "v1", "Colour", "colours")
    await client.create(colour(metadata=ObjectMeta(name="red", namespace="shop")))
    assert cluster.get("Colour", "shop", "red")["apiVersion"] == "example.org/v1"


async def test_lists_are_selected_and_paged(client: AsyncClient, cluster: SimulatedCluster) -> None:
    for number in range(7):
        name, tier = f"c{number}", "odd" if number % 2 else "even"
        cluster.apply(
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": name, "namespace": "shop", "labels": {"tier": tier}},
            }
        )
    paged = [c.metadata.name async for c in client.list(ConfigMap, namespace="shop", chunk_size=3) if c.metadata]
    assert paged == [f"c{n}" for n in range(7)]
    odd = [c async for c in client.list(ConfigMap, namespace="*", labels={"tier": "odd"})]
    assert len(odd) == 3
    even = [c async for c in client.list(ConfigMap, namespace="shop", labels={"tier": not_equal("odd")})]
    assert len(even) == 4
    named = [c async for c in client.list(ConfigMap, namespace="shop", fields={"metadata.name": "c4"})]
    assert len(named) == 1


async def test_an_expired_page_token_is_gone(client: AsyncClient, cluster: SimulatedCluster) -> None:
    for number in range(3):
        meta = {"name": f"c{number}", "namespace": "shop"}
        cluster.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta})
    listed = aiter(client.list(ConfigMap, namespace="shop", chunk_size=2))
    assert [(await anext(listed)).metadata for _ in range(2)]
    cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "other"}})
    cluster.forget_history()
    with pytest.raises(ApiError) as gone:
        await anext(listed)
    assert gone.value.status.code == 410


async def test_a_watch_shows_changes(client: AsyncClient, cluster: SimulatedCluster, world: World) -> None:
    seen = []
    meta = {"name": "colours", "namespace": "shop"}
    cluster.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta})
    async for kind, config in client.watch(ConfigMap, namespace="shop", server_timeout=60):
        seen.append((kind, config.data))
        if kind == "ADDED":
            cluster.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"a": "red"}})
        elif kind == "MODIFIED":
            cluster.delete("ConfigMap", "shop", "colours")
        else:
            break
    assert seen == [("ADDED", None), ("MODIFIED", {"a": "red"}), ("DELETED", {"a": "red"})]


async def test_a_watch_ends_when_its_time_is_over(client: AsyncClient, cluster: SimulatedCluster) -> None:
    cluster.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "colours", "namespace": "shop"}})
    query = {"watch": "true", "timeoutSeconds": "60", "fieldSelector": "metadata.name=colours"}
    async with client._client._client.stream("GET", "api/v1/namespaces/shop/configmaps", params=query) as answer:
        lines = answer.aiter_lines()
        assert '"ADDED"' in await anext(lines)
        await cluster.clock.advance(MINUTE)
        assert [line async for line in lines] == []


async def test_a_watch_from_an_expired_version_is_gone(client: AsyncClient, cluster: SimulatedCluster) -> None:
    cluster.forget_history()
    with pytest.raises(ApiError, match="too old resource version"):
        async for _ in client.watch(ConfigMap, namespace="shop", resource_version="5"):
            pass


async def test_a_deployment_gets_its_pods_through_a_replica_set(cluster: SimulatedCluster, client: AsyncClient) -> None:
    cluster.apply(workload("web"))
    await cluster.clock.advance(MINUTE)
    assert len(pods(cluster, "web")) == 3
    assert all(map(is_ready, pods(cluster, "web")))
    deployment = await client.get(Deployment, "web", namespace="shop")
    assert deployment.status
    assert deployment.status.readyReplicas == deployment.status.updatedReplicas == 3
    owner = pods(cluster, "web")[0]["metadata"]["ownerReferences"][0]
    assert owner["kind"] == "ReplicaSet"
    above = cluster.get("ReplicaSet", "shop", owner["name"])["metadata"]["ownerReferences"][0]
    assert (above["kind"], above["name"]) == ("Deployment", "web")


async def test_right_after_a_restart_the_status_still_shows_the_old_rollout(
    cluster: SimulatedCluster, client: AsyncClient
) -> None:
    cluster.apply(workload("web"))
    await cluster.clock.advance(MINUTE)
    annotations = {"kubectl.kubernetes.io/restartedAt": "2027-01-15T08:01:00Z"}
    patch = {"spec": {"template": {"metadata": {"annotations": annotations}}}}
    await client.patch(Deployment, "web", patch, namespace="shop", patch_type=PatchType.STRATEGIC)
    seen = await client.get(Deployment, "web", namespace="shop")
    assert seen.status
    assert seen.metadata
    assert seen.status.updatedReplicas == 3
    assert (seen.status.observedGeneration or 0) < (seen.metadata.generation or 0)


async def test_a_rolling_restart_replaces_every_pod_and_keeps_enough_of_them_ready(cluster: SimulatedCluster) -> None:
    cluster.apply(workload("web", replicas=4))
    await cluster.clock.advance(MINUTE)
    before = {p["metadata"]["uid"] for p in pods(cluster, "web")}
    restart(cluster, "Deployment", "web")
    fewest = 4
    for _ in range(60):
        await cluster.clock.advance(timedelta(seconds=1))
        serving = [p for p in pods(cluster, "web") if is_ready(p) and "deletionTimestamp" not in p["metadata"]]
        fewest = min(fewest, len(serving))
    assert fewest == 3
    after = pods(cluster, "web")
    assert len(after) == 4
    assert before.isdisjoint(p["metadata"]["uid"] for p in after)


async def test_a_stateful_set_restarts_one_pod_at_a_time_from_the_end(cluster: SimulatedCluster) -> None:
    cluster.apply(
        workload(
            "db",
            "StatefulSet",
            volumeClaimTemplates=[{"metadata": {"name": "data"}, "spec": {"accessModes": ["ReadWriteOnce"]}}],
        )
    )
    await cluster.clock.advance(MINUTE)
    assert [c["status"]["phase"] for c in cluster.objects("PersistentVolumeClaim", "shop")] == ["Bound"] * 3
    restart(cluster, "StatefulSet", "db")
    deleted: list[str] = []
    cluster.listeners.append(
        lambda c: deleted.append(c.object["metadata"]["name"]) if (c.type, c.kind.name) == ("DELETED", "Pod") else None
    )
    fewest = 3
    for _ in range(90):
        await cluster.clock.advance(timedelta(seconds=1))
        fewest = min(fewest, sum(is_ready(p) for p in pods(cluster, "db") if "deletionTimestamp" not in p["metadata"]))
    assert deleted == ["db-2", "db-1", "db-0"]
    assert fewest == 2
    status = cluster.get("StatefulSet", "shop", "db")["status"]
    assert status["currentRevision"] == status["updateRevision"]


async def test_a_daemon_set_runs_and_restarts_on_every_node(cluster: SimulatedCluster) -> None:
    cluster.apply(workload("agent", "DaemonSet"))
    await cluster.clock.advance(MINUTE)
    before = {p["metadata"]["uid"] for p in pods(cluster, "agent")}
    assert len({p["spec"]["nodeName"] for p in pods(cluster, "agent")}) == 3
    restart(cluster, "DaemonSet", "agent")
    await cluster.clock.advance(MINUTE)
    assert before.isdisjoint(p["metadata"]["uid"] for p in pods(cluster, "agent"))
    assert cluster.get("DaemonSet", "shop", "agent")["status"]["updatedNumberScheduled"] == 3


async def test_pods_of_an_on_delete_strategy_keep_running_after_a_restart(cluster: SimulatedCluster) -> None:
    cluster.apply(workload("agent", "DaemonSet", updateStrategy={"type": "OnDelete"}))
    await cluster.clock.advance(MINUTE)
    before = {p["metadata"]["uid"] for p in pods(cluster, "agent")}
    restart(cluster, "DaemonSet", "agent")
    await cluster.clock.advance(MINUTE)
    assert {p["metadata"]["uid"] for p in pods(cluster, "agent")} == before


async def test_a_job_runs_to_its_end(cluster: SimulatedCluster) -> None:
    job = workload("once", "Job", 1)
    spec = {"template": job["spec"]["template"], "completions": 2}
    cluster.apply({**job, "apiVersion": "batch/v1", "spec": spec})
    await cluster.clock.advance(5 * MINUTE)
    status = cluster.get("Job", "shop", "once")["status"]
    assert status["succeeded"] == 2
    assert [p["status"]["phase"] for p in pods(cluster, "once")] == ["Succeeded"] * 2


async def test_a_pod_waits_for_its_volume(cluster: SimulatedCluster) -> None:
    web = workload("web", replicas=1)
    volume = {"name": "data", "persistentVolumeClaim": {"claimName": "data"}}
    web["spec"]["template"]["spec"]["volumes"] = [volume]
    cluster.apply(web)
    await cluster.clock.advance(MINUTE)
    assert [p["status"]["phase"] for p in pods(cluster, "web")] == ["Pending"]
    claim = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data", "namespace": "shop"}}
    cluster.apply({**claim, "spec": {"accessModes": ["ReadWriteOnce"]}})
    await cluster.clock.advance(MINUTE)
    assert all(map(is_ready, pods(cluster, "web")))


async def test_a_restored_deployment_is_not_ready_before_its_pods_are(cluster: SimulatedCluster) -> None:
    cluster.apply(workload("web"))
    await cluster.clock.advance(MINUTE)
    saved = cluster.get("Deployment", "shop", "web")
    cluster.apply({**saved, "metadata": {"name": "copy", "namespace": "shop"}})
    assert "status" not in cluster.get("Deployment", "shop", "copy")


async def test_deleting_a_namespace_deletes_its_objects_but_not_at_once(
    cluster: SimulatedCluster, client: AsyncClient
) -> None:
    cluster.apply(workload("web"))
    await cluster.clock.advance(MINUTE)
    await client.delete(Namespace, "shop")
    ending = await client.get(Namespace, "shop")
    assert ending.status
    assert ending.status.phase == "Terminating"
    with pytest.raises(ApiError) as refused:
        await client.create(ConfigMap(metadata=ObjectMeta(name="late", namespace="shop")))
    assert refused.value.status.reason == "Forbidden"
    await cluster.clock.advance(MINUTE)
    assert cluster.find("Namespace", "", "shop") is None
    assert cluster.objects("Pod", "shop") == cluster.objects("ReplicaSet", "shop") == []


async def test_dependents_follow_their_owner_or_stay_as_orphans(cluster: SimulatedCluster, client: AsyncClient) -> None:
    cluster.apply(workload("web"))
    cluster.apply(workload("orphaned"))
    await cluster.clock.advance(MINUTE)
    await client.delete(Deployment, "web", namespace="shop")
    await client.delete(Deployment, "orphaned", namespace="shop", cascade=CascadeType.ORPHAN)
    await cluster.clock.advance(MINUTE)
    assert [len(pods(cluster, app)) for app in ("web", "orphaned")] == [0, 3]


async def test_an_object_with_a_finalizer_stays_until_that_is_removed(
    cluster: SimulatedCluster, client: AsyncClient
) -> None:
    meta = {"name": "finalized", "namespace": "shop", "finalizers": ["example.org/hold"]}
    cluster.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta})
    await client.delete(ConfigMap, "finalized", namespace="shop")
    found = await client.get(ConfigMap, "finalized", namespace="shop")
    assert found.metadata
    assert found.metadata.deletionTimestamp
    await client.patch(ConfigMap, "finalized", {"metadata": {"finalizers": None}}, namespace="shop")
    assert cluster.find("ConfigMap", "shop", "finalized") is None


async def test_a_deleted_pod_ends_after_its_grace_and_is_replaced(
    cluster: SimulatedCluster, client: AsyncClient
) -> None:
    cluster.apply(workload("web", replicas=1))
    await cluster.clock.advance(MINUTE)
    name = pods(cluster, "web")[0]["metadata"]["name"]
    await client.delete(Pod, name, namespace="shop")
    ending = await client.get(Pod, name, namespace="shop")
    assert ending.metadata
    assert ending.metadata.deletionTimestamp
    await cluster.clock.advance(MINUTE)
    assert [p["metadata"]["name"] for p in pods(cluster, "web")] != [name]
    assert len(pods(cluster, "web")) == 1
