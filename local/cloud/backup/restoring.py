"""What a restore of an AKS backup needs, what it makes and what it leaves behind.

Rules (AKS backup docs; the roles of the vault tier, and codes that the docs don't name, are from memory):
- From the operational tier to a cluster of the vault's region; from the vault tier by way of a staging group and
  account, into which the vault's identity must be allowed to write.
- The cluster may be another one: it needs the extension, trusted access and the roles too, and has to run.
- A restore really makes the objects; a failed one leaves the namespaces behind that it made.
- A restore from the vault tier soon fills the staging group and account: a snapshot and a disk for each claim, and a
  container with the objects. Nobody removes them, not even after success.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from local.cloud.arm import Arm, OperationFailed, Resource
from local.cloud.backup.content import Object, make, restored
from local.cloud.backup.protocol import refusal
from local.cloud.backup.readiness import CONTRIBUTOR, Readiness, snapshot_group
from local.cloud.backup.rows import WARNING
from local.cloud.kubernetes.cluster import SimulatedCluster
from local.cloud.resources.machines import MachineDisk, MachineService
from local.cloud.resources.storage import Storage
from local.cloud.vaults import JobOutcome, WarningDetail, principal_of
from local.cloud.wire import Reply

_VAULT_TIER = "KubernetesClusterVaultTierRestoreCriteria"
ACCOUNT_CONTRIBUTOR = "17d1049b-9a84-46fb-8f53-869881c3d3ab"
BLOB_DATA_OWNER = "b7e6dc6d-f1e8-4753-8033-0f276bb0955b"


class Restoring:
    """Restores into `clusters`, which are those that run, by name."""

    def __init__(
        self,
        arm: Arm,
        readiness: Readiness,
        clusters: Mapping[str, SimulatedCluster],
        storage: Storage,
        machines: MachineService,
    ) -> None:
        self._arm, self._readiness, self._clusters = arm, readiness, clusters
        self._storage, self._machines = storage, machines

    def require(self, vault: Resource, instance: Resource, request: dict[str, Any]) -> None:
        """Raises OperationFailed with the first thing that keeps the request from being fulfilled."""
        operational = request["sourceDataStoreType"] == "OperationalStore"
        group = snapshot_group(instance["properties"]) if operational else ""
        cluster = self._readiness.require_restorable(vault, target(request), snapshots=group)
        if operational and cluster["location"] != vault["location"]:
            message = "The target cluster isn't in the region of the snapshots."
            raise OperationFailed("UserErrorTargetClusterNotInSameRegion", message)
        if not operational:
            self._require_staging(vault, criteria(request))

    def _require_staging(self, vault: Resource, criteria: dict[str, Any]) -> None:
        group, account = (str(criteria.get(f"staging{what}Id") or "") for what in ("ResourceGroup", "StorageAccount"))
        if not self._arm.find(group) or not self._arm.find(account):
            raise OperationFailed("UserErrorStagingLocationNotFound", "The staging group or account doesn't exist.")
        principal = principal_of(vault)
        self._readiness.require_roles(
            "UserErrorVaultMSIMissingPermissionsOnStagingLocation",
            (principal, CONTRIBUTOR, group),
            (principal, ACCOUNT_CONTRIBUTOR, account),
            (principal, BLOB_DATA_OWNER, account),
        )

    def stage(self, job: str, objects: Iterable[Object], request: dict[str, Any]) -> None:
        """Fill the staging group and account of the restore job with this name."""
        sent = criteria(request)
        group, account = sent["stagingResourceGroupId"], sent["stagingStorageAccountId"]
        chosen = list(restored(objects, sent))
        self._storage.add_container(account, job, [f"resources/{_named(o)}.json" for o in chosen])
        for claim in (o for o in chosen if o["kind"] == "PersistentVolumeClaim"):
            name = f"{claim['metadata']['namespace']}-{claim['metadata']['name']}-{job[:8]}"
            at = {"location": self._arm.resources[group.lower()]["location"]}
            disk = MachineDisk(lun=0, size=1)
            self._machines.make_snapshot(group, f"{name}-snapshot", disk, **at)
            self._machines.make_disk(group, name, disk, **at)

    def restore(
        self, objects: Iterable[Object], request: dict[str, Any], outcome: JobOutcome[Object]
    ) -> list[WarningDetail]:
        """Make the objects in the target cluster; the API server's errors as warnings."""
        sent, cluster = criteria(request), self._clusters[target(request).rpartition("/")[2]]
        chosen = [o for o in map(outcome.restored, restored(objects, sent)) if o]
        if outcome.status == "Failed":
            chosen = [o for o in chosen if o["kind"] == "Namespace"]
        refusals = [(o, make(cluster, o, sent)) for o in chosen]
        return [WarningDetail(WARNING, error, _named(o)) for o, error in refusals if error]


def refuse(point: Resource | None, request: dict[str, Any]) -> Reply | None:
    """The refusal of a request: the point isn't there or not in that store, or the criteria are of the other store."""
    if point is None:
        message = f"No recovery point {request['recoveryPointId']} was found."
        return refusal("UserErrorRecoveryPointNotFound", message)
    store = request.get("sourceDataStoreType")
    if store not in {each["type"] for each in point["properties"]["recoveryPointDataStoresDetails"]}:
        return refusal("UserErrorRecoveryPointNotFound", f"The recovery point isn't in the {store}.")
    if (criteria(request)["objectType"] == _VAULT_TIER) is not (store == "VaultStore"):
        return refusal("UserErrorInvalidRestoreCriteria", f"The restore criteria don't fit the {store}.")
    return None


def target(request: dict[str, Any]) -> str:
    """The resource id of the cluster that is restored into."""
    source = request["restoreTargetInfo"]["datasourceInfo"]
    return str(source.get("resourceID") or source["resourceId"])


def criteria(request: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = request["restoreTargetInfo"]["restoreCriteria"][0]
    return found


def _named(obj: Object) -> str:
    meta = obj["metadata"]
    return "/".join(part for part in (obj["kind"].lower(), meta.get("namespace"), meta["name"]) if part)
