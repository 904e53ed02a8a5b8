"""A protected cluster in the simulated cloud, its backups and what is asked of its Backup vault."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from azure.mgmt.dataprotection.aio import DataProtectionMgmtClient

from local.cloud.backup.content import Object
from local.cloud.world import World
from tests.worlds import sdk

AT: dict[str, Any] = {
    "resource_group_name": "rg-backup",
    "vault_name": "bv-seeded",
    "backup_instance_name": "shop-shop-seeded",
}
VAULT: dict[str, Any] = {k: AT[k] for k in ("resource_group_name", "vault_name")}


@asynccontextmanager
async def protected_shop(world: World) -> AsyncIterator[DataProtectionMgmtClient]:
    """A client in a world with a protected cluster `shop` that runs a deployment in the namespace `shop`."""
    world.aks.add("shop")
    for manifest in (namespace("shop"), config("settings", colour="blue"), claim("data"), deployment("web")):
        world.kubernetes.clusters["shop"].apply(manifest)
    world.backup_vaults.protect("shop")
    async with DataProtectionMgmtClient(**sdk.arm(world, world.entra.add("caller"))) as client:
        yield client


def namespace(name: str) -> Object:
    """A namespace with an annotation."""
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "annotations": {"team": "shop"}}}


def config(name: str, **data: str) -> Object:
    """A ConfigMap of the namespace shop."""
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "shop"}, "data": data}


def claim(name: str) -> Object:
    """A claim of the namespace shop."""
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    metadata = {"name": name, "namespace": "shop"}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": spec}


def deployment(name: str) -> Object:
    """A deployment of the namespace shop."""
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": name, "image": "nginx"}]}}
    spec = {"replicas": 2, "selector": {"matchLabels": labels}, "template": template}
    metadata = {"name": name, "namespace": "shop"}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}


def request(world: World, point: str, **criteria: Any) -> Any:
    """A restore request for a point of the cluster; `criteria` go over the usual ones."""
    cluster = world.arm.find(
        world.backup_vaults.instances.protecting("shop")["properties"]["dataSourceInfo"]["resourceID"]
    )
    assert cluster
    source = {"resourceID": cluster["id"], "objectType": "Datasource"}
    chosen = {
        "objectType": "KubernetesClusterRestoreCriteria",
        "includeClusterScopeResources": False,
        "includedNamespaces": ["shop"],
        "namespaceMappings": {"shop": "verify-shop"},
        "conflictPolicy": "Skip",
        "persistentVolumeRestoreMode": "RestoreWithVolumeData",
    }
    return {
        "objectType": "AzureBackupRecoveryPointBasedRestoreRequest",
        "sourceDataStoreType": "OperationalStore",
        "recoveryPointId": point,
        "restoreTargetInfo": {
            "objectType": "ItemLevelRestoreTargetInfo",
            "recoveryOption": "FailIfExists",
            "restoreLocation": cluster["location"],
            "datasourceInfo": source,
            "restoreCriteria": [{**chosen, **criteria}],
        },
    }


def backed_up(world: World, **arguments: Any) -> str:
    """The id of the point that a scheduled backup leaves."""
    job = world.backup_vaults.complete_backup("shop", **arguments)
    return str(job["properties"]["extendedInfo"]["targetRecoverPoint"]["recoveryPointID"])


async def restore(world: World, client: Any, point: str, **criteria: Any) -> Any:
    """The job of a restore that has run its time."""
    poller = await client.backup_instances.begin_trigger_restore(**AT, parameters=request(world, point, **criteria))
    started = await poller.result()
    await world.clock.advance(timedelta(minutes=5))
    job = await client.jobs.get(**VAULT, job_id=started.job_id.rpartition("/")[2])
    return job.properties


def names(world: World, kind: str, namespace: str) -> list[str]:
    """The objects of a kind in a namespace of the cluster, by name."""
    return [o["metadata"]["name"] for o in world.kubernetes.clusters["shop"].objects(kind, namespace)]


async def sent(world: World, client: Any, wanted: Any, minutes: int = 5) -> Any:
    """The job of a request, so many minutes later."""
    started = await (await client.backup_instances.begin_trigger_restore(**AT, parameters=wanted)).result()
    await world.clock.advance(timedelta(minutes=minutes))
    return (await client.jobs.get(**VAULT, job_id=started.job_id.rpartition("/")[2])).properties
