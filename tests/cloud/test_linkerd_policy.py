"""What the simulated Linkerd lets through, where naive policies go wrong on the real one."""

from datetime import timedelta
from typing import Any

import pytest

from local.cloud.kubernetes.cluster import SimulatedCluster
from local.cloud.kubernetes.objects import Object
from local.cloud.linkerd.policy import TrafficPolicy
from local.cloud.world import World
from tests.worlds.mesh import MeshWorld

SHOP, PUBLIC, PRIVATE, METADATA = "shop", "20.50.2.1", "10.1.2.3", "169.254.169.254"
PARENT = {"group": "policy.linkerd.io", "kind": "EgressNetwork", "name": "out", "port": 443}


@pytest.fixture
async def cluster(world: World) -> SimulatedCluster:
    (cluster,) = MeshWorld(world, clusters=1).clusters
    await world.clock.advance(timedelta(minutes=10))
    return cluster


def policy(world: World) -> TrafficPolicy:
    (plane,) = world.linkerd.control_planes.values()
    return plane.policy


def pod(cluster: SimulatedCluster) -> Object:
    return cluster.objects("Pod", SHOP)[0]


async def apply(
    world: World, cluster: SimulatedCluster, kind: str, name: str, namespace: str = SHOP, **spec: Any
) -> Object:
    group = "gateway.networking.k8s.io/v1alpha2" if kind == "TLSRoute" else "policy.linkerd.io/v1alpha1"
    metadata = {"name": name, "namespace": namespace}
    cluster.apply({"apiVersion": group, "kind": kind, "metadata": metadata, "spec": spec})
    await world.clock.advance(timedelta(seconds=5))
    return cluster.get(kind, namespace, name)


async def route(world: World, cluster: SimulatedCluster, *hostnames: str) -> Object:
    rules = [{"backendRefs": [PARENT]}]
    return await apply(world, cluster, "TLSRoute", "out", parentRefs=[PARENT], hostnames=[*hostnames], rules=rules)


async def test_without_an_egress_network_everything_is_forwarded(world: World, cluster: SimulatedCluster) -> None:
    assert not policy(world).refuses_egress(pod(cluster), "example.com")


async def test_an_egress_network_holds_the_metadata_endpoint_but_no_private_address(
    world: World, cluster: SimulatedCluster
) -> None:
    await apply(world, cluster, "EgressNetwork", "out", trafficPolicy="Deny")
    refused = {a: bool(policy(world).refuses_egress(pod(cluster), "h", address=a)) for a in (PUBLIC, PRIVATE, METADATA)}
    assert refused == {PUBLIC: True, PRIVATE: False, METADATA: True}


async def test_a_network_that_reaches_into_the_cluster_is_not_accepted_nor_its_routes(
    world: World, cluster: SimulatedCluster
) -> None:
    everything = [{"cidr": "0.0.0.0/0"}]
    network = await apply(world, cluster, "EgressNetwork", "out", trafficPolicy="Deny", networks=everything)
    assert network["status"]["conditions"][0]["reason"] == "EgressReasonNetworkOverlap"
    condition = (await route(world, cluster, "example.com"))["status"]["parents"][0]["conditions"][0]
    assert (condition["status"], condition["message"]) == ("False", "EgressNetwork parent has not been accepted")
    assert policy(world).refuses_egress(pod(cluster), "example.com"), "all is denied, what the route names included"


async def test_a_network_of_the_namespace_overrides_those_of_all_namespaces(
    world: World, cluster: SimulatedCluster
) -> None:
    cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "linkerd-egress"}})
    await apply(world, cluster, "EgressNetwork", "all", "linkerd-egress", trafficPolicy="Deny")
    assert policy(world).refuses_egress(pod(cluster), "example.com")
    elsewhere = [{"cidr": "93.184.0.0/16"}]
    await apply(world, cluster, "EgressNetwork", "own", trafficPolicy="Deny", networks=elsewhere)
    assert not policy(world).refuses_egress(pod(cluster), "example.com")


async def test_the_smallest_network_around_an_address_decides(world: World, cluster: SimulatedCluster) -> None:
    await apply(world, cluster, "EgressNetwork", "out", trafficPolicy="Deny")
    await apply(world, cluster, "EgressNetwork", "one", trafficPolicy="Allow", networks=[{"cidr": f"{PUBLIC}/32"}])
    assert not policy(world).refuses_egress(pod(cluster), "example.com")
    assert policy(world).refuses_egress(pod(cluster), "example.com", address="20.50.2.2")


async def test_an_accepted_route_allows_its_hosts_on_its_port(world: World, cluster: SimulatedCluster) -> None:
    await route(world, cluster, "example.com", "*.example.org")
    await apply(world, cluster, "EgressNetwork", "out", trafficPolicy="Deny")
    names = ("example.com", "a.b.example.org", "example.org", "www.example.com")
    passed = [name for name in names if not policy(world).refuses_egress(pod(cluster), name)]
    assert passed == ["example.com", "a.b.example.org"]
    assert policy(world).refuses_egress(pod(cluster), "example.com", 8443)


async def test_no_policy_applies_to_a_pod_without_a_proxy(world: World, cluster: SimulatedCluster) -> None:
    await apply(world, cluster, "EgressNetwork", "out", trafficPolicy="Deny")
    bare = {"name": "bare", "namespace": SHOP, "annotations": {"linkerd.io/inject": "disabled"}}
    spec = {"containers": [{"name": "app", "image": "app:1"}]}
    made = cluster.create({"apiVersion": "v1", "kind": "Pod", "metadata": bare, "spec": spec})
    assert not policy(world).refuses_egress(made, "example.com")
