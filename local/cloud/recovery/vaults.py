"""Recovery Services vaults.

Rules (seen in recorded traffic, or Azure Backup docs):
- A new vault is Provisioning for a moment and GeoRedundant unless the request says otherwise.
- Once something is protected, redundancy can't be changed; cross-region restore can be enabled.
- Soft delete AlwaysON and immutability Locked can't be undone. States keep the casing of their writer.
- A PATCH is 202 without a body and takes effect once its operation ends; until then a GET shows what was before. One
  that changes nothing is 200. A second one while one runs is 409 (from memory).
- A vault with items, also soft-deleted ones, can't be deleted. A deletion that takes no time is 200 (`delete_seconds`);
  of the others, every second one ends in a 404 of its poll, as the vault is gone.
"""

from copy import deepcopy
from typing import Any

from local.cloud.arm import Arm, Resource, error, iso, not_found
from local.cloud.recovery import immutability
from local.cloud.recovery.items import RecoveryItems
from local.cloud.recovery.machines import ProtectedMachines
from local.cloud.recovery.policies import OF_A_NEW_VAULT, SHARES_DAILY, RecoveryPolicies
from local.cloud.recovery.protocol import ITEMS, PROVIDER, VAULT, RecoveryOperations
from local.cloud.recovery.shares import Shares
from local.cloud.recovery.vault_rows import new_properties, score, whole
from local.cloud.resources.file_shares import FileShareService
from local.cloud.resources.machines import MachineService
from local.cloud.resources.permissions import Permissions
from local.cloud.resources.resource_groups import ResourceGroups
from local.cloud.resources.roles import Roles
from local.cloud.resources.storage import Storage
from local.cloud.vaults import CriticalCheck, identity_of, immutability_of
from local.cloud.wire import CloudRequest, Reply, Route

VAULT_SECONDS = 15.0
UPDATE_SECONDS = 60.0
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
        self.update_seconds, self.delete_seconds = UPDATE_SECONDS, VAULT_SECONDS
        self._updating: set[str] = set()  # ids of vaults, in lower case
        self._deletions = 0
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
        properties = call.body.get("properties") or {}
        refused = _refuse_immutability(old, properties, call) or (self._refuse_change(old, properties) if old else None)
        if refused:
            return refused
        vault = self._store(call.path, call.body)
        headers = self._operations.of_vault(vault["id"], VAULT_SECONDS, lambda _: self._provision(vault))
        return Reply(status=201, body=deepcopy(vault), headers=headers)

    def _provision(self, vault: Resource) -> Resource:
        properties = vault["properties"]
        properties.update(provisioningState="Succeeded", backupStorageVersion="Unassigned")
        properties["securitySettings"] = whole(properties.get("securitySettings") or {})
        properties.update(score(properties))
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
                "properties": new_properties(sent.get("properties") or {}),
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
        tier = (changes.get("redundancySettings") or {}).get("standardTierStorageRedundancy")
        present = whole(current.get("securitySettings") or {})
        always = present["softDeleteSettings"]["softDeleteState"].lower() == "alwayson"
        if always and soft_delete.lower() not in ("", "alwayson"):
            return _bad("BMSUserErrorDisablingAlwaysOnSoftDeleteNotAllowed", "Soft delete is always on.")
        changed = tier not in (None, current["redundancySettings"]["standardTierStorageRedundancy"])
        if changed and any(self._arm.of_type(ITEMS, f"{old['id']}/")):
            return _bad("BMSUserErrorRedundancyChangeNotAllowed", "The vault has protected items.")
        return None

    def _patch(self, call: CloudRequest) -> Reply:
        vault = self._arm.find(call.path)
        if vault is None:
            return not_found(call)
        changes = _sent(call.body)
        refused = self._refuse_second_update(vault) or _refuse_immutability(vault, changes, call)
        if refused := refused or self._refuse_change(vault, changes):
            return refused
        better = self._patched(deepcopy(vault), call.body)
        if better == vault:
            return Reply(body=better)
        self._updating.add(vault["id"].lower())
        headers = self._operations.of_vault(
            vault["id"], self.update_seconds, lambda _: self._update(vault, better, call.body)
        )
        return Reply(status=202, headers=headers)

    def _refuse_second_update(self, vault: Resource) -> Reply | None:
        if vault["id"].lower() not in self._updating:
            return None
        return error(409, "OperationInProgress", f"Another operation is in progress on vault '{vault['name']}'.")

    def _update(self, vault: Resource, better: Resource, sent: dict[str, Any]) -> None:
        """Change what was sent, and leave what others have changed meanwhile; `better` has the new identity, if any."""
        self._updating.remove(vault["id"].lower())
        vault.update({"identity": better["identity"]} if "identity" in better else {})
        self._arm.store(self._patched(vault, sent))

    def _patched(self, vault: Resource, sent: dict[str, Any]) -> Resource:
        """The vault, changed in place."""
        changes = _sent(sent)
        for part in {"securitySettings", "redundancySettings"} & changes.keys():
            changes[part] = vault["properties"][part] | changes[part]
        if "securitySettings" in changes:
            changes["securitySettings"] = whole(changes["securitySettings"])
        vault["properties"].update(changes)
        vault["properties"].update(score(vault["properties"]))
        vault.update({"tags": sent["tags"]} if sent.get("tags") is not None else {})
        vault.update(identity_of(self._arm, vault["id"], sent, vault))
        return vault

    def _delete(self, call: CloudRequest) -> Reply:
        vault = self._arm.find(call.path)
        if vault is None:
            return Reply(status=204)
        if any(self._arm.of_type(ITEMS, f"{vault['id']}/")):
            return _bad(
                "ServiceResourceNotEmptyWithBackendMessage",
                f"Recovery Services vault '{vault['name']}' cannot be deleted as there are backup items still present.",
            )
        if not self.delete_seconds:
            self._remove(vault)
            return Reply()
        self._deletions += 1
        headers = self._operations.of_vault(
            vault["id"], self.delete_seconds, lambda _: self._remove(vault), vanishes=self._deletions % 2 == 1
        )
        return Reply(status=202, headers=headers)

    def _remove(self, vault: Resource) -> None:
        self._arm.remove_tree(vault["id"])

    def _get(self, call: CloudRequest) -> Reply:
        found = self._arm.find(call.path)
        if found is None:
            return not_found(call)
        shown = deepcopy(found)
        if security := shown["properties"].get("securitySettings"):
            shown["properties"]["securitySettings"] = whole(security)
        return Reply(body=shown)


def _refuse_immutability(vault: Resource | None, sent: dict[str, Any], call: CloudRequest) -> Reply | None:
    before = immutability_of(whole(vault["properties"].get("securitySettings") or {}) if vault else {})
    settings = (sent.get("securitySettings") or {}).get("immutabilitySettings") or {}
    found = immutability.refused(before, settings, call.api_version)
    return _bad(*found) if found else None


def _bad(code: str, message: str) -> Reply:
    return error(400, code, message)


def _sent(body: dict[str, Any]) -> dict[str, Any]:
    """The properties that a request names."""
    return {name: value for name, value in (body.get("properties") or {}).items() if value is not None}
