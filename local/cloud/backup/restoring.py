"""What a restore of an AKS backup needs, what it makes and what it leaves behind.

Rules (AKS backup docs; the roles of the vault tier, and codes that the docs don't name, are from memory):
- From the operational tier to a cluster of the vault's region; from the vault tier by way of a staging group and
  account, which the vault's identity must be let fill.
- The cluster may be another one: it needs the extension, trusted access and the roles too, and has to run.
- A restore really makes the objects; a failed one leaves the namespaces behind that it made.
- A restore from the vault tier fills its staging place soon: a snapshot and a disk for each claim, and a container with
  the objects. Nobody takes that away, not even after success.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from local.cloud.arm import OperationFailed, Resource
from local.cloud.backup.content import Object, make, restored
from local.cloud.backup.protocol import Outcome, Warned, refusal
from local.cloud.backup.readiness import CONTRIBUTOR, require_restorable, require_roles, snapshot_group
from local.cloud.backup.rows import WARNING
from local.cloud.resources.machines import Disk
from local.cloud.wire import Reply

if TYPE_CHECKING:
    from local.cloud.world import World

_VAULT_TIER = "KubernetesClusterVaultTierRestoreCriteria"
ACCOUNT_CONTRIBUTOR = "17d1049b-9a84-46fb-8f53-869881c3d3ab"
BLOB_DATA_OWNER = "b7e6dc6d-f1e8-4753-8033-0f276bb0955b"


def refused(point: Resource | None, request: dict[str, Any]) -> Reply | None:
    """Why a request is refused at once: the point isn't there or not in that store, or the criteria are the other's."""
    if point is None:
        message = f"No recovery point {request['recoveryPointId']} was found."
        return refusal("UserErrorRecoveryPointNotFound", message)
    wanted = request.get("sourceDataStoreType")
    if wanted not in {store["type"] for store in point["properties"]["recoveryPointDataStoresDetails"]}:
        return refusal("UserErrorRecoveryPointNotFound", f"The recovery point isn't in the {wanted}.")
    if (criteria(request)["objectType"] == _VAULT_TIER) is not (wanted == "VaultStore"):
        return refusal("UserErrorInvalidRestoreCriteria", f"The restore criteria don't fit the {wanted}.")
    return None


def target(request: dict[str, Any]) -> str:
    """The resource id of the cluster that is restored into."""
    source = request["restoreTargetInfo"]["datasourceInfo"]
    return str(source.get("resourceID") or source["resourceId"])


def criteria(request: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = request["restoreTargetInfo"]["restoreCriteria"][0]
    return found


def require(world: "World", vault: Resource, instance: Resource, request: dict[str, Any]) -> None:
    """Raises OperationFailed with the first thing that keeps the request from being fulfilled."""
    operational = request["sourceDataStoreType"] == "OperationalStore"
    group = snapshot_group(instance["properties"]) if operational else ""
    cluster = require_restorable(world, vault, target(request), snapshots=group)
    if operational and cluster["location"] != vault["location"]:
        message = "The target cluster isn't in the region of the snapshots."
        raise OperationFailed("UserErrorTargetClusterNotInSameRegion", message)
    if not operational:
        _require_staging(world, vault, criteria(request))


def _require_staging(world: "World", vault: Resource, wanted: dict[str, Any]) -> None:
    group, account = (str(wanted.get(f"staging{what}Id") or "") for what in ("ResourceGroup", "StorageAccount"))
    if not world.arm.find(group) or not world.arm.find(account):
        raise OperationFailed("UserErrorStagingLocationNotFound", "The staging group or account doesn't exist.")
    principal = vault["identity"]["principalId"]
    require_roles(
        world,
        "UserErrorVaultMSIMissingPermissionsOnStagingLocation",
        (principal, CONTRIBUTOR, group),
        (principal, ACCOUNT_CONTRIBUTOR, account),
        (principal, BLOB_DATA_OWNER, account),
    )


def stage(world: "World", job: str, objects: Iterable[Object], request: dict[str, Any]) -> None:
    """Fill the staging place of the restore job with this name."""
    wanted = criteria(request)
    group, account = wanted["stagingResourceGroupId"], wanted["stagingStorageAccountId"]
    chosen = list(restored(objects, wanted))
    world.storage.add_container(account, job, [f"resources/{_named(o)}.json" for o in chosen])
    for claim in (o for o in chosen if o["kind"] == "PersistentVolumeClaim"):
        name = f"{claim['metadata']['namespace']}-{claim['metadata']['name']}-{job[:8]}"
        at = {"location": world.arm.resources[group.lower()]["location"]}
        disk = Disk(lun=0, size=1)
        world.machines.make_snapshot(group, f"{name}-snapshot", disk, **at)
        world.machines.make_disk(group, name, disk, **at)


def restore(
    world: "World", objects: Iterable[Object], request: dict[str, Any], outcome: Outcome[Object]
) -> list[Warned]:
    """Make the objects in the target cluster; what the API server said against some of them."""
    wanted, cluster = criteria(request), world.kubernetes.clusters[target(request).rpartition("/")[2]]
    chosen = [o for o in map(outcome.restored, restored(objects, wanted)) if o]
    if outcome.status == "Failed":
        chosen = [o for o in chosen if o["kind"] == "Namespace"]
    refusals = [(o, make(cluster, o, wanted)) for o in chosen]
    return [Warned(WARNING, said, _named(o)) for o, said in refusals if said]


def _named(obj: Object) -> str:
    meta = obj["metadata"]
    return "/".join(part for part in (obj["kind"].lower(), meta.get("namespace"), meta["name"]) if part)
