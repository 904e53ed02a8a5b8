"""Backup vaults (Microsoft.DataProtection) and their policies.

Rules:
- A new vault is Provisioning for a while; its system-assigned identity is a principal of Entra from the start. A PUT
  that changes nothing is answered 200 at once (seen in recorded traffic).
- What was never sent of immutability isn't shown. States keep the casing of their writer.
- A deletion that takes no time is 200 (`delete_seconds`).
- Soft delete AlwaysOn and immutability Locked can't be undone; neither redundancy can be changed, nor cross-region
  restore be switched off (Azure Backup docs, recorded traffic).
- A deleted vault with soft delete keeps its name.
- Since API 2025-09-01, soft delete has to be AlwaysOn (reported by users).
- The policy of an AKS backup can't be changed once it exists.
"""

from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any

from local.cloud.arm import REGION, Arm, Resource, not_found
from local.cloud.backup.content import Object
from local.cloud.backup.instances import BackupInstances
from local.cloud.backup.jobs import BackupJobs
from local.cloud.backup.protocol import PROVIDER, VAULT, BackupOperations, refusal, refuse_soft_delete
from local.cloud.backup.readiness import Readiness
from local.cloud.backup.restoring import Restoring
from local.cloud.backup.seed import POLICY, Seed, instance_properties
from local.cloud.kubernetes.cluster import SimulatedCluster
from local.cloud.resources.aks import TYPE as AKS
from local.cloud.resources.machines import MachineService
from local.cloud.resources.resource_groups import ResourceGroups
from local.cloud.resources.roles import Roles
from local.cloud.resources.storage import Storage
from local.cloud.vaults import CriticalCheck, JobOutcome, WarningDetail, identity_of, immutability_of, rating
from local.cloud.wire import CloudRequest, Reply, Route

VAULT_SECONDS = 20.0
DELETE_SECONDS = 30.0
_VAULTS = f"{PROVIDER}/backupVaults"
_POLICIES = f"{_VAULTS}/backupPolicies"


class BackupVaultService:
    """Vaults and policies on the wire; `instances` has what they protect, `jobs` what they did.

    `seed` makes what protecting a cluster needs; `clusters`, by name, are those that run.
    `unsupported_redundancy` names the storage types that the region doesn't offer; `deleted` holds soft-deleted vaults.
    """

    def __init__(
        self,
        arm: Arm,
        groups: ResourceGroups,
        roles: Roles,
        *,
        guard: CriticalCheck,
        clusters: Mapping[str, SimulatedCluster],
        storage: Storage,
        machines: MachineService,
    ) -> None:
        self._arm, self._groups, self.seed = arm, groups, Seed(arm, groups, roles)
        self._operations, readiness = BackupOperations(arm), Readiness(arm, roles)
        restoring = Restoring(arm, readiness, clusters, storage, machines)
        self.jobs = BackupJobs(arm, self._operations, restoring, clusters)
        self.instances = BackupInstances(arm, self._operations, self.jobs, readiness, guard)
        self.delete_seconds = DELETE_SECONDS
        self.unsupported_redundancy: set[str] = set()
        self.deleted: dict[str, Resource] = {}
        group = f"/subscriptions/{{subscription}}/resourceGroups/{{group}}/providers/{_VAULTS}"
        arm.wire.mount(
            [
                Route("PUT", VAULT, self._put),
                Route("GET", VAULT, arm.get),
                Route("PATCH", VAULT, self._patch),
                Route("DELETE", VAULT, self._delete),
                Route("GET", group, arm.list_of(_VAULTS)),
                Route("GET", f"/subscriptions/{{subscription}}/providers/{_VAULTS}", arm.list_of(_VAULTS)),
                Route("PUT", f"{VAULT}/backupPolicies/{{policy}}", self._put_policy),
                Route("GET", f"{VAULT}/backupPolicies/{{policy}}", arm.get),
                Route("DELETE", f"{VAULT}/backupPolicies/{{policy}}", self._delete_policy),
                Route("GET", f"{VAULT}/backupPolicies", arm.list_of(_POLICIES)),
            ],
            guard=arm.guard,
        )

    def protect(self, cluster: str, *, vault: str = "bv-seeded", group: str = "rg-backup") -> Resource:
        """Put the cluster with this name under backup as if that had been done long ago; returns its instance."""
        target = next(c for c in self._arm.of_type(AKS) if c["name"] == cluster)
        id = f"{self._groups.add(group)['id']}/providers/{_VAULTS}/{vault}"
        holder = self._arm.find(id) or self._seeded(id)
        snapshots = self.seed.grant_all(holder, target, group=group)
        properties = instance_properties(target, holder, snapshots)
        return self.instances.add_configured(f"{holder['id']}/backupInstances/{cluster}-{cluster}-seeded", properties)

    def _seeded(self, id: str) -> Resource:
        """A vault with the policy `aks-daily`."""
        storage = [{"datastoreType": "VaultStore", "type": "GeoRedundant"}]
        sent = {"location": REGION, "identity": {"type": "SystemAssigned"}, "properties": {"storageSettings": storage}}
        self._store_policy(f"{id}/backupPolicies/aks-daily", POLICY)
        return self._arm.store(self._vault(id, sent))

    def accept(self, cluster: str, *, vault: str = "bv-seeded", group: str = "rg-backup") -> Resource:
        """Let the vault restore into the cluster with this name, which it need not protect; returns the cluster."""
        target = next(c for c in self._arm.of_type(AKS) if c["name"] == cluster)
        holder = next(v for v in self._arm.of_type(_VAULTS) if v["name"] == vault)
        self.seed.grant_all(holder, target, group=group)
        return target

    def complete_backup(
        self,
        cluster: str,
        *,
        status: str = "Completed",
        seconds: float = 0.0,
        warnings: tuple[WarningDetail, ...] = (),
        vaulted: bool = False,
    ) -> Resource:
        """A scheduled backup of the cluster with this name ends with `status` after `seconds`; returns its job.

        A backup that is `vaulted` has a copy in the vault tier.
        """
        outcome: JobOutcome[Object] = JobOutcome(status=status, seconds=seconds, warnings=warnings)
        return self.jobs.run_scheduled(self.instances.protecting(cluster), outcome, vaulted=vaulted)

    def _put(self, call: CloudRequest) -> Reply:
        old = self._arm.find(call.path)
        refused = self._refuse(call, old)
        if refused:
            return refused
        vault = self._vault(call.path, call.body)
        if old and old == vault:
            return Reply(body=deepcopy(old))
        vault["properties"]["provisioningState"] = "Updating" if old else "Provisioning"
        self._arm.store(vault)
        operation = self._operations.begin(VAULT_SECONDS, lambda _: self._provision(vault))
        return Reply(status=201, body=deepcopy(vault), headers=self._operations.status_header(vault, operation))

    def _provision(self, vault: Resource) -> Resource:
        vault["properties"]["provisioningState"] = "Succeeded"
        return self._arm.store(vault)

    def _refuse(self, call: CloudRequest, old: Resource | None) -> Reply | None:
        if refused := _refuse_sent(call, call.body["properties"].get("securitySettings") or {}):
            return refused
        types = {setting["type"] for setting in call.body["properties"].get("storageSettings", [])}
        if unsupported := sorted(types & self.unsupported_redundancy):
            return refusal("UserErrorStorageTypeNotSupported", f"{unsupported[0]} isn't supported in this region.")
        if old is None and call.path.lower() in self.deleted:
            return refusal("UserErrorSoftDeletedVaultExists", "A soft-deleted vault with the same name exists.")
        return _refuse_change(old["properties"], call.body["properties"]) if old else None

    def _vault(self, id: str, sent: dict[str, Any]) -> Resource:
        """The vault that a request asks for, as it is once it is provisioned."""
        asked, old = sent["properties"], self._arm.find(id)
        properties = {
            "provisioningState": "Succeeded",
            "storageSettings": asked.get("storageSettings", []),
            "isVaultProtectedByResourceGuard": bool(old and old["properties"]["isVaultProtectedByResourceGuard"]),
            "securitySettings": _security(asked.get("securitySettings") or {}),
            **({"featureSettings": features} if (features := asked.get("featureSettings")) else {}),
            "replicatedRegions": [],
        }
        return {
            "location": sent["location"],
            **identity_of(self._arm, id, sent, old),
            **({"tags": sent["tags"]} if sent.get("tags") else {}),
            "properties": {**properties, **_score(properties)},
            "id": old["id"] if old else id,
            "name": id.rpartition("/")[2],
            "type": _VAULTS,
        }

    def _patch(self, call: CloudRequest) -> Reply:
        vault = self._arm.find(call.path)
        if vault is None:
            return not_found(call)
        changes = {name: value for name, value in (call.body.get("properties") or {}).items() if value is not None}
        security = changes.get("securitySettings") or {}
        refused = _refuse_sent(call, security) if security.get("softDeleteSettings") else None
        if refused := refused or _refuse_change(vault["properties"], changes):
            return refused
        if "securitySettings" in changes:
            changes["securitySettings"] = vault["properties"]["securitySettings"] | changes["securitySettings"]
        vault["properties"].update(changes)
        vault["properties"].update(_score(vault["properties"]))
        vault.update({"tags": call.body["tags"]} if call.body.get("tags") is not None else {})
        return Reply(body=deepcopy(self._arm.store(vault)))

    def _delete(self, call: CloudRequest) -> Reply:
        vault = self._arm.find(call.path)
        if vault is None:
            return Reply(status=204)
        if any(self._arm.of_type(f"{_VAULTS}/backupInstances", f"{vault['id']}/")):
            return refusal("UserErrorVaultNotEmpty", "The vault can't be deleted: there are backup instances in it.")
        if self.instances.deleted_from(vault["id"]):
            return refusal(
                "UserErrorVaultHasSoftDeletedItems", "The vault can't be deleted: it keeps deleted instances."
            )
        if not self.delete_seconds:
            self._remove(vault)
            return Reply()
        operation = self._operations.begin(self.delete_seconds, lambda _: self._remove(vault))
        at = "/".join(vault["id"].split("/")[:7]) + f"/locations/{vault['location']}"
        return self._operations.accepted(vault, operation, at=at)

    def _remove(self, vault: Resource) -> None:
        self._arm.remove(vault["id"])
        for policy in list(self._arm.of_type(_POLICIES, f"{vault['id']}/")):
            self._arm.remove(policy["id"])
        if vault["properties"]["securitySettings"]["softDeleteSettings"]["state"].lower() != "off":
            self.deleted[vault["id"].lower()] = vault

    def _put_policy(self, call: CloudRequest) -> Reply:
        if self._arm.find(call.path.rpartition("/backupPolicies/")[0]) is None:
            return not_found(call)
        old = self._arm.find(call.path)
        properties = {k: v for k, v in call.body["properties"].items() if k != "name"}
        for rule in properties["policyRules"]:
            for criterion in rule.get("trigger", {}).get("taggingCriteria", ()):
                criterion["tagInfo"].setdefault("id", f"{criterion['tagInfo']['tagName']}_")
        if old and old["properties"] != properties:
            return refusal("UserErrorPolicyUpdateNotSupported", "An AKS backup policy can't be changed.")
        return Reply(body=self._store_policy(call.path, properties))

    def _store_policy(self, id: str, properties: dict[str, Any]) -> Resource:
        row = {"properties": properties, "id": id, "name": id.rpartition("/")[2], "type": _POLICIES}
        return self._arm.store(row)

    def _delete_policy(self, call: CloudRequest) -> Reply:
        used = (i["properties"]["policyInfo"]["policyId"].lower() for i in self._instances(call))
        if call.path.lower() in used:
            return refusal("UserErrorPolicyInUse", "The policy is used by backup instances.")
        return Reply(status=200 if self._arm.remove(call.path) else 204)

    def _instances(self, call: CloudRequest) -> Iterator[Resource]:
        return self._arm.of_type(f"{_VAULTS}/backupInstances", call.path.rpartition("/backupPolicies/")[0] + "/")


def _refuse_sent(call: CloudRequest, sent: dict[str, Any]) -> Reply | None:
    return refuse_soft_delete(call, _security(sent)["softDeleteSettings"]["state"])


def _security(sent: dict[str, Any]) -> dict[str, Any]:
    soft_delete = {"state": "On", "retentionDurationInDays": 14.0} | (sent.get("softDeleteSettings") or {})
    immutability = sent.get("immutabilitySettings")
    return {"softDeleteSettings": soft_delete, **({"immutabilitySettings": immutability} if immutability else {})}


def _cross_region_restore(properties: dict[str, Any]) -> str:
    settings = (properties.get("featureSettings") or {}).get("crossRegionRestoreSettings") or {}
    return str(settings.get("state", ""))


def _score(properties: dict[str, Any]) -> dict[str, str]:
    security = properties["securitySettings"]
    return rating(security["softDeleteSettings"]["state"], immutability_of(security))


def _refuse_change(old: dict[str, Any], new: dict[str, Any]) -> Reply | None:
    current, sent = old["securitySettings"], new.get("securitySettings") or {}
    soft_delete = (sent.get("softDeleteSettings") or current["softDeleteSettings"])["state"]
    immutability = immutability_of(current | sent).lower()
    always = current["softDeleteSettings"]["state"].lower() == "alwayson"
    if always and soft_delete.lower() != "alwayson":
        return refusal("UserErrorDisableSoftDeleteNotAllowed", "Cannot disable soft delete once set to AlwaysOn")
    if immutability_of(current).lower() == "locked" and immutability != "locked":
        return refusal(
            "UserErrorUnsupportedVaultImmutabilityStateChange",
            "The immutable vault property for this vault is locked, hence, this setting cannot be disabled.",
        )
    if new.get("storageSettings", old["storageSettings"]) != old["storageSettings"]:
        return refusal("UserErrorStorageTypeChangeNotAllowed", "The storage type of a vault cannot be changed.")
    if (_cross_region_restore(old), _cross_region_restore(new)) == ("Enabled", "Disabled"):
        return refusal(
            "UserErrorCrossRegionRestoreStateChangeNotAllowed",
            "CrossRegionRestore state cannot be changed from Enabled to Disabled.",
        )
    return None
