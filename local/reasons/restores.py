"""Why a backup is or isn't verified, and why a verification is inconclusive."""

from local.reasons import Text, Texts

NOTHING = "Nothing; it continues by itself."
MESSAGE = "The message says what stands in the way."

CHOICE: Texts = {
    "Asked": Text("Somebody asked for the verification.", "Nothing."),
    "NeverVerified": Text("The item was never verified.", "Nothing."),
    "PolicyChanged": Text("The item's backup policy has changed since the last verification.", "Nothing."),
    "Overdue": Text("The item wasn't verified for `verify_within`.", "Nothing."),
    "Drawn": Text("The backup is in the sample (`sample_rate`).", "Nothing."),
    "NotDrawn": Text(
        "The backup isn't in the sample (`sample_rate`), so it isn't verified.",
        "To verify it, call `POST /api/verifications`.",
    ),
}

RESTORES: Texts = {
    "NoUsablePoint": Text(
        "Every recovery point is incomplete or flagged as a threat.",
        "Look at the backup's warnings. If the recovery points are in the vault tier only, set `verify.scratch_group`.",
    ),
    "NoSuchPoint": Text("The call names a recovery point that the item doesn't have.", "Name another recovery point."),
    "PointNotListed": Text("Azure doesn't list the backup's recovery point yet.", NOTHING),
    "RestoreNotPossible": Text(
        "Azure Backup has validated the restore and can't make it.",
        "The message has Azure Backup's code, and what is missing.",
    ),
    "RestoreRefused": Text(
        "Azure Backup refused the restore and gave no code.", "The message has Azure Backup's text."
    ),
    "RestoreValidating": Text("Azure Backup is validating the restore.", NOTHING),
    "RestoreSent": Text("The restore was sent, and Azure doesn't list its job yet.", NOTHING),
    "RestoreAccepted": Text("Azure Backup has accepted the restore, and there is no job yet.", NOTHING),
    "RestoreRunning": Text("A restore of the item is running.", NOTHING),
    "ReadTaken": Text("Another worker took this read of backup jobs.", NOTHING),
    "ReadsSpent": Text("All reads of backup jobs in this hour are used up.", "Nothing; it continues in the next hour."),
    "HistoryTaken": Text("Another verification of the item is being recorded.", NOTHING),
    "NotSettled": Text("The restored workloads aren't ready yet.", NOTHING),
    "Calling": Text("Calls to restored workloads are under way.", NOTHING),
    "NotGone": Text(
        "What the verification created isn't removed yet.",
        "Nothing; if the run can't remove it, the janitor tries again every hour.",
    ),
    "QuotaReached": Text(
        "Ten restores of the item were sent within a day, so no more are sent.", "Nothing; a later backup is verified."
    ),
    "StagingTaken": Text(
        "Another restore uses the scratch group for staging. A verification waits up to 12 hours.",
        "If this stays, look at `GET /api/instances/<id>` of the other verification, and at `restore left over` in the "
        "log.",
    ),
    "StagingNotEmpty": Text(
        "The scratch group holds disks or snapshots that Meshward can't tell from those that a restore stages.",
        "Remove what the message names, or set another group in `verify.scratch_group`.",
    ),
    "NoStagingAccount": Text("The staging account isn't in the scratch group.", "Correct `verify.staging_account`."),
    "StagingElsewhere": Text(
        "The staging account is in another region than the item.",
        "Set `verify.staging_account` to one in the item's region.",
    ),
    "StagingZoneRedundant": Text(
        "The staging account is zone-redundant, which Azure Backup doesn't support.",
        "Set `verify.staging_account` to one with another redundancy.",
    ),
    "NoScratchGroup": Text(
        "The policy document names no resource group for restored disks.",
        "Set `verify.scratch_group` and `verify.staging_account`.",
    ),
    "ScratchElsewhere": Text(
        "The scratch cluster is in another region than the cluster.",
        "Set `verify.scratch_cluster` to one in the cluster's region.",
    ),
    "ScratchBusy": Text("Disks of another restore of the virtual machine are still in the scratch group.", NOTHING),
    "ScratchShared": Text(
        "The scratch group holds disks of several restores of the virtual machine, which can't be told apart.",
        "Remove the older disks.",
    ),
    "DisksNotRecognised": Text(
        "Disks were restored, but none has a name that Azure Backup is known to use.",
        "Please report the names in the message.",
    ),
    "TurnOver": Text(
        "The isolated copy of this verification was already removed.",
        "Start another verification with `item_id` and `point_id`.",
    ),
    "PlaceTaken": Text(
        "A namespace or file share has the name of the isolated copy and wasn't created by Meshward.",
        "Rename or remove what the message names.",
    ),
    "NotAnAccount": Text(
        "The source of the file share isn't a storage account.", "Correct the id that the message names."
    ),
    "ClusterGone": Text("The cluster was deleted.", "To get its data, restore a backup into another cluster by hand."),
    "ClusterStopped": Text("The cluster is stopped.", "Start it: `az aks start`."),
    "MachineGone": Text("The virtual machine was deleted.", "To get its data, restore a backup by hand."),
    "JobGone": Text("The vault no longer has the backup job.", "Call with `item_id` instead of `job_id`."),
    "ItemNotFound": Text(
        "The file share or virtual machine is no longer protected.", "Protect it, or name another one."
    ),
    "UnknownDatasource": Text("Meshward doesn't verify backups of this kind of data source.", "Nothing."),
    "NothingProtected": Text(
        "The backup includes no namespace with a workload.", "Include more namespaces in the backup."
    ),
    "NothingToCompare": Text(
        "Everything in the source was created after the backup.", "Verify again after the next backup."
    ),
    "NothingToVerify": Text("The job isn't a backup job that completed.", "Name another job."),
    "NotABackupJob": Text("A text isn't the resource id of a backup job.", "Correct it."),
    "NotAProtectedItem": Text("A text isn't the resource id of a protected item.", "Correct it."),
    "ForeignSubscription": Text(
        "The item is in a subscription that Meshward isn't configured for.",
        "Add the subscription to `MESHWARD_SUBSCRIPTION_IDS` and deploy again.",
    ),
}
