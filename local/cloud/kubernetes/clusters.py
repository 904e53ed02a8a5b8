"""All Kubernetes clusters of the cloud: made, stopped, started and removed."""

from collections.abc import Sequence

from local.cloud.clock import Clock
from local.cloud.entra import Entra
from local.cloud.kubernetes.api import KubernetesWire
from local.cloud.kubernetes.cluster import SimulatedCluster
from local.cloud.kubernetes.controllers.work_queue import Controllers
from local.cloud.kubernetes.kubelet import NODES, Kubelet, node_name
from local.cloud.kubernetes.objects import Object, has_ended
from local.cloud.wire import Wire


class KubernetesService:
    """All clusters; each answers under /k8s/{name} to tokens for AKS's server application."""

    def __init__(self, clock: Clock, wire: Wire, entra: Entra) -> None:
        self.clusters: dict[str, SimulatedCluster] = {}
        self._clock = clock
        self._stopped: dict[str, SimulatedCluster] = {}
        self._everywhere: list[Object] = []
        self._wire = KubernetesWire(wire, entra, self.clusters)

    def add(self, name: str, *, enforces_policies: bool = True) -> SimulatedCluster:
        """A running cluster with three nodes and its system namespaces."""
        cluster = self.clusters[name] = SimulatedCluster(name, self._clock)
        cluster.enforces_policies = enforces_policies
        cluster.listeners.append(Kubelet(cluster).changed)
        Controllers(cluster)
        for namespace in ("default", "kube-system"):
            cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
        for number in range(NODES):
            cluster.apply(
                {
                    "apiVersion": "v1",
                    "kind": "Node",
                    "metadata": {"name": node_name(number)},
                    "status": {"conditions": [{"type": "Ready", "status": "True"}]},
                }
            )
        for manifest in self._everywhere:
            cluster.apply(manifest)
        return cluster

    def apply_everywhere(self, manifests: Sequence[Object]) -> None:
        """Apply these to every cluster, and to every one that is still to come."""
        self._everywhere += manifests
        for cluster in self.clusters.values():
            for manifest in manifests:
                cluster.apply(manifest)

    def stop(self, name: str) -> None:
        """Nodes and API server are down; what is stored stays."""
        cluster = self._stopped[name] = self.clusters.pop(name)
        cluster.stop()

    def start(self, name: str) -> None:
        """Nodes and API server are back, and start the containers of the pods that they had."""
        cluster = self.clusters[name] = self._stopped.pop(name)
        for pod in cluster.objects("Pod"):
            if not has_ended(pod):
                Kubelet(cluster).restart(pod)

    def remove(self, name: str) -> None:
        """The cluster is gone, with all that ran in it."""
        self.clusters.pop(name).close()
