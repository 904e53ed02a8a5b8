"""The rows that Azure Backup shows of an AKS backup: jobs and recovery points, with the many nulls of the real ones."""

import uuid
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from local.cloud.arm import Resource, iso
from local.cloud.backup.protocol import PROVIDER, error_info
from local.cloud.backup.readiness import cluster_id
from local.cloud.vaults import WarningDetail

JOBS = f"{PROVIDER}/backupVaults/backupJobs"
POINTS = f"{PROVIDER}/backupVaults/backupInstances/recoveryPoints"
WARNING = "KubernetesBackupGenericWarning"


def job_properties(instance: Resource, category: str, started: str, *, by_user: bool) -> dict[str, Any]:
    properties = instance["properties"]
    source = cluster_id(properties).split("/")
    policy = properties["policyInfo"]["policyId"]
    details = {"RetentionTag": "Default"} if category == "Backup" else None
    return {
        "activityID": str(uuid.uuid4()),
        "subscriptionId": source[2],
        "backupInstanceId": instance["id"],
        "policyId": policy,
        "dataSourceId": cluster_id(properties),
        "vaultName": instance["id"].split("/")[8],
        "backupInstanceFriendlyName": properties["friendlyName"],
        "policyName": policy.rpartition("/")[2],
        "sourceResourceGroup": source[4],
        "dataSourceSetName": source[-1],
        "dataSourceName": source[-1],
        "sourceDataStoreName": None,
        "sourceDataStoreType": None,
        "destinationDataStoreName": None,
        "progressEnabled": False,
        "etag": f"W/\"datetime'{started}'\"",
        "sourceSubscriptionID": source[2],
        "dataSourceLocation": properties["dataSourceInfo"]["resourceLocation"],
        "startTime": started,
        "endTime": None,
        "dataSourceType": "Microsoft.ContainerService/managedClusters",
        "operationCategory": category,
        "operation": category,
        "status": "InProgress",
        "restoreType": None,
        "isUserTriggered": by_user,
        "rehydrationPriority": None,
        "supportedActions": [""],
        "duration": "PT0S",
        "progressUrl": None,
        "isCrossRegionRestore": None,
        "errorDetails": None,
        "extendedInfo": {
            "backupInstanceState": None,
            "dataTransferredInBytes": None,
            "targetRecoverPoint": None,
            "sourceRecoverPoint": None,
            "recoveryDestination": None,
            "subTasks": [_task(f"Trigger {category}", "InProgress")],
            "additionalDetails": details,
            "warningDetails": None,
        },
    }


def _task(name: str, status: str) -> dict[str, Any]:
    return {
        "taskId": 1,
        "taskName": name,
        "taskStatus": status,
        "taskProgress": None,
        "additionalDetails": None,
    }


def close(
    job: Resource, status: str, ended: float, error: dict[str, Any], warnings: Iterable[WarningDetail] = ()
) -> None:
    """End a job; `error` is that of a failed one."""
    properties = job["properties"]
    seconds = ended - datetime.fromisoformat(properties["startTime"]).timestamp()
    properties.update(status=status, endTime=iso(ended), duration=f"PT{int(seconds // 60)}M{seconds % 60:.7f}S")
    properties["extendedInfo"]["subTasks"] = [_task(f"Trigger {properties['operation']}", status)]
    if status == "Failed":
        properties["errorDetails"] = [_detailed(error)]
    if status == "CompletedWithWarnings":
        unnamed = [WarningDetail(WARNING, "Some Kubernetes resources could not be processed.")]
        properties["extendedInfo"]["warningDetails"] = [
            {"resourceName": warned.resource, "warning": _detailed(error_info(warned.code, warned.message))}
            for warned in list(warnings) or unnamed
        ]


def _detailed(error: dict[str, Any]) -> dict[str, Any]:
    return {**error, "details": [], "innerError": {"code": "Success", "additionalInfo": {}}, "properties": None}


def listed(job: Resource) -> Resource:
    """A job as lists show it: without the details of `extendedInfo`."""
    hidden = {"extendedInfo": None, "destinationDataStoreName": "OperationalTierStore"}
    return {**job, "properties": {**job["properties"], **hidden}}


def recovery_point(instance: Resource, name: str, taken: float, status: str, stores: Iterable[str]) -> Resource:
    properties = {
        "objectType": "AzureBackupDiscreteRecoveryPoint",
        "recoveryPointId": name,
        "recoveryPointTime": iso(taken),
        "recoveryPointType": "Incremental",
        "friendlyName": name,
        "recoveryPointDataStoresDetails": [_store(type, taken) for type in stores],
        "retentionTagName": "Default",
        "retentionTagVersion": "638772786391021136",
        "policyName": instance["properties"]["policyInfo"]["policyId"].rpartition("/")[2],
        "policyVersion": None,
        "expiryTime": None,
        "recoveryPointState": "Completed" if status == "Completed" else "Partial",
    }
    return {"properties": properties, "id": f"{instance['id']}/recoveryPoints/{name}", "name": name, "type": POINTS}


def retention_seconds(policy: Resource) -> float:
    """How many seconds the policy's default rule keeps a point, in whichever store it keeps it longest."""
    rules = [rule for rule in policy["properties"]["policyRules"] if rule.get("isDefault")]
    durations = [cycle["deleteAfter"]["duration"] for rule in rules for cycle in rule["lifecycles"]]
    return max(float(days[1:-1]) * 86_400 for days in durations if days.endswith("D"))


def _store(type: str, taken: float) -> dict[str, Any]:
    return {
        "id": str(uuid.uuid4()),
        "type": type,
        "creationTime": iso(taken),
        "expiryTime": None,
        "metaData": None,
        "visible": True,
        "state": "COMMITTED",
        "rehydrationExpiryTime": None,
        "rehydrationStatus": None,
    }
