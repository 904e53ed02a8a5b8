"""What Azure Backup needs before it registers a storage account, and which shares and machines it protects.

Rules:
- An account is registered with the vault's identity, which needs Storage File Backup Contributor on it, or its key,
  which an account without shared keys doesn't give (Azure RBAC and Azure Files docs; the error codes are from memory).
- The account is in the vault's region and belongs to no other vault.
- `backupStatus` says at once with which vault an account is registered and whether a share is protected.
"""

from local.cloud.arm import Arm, OperationFailed, Resource
from local.cloud.recovery.protocol import CONTAINERS, ITEMS, PROVIDER
from local.cloud.resources.roles import Roles
from local.cloud.vaults import principal_of, vault_of
from local.cloud.wire import CloudRequest, Reply, Route

BACKUP_ROLE = "c8a487a2-c85b-4487-83a1-9f04cde10293"  # Storage File Backup Contributor
_STATUS = f"/subscriptions/{{subscription}}/providers/{PROVIDER}/locations/{{region}}/backupStatus"


class BackupStatus:
    """Answers whether something is protected, wherever."""

    def __init__(self, arm: Arm) -> None:
        self._arm = arm
        arm.wire.mount([Route("POST", _STATUS, self._status)], guard=arm.guard)

    def _status(self, call: CloudRequest) -> Reply:
        asked, of_machine = call.body["resourceId"], call.body["resourceType"] == "VM"
        item = _item(self._arm, asked, None if of_machine else call.body.get("poLogicalName", ""))
        container = self._arm.find(item["id"].rpartition("/protectedItems/")[0]) if item else None
        if not of_machine:
            container = holder(self._arm, asked)
        status = {
            "objectType": "BackupStatusResponse",
            "protectionStatus": "Protected" if item else "NotProtected",
            **({"vaultId": vault_of(container["id"])} if container else {}),
            "fabricName": "Azure" if container else "",
            "containerName": container["name"] if container else "",
            "protectedItemName": item["name"] if item else "",
            "protectedItemsCount": 0,
        }
        return Reply(body=status)


def holder(arm: Arm, account: str) -> Resource | None:
    """The container as which the account (resource id) is registered with some vault."""
    registered = arm.of_type(CONTAINERS)
    return next((c for c in registered if c["properties"].get("sourceResourceId", "").lower() == account.lower()), None)


def require_registrable(arm: Arm, roles: Roles, vault: str, sent: dict[str, str]) -> Resource:
    """The account that a registration names; raises OperationFailed with what keeps it from being registered."""
    account, holding = arm.find(sent["sourceResourceId"]), arm.find(vault)
    if account is None or holding is None:
        raise OperationFailed("UserErrorStorageAccountNotFound", "The storage account doesn't exist.")
    other = holder(arm, account["id"])
    if other and vault_of(other["id"]).lower() != vault.lower():
        message = "The storage account is already registered with another vault."
        raise OperationFailed("UserErrorStorageAccountAlreadyRegistered", message)
    if account["location"] != holding["location"]:
        message = "The storage account isn't in the vault's region."
        raise OperationFailed("UserErrorStorageAccountInAnotherRegion", message)
    _require_access(roles, account, holding, sent)
    return account


def _require_access(roles: Roles, account: Resource, vault: Resource, sent: dict[str, str]) -> None:
    if sent.get("accessType") != "IdentityBased":
        if account["properties"].get("allowSharedKeyAccess") is False:
            message = "Key based authentication isn't permitted on this storage account."
            raise OperationFailed("UserErrorStorageAccountKeyAccessDisabled", message)
        return
    principal = principal_of(vault)
    if not roles.effective(principal, BACKUP_ROLE, account["id"]):
        message = f"The identity {principal} lacks the role {BACKUP_ROLE} on {account['id']}."
        raise OperationFailed("UserErrorVaultMSIMissingPermissionsOnStorageAccount", message)


def _item(arm: Arm, source: str, share: str | None) -> Resource | None:
    for item in arm.of_type(ITEMS):
        properties = item["properties"]
        if properties["sourceResourceId"].lower() == source.lower() and share in (None, properties["friendlyName"]):
            return item
    return None
