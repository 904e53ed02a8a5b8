"""Backup instances as Resource Manager holds them."""

from copy import deepcopy
from typing import Any

from local.cloud.arm import Resource
from local.cloud.backup.protocol import PROVIDER

INSTANCES = f"{PROVIDER}/backupVaults/backupInstances"
_PARAMETERS = (
    "includedNamespaces",
    "excludedNamespaces",
    "includedResourceTypes",
    "excludedResourceTypes",
    "labelSelectors",
    "includedVolumeTypes",
    "backupHookReferences",
)


def instance_of(id: str, sent: dict[str, Any], state: str) -> Resource:
    properties = deepcopy(sent)
    parameters = properties["policyInfo"].get("policyParameters") or {}
    for listed in parameters.get("backupDatasourceParametersList") or []:
        listed.update({name: listed.get(name) for name in _PARAMETERS})
    properties["protectionStatus"] = {"status": state}
    properties["currentProtectionState"] = state
    return {"properties": properties, "id": id, "name": id.rpartition("/")[2], "type": INSTANCES}


def policy_of(instance: Resource) -> str:
    return str(instance["properties"]["policyInfo"]["policyId"])


def set_state(instance: Resource, state: str) -> None:
    instance["properties"]["protectionStatus"] = {"status": state}
    instance["properties"]["currentProtectionState"] = state
