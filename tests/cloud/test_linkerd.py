"""The simulated Linkerd: what makes a rotation of trust hard must be hard here too."""

from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from lightkube import ApiError
from lightkube.models.core_v1 import Container, PodSpec
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.core_v1 import Pod

from local.cloud.kubernetes.kubelet import Kubelet
from local.cloud.kubernetes.objects import Object, is_ready
from local.cloud.linkerd.roots import new_root
from local.cloud.world import World
from tests.worlds.kubernetes import client_for, restart, workload
from tests.worlds.mesh import DOMAIN, MeshWorld, events, pods
from tests.worlds.times import HOUR, MINUTE


def anchors(pod: Object) -> str:
    containers = [*pod["spec"]["containers"], *pod["spec"].get("initContainers", ())]
    proxy = next(c for c in containers if c["name"] == "linkerd-proxy")
    entry = next(e for e in proxy["env"] if e["name"] == "LINKERD2_PROXY_IDENTITY_TRUST_ANCHORS")
    return str(entry.get("value", ""))


async def test_pods_of_an_injected_namespace_are_ready_with_a_proxy_that_trusts_the_root(mesh: MeshWorld) -> None:
    for cluster in mesh.clusters:
        assert len(pods(cluster, "shop")) == len(pods(cluster, "linkerd")) == 9
        assert all(is_ready(p) for p in cluster.objects("Pod"))
        assert all(anchors(p) == mesh.old.pem for p in pods(cluster, "shop"))
    assert mesh.linkerd.roots(DOMAIN) == {mesh.old.fingerprint}
    assert mesh.linkerd.broken_pairs() == []


async def test_the_spec_of_a_control_plane_pod_does_not_show_its_roots(mesh: MeshWorld) -> None:
    assert {anchors(p) for p in pods(mesh.clusters[0], "linkerd")} == {""}


@pytest.mark.parametrize("options", [{"native_sidecars": True}, {"version": "2.20"}])
async def test_native_sidecars_stand_among_the_init_containers(world: World, options: dict[str, Any]) -> None:
    mesh = MeshWorld(world, clusters=1, **options)
    await world.clock.advance(3 * MINUTE)
    pod = pods(mesh.clusters[0], "shop")[0]
    assert [c["name"] for c in pod["spec"]["containers"]] == ["app"]
    running = [c for c in pod["status"]["initContainerStatuses"] if "running" in c["state"]]
    assert [c["name"] for c in running] == ["linkerd-proxy"]


async def test_a_pod_restarted_before_the_kubelets_synced_still_carries_the_old_bundle(mesh: MeshWorld) -> None:
    both = mesh.old.pem + mesh.new.pem
    mesh.bundle(both)
    for cluster in mesh.clusters:
        cluster.mount_seconds = 90.0
        restart(cluster, "Deployment", "deployment", at=cluster.now())
    await mesh.world.clock.advance(timedelta(seconds=1))
    fresh = [p for c in mesh.clusters for p in pods(c, "shop") if "startTime" not in p["status"]]
    assert {anchors(p) for p in fresh} == {mesh.old.pem}
    await mesh.world.clock.advance(2 * MINUTE)
    await mesh.restart_workloads()
    assert {anchors(p) for c in mesh.clusters for p in pods(c, "shop")} == {both}


async def test_between_the_first_and_the_last_sync_injector_replicas_disagree(mesh: MeshWorld) -> None:
    cluster = mesh.clusters[0]
    mesh.bundle(mesh.old.pem + mesh.new.pem)
    seen = []
    for second in range(90):
        await mesh.world.clock.advance(timedelta(seconds=1))
        made = cluster.apply(
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": f"probe-{second}", "namespace": "shop"},
                "spec": {"containers": [{"name": "app"}]},
            }
        )
        seen.append(mesh.new.pem in anchors(made))
    changes = sum(a != b for a, b in pairwise(seen))
    assert changes > 1
    assert seen[-3:] == [True] * 3


async def test_a_proxy_keeps_its_roots_until_its_container_starts_again(mesh: MeshWorld) -> None:
    cluster = mesh.clusters[0]
    mesh.bundle(mesh.old.pem + mesh.new.pem)
    await mesh.world.clock.advance(HOUR)
    assert mesh.new.fingerprint not in mesh.linkerd.roots(DOMAIN)
    destination = pods(cluster, "linkerd", "destination")[0]
    Kubelet(cluster).restart(destination)
    assert mesh.new.fingerprint in mesh.linkerd.roots(DOMAIN)
    restarted = cluster.get("Pod", "linkerd", destination["metadata"]["name"])
    assert restarted["status"]["containerStatuses"][0]["restartCount"] == 1


async def test_a_rotation_in_the_right_order_fails_no_handshake(mesh: MeshWorld) -> None:
    mesh.bundle(mesh.old.pem + mesh.new.pem)
    await mesh.restart_all()
    mesh.issue_under(mesh.new)
    await mesh.world.clock.advance(25 * HOUR)
    mesh.bundle(mesh.new.pem)
    await mesh.restart_all()
    await mesh.world.clock.advance(HOUR)
    assert list(mesh.linkerd.failed) == []
    assert mesh.linkerd.violations == []
    assert 1_000 < mesh.linkerd.handshakes < 100_000
    assert mesh.linkerd.roots(DOMAIN) == {mesh.new.fingerprint}


async def test_retiring_the_old_root_while_leaves_under_it_live_fails_handshakes(mesh: MeshWorld) -> None:
    mesh.bundle(mesh.old.pem + mesh.new.pem)
    await mesh.restart_all()
    mesh.issue_under(mesh.new)
    await mesh.world.clock.advance(3 * MINUTE)
    mesh.bundle(mesh.new.pem)
    await mesh.restart_all()
    assert any("UnknownIssuer" in failure.reason for failure in mesh.linkerd.failed)
    assert mesh.linkerd.violations


async def test_activating_the_new_issuer_before_all_trust_its_root_fails_handshakes(mesh: MeshWorld) -> None:
    mesh.bundle(mesh.old.pem + mesh.new.pem)
    await mesh.world.clock.advance(2 * MINUTE)
    await mesh.restart_control_planes()
    assert mesh.linkerd.broken_pairs() == []
    assert mesh.linkerd.violations == []
    mesh.issue_under(mesh.new)
    await mesh.world.clock.advance(3 * MINUTE)
    await mesh.restart_control_planes()
    assert mesh.linkerd.broken_pairs() != []
    assert mesh.linkerd.violations
    assert len(mesh.linkerd.failed) > 0


async def test_one_forgotten_cluster_of_the_trust_domain_breaks_pairs_across_clusters(mesh: MeshWorld) -> None:
    both = mesh.clusters
    mesh.clusters = both[:1]
    mesh.bundle(mesh.old.pem + mesh.new.pem)
    await mesh.restart_all()
    mesh.issue_under(mesh.new)
    await mesh.world.clock.advance(3 * MINUTE)
    await mesh.restart_workloads()
    broken = mesh.linkerd.broken_pairs()
    assert broken
    assert {f.client.split("/")[0] for f in broken} == {"c0", "c1"}
    assert {frozenset((v.proxy.split("/")[0], v.peer.split("/")[0])) for v in mesh.linkerd.violations} == {
        frozenset(("c0", "c1"))
    }


async def test_events_are_gone_after_an_hour(mesh: MeshWorld) -> None:
    mesh.issue_under(mesh.old)
    await mesh.world.clock.advance(2 * HOUR)
    assert events(mesh.clusters[0], "IssuerUpdated") == []


async def test_without_a_ready_injector_pods_are_refused_until_one_is_back(mesh: MeshWorld) -> None:
    cluster = mesh.clusters[0]
    injector: Object = {"apiVersion": "apps/v1", "kind": "Deployment"}
    injector["metadata"] = {"name": "linkerd-proxy-injector", "namespace": "linkerd"}
    cluster.apply({**injector, "spec": {"replicas": 0}})
    await mesh.world.clock.advance(MINUTE)
    client = client_for(mesh.world, cluster.name)
    pod = Pod(metadata=ObjectMeta(name="late", namespace="shop"), spec=PodSpec(containers=[Container(name="app")]))
    with pytest.raises(ApiError, match="failed calling webhook"):
        await client.create(pod)
    await client.close()
    name = pods(cluster, "shop")[0]["metadata"]["name"]
    cluster.delete("Pod", "shop", name)
    await mesh.world.clock.advance(MINUTE)
    assert len(pods(cluster, "shop")) == 8
    cluster.apply({**injector, "spec": {"replicas": 3}})
    await mesh.world.clock.advance(MINUTE)
    assert len(pods(cluster, "shop")) == 9


async def test_a_pod_may_opt_out_and_a_manually_injected_one_keeps_its_bundle(mesh: MeshWorld) -> None:
    cluster = mesh.clusters[0]
    out = workload("plain")
    out["spec"]["template"]["metadata"]["annotations"] = {"linkerd.io/inject": "disabled"}
    cluster.apply(out)
    manual = workload("manual")
    manual["spec"]["template"]["spec"]["containers"].append(
        {
            "name": "linkerd-proxy",
            "env": [{"name": "LINKERD2_PROXY_IDENTITY_TRUST_ANCHORS", "value": mesh.old.pem}],
        }
    )
    cluster.apply(manual)
    mesh.bundle(mesh.old.pem + mesh.new.pem)
    await mesh.world.clock.advance(3 * MINUTE)
    by_app = {a: [p for p in pods(cluster, "shop") if p["metadata"]["labels"]["app"] == a] for a in ("plain", "manual")}
    assert all(len(p["spec"]["containers"]) == 1 for p in by_app["plain"])
    restart(cluster, "Deployment", "manual", at=cluster.now())
    await mesh.world.clock.advance(3 * MINUTE)
    assert {anchors(p) for p in by_app["manual"]} == {mesh.old.pem}


async def test_proxies_of_other_trust_domains_are_neither_connected_nor_counted(world: World, mesh: MeshWorld) -> None:
    other = new_root("root.linkerd.other.example", world.clock.now())
    world.kubernetes.add("elsewhere")
    certificate, key = other.issuer("identity.linkerd.other.example", world.clock.now())
    world.linkerd.install(
        "elsewhere",
        trust_domain="other.example",
        root_pem=other.pem,
        issuer_cert_pem=certificate,
        issuer_key_pem=key,
    )
    await world.clock.advance(10 * MINUTE)
    assert world.linkerd.roots(DOMAIN) == {mesh.old.fingerprint}
    assert world.linkerd.roots("other.example") == {other.fingerprint}
    assert world.linkerd.broken_pairs() == list(world.linkerd.failed) == []


async def test_a_removed_cluster_takes_its_proxies_along(world: World, mesh: MeshWorld) -> None:
    world.kubernetes.remove("c1")
    await world.clock.advance(HOUR)
    assert {p.cluster for p in world.linkerd.proxies(DOMAIN)} == {"c0"}


async def test_in_a_stopped_cluster_leaves_lapse_and_its_proxies_come_back_with_the_roots_that_they_had(
    world: World,
) -> None:
    mesh = MeshWorld(world)
    await world.clock.advance(3 * MINUTE)
    world.kubernetes.stop("c1")
    stopped = mesh.clusters.pop()
    assert {p.cluster for p in mesh.linkerd.proxies(DOMAIN)} == {"c0"}
    mesh.bundle(mesh.old.pem + mesh.new.pem)
    await mesh.restart_all()
    await world.clock.advance(72 * HOUR)
    world.kubernetes.start("c1")
    await world.clock.advance(3 * MINUTE)
    assert all(is_ready(p) for p in stopped.objects("Pod"))
    back = [p for p in mesh.linkerd.proxies(DOMAIN) if p.cluster == "c1"]
    assert {p.roots for p in back} == {frozenset({mesh.old.fingerprint})}
    assert all(p.leaf and p.leaf.not_after > world.clock.time() for p in back)
    assert not mesh.linkerd.failed
