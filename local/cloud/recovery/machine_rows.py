"""The rows that Azure Backup shows of virtual machines: containers, items, jobs and points, spelled as it does."""

import uuid
from typing import Any

from local.cloud.arm import Resource, iso
from local.cloud.recovery.protocol import CONTAINERS, ITEMS, JOBS, POINTS
from local.cloud.vaults import vault_of

_NEVER = "0001-01-01T00:00:00"
_POINT_DELAY_SECONDS = 4.0  # after the start of its job


def native_name(machine: str) -> str:
    """How backups call a machine, by its resource id."""
    return f"iaasvmcontainerv2;{machine.split('/')[4]};{machine.rpartition('/')[2]}"


def container_id(vault: str, machine: str) -> str:
    return f"{vault}/backupFabrics/Azure/protectionContainers/IaasVMContainer;{native_name(machine)}"


def protectable_item(vault: str, machine: Resource) -> Resource:
    name = native_name(machine["id"])
    return {
        "id": f"{container_id(vault, machine['id'])}/protectableItems/vm;{name}",
        "name": name,
        "type": f"{CONTAINERS}/protectableItems",
        "properties": {
            **_machine(machine["id"]),
            "backupManagementType": "AzureIaasVM",
            "protectableItemType": "Microsoft.Compute/virtualMachines",
            "friendlyName": machine["name"],
            "protectionState": "NotProtected",
        },
    }


def _machine(id: str) -> dict[str, str]:
    return {"virtualMachineId": id, "virtualMachineVersion": "Compute", "resourceGroup": id.split("/")[4]}


def container_row(vault: str, machine: str) -> Resource:
    id = container_id(vault, machine)
    return {
        "id": id,
        "name": id.rpartition("/")[2],
        "type": CONTAINERS,
        "properties": {
            **_machine(machine),
            "friendlyName": machine.rpartition("/")[2],
            "backupManagementType": "AzureIaasVM",
            "registrationStatus": "Registered",
            "healthStatus": "Healthy",
            "containerType": "Microsoft.Compute/virtualMachines",
            "protectableObjectType": "Microsoft.Compute/virtualMachines",
        },
    }


def item_row(vault: str, machine: str, policy: str) -> Resource:
    name = f"VM;{native_name(machine)}"
    return {
        "id": f"{container_id(vault, machine)}/protectedItems/{name}",
        "name": name,
        "type": ITEMS,
        "properties": {
            "friendlyName": machine.rpartition("/")[2],
            "virtualMachineId": machine,
            "protectionStatus": "Healthy",
            "protectionState": "IRPending",
            "healthStatus": "Passed",
            "lastBackupStatus": "",
            "lastBackupTime": "2001-01-01T00:00:00Z",
            "protectedItemDataId": str(uuid.uuid4().int)[:15],
            "protectedItemType": "Microsoft.Compute/virtualMachines",
            "backupManagementType": "AzureIaasVM",
            "workloadType": "VM",
            "containerName": native_name(machine),
            "sourceResourceId": machine,
            "policyId": policy,
            "policyName": policy.rpartition("/")[2],
            "vaultId": f"https://management.azure.com{vault}",
            "isArchiveEnabled": False,
            "softDeleteRetentionPeriod": 0,
        },
    }


def job_row(item: Resource, operation: str, name: str, began: float, *, by_user: bool) -> Resource:
    """A job that is running."""
    properties, at = item["properties"], iso(began)
    return {
        "id": f"{vault_of(item['id'])}/backupJobs/{name}",
        "name": name,
        "type": JOBS,
        "properties": {
            "jobType": "AzureIaaSVMJob",
            **({"actionsInfo": ["Cancellable"]} if operation in ("Backup", "Restore") else {}),
            "containerName": properties["containerName"],
            "duration": "PT0S",
            "virtualMachineVersion": "Compute",
            "extendedInfo": _extended_info(properties, operation, at, by_user=by_user),
            "entityFriendlyName": properties["friendlyName"],
            "backupManagementType": "AzureIaasVM",
            "operation": operation,
            "status": "InProgress",
            "startTime": at,
            "activityId": str(uuid.uuid4()),
        },
    }


def _extended_info(properties: dict[str, Any], operation: str, began: str, *, by_user: bool) -> dict[str, Any]:
    bag = {"VM Name": properties["friendlyName"]}
    if operation == "Backup":
        expiry = {"Recovery Point Expiry Time in UTC": "6/12/2027 12:00:00 AM"} if by_user else {}
        tasks = [
            {**_task("Take Snapshot", "InProgress"), "startTime": began, "endTime": _NEVER},
            {**_task("Transfer data to vault", "NotStarted"), "startTime": _NEVER, "endTime": _NEVER},
        ]
        return {
            "tasksList": tasks,
            "propertyBag": bag | expiry,
            "internalPropertyBag": {"IsInstantRpJob": "True"},
        }
    if operation == "DeleteBackupData":
        bag["Number of Recovery Points"] = "0"
    else:
        bag["Policy Name"] = properties["policyName"]
    return {"tasksList": [], "propertyBag": bag}


def _task(name: str, status: str) -> dict[str, Any]:
    return {"taskId": name, "duration": "PT0S", "status": status, "taskType": "Normal"}


def snapshot_taken(job: Resource, now: float) -> None:
    """The snapshot is there; data goes to the vault from now on."""
    snapshot, transfer = job["properties"]["extendedInfo"]["tasksList"]
    snapshot.update(status="Completed", endTime=iso(now))
    transfer.update(status="InProgress", startTime=iso(now))


def backup_ended(job: Resource, status: str) -> None:
    """The last task has the job's own end."""
    info, ended = job["properties"]["extendedInfo"], job["properties"]["endTime"]
    snapshot, transfer = info["tasksList"]
    snapshot.update(status="Completed", endTime=snapshot["endTime"] if snapshot["endTime"] != _NEVER else ended)
    transfer.update(status=status, endTime=ended)
    info["propertyBag"]["Backup Size"] = "11390 MB"


def restore_info(request: dict[str, Any], taken: str) -> dict[str, Any]:
    """The extendedInfo of a restore's job from its start; the blank after `time` is the service's."""
    return {
        "tasksList": [_task("Transfer data from vault", "InProgress")],
        "propertyBag": {
            "Job Type": "Recover disks",
            "Target VM Name": "vmName",
            "Target Storage Account Name": request["storageAccountId"].rpartition("/")[2],
            "Target resource group": request["targetResourceGroupId"].rpartition("/")[2],
            "Recovery point time ": taken,
        },
        "internalPropertyBag": {"restoreLocationType": "RestoreDisks"},
        "progressPercentage": 1.0,
        "dynamicErrorMessage": "",
    }


def staged(info: dict[str, Any], account: str, container: str, job: str) -> list[str]:
    """Write the staging container into a job's extendedInfo; returns the names of its blobs."""
    stem, at = container.rpartition("-")[0], f"https://{account}.blob.core.windows.net/{container}"
    config, template = f"config-{stem}-{job}.json", f"azuredeploy{job}.json"
    info["propertyBag"] |= {
        "Config Blob Name": config,
        "Config Blob Container Name": container,
        "Config Blob Uri": f"{at}/{config}",
        "Template Blob Uri": f"{at}/{template}",
    }
    return [config, template]


def point_row(item: Resource, size: str, taken: float) -> Resource:
    name = str(uuid.uuid4().int)[:15]
    return {
        "id": f"{item['id']}/recoveryPoints/{name}",
        "name": name,
        "type": POINTS,
        "properties": {
            "objectType": "IaasVMRecoveryPoint",
            "recoveryPointType": "AppConsistent",
            "recoveryPointTime": iso(taken + _POINT_DELAY_SECONDS),
            "recoveryPointAdditionalInfo": "",
            "sourceVMStorageType": "PremiumVMOnPartialPremiumStorage",
            "isSourceVMEncrypted": False,
            "isInstantIlrSessionActive": False,
            "threatStatus": 0,  # a number in recorded traffic, against the specification
            "recoveryPointTierDetails": [
                {"type": "InstantRP", "status": "Valid"},
                {"type": "HardenedRP", "status": "Valid"},
            ],
            "isManagedVirtualMachine": True,
            "virtualMachineSize": size,
            "originalStorageAccountOption": False,
            "osType": "Linux",
            "recoveryPointMoveReadinessInfo": {
                "ArchivedRP": {"isReadyForMove": False, "additionalInfo": "Not old enough."}
            },
            "securityType": "None",
            "isPrivateAccessEnabledOnAnyDisk": False,
        },
    }
