"""What Recovery Services vaults show of themselves: their properties, security settings and score."""

from typing import Any

from local.cloud.arm import Resource
from local.cloud.vaults import immutability_of, rating


def score(properties: dict[str, Any]) -> dict[str, str]:
    """How Azure rates a vault with these properties."""
    security = whole(properties.get("securitySettings") or {})
    state = security["softDeleteSettings"]["softDeleteState"].lower()
    return rating({"enabled": "On"}.get(state, state), immutability_of(security))


def soft_deletes(vault: Resource) -> bool:
    """Whether what is deleted from the vault can be brought back."""
    security = whole(vault["properties"].get("securitySettings") or {})
    return bool(security["softDeleteSettings"]["softDeleteState"].lower() != "disabled")


def whole(security: dict[str, Any]) -> dict[str, Any]:
    """securitySettings with what is shown although nobody sent it."""
    soft_delete = {
        "softDeleteRetentionPeriodInDays": 14,
        "softDeleteState": "Enabled",
        "enhancedSecurityState": "Enabled",
    }
    return {
        "immutabilitySettings": security.get("immutabilitySettings"),
        "softDeleteSettings": soft_delete | (security.get("softDeleteSettings") or {}),
        "multiUserAuthorization": security.get("multiUserAuthorization", "Disabled"),
    }


def new_properties(sent: dict[str, Any]) -> dict[str, Any]:
    """The properties of a new vault for which these were sent."""
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
        **rating("", ""),
        "publicNetworkAccess": sent.get("publicNetworkAccess") or enabled,
        "restoreSettings": {"crossSubscriptionRestoreSettings": {"crossSubscriptionRestoreState": enabled}},
    }
