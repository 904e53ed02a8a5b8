"""Containers whose program ends by itself: curl, and images of which a test says how they end.

All other containers are servers: they run until they are stopped.
"""

from collections.abc import Callable, Iterable
from functools import partial, reduce

from local.cloud.kubernetes.cluster import SimulatedCluster
from local.cloud.kubernetes.curl import Curl
from local.cloud.kubernetes.network import API_SERVER
from local.cloud.kubernetes.objects import Object
from local.cloud.kubernetes.pod_status import Exit

type Run = Callable[[Callable[[Exit], object]], object]


def program(cluster: SimulatedCluster, pod: Object, container: Object) -> Run | None:
    """What starts the container's program and calls back at its end; None for a server."""
    exit = cluster.programs.get(container.get("image", ""))
    if exit:
        return lambda ended: cluster.clock.after(exit.seconds, lambda: ended(exit))
    words = _curl(container)
    return None if words is None else partial(_curls, cluster, pod, container, words)


def _curl(container: Object) -> list[str] | None:
    """The arguments of curl, if that is what the container runs."""
    command, given = _expanded(container.get("command", ())), _expanded(container.get("args", ()))
    if command:
        return [*command[1:], *given] if command[0].rpartition("/")[2] == "curl" else None
    return given if given and container.get("image", "").partition(":")[0].endswith("/curl") else None


def _expanded(words: Iterable[str]) -> list[str]:
    """The words with the variables that the kubelet gives to every container."""
    host, port = API_SERVER
    known = {"$(KUBERNETES_SERVICE_HOST)": host, "$(KUBERNETES_SERVICE_PORT)": str(port)}
    return [reduce(lambda text, each: text.replace(*each), known.items(), word) for word in words]


def _curls(
    cluster: SimulatedCluster, pod: Object, container: Object, words: list[str], ended: Callable[[Exit], object]
) -> None:
    log = container.get("terminationMessagePath", "/dev/termination-log")
    Curl(cluster, pod, words, lambda code, files: ended(Exit(code, files.get(log, "")))).ask()
