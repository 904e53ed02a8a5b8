"""Backups in the vault tier, and the group and account through which they are restored."""

from typing import Any

from local import scenario
from local.cloud.arm import SUBSCRIPTION, Resource
from local.cloud.resources.machines import DISKS, SNAPSHOTS
from local.cloud.resources.storage import TYPE as ACCOUNTS
from local.stage import RunningApp

CLUSTERS = ("aks-east", "aks-west")
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{scenario.SCRATCH_GROUP}"
ACCOUNT = f"{GROUP}/providers/{ACCOUNTS}/{scenario.STAGING_ACCOUNT}"


def workloads() -> list[dict[str, Any]]:
    """A deployment and a claim in the namespace shop."""
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    metadata = {"name": "data", "namespace": "shop"}
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}},
        {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": claim},
        scenario.workload("Deployment", "shop", "web", 1),
    ]


def back_up(stage: RunningApp, cluster: str = CLUSTERS[0], *, expired: bool = True) -> Resource:
    """A backup whose point is in the vault tier, and in no other if it has expired there."""
    job = stage.world.backup_vaults.complete_backup(cluster, vaulted=True)
    if expired:
        point = job["properties"]["extendedInfo"]["targetRecoverPoint"]["recoveryPointID"]
        stage.world.backup_vaults.jobs.expire(point, "OperationalStore")
    return job


def staged(stage: RunningApp) -> list[str]:
    """What is in the staging group and its account."""
    found = [each["name"] for kind in (DISKS, SNAPSHOTS) for each in stage.world.arm.of_type(kind, f"{GROUP}/")]
    return sorted([*found, *stage.world.storage.containers(ACCOUNT)])
