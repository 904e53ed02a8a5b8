"""Workloads of a simulated cluster, and a client of its API."""

import base64
from typing import Any

from lightkube import AsyncClient, KubeConfig

from local.cloud.kubernetes.api import AUDIENCE
from local.cloud.kubernetes.cluster import SimulatedCluster
from local.cloud.kubernetes.objects import Object
from local.cloud.world import World


def client_for(world: World, cluster: str, audience: str = AUDIENCE) -> AsyncClient:
    """A client of a cluster's API with the token of somebody who may do anything."""
    token = world.entra.token(world.entra.add("meshward"), audience)
    authority = base64.b64encode(world.wire.ca_pem).decode()
    config = KubeConfig.from_dict(
        {
            "current-context": "c",
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
            "clusters": [
                {
                    "name": "c",
                    "cluster": {
                        "server": f"{world.wire.url}/k8s/{cluster}",
                        "certificate-authority-data": authority,
                    },
                }
            ],
            "users": [{"name": "u", "user": {"token": token}}],
        }
    )
    return AsyncClient(config, field_manager="meshward", trust_env=False)


def workload(name: str, kind: str = "Deployment", replicas: int = 3, **spec: Any) -> Object:
    """A workload of the namespace shop."""
    counted = {} if kind == "DaemonSet" else {"replicas": replicas}
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {
            **counted,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "app", "image": "shop/app:1"}]},
            },
            **spec,
        },
    }


def restart(cluster: SimulatedCluster, kind: str, name: str, at: str = "2027-01-15T08:00:00Z") -> None:
    """Restart a workload as `kubectl rollout restart` does."""
    annotations = {"kubectl.kubernetes.io/restartedAt": at}
    manifest = cluster.get(kind, "shop", name)
    cluster.apply(
        {
            "apiVersion": manifest["apiVersion"],
            "kind": kind,
            "metadata": manifest["metadata"],
            "spec": {"template": {"metadata": {"annotations": annotations}}},
        }
    )
