"""The policies of Recovery Services vaults.

Rules (seen in recorded traffic):
- A new vault has policies for machines and logs, none for shares.
- A policy's times come back without their milliseconds. One that is used can't be deleted.
"""

import json
from typing import Any

from local.cloud.arm import Arm, Resource, error, not_found
from local.cloud.recovery.protocol import ITEMS, PROVIDER, VAULT, filtered
from local.cloud.vaults import vault_of
from local.cloud.wire import CloudRequest, Reply, Route

_TYPE = f"{PROVIDER}/vaults/backupPolicies"
_POLICY = f"{VAULT}/backupPolicies/{{policy}}"
_DAILY = {
    "schedulePolicy": {
        "schedulePolicyType": "SimpleSchedulePolicy",
        "scheduleRunFrequency": "Daily",
        "scheduleRunTimes": ["2024-06-11T20:30:00Z"],
        "scheduleWeeklyFrequency": 0,
    },
    "retentionPolicy": {
        "retentionPolicyType": "LongTermRetentionPolicy",
        "dailySchedule": {
            "retentionTimes": ["2024-06-11T20:30:00Z"],
            "retentionDuration": {"count": 30, "durationType": "Days"},
        },
    },
    "timeZone": "UTC",
    "protectedItemsCount": 0,
}
_INSTANT = {"instantRPDetails": {}, "instantRpRetentionRangeInDays": 2}
_DEFAULTS = {"AzureIaasVM": _INSTANT}
_OF_VMS = {"backupManagementType": "AzureIaasVM", **_INSTANT}
_OF_SHARES = {"backupManagementType": "AzureStorage", "workLoadType": "AzureFileShare"}
_OF_LOGS = {
    "backupManagementType": "AzureWorkload",
    "workLoadType": "SQLDataBase",
    "settings": {"timeZone": "UTC", "issqlcompression": False, "isCompression": False},
    "subProtectionPolicy": [],
    "protectedItemsCount": 0,
}
OF_A_NEW_VAULT = {
    "DefaultPolicy": {**_OF_VMS, **_DAILY},
    "EnhancedPolicy": {**_OF_VMS, "policyType": "V2", **_DAILY},
    "HourlyLogBackup": _OF_LOGS,
}
SHARES_DAILY = {**_OF_SHARES, **_DAILY}


class RecoveryPolicies:
    def __init__(self, arm: Arm) -> None:
        self._arm = arm
        arm.wire.mount(
            [
                Route("PUT", _POLICY, self._put),
                Route("GET", _POLICY, arm.get),
                Route("DELETE", _POLICY, self._delete),
                Route("GET", f"{VAULT}/backupPolicies", self._list),
            ],
            guard=arm.guard,
        )

    def store(self, id: str, sent: dict[str, Any]) -> Resource:
        """Make the policy exist, or change it."""
        properties = _DEFAULTS.get(sent["backupManagementType"], {}) | json.loads(
            json.dumps(sent).replace(".000Z", "Z")
        )
        items = self._arm.of_type(ITEMS, f"{vault_of(id)}/")
        used = sum(item["properties"].get("policyId", "").lower() == id.lower() for item in items)
        row = {"id": id, "name": id.rpartition("/")[2], "type": _TYPE}
        return self._arm.store({**row, "properties": {**properties, "protectedItemsCount": used}})

    def _put(self, call: CloudRequest) -> Reply:
        if self._arm.find(vault_of(call.path)) is None:
            return not_found(call)
        return Reply(body=self.store(call.path, call.body["properties"]))

    def _delete(self, call: CloudRequest) -> Reply:
        items = self._arm.of_type(ITEMS, f"{vault_of(call.path)}/")
        if any(item["properties"].get("policyId", "").lower() == call.path.lower() for item in items):
            return error(400, "BMSUserErrorPolicyInUse", "The policy is used by protected items.")
        return Reply(status=200 if self._arm.remove(call.path) else 204)

    def _list(self, call: CloudRequest) -> Reply:
        management = filtered(call).get("backupManagementType")
        found = self._arm.of_type(_TYPE, f"{call.path}/")
        chosen = [p for p in found if management in (None, p["properties"]["backupManagementType"])]
        return Reply(body={"value": chosen})
