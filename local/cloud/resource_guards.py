"""Resource Guards: operations that weaken a guarded vault need the consent of somebody else.

Rules (Azure Backup docs on multi-user authorization; the code of the refusal is from memory):
- A vault is tied to a guard by its proxy, whose maker needs to read the guard. Both kinds of vault say that they are.
- A proxy has the same type in both kinds of vault.
- Deleting what is protected, lowering a vault's security and deleting the proxy are refused. Requests with such
  a consent aren't simulated: the app must not have it.
"""

from local.cloud.arm import REGION, Arm, Resource, error, iso, not_found
from local.cloud.backup.protocol import PROVIDER, refusal
from local.cloud.backup.protocol import VAULT as BACKUP_VAULT
from local.cloud.recovery.protocol import VAULT as RECOVERY_VAULT
from local.cloud.resources.permissions import Permissions
from local.cloud.resources.resource_groups import ResourceGroups
from local.cloud.wire import CloudRequest, Reply, Route

GUARDS = f"{PROVIDER}/resourceGuards"
_PROXIES = "backupResourceGuardProxies"
_CRITICAL = ("deleteResourceGuardProxyRequests", "disableSoftDeleteRequests", "deleteProtectedItemRequests")


class ResourceGuards:
    def __init__(self, arm: Arm, groups: ResourceGroups, permissions: Permissions) -> None:
        self._arm, self._groups, self._permissions = arm, groups, permissions
        one = f"/subscriptions/{{subscription}}/resourceGroups/{{group}}/providers/{GUARDS}/{{guard}}"
        routes = [Route("GET", one, arm.get)]
        for vault in (BACKUP_VAULT, RECOVERY_VAULT):
            at = f"{vault}/{_PROXIES}/{{proxy}}"
            routes += [Route("PUT", at, self._put), Route("GET", at, arm.get), Route("DELETE", at, self._delete)]
        arm.wire.mount(routes, guard=arm.guard)

    def add(self, name: str, *, group: str = "rg-security") -> Resource:
        """Make a guard exist."""
        id = f"{self._groups.add(group)['id']}/providers/{GUARDS}/{name}"
        return self._arm.store({"id": id, "name": name, "type": GUARDS, "location": REGION, "properties": {}})

    def refuse(self, vault: str) -> Reply | None:
        """What answers a critical operation on this vault, or on what is in it."""
        watched = self._arm.find(f"{vault}/{_PROXIES}/VaultProxy") or self._arm.find(
            f"{vault}/{_PROXIES}/DppResourceGuardProxy"
        )
        if watched is None:
            return None
        guard = watched["properties"]["resourceGuardResourceId"]
        return refusal("UserErrorOperationGuarded", f"The operation is protected by Resource Guard {guard}.")

    def _put(self, call: CloudRequest) -> Reply:
        vault = self._arm.find(call.path.partition(f"/{_PROXIES}/")[0])
        guard = call.body["properties"]["resourceGuardResourceId"]
        caller = self._arm.caller(call)
        if vault is None or self._arm.find(guard) is None:
            return not_found(call)
        if caller is None or not self._permissions.allows(caller, f"{GUARDS}/read", guard):
            return error(403, "LinkedAuthorizationFailed", f"The client may not read Resource Guard {guard}.")
        self._mark(vault)
        operations = [
            {"vaultCriticalOperation": f"{GUARDS}/{c}", "defaultResourceRequest": f"{guard}/{c}/default"}
            for c in _CRITICAL
        ]
        properties = {
            "resourceGuardResourceId": guard,
            "resourceGuardOperationDetails": operations,
            "lastUpdatedTime": iso(self._arm.clock.time()),
            "description": "",
        }
        name = call.path.rpartition("/")[2]
        row = {"id": call.path, "name": name, "type": f"{PROVIDER}/vaults/{_PROXIES}", "properties": properties}
        return Reply(body=self._arm.store(row))

    def _mark(self, vault: Resource) -> None:
        if vault["type"].startswith(PROVIDER):
            vault["properties"]["isVaultProtectedByResourceGuard"] = True
        else:
            vault["properties"]["securitySettings"]["multiUserAuthorization"] = "Enabled"
        self._arm.store(vault)

    def _delete(self, call: CloudRequest) -> Reply:
        refused = self.refuse(call.path.partition(f"/{_PROXIES}/")[0])
        return refused or Reply(status=204)
