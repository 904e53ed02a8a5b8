"""Recovery Services vaults.

Rules (seen in recorded traffic, or Azure Backup docs):
- A new vault is Provisioning for a moment and GeoRedundant unless the request says otherwise.
- Once something is protected, redundancy can't be changed; cross-region restore can be enabled.
- Soft delete AlwaysON and immutability Locked can't be undone.
- A vault with items, also soft-deleted ones, can't be deleted.
"""

from copy import deepcopy
from typing import Any

from local.cloud.arm import Arm, Resource, error, iso, not_found
from local.cloud.recovery.items import RecoveryItems
from local.cloud.recovery.machines import ProtectedMachines
from local.cloud.recovery.policies import OF_A_NEW_VAULT, SHARES_DAILY, RecoveryPolicies
from local.cloud.recovery.protocol import ITEMS, PROVIDER, VAULT, RecoveryOperations
from local.cloud.recovery.shares import Shares
from local.cloud.resources.file_shares import FileShareService
from local.cloud.resources.machines import MachineService
from local.cloud.resources.permissions import Permissions
from local.cloud.resources.resource_groups import ResourceGroups
from local.cloud.resources.roles import Roles
from local.cloud.resources.storage import Storage
from local.cloud.vaults import CriticalCheck, identity_of
from local.cloud.wire import CloudRequest, Reply, Route

VAULT_SECONDS = 15.0
VAULTS = f"{PROVIDER}/vaults"


class RecoveryVaultService:
    """Vaults on the wire; `items` has what they protect, `jobs` what they did."""

    def __init__(
        self,
        arm: Arm,
        groups: ResourceGroups,
        roles: Roles,
        permissions: Permissions,
        *,
        guard: CriticalCheck,
        files: FileShareService,
        machines: MachineService,
        storage: Storage,
    ) -> None:
        self._arm, self._groups = arm, groups
        self._operations = operations = RecoveryOperations(arm)
        self._policies = RecoveryPolicies(arm)
        shares = Shares(arm, operations, roles, files)
        protected = ProtectedMachines(arm, operations, permissions, machines, storage)
        self.items = RecoveryItems(arm, operations, guard, shares, protected)
        self.jobs = self.items.jobs
        group = f"/subscriptions/{{subscription}}/resourceGroups/{{group}}/providers/{VAULTS}"
        arm.wire.mount(
            [
                Route("PUT", VAULT, self._put),
                Route("GET", VAULT, self._get),
                Route("PATCH", VAULT, self._patch),
                Route("DELETE", VAULT, self._delete),
                Route("GET", group, arm.list_of(VAULTS)),
                Route("GET", f"/subscriptions/{{subscription}}/providers/{VAULTS}", arm.list_of(VAULTS)),
            ],
            guard=arm.guard,
        )

    def add(self, name: str, *, location: str, group: str = "rg-backup") -> Resource:
        """Make a vault exist with a daily policy for shares named `shares-daily`; one that exists is left as it is."""
        id = f"{self._groups.add(group)['id']}/providers/{VAULTS}/{name}"
        if found := self._arm.find(id):
            return found
        vault = self._store(id, {"location": location, "identity": {"type": "SystemAssigned"}, "properties": {}})
        self._policies.store(f"{id}/backupPolicies/shares-daily", SHARES_DAILY)
        return self._provision(vault)

    def protect(self, vault: str, account: str, share: str) -> Resource:
        """Put a share under backup as if that had been done long ago; returns the protected item."""
        source = self.items.shares.source(account, share)
        holder = self.add(vault, location=source["location"])
        return self.items.shares.protect(holder["id"], source, share, f"{holder['id']}/backupPolicies/shares-daily")

    def protect_machine(self, vault: str, name: str) -> Resource:
        """Put a machine, made if there is none of this name, under backup as if that had been done long ago."""
        machine = self.items.machines.source(name)
        holder = self.add(vault, location=machine["location"])
        return self.items.machines.protect(holder["id"], machine, f"{holder['id']}/backupPolicies/EnhancedPolicy")

    def complete_backup(self, source: str, name: str, *, status: str = "Completed", seconds: float = 0.0) -> Resource:
        """A scheduled backup of a share of an account, or of a machine of a group, ends with `status` after `seconds`.

        Returns its job.
        """
        return self.jobs.run_scheduled(self.items.protecting(source, name), status=status, seconds=seconds)

    def _put(self, call: CloudRequest) -> Reply:
        old = self._arm.find(call.path)
        refused = self._refuse_change(old, call.body.get("properties") or {}) if old else None
        if refused:
            return refused
        vault = self._store(call.path, call.body)
        headers = self._operations.of_vault(vault["id"], VAULT_SECONDS, lambda _: self._provision(vault))
        return Reply(status=201, body=deepcopy(vault), headers=headers)

    def _provision(self, vault: Resource) -> Resource:
        properties = vault["properties"]
        properties.update(provisioningState="Succeeded", backupStorageVersion="Unassigned")
        properties["securitySettings"] = _security(properties.get("securitySettings") or {})
        return self._arm.store(vault)

    def _store(self, id: str, sent: dict[str, Any]) -> Resource:
        old = self._arm.find(id)
        vault = self._arm.store(
            {
                "location": sent["location"],
                "name": id.rpartition("/")[2],
                "etag": f"W/\"datetime'{iso(self._arm.clock.time()).replace(':', '%3A')}'\"",
                **identity_of(self._arm, id, sent, old),
                **({"tags": sent["tags"]} if sent.get("tags") else {}),
                "properties": _properties(sent.get("properties") or {}),
                "id": old["id"] if old else id,
                "type": VAULTS,
                "sku": sent.get("sku") or {"name": "Standard"},
            }
        )
        for name, policy in {} if old else OF_A_NEW_VAULT.items():
            self._policies.store(f"{id}/backupPolicies/{name}", policy)
        return vault

    def _refuse_change(self, old: Resource, changes: dict[str, Any]) -> Reply | None:
        current, security = old["properties"], changes.get("securitySettings") or {}
        soft_delete = (security.get("softDeleteSettings") or {}).get("softDeleteState", "")
        immutability = (security.get("immutabilitySettings") or {}).get("state", "")
        tier = (changes.get("redundancySettings") or {}).get("standardTierStorageRedundancy")
        present = _security(current.get("securitySettings") or {})
        if present["softDeleteSettings"]["softDeleteState"] == "AlwaysON" and soft_delete not in ("", "AlwaysON"):
            return _bad("BMSUserErrorDisablingAlwaysOnSoftDeleteNotAllowed", "Soft delete is always on.")
        if (present["immutabilitySettings"] or {}).get("state") == "Locked" and immutability not in ("", "Locked"):
            return _bad("UserErrorImmutabilityLocked", "The vault's immutability is locked.")
        changed = tier not in (None, current["redundancySettings"]["standardTierStorageRedundancy"])
        if changed and any(self._arm.of_type(ITEMS, f"{old['id']}/")):
            return _bad("BMSUserErrorRedundancyChangeNotAllowed", "The vault has protected items.")
        return None

    def _patch(self, call: CloudRequest) -> Reply:
        vault = self._arm.find(call.path)
        if vault is None:
            return not_found(call)
        changes = {name: value for name, value in (call.body.get("properties") or {}).items() if value is not None}
        if refused := self._refuse_change(vault, changes):
            return refused
        if "securitySettings" in changes:
            old = vault["properties"]["securitySettings"]
            changes["securitySettings"] = _security(old | changes["securitySettings"])
        vault["properties"].update(changes)
        vault.update({"tags": call.body["tags"]} if call.body.get("tags") is not None else {})
        vault.update(identity_of(self._arm, call.path, call.body, vault))
        return Reply(body=deepcopy(self._arm.store(vault)))

    def _delete(self, call: CloudRequest) -> Reply:
        vault = self._arm.find(call.path)
        if vault is None:
            return Reply(status=204)
        if any(self._arm.of_type(ITEMS, f"{vault['id']}/")):
            return _bad(
                "ServiceResourceNotEmptyWithBackendMessage",
                f"Recovery Services vault '{vault['name']}' cannot be deleted as there are backup items still present.",
            )
        headers = self._operations.of_vault(vault["id"], VAULT_SECONDS, lambda _: self._remove(vault))
        return Reply(status=202, headers=headers)

    def _remove(self, vault: Resource) -> None:
        self._arm.remove_tree(vault["id"])

    def _get(self, call: CloudRequest) -> Reply:
        found = self._arm.find(call.path)
        if found is None:
            return not_found(call)
        shown = deepcopy(found)
        if security := shown["properties"].get("securitySettings"):
            shown["properties"]["securitySettings"] = _security(security)
        return Reply(body=shown)


def _bad(code: str, message: str) -> Reply:
    return error(400, code, message)


def _security(sent: dict[str, Any]) -> dict[str, Any]:
    soft_delete = {
        "softDeleteRetentionPeriodInDays": 14,
        "softDeleteState": "Enabled",
        "enhancedSecurityState": "Enabled",
    }
    return {
        "immutabilitySettings": sent.get("immutabilitySettings"),
        "softDeleteSettings": soft_delete | (sent.get("softDeleteSettings") or {}),
        "multiUserAuthorization": "Disabled",
    }


def _properties(sent: dict[str, Any]) -> dict[str, Any]:
    enabled = "Enabled"
    monitoring = {
        "azureMonitorAlertSettings": {
            "alertsForAllJobFailures": enabled,
            "alertsForAllReplicationIssues": enabled,
            "alertsForAllFailoverIssues": enabled,
        },
        "classicAlertSettings": {
            "alertsForCriticalOperations": enabled,
            "emailNotificationsForSiteRecovery": enabled,
        },
    }
    redundancy = {"standardTierStorageRedundancy": "GeoRedundant", "crossRegionRestore": "Disabled"}
    security = {"securitySettings": sent["securitySettings"]} if sent.get("securitySettings") else {}
    return {
        "provisioningState": "Provisioning",
        "privateEndpointStateForBackup": "None",
        "privateEndpointStateForSiteRecovery": "None",
        "monitoringSettings": sent.get("monitoringSettings") or monitoring,
        **security,
        "redundancySettings": redundancy | (sent.get("redundancySettings") or {}),
        "secureScore": "None",
        "bcdrSecurityLevel": "Poor",
        "publicNetworkAccess": sent.get("publicNetworkAccess") or enabled,
        "restoreSettings": {"crossSubscriptionRestoreSettings": {"crossSubscriptionRestoreState": enabled}},
    }
