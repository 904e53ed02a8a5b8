"""The rows that Azure Backup shows of Azure Files: containers, items, jobs and recovery points, spelled as it does."""

import hashlib
import uuid
from typing import Any

from local.cloud.arm import Resource, iso
from local.cloud.recovery.protocol import CONTAINERS, ITEMS, JOBS, POINTS, PROVIDER
from local.cloud.vaults import vault_of


def share_hash(account: str, share: str) -> str:
    return hashlib.sha256(f"{account}/{share}".lower().encode()).hexdigest()


def protectable_container(vault: str, account: Resource) -> Resource:
    name = _container_name(account["id"])
    return {
        "id": f"{vault}/backupFabrics/Azure/protectableContainers/{name}",
        "name": name,
        "type": f"{PROVIDER}/vaults/backupFabrics/protectableContainers",
        "properties": {
            "friendlyName": account["name"],
            "backupManagementType": "AzureStorage",
            "protectableContainerType": "StorageContainer",
            "healthStatus": "Healthy",
            "containerId": account["id"],
        },
    }


def _container_name(account: str) -> str:
    return f"StorageContainer;Storage;{account.split('/')[4]};{account.rpartition('/')[2]}"


def container_row(vault: str, account: Resource, sent: dict[str, Any]) -> Resource:
    name = _container_name(account["id"])
    chosen = {key: sent[key] for key in ("accessType", "identityInfo") if sent.get(key)}
    return {
        "id": f"{vault}/backupFabrics/Azure/protectionContainers/{name}",
        "name": name,
        "type": CONTAINERS,
        "properties": {
            "sourceResourceId": account["id"],
            "protectedItemCount": 0,
            "acquireStorageAccountLock": sent.get("acquireStorageAccountLock") or "Acquire",
            "friendlyName": account["name"],
            "backupManagementType": "AzureStorage",
            "registrationStatus": "Registered",
            "healthStatus": "Healthy",
            "containerType": "StorageContainer",
            "protectableObjectType": "StorageContainer",
            **chosen,
        },
    }


def item_row(vault: str, account: str, share: str, policy: str) -> Resource:
    container = _container_name(account).replace(";Storage;", ";storage;")
    name = f"AzureFileShare;{share_hash(account, share)}"
    return {
        "id": f"{vault}/backupFabrics/Azure/protectionContainers/{container}/protectedItems/{name}",
        "name": name,
        "type": ITEMS,
        "properties": {
            "friendlyName": share,
            "protectionStatus": "Healthy",
            "protectionState": "IRPending",
            "lastBackupStatus": "IRPending",
            "protectedItemType": "AzureFileShareProtectedItem",
            "backupManagementType": "AzureStorage",
            "workloadType": "AzureFileShare",
            "containerName": container,
            "sourceResourceId": account.replace("Microsoft.Storage", "Microsoft.storage"),
            "policyId": policy,
            "vaultId": f"https://management.azure.com{vault}",
            "isArchiveEnabled": False,
            "softDeleteRetentionPeriod": 0,
        },
    }


def restore_bag(item: Resource, request: dict[str, Any], account: str, share: str) -> dict[str, str]:
    properties = item["properties"]
    folders = (spec.get("targetFolderPath") for spec in request.get("restoreFileSpecs") or ())
    elsewhere = request["recoveryType"] == "AlternateLocation"
    target = {"Target File Share Name": share, "Target Storage Account Name": account} if elsewhere else {}
    return {
        "Source File Share Name": properties["friendlyName"],
        "Source Storage Account Name": properties["sourceResourceId"].rpartition("/")[2],
        **target,
        "Job Type": "Recover to an alternate file share" if elsewhere else "Recovering to the original file share",
        "RestoreDestination": f"{account}/{share}/{next((f for f in folders if f), '')}",
        "Data Transferred (in MB)": "0",
        "Number Of Restored Files": "0",
        "Number Of Skipped Files": "0",
        "Number Of Failed Files": "0",
    }


def point_row(item: Resource, account: str, taken: float) -> Resource:
    name, time = str(uuid.uuid4().int)[:15], f"{iso(taken)[:19]}Z"
    at = f"https://{account}.file.core.windows.net/{item['properties']['friendlyName']}"
    return {
        "id": f"{item['id']}/recoveryPoints/{name}",
        "name": name,
        "type": POINTS,
        "properties": {
            "objectType": "AzureFileShareRecoveryPoint",
            "recoveryPointType": "FileSystemConsistent",
            "recoveryPointTime": time,
            "fileShareSnapshotUri": f"{at}?sharesnapshot={time[:19]}.0000000Z",
            "recoveryPointSizeInGB": 0,
            "recoveryPointTierDetails": [{"type": "InstantRP", "status": "Valid"}],
        },
    }


def protectable_item(container: Resource, share: str) -> Resource:
    account = container["properties"]["sourceResourceId"]
    name = f"azurefileshare;{share_hash(account, share)}"
    holder = container["id"].replace("StorageContainer;Storage", "storagecontainer;storage")
    return {
        "id": f"{holder}/protectableItems/{name}",
        "name": name,
        "type": f"{CONTAINERS}/protectableItems",
        "properties": {
            "parentContainerFabricId": account,
            "parentContainerFriendlyName": account.rpartition("/")[2],
            "azureFileShareType": "XSMB",
            "backupManagementType": "AzureStorage",
            "workloadType": "AzureFileShare",
            "protectableItemType": "AzureFileShare",
            "friendlyName": share,
            "protectionState": "NotProtected",
        },
    }


def job_row(item: Resource, operation: str, name: str, began: str, *, by_user: bool) -> Resource:
    """A job that is running."""
    properties = item["properties"]
    bag = {"File Share Name": properties["friendlyName"]}
    if operation == "Backup":
        bag["Whether job is adhoc or scheduled."] = str(by_user)
    return {
        "id": f"{vault_of(item['id'])}/backupJobs/{name}",
        "name": name,
        "type": JOBS,
        "properties": {
            "jobType": "AzureStorageJob",
            **({"actionsInfo": ["Cancellable"]} if operation in ("Backup", "Restore") else {}),
            "duration": "PT0S",
            "storageAccountName": properties["sourceResourceId"].rpartition("/")[2],
            "storageAccountVersion": "ClassicCompute" if operation == "Restore" else "Storage",
            "extendedInfo": {"tasksList": [], "propertyBag": bag},
            "isUserTriggered": False,
            "entityFriendlyName": properties["friendlyName"],
            "backupManagementType": "AzureStorage",
            "operation": operation,
            "status": "InProgress",
            "startTime": began,
            "activityId": str(uuid.uuid4()),
        },
    }
