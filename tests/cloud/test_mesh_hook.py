"""What a mesh may do in a simulated cluster, through the hook that any mesh registers with."""

from datetime import timedelta

from local.cloud.kubernetes.cluster import SimulatedCluster
from local.cloud.kubernetes.mesh_hooks import CallResult, PodCall
from local.cloud.kubernetes.objects import Object, is_ready
from local.cloud.world import World

MINUTE = timedelta(minutes=1)
READ = "%output{/dev/termination-log}%{http_code}"


class Marking:
    """A mesh that marks pods, delays or breaks chosen ones, and answers all calls itself."""

    def __init__(self) -> None:
        self.holds, self.breaks = False, ""
        self.running: set[str] = set()

    def admit(self, pod: Object) -> Object:
        return {**pod, "metadata": {**pod["metadata"], "annotations": {"mesh.example/marked": "yes"}}}

    def start(self, pod: Object) -> None:
        self.running.add(pod["metadata"]["name"])

    def failure(self, pod: Object) -> str:  # noqa: ARG002
        return self.breaks

    def ready(self, pod: Object) -> bool:  # noqa: ARG002
        return not self.holds

    def stop(self, pod: Object) -> None:
        self.running.discard(pod["metadata"]["name"])

    def metrics(self, pod: Object, port: int) -> str | None:  # noqa: ARG002
        return None

    def carry(self, call: PodCall) -> CallResult:
        return CallResult(status=418 if call.path == "/tea" else 200)


def meshed(world: World) -> tuple[SimulatedCluster, Marking]:
    cluster = world.kubernetes.add("east")
    cluster.mesh = mesh = Marking()
    cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
    return cluster, mesh


def run(cluster: SimulatedCluster, name: str, **container: object) -> None:
    spec = {"restartPolicy": "Never", "containers": [{"name": "app", "image": "shop/app:1", **container}]}
    cluster.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "shop"}, "spec": spec})


def pod(cluster: SimulatedCluster, name: str) -> Object:
    return cluster.get("Pod", "shop", name)


async def test_a_mesh_changes_pods_at_their_admission(world: World) -> None:
    cluster, _ = meshed(world)
    run(cluster, "web")
    assert pod(cluster, "web")["metadata"]["annotations"] == {"mesh.example/marked": "yes"}


async def test_a_pod_is_ready_no_sooner_than_its_mesh_says(world: World) -> None:
    cluster, mesh = meshed(world)
    mesh.holds = True
    run(cluster, "web")
    await world.clock.advance(MINUTE)
    assert not is_ready(pod(cluster, "web"))
    mesh.holds = False
    await world.clock.advance(MINUTE)
    assert is_ready(pod(cluster, "web"))


async def test_a_pod_that_a_mesh_can_not_start_is_tried_again(world: World) -> None:
    cluster, mesh = meshed(world)
    mesh.breaks = "no trust anchors"
    run(cluster, "web")
    await world.clock.advance(MINUTE / 6)
    (container,) = pod(cluster, "web")["status"]["containerStatuses"]
    assert container["state"] == {"waiting": {"reason": "CrashLoopBackOff", "message": "no trust anchors"}}
    mesh.breaks = ""
    await world.clock.advance(MINUTE)
    assert is_ready(pod(cluster, "web"))


async def test_a_mesh_is_called_at_the_start_and_the_end_of_a_pod(world: World) -> None:
    cluster, mesh = meshed(world)
    run(cluster, "web")
    await world.clock.advance(MINUTE)
    assert mesh.running == {"web"}
    cluster.delete("Pod", "shop", "web")
    await world.clock.advance(MINUTE)
    assert mesh.running == set()


async def test_a_mesh_is_called_when_a_cluster_stops_and_starts(world: World) -> None:
    cluster, mesh = meshed(world)
    run(cluster, "web")
    await world.clock.advance(MINUTE)
    world.kubernetes.stop("east")
    assert mesh.running == set()
    world.kubernetes.start("east")
    assert mesh.running == {"web"}


async def test_a_mesh_carries_the_calls_of_pods(world: World) -> None:
    cluster, _ = meshed(world)
    run(cluster, "guest", command=["curl", "-s", "-w", READ, "http://10.9.9.9/tea"])
    await world.clock.advance(MINUTE)
    (container,) = pod(cluster, "guest")["status"]["containerStatuses"]
    assert container["state"]["terminated"]["message"] == "418"
