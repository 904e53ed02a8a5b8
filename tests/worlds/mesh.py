"""A simulated mesh over some clusters, with workloads of all kinds."""

import base64
from datetime import timedelta
from typing import Any

from local.cloud.kubernetes.cluster import SimulatedCluster
from local.cloud.kubernetes.objects import Object
from local.cloud.linkerd.roots import RootWithKey, new_root
from local.cloud.world import World
from tests.worlds.kubernetes import restart, workload
from tests.worlds.times import MINUTE

DOMAIN = "mesh.example"
ROOTS, ISSUER = "linkerd-identity-trust-roots", "linkerd-identity-issuer"
KINDS = ("Deployment", "StatefulSet", "DaemonSet")


class MeshWorld:
    """Two clusters of one trust domain, ready, with workloads of all kinds."""

    def __init__(self, world: World, clusters: int = 2, **options: Any) -> None:
        self.world, self.linkerd = world, world.linkerd
        self.old = new_root(f"root.linkerd.{DOMAIN}.1", world.clock.now())
        self.new = new_root(f"root.linkerd.{DOMAIN}.2", world.clock.now())
        self.clusters = [self._cluster(f"c{n}", **options) for n in range(clusters)]

    def _cluster(self, name: str, **options: Any) -> SimulatedCluster:
        cluster = self.world.kubernetes.add(name)
        certificate, key = self.issuer(self.old)
        self.linkerd.install(
            name,
            trust_domain=DOMAIN,
            root_pem=self.old.pem,
            issuer_cert_pem=certificate,
            issuer_key_pem=key,
            **options,
        )
        annotations = {"linkerd.io/inject": "enabled"}
        meta = {"name": "shop", "annotations": annotations}
        cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": meta})
        for kind in KINDS:
            cluster.apply(workload(kind.lower(), kind))
        return cluster

    def issuer(self, root: RootWithKey, lifetime: timedelta = timedelta(days=90)) -> tuple[str, str]:
        return root.issuer(f"identity.linkerd.{DOMAIN}", self.world.clock.now(), lifetime)

    def bundle(self, text: str) -> None:
        for cluster in self.clusters:
            meta = {"name": ROOTS, "namespace": "linkerd"}
            data = {"ca-bundle.crt": text}
            cluster.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data})

    def issue_under(self, root: RootWithKey, lifetime: timedelta = timedelta(days=90)) -> None:
        for cluster in self.clusters:
            certificate, key = self.issuer(root, lifetime)
            files = {"tls.crt": certificate, "tls.key": key, "ca.crt": root.pem}
            data = {name: base64.b64encode(text.encode()).decode() for name, text in files.items()}
            meta = {"name": ISSUER, "namespace": "linkerd"}
            cluster.apply({"apiVersion": "v1", "kind": "Secret", "metadata": meta, "data": data})

    async def restart_control_planes(self) -> None:
        for cluster in self.clusters:
            for deployment in cluster.objects("Deployment", "linkerd"):
                template = deployment["spec"]["template"]
                at = {"kubectl.kubernetes.io/restartedAt": cluster.now()}
                annotations = {**template["metadata"]["annotations"], **at}
                template = {**template, "metadata": {**template["metadata"], "annotations": annotations}}
                cluster.update({**deployment, "spec": {**deployment["spec"], "template": template}})
        await self.world.clock.advance(3 * MINUTE)

    async def restart_workloads(self) -> None:
        for cluster in self.clusters:
            for kind in KINDS:
                restart(cluster, kind, kind.lower(), at=cluster.now())
        await self.world.clock.advance(3 * MINUTE)

    async def restart_all(self) -> None:
        await self.world.clock.advance(2 * MINUTE)
        await self.restart_control_planes()
        await self.restart_workloads()


def pods(cluster: SimulatedCluster, namespace: str, component: str = "") -> list[Object]:
    """The pods of a namespace, or those of one component of the control plane."""
    found = cluster.objects("Pod", namespace)
    return [p for p in found if component in ("", p["metadata"]["labels"].get("linkerd.io/control-plane-component"))]


def events(cluster: SimulatedCluster, reason: str) -> list[Object]:
    """The events of this reason."""
    return [e for e in cluster.objects("Event") if e["reason"] == reason]
