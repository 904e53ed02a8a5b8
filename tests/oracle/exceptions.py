"""What the simulated Azure sends although no recorded answer ever had it, and why: by answer, place and word.

Reasons that begin with "to be fixed" are errors of the simulated Azure, the others gaps in the recordings.
"""

import json
from pathlib import Path

_FIDELITY = json.loads((Path(__file__).parent / "fidelity.json").read_text())
_REFUSED_VAULT = "dataprotection/BackupVaults_CreateOrUpdate 400 $.error.additionalInfo[].info.code"
_REDUNDANCY = "$.properties.redundancySettings.standardTierStorageRedundancy"
_SHARE = "protectedItemType=AzureFileShareProtectedItem;backupManagementType=AzureStorage"
_LASTING = "$.properties.securitySettings.immutabilitySettings.configuration"
_WHY: dict[str, tuple[str, ...]] = {
    "no point with a threat was recorded": (
        "recoveryservices/RecoveryPoints_List 200 $.value[].properties.threatInfo",
        "recoveryservices/RecoveryPoints_Get 200 $.properties.threatInfo",
    ),
    "clusters of the free tier were recorded, without Entra and while they ran": (
        "containerservice/ManagedClusters_Get 200 $.properties.aadProfile",
        "containerservice/ManagedClusters_Get 200 $.properties.powerState.code=Stopped",
        "containerservice/ManagedClusters_Get 200 $.sku.tier=Standard",
    ),
    "nobody recorded a cluster of a subscription that its reader couldn't see": (
        "containerservice/ManagedClusters_Get 404 $.error.code=SubscriptionNotFound",
    ),
    "what was still being made or changed was never read in the recordings": (
        "containerservice/ManagedClusters_Get 200 $.properties.provisioningState=Creating",
        "containerservice/TrustedAccessRoleBindings_Get 200 $.properties.provisioningState=Updating",
        "dataprotection/BackupVaults_Get 200 $.properties.provisioningState=Provisioning",
        "dataprotection/BackupVaults_Get 200 $.properties.provisioningState=Updating",
        "recoveryservices/Vaults_Get 200 $.properties.provisioningState=Provisioning",
    ),
    "RSA keys alone were recorded": (
        "dataplane/DeleteCertificate 200 $.policy.key_props.crv",
        "dataplane/GetCertificate 200 $.policy.key_props.crv",
        "dataplane/GetKey 200 $.key.crv",
        "dataplane/GetKey 200 $.key.x",
        "dataplane/GetKey 200 $.key.y",
    ),
    "keys and secrets that belong to no certificate were recorded": (
        "dataplane/GetKey 200 $.attributes.exp",
        "dataplane/GetKey 200 $.attributes.nbf",
        "dataplane/GetKey 200 $.managed",
        "dataplane/GetSecret 200 $.attributes.exp",
        "dataplane/GetSecret 200 $.attributes.nbf",
        "dataplane/GetSecret 200 $.kid",
        "dataplane/GetSecret 200 $.managed",
    ),
    "certificates as PKCS 12 and without tags were recorded": (
        "dataplane/GetCertificate 200 $.policy.secret_props.contentType=application/x-pem-file",
        "dataplane/GetCertificate 200 $.tags",
    ),
    "no protection that failed was recorded": (
        "dataprotection/BackupInstances_Get 200 $.properties.currentProtectionState=ProtectionError",
        "dataprotection/BackupInstances_Get 200 $.properties.protectionErrorDetails",
        "dataprotection/BackupInstances_Get 200 $.properties.protectionStatus.errorDetails",
        "dataprotection/BackupInstances_Get 200 $.properties.protectionStatus.status=ConfiguringProtectionFailed",
    ),
    "versions of the API in which immutability says how long it lasts weren't recorded": (
        f"recoveryservices/Vaults_CreateOrUpdate 201 {_LASTING}",
        f"recoveryservices/Vaults_Get 200 {_LASTING}",
    ),
    "no vault with these settings was recorded": (
        "dataprotection/BackupVaults_CreateOrUpdate 201 $.properties.storageSettings[].type=ZoneRedundant",
        "dataprotection/BackupVaults_Get 200 $.properties.featureSettings.crossRegionRestoreSettings.state=Disabled",
        "dataprotection/BackupVaults_Get 200 $.properties.storageSettings[].type=ZoneRedundant",
        f"recoveryservices/Vaults_CreateOrUpdate 201 {_REDUNDANCY}=ZoneRedundant",
        "recoveryservices/Vaults_CreateOrUpdate 201 $.identity",
        "recoveryservices/Vaults_CreateOrUpdate 201 $.sku.tier",
        "recoveryservices/Vaults_CreateOrUpdate 201 $.tags",
        "recoveryservices/Vaults_Get 200 $.properties.bcdrSecurityLevel=Good",
        "recoveryservices/Vaults_Get 200 $.properties.securitySettings.immutabilitySettings.state=Locked",
        "recoveryservices/Vaults_Get 200 $.properties.securitySettings.softDeleteSettings.softDeleteState=AlwaysON",
    ),
    "no refusal of this kind was recorded": (
        "dataprotection/BackupVaults_CreateOrUpdate 400 $.error.code=QuotaExceeded",
        f"{_REFUSED_VAULT}=QuotaExceeded",
        "dataprotection/BackupVaults_CreateOrUpdate 400 $.error.code=UserErrorSoftDeleteNotAlwaysOn",
        f"{_REFUSED_VAULT}=UserErrorSoftDeleteNotAlwaysOn",
        f"{_REFUSED_VAULT}=UserErrorSoftDeletedVaultExists",
        f"{_REFUSED_VAULT}=UserErrorStorageTypeNotSupported",
        "recoveryservices/BackupOperationStatuses_Get 200 $.error",
    ),
    "deleted instances of disks were recorded": (
        "dataprotection/DeletedBackupInstances_List 200 $.value[].properties.dataSourceSetInfo",
        "dataprotection/DeletedBackupInstances_List 200 "
        "$.value[].properties.policyInfo.policyParameters.backupDatasourceParametersList",
    ),
    "jobs that ended without warnings, and weren't cancelled, were recorded": (
        "dataprotection/Jobs_Get 200 $.properties.extendedInfo.subTasks[].taskStatus=CompletedWithWarnings",
        "dataprotection/RecoveryPoints_List 200 $.value[].properties.recoveryPointState=Partial",
        "recoveryservices/JobDetails_Get 200 $.properties.extendedInfo.tasksList[].status=Cancelled",
        "recoveryservices/JobDetails_Get 200 $.properties.status=Cancelled",
    ),
    "deleted machines were recorded, and no deleted share": (
        f"recoveryservices/BackupProtectedItems_List 200 $.value[].properties.deferredDeleteTimeInUTC of {_SHARE}",
        f"recoveryservices/BackupProtectedItems_List 200 $.value[].properties.deferredDeleteTimeRemaining of {_SHARE}",
        f"recoveryservices/BackupProtectedItems_List 200 $.value[].properties.isScheduledForDeferredDelete of {_SHARE}",
    ),
    "accounts that are registered by their key were recorded": (
        "recoveryservices/BackupProtectionContainers_List 200 $.value[].properties.accessType",
        "recoveryservices/BackupProtectionContainers_List 200 $.value[].properties.identityInfo",
        "recoveryservices/ProtectionContainerOperationResults_Get 200 $.properties.accessType",
        "recoveryservices/ProtectionContainerOperationResults_Get 200 $.properties.identityInfo",
    ),
    "no enhanced policy with a daily schedule was recorded": (
        "recoveryservices/ProtectionPolicies_CreateOrUpdate 200 $.properties.schedulePolicy.dailySchedule",
        "recoveryservices/ProtectionPolicies_Get 200 $.properties.schedulePolicy.dailySchedule",
    ),
}
EXCEPTIONS = {subject: why for why, subjects in _WHY.items() for subject in subjects} | {
    answer: f"docs/fidelity.md: from {each['source']}" for each in _FIDELITY["remembered"] for answer in each["answers"]
}
