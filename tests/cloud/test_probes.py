"""What programs in simulated pods get from other pods, and where a naive probe proves less than it seems."""

from datetime import timedelta
from typing import Any

import pytest

from local.cloud.kubernetes.cluster import SimulatedCluster
from local.cloud.kubernetes.network import HTTP
from local.cloud.kubernetes.objects import Object
from local.cloud.kubernetes.pod_status import Exit
from local.cloud.world import World
from tests.worlds.kubernetes import workload
from tests.worlds.mesh import DOMAIN, MeshWorld, pods

SHOP, AWAY = "shop", "away"
MINUTE = timedelta(minutes=1)
TELLS = "%output{/dev/termination-log}%{http_code} %{exitcode} %header{l5d-proxy-error}"
ME = f"prober.shop.serviceaccount.identity.linkerd.{DOMAIN}"


def namespace(name: str, *, inject: str = "enabled") -> Object:
    meta = {"name": name, "annotations": {"linkerd.io/inject": inject}}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": meta}


def server(
    cluster: SimulatedCluster, *, http: str = "200", name: str = "web", ports: int = 1, inject: str = "enabled"
) -> None:
    """A workload of one pod that listens on port 8080."""
    deployment = workload(name, replicas=1)
    template = deployment["spec"]["template"]
    template["metadata"]["annotations"] = {HTTP: http, "linkerd.io/inject": inject}
    template["spec"]["containers"][0]["ports"] = [{"name": "http", "containerPort": 8080}][:ports]
    cluster.apply(deployment)


async def address(cluster: SimulatedCluster, name: str = "web", namespace: str = SHOP) -> str:
    await cluster.clock.advance(MINUTE)
    (pod,) = [p for p in cluster.objects("Pod", namespace) if p["metadata"]["labels"].get("app") == name]
    return str(pod["status"]["podIP"])


def asking(url: str, *more: str) -> list[str]:
    return ["curl", "--silent", "--output", "/dev/null", "--max-time", "10", *more, "--write-out", TELLS, url]


async def probe(
    cluster: SimulatedCluster,
    command: list[str],
    *,
    namespace: str = SHOP,
    account: str = "prober",
    image: str = "curlimages/curl:8.17.0",
    inject: str = "enabled",
    spec: Object | None = None,
) -> Object:
    """A pod with this program, two minutes later."""
    meta = {"generateName": "probe-", "namespace": namespace, "annotations": {"linkerd.io/inject": inject}}
    container = {"name": "probe", "image": image, "command": command}
    pod_spec = {"restartPolicy": "Never", "serviceAccountName": account, "containers": [container], **(spec or {})}
    made = cluster.create({"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": pod_spec})
    await cluster.clock.advance(2 * MINUTE)
    found = cluster.current(made)
    assert found
    return found


def state(pod: Object, container: str = "probe") -> Object:
    statuses = [*pod["status"]["containerStatuses"], *pod["status"].get("initContainerStatuses", ())]
    found: Object = next(c["state"] for c in statuses if c["name"] == container)
    return found


def output(pod: Object) -> str:
    return str(state(pod)["terminated"]["message"])


async def cluster_of(world: World, **options: Any) -> SimulatedCluster:
    (cluster,) = MeshWorld(world, clusters=1, **options).clusters
    await world.clock.advance(3 * MINUTE)
    return cluster


@pytest.fixture
async def cluster(world: World) -> SimulatedCluster:
    return await cluster_of(world)


def close(cluster: SimulatedCluster, namespace: str, **more: Any) -> None:
    """Let the namespace's pods talk with each other, and what else is allowed; nothing more."""
    within: list[Object] = [{"podSelector": {}}]
    spec: Object = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"], "ingress": [{"from": within}]}
    meta = {"name": "only-this-namespace", "namespace": namespace}
    spec["egress"] = [{"to": within}, *more.get("egress", [])]
    cluster.apply({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": meta, "spec": spec})


MESH = [
    {"to": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "linkerd"}}}]},
    {
        "to": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}}],
        "ports": [{"protocol": "UDP", "port": 53}],
    },
]


def restrict(cluster: SimulatedCluster, *identities: str, port: int | str = "http", **spec: Any) -> None:
    """Let only these mesh identities reach the workload `web`."""
    group = "policy.linkerd.io"
    meta = {"name": "web", "namespace": SHOP}
    selected = {"podSelector": {"matchLabels": {"app": "web"}}, "port": port, **spec}
    cluster.apply({"apiVersion": f"{group}/v1beta3", "kind": "Server", "metadata": meta, "spec": selected})
    allowed = {"identities": [*identities]}
    cluster.apply(
        {"apiVersion": f"{group}/v1alpha1", "kind": "MeshTLSAuthentication", "metadata": meta, "spec": allowed}
    )
    required = [{"group": group, "kind": "MeshTLSAuthentication", "name": "web"}]
    target = {"group": group, "kind": "Server", "name": "web"}
    rule = {"targetRef": target, "requiredAuthenticationRefs": required}
    cluster.apply({"apiVersion": f"{group}/v1alpha1", "kind": "AuthorizationPolicy", "metadata": meta, "spec": rule})


async def test_a_probe_gets_the_status_of_a_workload_and_its_proxy_runs_on_beside_it(cluster: SimulatedCluster) -> None:
    server(cluster)
    pod = await probe(cluster, asking(f"http://{await address(cluster)}:8080/health"))
    assert output(pod) == "200 0 "
    assert state(pod)["terminated"]["reason"] == "Completed"
    assert "running" in state(pod, "linkerd-proxy")
    assert pod["status"]["phase"] == "Running"


async def test_a_native_sidecar_ends_with_the_probe(world: World) -> None:
    cluster = await cluster_of(world, native_sidecars=True)
    server(cluster)
    pod = await probe(cluster, asking(f"http://{await address(cluster)}:8080/"))
    assert output(pod) == "200 0 "
    assert pod["status"]["phase"] == "Succeeded"
    assert "terminated" in state(pod, "linkerd-proxy")


async def test_a_pod_that_has_ended_can_be_deleted(world: World) -> None:
    cluster = await cluster_of(world, native_sidecars=True)
    server(cluster)
    pod = await probe(cluster, asking(f"http://{await address(cluster)}:8080/"))
    cluster.delete("Pod", SHOP, pod["metadata"]["name"])
    await cluster.clock.advance(MINUTE)
    assert cluster.current(pod) is None


async def test_a_workload_answers_by_path(cluster: SimulatedCluster) -> None:
    server(cluster, http="/health=503,/=204")
    at = await address(cluster)
    by_path = [output(await probe(cluster, asking(f"http://{at}:8080{path}"))) for path in ("/health", "/", "/x")]
    assert by_path == ["503 0 ", "204 0 ", "404 0 "]


async def test_curl_fails_on_a_status_only_with_its_flag_fail(cluster: SimulatedCluster) -> None:
    server(cluster, http="404")
    pod = await probe(cluster, asking(f"http://{await address(cluster)}:8080/", "--fail"))
    assert output(pod) == "404 22 "
    assert (state(pod)["terminated"]["exitCode"], state(pod)["terminated"]["reason"]) == (22, "Error")


async def test_a_service_is_resolved_and_leads_to_a_ready_pod(cluster: SimulatedCluster) -> None:
    server(cluster)
    spec = {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": "http"}]}
    meta = {"name": "web", "namespace": SHOP}
    cluster.apply({"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": spec})
    await address(cluster)
    names = ("web", "web.shop", "web.shop.svc.cluster.local", "nobody")
    assert [output(await probe(cluster, asking(f"http://{name}/"))) for name in names] == [
        "200 0 ",
        "200 0 ",
        "200 0 ",
        "000 6 ",
    ]


async def test_retries_wait_for_a_workload_that_isn_t_there_yet(cluster: SimulatedCluster) -> None:
    server(cluster, http="503")
    at = await address(cluster)
    (pod,) = [p for p in pods(cluster, SHOP) if p["metadata"]["labels"].get("app") == "web"]
    mended = {**pod["metadata"], "annotations": {**pod["metadata"]["annotations"], HTTP: "200"}}
    cluster.clock.after(20, lambda: cluster.update({**pod, "metadata": mended}))
    assert output(await probe(cluster, asking(f"http://{at}:8080/", "--retry", "5"))) == "200 0 "
    assert output(await probe(cluster, asking(f"http://{at}:8081/", "--retry", "2", "--retry-all-errors"))) == "502 0 "


async def test_an_allowed_identity_gets_an_answer_and_another_a_refusal_without_a_reason(
    cluster: SimulatedCluster,
) -> None:
    server(cluster)
    restrict(cluster, ME)
    at = await address(cluster)
    allowed = await probe(cluster, asking(f"http://{at}:8080/"))
    refused = await probe(cluster, asking(f"http://{at}:8080/"), account="stranger")
    outside = await probe(cluster, asking(f"http://{at}:8080/"), inject="disabled")
    assert [output(pod) for pod in (allowed, refused, outside)] == ["200 0 ", "403 0 ", "403 0 "]


async def test_the_oldest_proxies_hand_the_reason_of_a_refusal_on_to_the_client(world: World) -> None:
    cluster = await cluster_of(world, version="2.14")
    server(cluster)
    restrict(cluster, ME)
    at = await address(cluster)
    refused = await probe(cluster, asking(f"http://{at}:8080/"), account="stranger")
    assert output(refused).startswith("403 0 client 10.244.")
    assert output(refused).endswith(f"server: {at}:8080: unauthorized request on route")


@pytest.mark.parametrize("port", [8080, "http"])
async def test_a_server_names_its_port_by_number_or_name(cluster: SimulatedCluster, port: int | str) -> None:
    server(cluster)
    restrict(cluster, port=port)
    assert output(await probe(cluster, asking(f"http://{await address(cluster)}:8080/"))) == "403 0 "


async def test_a_refused_connection_to_an_opaque_port_is_closed(cluster: SimulatedCluster) -> None:
    server(cluster)
    restrict(cluster, proxyProtocol="opaque")
    assert output(await probe(cluster, asking(f"http://{await address(cluster)}:8080/"))) == "000 52 "


@pytest.mark.parametrize(("default", "outside"), [("deny", "403"), ("all-authenticated", "403"), ("audit", "200")])
async def test_without_a_server_the_default_policy_decides(
    cluster: SimulatedCluster, default: str, outside: str
) -> None:
    annotations = {"config.linkerd.io/default-inbound-policy": default}
    cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SHOP, "annotations": annotations}})
    server(cluster)
    pod = await probe(cluster, asking(f"http://{await address(cluster)}:8080/"), inject="disabled")
    assert output(pod) == f"{outside} 0 "


@pytest.mark.parametrize(("http", "ports"), [("refused", 1), ("200", 0)])
async def test_the_server_s_proxy_answers_for_an_application_that_doesn_t_listen(
    cluster: SimulatedCluster, http: str, ports: int
) -> None:
    server(cluster, http=http, ports=ports)
    at = await address(cluster)
    assert output(await probe(cluster, asking(f"http://{at}:8080/"))) == "502 0 "


async def test_outside_the_mesh_the_kernel_answers_for_it(cluster: SimulatedCluster) -> None:
    server(cluster, http="refused", inject="disabled")
    url = f"http://{await address(cluster)}:8080/"
    unmeshed = await probe(cluster, asking(url), inject="disabled")
    meshed = await probe(cluster, asking(url))
    assert output(unmeshed) == "000 7 "
    assert output(meshed).startswith("502 0 endpoint 10.244.")


async def test_proxies_without_a_common_root_don_t_talk(world: World) -> None:
    mesh = MeshWorld(world, clusters=1)
    (cluster,) = mesh.clusters
    await world.clock.advance(3 * MINUTE)
    server(cluster)
    at = await address(cluster)
    mesh.bundle(mesh.new.pem)
    await world.clock.advance(2 * MINUTE)
    await mesh.restart_control_planes()
    mesh.issue_under(mesh.new)
    await world.clock.advance(2 * MINUTE)
    await mesh.restart_control_planes()
    pod = await probe(cluster, asking(f"http://{at}:8080/"))
    assert output(pod) == f"504 0 endpoint {at}:8080: service in fail-fast"


async def test_a_server_that_doesn_t_know_the_client_s_root_breaks_the_connection(world: World) -> None:
    mesh = MeshWorld(world, clusters=1)
    (cluster,) = mesh.clusters
    await world.clock.advance(3 * MINUTE)
    server(cluster)
    at = await address(cluster)
    mesh.bundle(mesh.old.pem + mesh.new.pem)
    await world.clock.advance(2 * MINUTE)
    await mesh.restart_control_planes()
    mesh.issue_under(mesh.new)
    await world.clock.advance(2 * MINUTE)
    pod = await probe(cluster, asking(f"http://{at}:8080/"))
    assert output(pod).startswith(f"502 0 endpoint {at}:8080: connection error")


async def test_a_closed_namespace_is_reached_from_within_only(cluster: SimulatedCluster) -> None:
    server(cluster)
    at = await address(cluster)
    cluster.apply(namespace(AWAY))
    await cluster.clock.advance(MINUTE)
    close(cluster, SHOP, egress=MESH)
    within = await probe(cluster, asking(f"http://{at}:8080/"))
    meshed = await probe(cluster, asking(f"http://{at}:8080/"), namespace=AWAY)
    plain = await probe(cluster, asking(f"http://{at}:8080/"), namespace=AWAY, inject="disabled")
    assert output(within) == "200 0 "
    assert output(meshed).startswith("504 0 ")
    assert output(plain) == "000 28 "


async def test_a_pod_that_can_t_reach_the_mesh_s_identity_or_dns_never_gets_ready(cluster: SimulatedCluster) -> None:
    cluster.apply(namespace(AWAY))
    close(cluster, AWAY, egress=MESH[:1])
    pod = await probe(cluster, asking("http://10.244.0.9/"), namespace=AWAY)
    assert "running" in state(pod)
    close(cluster, AWAY, egress=MESH)
    await cluster.clock.advance(MINUTE)
    assert "terminated" in state(cluster.current(pod) or {})


@pytest.mark.parametrize(("version", "status"), [("2.17", "200"), ("2.18", "504")])
async def test_a_policy_that_allows_the_application_s_port_closes_the_one_that_proxies_use_since_2_18(
    world: World, version: str, status: str
) -> None:
    cluster = await cluster_of(world, version=version)
    server(cluster)
    spec = {"podSelector": {"matchLabels": {"app": "web"}}, "ingress": [{"ports": [{"port": 8080}]}]}
    meta = {"name": "web", "namespace": SHOP}
    cluster.apply({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": meta, "spec": spec})
    pod = await probe(cluster, asking(f"http://{await address(cluster)}:8080/"))
    assert output(pod).split()[0] == status


@pytest.mark.parametrize(
    ("spec", "reached"),
    [
        ({"ingress": []}, False),
        ({"ingress": [{}]}, True),
        ({"ingress": [{"from": [{"namespaceSelector": {}}]}]}, True),
        ({"ingress": [{"from": [{"podSelector": {}}]}]}, False),
        ({"ingress": [{"from": [{"ipBlock": {"cidr": "10.244.0.0/16"}}]}]}, True),
        ({"ingress": [{"from": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.244.0.0/16"]}}]}]}, False),
        ({"ingress": [{"ports": [{"port": "http"}]}]}, True),
        ({"ingress": [{"ports": [{"port": 8000, "endPort": 8090}]}]}, True),
        ({"ingress": [{"ports": [{"port": 8080, "protocol": "UDP"}]}]}, False),
        ({"podSelector": {"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["web"]}]}}, True),
        ({"podSelector": {"matchExpressions": [{"key": "app", "operator": "Exists"}]}, "ingress": []}, False),
    ],
)
async def test_network_policies_apply_as_kubernetes_says(world: World, spec: Object, reached: bool) -> None:
    cluster = world.kubernetes.add("plain")
    for name in (SHOP, AWAY):
        cluster.apply(namespace(name))
    server(cluster)
    at = await address(cluster)
    meta = {"name": "web", "namespace": SHOP}
    bound = {"podSelector": {}, **spec}
    cluster.apply({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": meta, "spec": bound})
    pod = await probe(cluster, asking(f"http://{at}:8080/"), namespace=AWAY)
    assert output(pod) == ("200 0 " if reached else "000 28 ")


async def test_a_tcp_connection_proves_nothing_where_a_proxy_takes_it(cluster: SimulatedCluster) -> None:
    server(cluster, http="refused")
    server(cluster, http="refused", name="plain", inject="disabled")
    meshed, plain = await address(cluster), await address(cluster, "plain")
    seen = [
        output(await probe(cluster, asking(f"telnet://{at}:8080"), inject=inject))
        for at, inject in ((meshed, "enabled"), (meshed, "disabled"), (plain, "enabled"), (plain, "disabled"))
    ]
    assert seen == ["000 0 ", "000 0 ", "000 0 ", "000 7 "]


async def test_a_pod_that_outlives_its_deadline_fails_also_when_only_its_proxy_runs(cluster: SimulatedCluster) -> None:
    server(cluster)
    url = f"http://{await address(cluster)}:8080/"
    pod = await probe(cluster, asking(url), spec={"activeDeadlineSeconds": 60})
    assert (pod["status"]["phase"], pod["status"]["reason"]) == ("Failed", "DeadlineExceeded")
    assert output(pod) == "200 0 "
    assert state(pod, "linkerd-proxy")["terminated"]["exitCode"] == 137


async def test_a_test_can_set_how_the_program_of_an_image_ends(world: World) -> None:
    cluster = world.kubernetes.add("plain")
    cluster.apply(namespace(SHOP))
    cluster.programs["contoso/check:1"] = Exit(3, "2 orders are missing")
    pod = await probe(cluster, ["/check"], image="contoso/check:1")
    assert pod["status"]["phase"] == "Failed"
    assert (state(pod)["terminated"]["exitCode"], output(pod)) == (3, "2 orders are missing")


async def test_an_image_that_can_t_be_pulled_keeps_a_pod_pending_until_it_can(world: World) -> None:
    cluster = world.kubernetes.add("plain")
    cluster.apply(namespace(SHOP))
    cluster.programs["contoso/check:1"] = Exit(0)
    cluster.unpullable.add("contoso/check:1")
    pod = await probe(cluster, ["/check"], image="contoso/check:1")
    assert (pod["status"]["phase"], state(pod)["waiting"]["reason"]) == ("Pending", "ImagePullBackOff")
    cluster.unpullable.clear()
    await cluster.clock.advance(MINUTE)
    assert cluster.get("Pod", SHOP, pod["metadata"]["name"])["status"]["phase"] == "Succeeded"


async def test_a_pod_without_room_waits_unschedulable(world: World) -> None:
    cluster = world.kubernetes.add("plain")
    cluster.apply(namespace(SHOP))
    cluster.is_full = True
    pod = await probe(cluster, asking("http://10.244.0.9/"))
    (condition,) = pod["status"]["conditions"]
    assert (pod["status"]["phase"], condition["reason"]) == ("Pending", "Unschedulable")
    assert "Insufficient cpu" in condition["message"]


async def test_a_workload_whose_program_exits_crashes_again_and_again(world: World) -> None:
    cluster = world.kubernetes.add("plain")
    cluster.apply(namespace(SHOP))
    cluster.programs["shop/app:1"] = Exit(1, "no database")
    cluster.apply(workload("web", replicas=1))
    await cluster.clock.advance(5 * MINUTE)
    (pod,) = pods(cluster, SHOP)
    (status,) = pod["status"]["containerStatuses"]
    assert status["state"]["waiting"]["reason"] == "CrashLoopBackOff"
    assert status["lastState"]["terminated"]["message"] == "no database"
    assert status["restartCount"] >= 3


async def test_pods_of_a_job_run_their_program_and_a_job_gives_up(world: World) -> None:
    cluster = world.kubernetes.add("plain")
    cluster.apply(namespace(SHOP))
    cluster.programs |= {"contoso/good:1": Exit(0), "contoso/bad:1": Exit(1)}
    for image in ("good", "bad"):
        container = {"name": "check", "image": f"contoso/{image}:1"}
        template = {"spec": {"restartPolicy": "Never", "containers": [container]}}
        spec = {"backoffLimit": 1, "template": template}
        meta = {"name": image, "namespace": SHOP}
        cluster.apply({"apiVersion": "batch/v1", "kind": "Job", "metadata": meta, "spec": spec})
    await cluster.clock.advance(3 * MINUTE)
    good, bad = (cluster.get("Job", SHOP, name)["status"] for name in ("good", "bad"))
    assert (good["succeeded"], good["conditions"][0]["type"]) == (1, "Complete")
    assert (bad["failed"], bad["conditions"][0]["type"]) == (2, "Failed")


async def test_no_two_pods_have_the_same_address(world: World) -> None:
    cluster = world.kubernetes.add("plain")
    cluster.apply(namespace(SHOP))
    cluster.apply(workload("web", replicas=60))
    await cluster.clock.advance(MINUTE)
    assert len({p["status"]["podIP"] for p in pods(cluster, SHOP)}) == 60
