"""Why a backup is or isn't verified, and why a verification is inconclusive."""

from local.reasons import ReasonText, Texts

NOTHING = "Nothing; it continues by itself."
MESSAGE = "The message says what stands in the way."

CHOICE: Texts = {
    "Asked": ReasonText("Somebody asked for the verification.", "Nothing."),
    "NeverVerified": ReasonText("The item was never verified.", "Nothing."),
    "PolicyChanged": ReasonText("The item's backup policy has changed since the last verification.", "Nothing."),
    "Overdue": ReasonText("The item wasn't verified for `verify_within`.", "Nothing."),
    "Drawn": ReasonText("The backup is in the sample (`sample_rate`).", "Nothing."),
    "NotDrawn": ReasonText(
        "The backup isn't in the sample (`sample_rate`), so it isn't verified.",
        "To verify it, call `POST /api/verifications`.",
    ),
}

RESTORES: Texts = {
    "NoUsablePoint": ReasonText(
        "Every recovery point is incomplete or flagged as a threat.",
        "Look at the backup's warnings. If the recovery points are in the vault tier only, set `verify.scratch_group`.",
    ),
    "NoSuchPoint": ReasonText(
        "The call names a recovery point that the item doesn't have.", "Name another recovery point."
    ),
    "PointNotListed": ReasonText("Azure doesn't list the backup's recovery point yet.", NOTHING),
    "RestoreNotPossible": ReasonText(
        "Azure Backup has validated the restore and can't make it.",
        "The message has Azure Backup's code, and what is missing.",
    ),
    "RestoreRefused": ReasonText(
        "Azure Backup refused the restore and gave no code.", "The message has Azure Backup's text."
    ),
    "RestoreValidating": ReasonText("Azure Backup is validating the restore.", NOTHING),
    "RestoreSent": ReasonText("The restore was sent, and Azure doesn't list its job yet.", NOTHING),
    "RestoreAccepted": ReasonText("Azure Backup has accepted the restore, and there is no job yet.", NOTHING),
    "RestoreRunning": ReasonText("A restore of the item is running.", NOTHING),
    "ReadTaken": ReasonText("Another worker took this read of backup jobs.", NOTHING),
    "ReadsSpent": ReasonText(
        "All reads of backup jobs in this hour are used up.", "Nothing; it continues in the next hour."
    ),
    "HistoryTaken": ReasonText("Another verification of the item is being recorded.", NOTHING),
    "NotSettled": ReasonText("The restored workloads aren't ready yet.", NOTHING),
    "Calling": ReasonText("Calls to restored workloads are under way.", NOTHING),
    "NotGone": ReasonText(
        "What the verification created isn't removed yet.",
        "Nothing; if the run can't remove it, the janitor tries again every hour.",
    ),
    "QuotaReached": ReasonText(
        "Ten restores of the item were sent within a day, so no more are sent.", "Nothing; a later backup is verified."
    ),
    "PlaceRemade": ReasonText(
        "A run died between the creation of an isolated namespace and writing down its UID. It is created again.",
        "Nothing.",
    ),
    "ProvingIsolation": ReasonText(
        "A pod in an isolated namespace calls out, which must fail before anything is restored there.",
        "Nothing. If it lasts, look at `kubectl describe` of the pod `meshward-outward-0` in the namespace.",
    ),
    "StagingTaken": ReasonText(
        "Another restore uses the scratch group for staging. A verification waits up to 12 hours.",
        "If this stays, look at `GET /api/instances/<id>` of the other verification, and at `restore left over` in the "
        "log.",
    ),
    "StagingNotEmpty": ReasonText(
        "The scratch group holds disks or snapshots that Meshward can't tell from those that a restore stages.",
        "Remove what the message names, or set another group in `verify.scratch_group`.",
    ),
    "NoStagingAccount": ReasonText(
        "The staging account isn't in the scratch group.", "Correct `verify.staging_account`."
    ),
    "StagingElsewhere": ReasonText(
        "The staging account is in another region than the item.",
        "Set `verify.staging_account` to one in the item's region.",
    ),
    "StagingZoneRedundant": ReasonText(
        "The staging account is zone-redundant, which Azure Backup doesn't support.",
        "Set `verify.staging_account` to one with another redundancy.",
    ),
    "NoScratchGroup": ReasonText(
        "The policy document names no resource group for restored disks.",
        "Set `verify.scratch_group` and `verify.staging_account`.",
    ),
    "ScratchElsewhere": ReasonText(
        "The scratch cluster is in another region than the cluster.",
        "Set `verify.scratch_cluster` to one in the cluster's region.",
    ),
    "ScratchBusy": ReasonText(
        "Disks of another restore of the virtual machine are still in the scratch group.", NOTHING
    ),
    "ScratchShared": ReasonText(
        "The scratch group holds disks of several restores of the virtual machine, which can't be told apart.",
        "Remove the older disks.",
    ),
    "DisksNotRecognised": ReasonText(
        "Disks were restored, but none has a name that Azure Backup is known to use.",
        "Please report the names in the message.",
    ),
    "TurnOver": ReasonText(
        "The isolated copy of this verification was already removed.",
        "Start another verification with `item_id` and `point_id`.",
    ),
    "PlaceTaken": ReasonText(
        "The namespace or file share of the isolated copy isn't the one that was created for it, or was there before.",
        "Find out who has made or removed what the message names, then start another verification.",
    ),
    "NotEnforced": ReasonText(
        "The cluster that is restored to has no engine that enforces network policies, so nothing is restored.",
        "`az aks update --network-policy`, or set `verify.scratch_cluster` to a cluster that has one.",
    ),
    "NotIsolated": ReasonText(
        "A pod in an isolated namespace reached the API server, no such call could be made, or somebody has opened the "
        "namespace. Nothing was restored.",
        "Look at the cluster's network policy engine, at `verify.probe_image`, and at who may write network policies.",
    ),
    "PoliciesMissing": ReasonText(
        "An admission policy of `infra/cluster` isn't in the cluster, or doesn't act.",
        "Apply `infra/cluster` of this release ([clusters.md](clusters.md)).",
    ),
    "VolumesFree": ReasonText(
        "The cluster has volumes that are free, which restored claims could bind.",
        "Remove them, or set `verify.scratch_cluster`.",
    ),
    "JobNotProven": ReasonText(
        "The answer to a restore request was lost, and which restore job is Meshward's can't be told.",
        "Look at the jobs that the message names. Nothing of them was removed; start another verification.",
    ),
    "NotAnAccount": ReasonText(
        "The source of the file share isn't a storage account.", "Correct the id that the message names."
    ),
    "ClusterGone": ReasonText(
        "The cluster was deleted.", "To get its data, restore a backup into another cluster by hand."
    ),
    "ClusterStopped": ReasonText("The cluster is stopped.", "Start it: `az aks start`."),
    "MachineGone": ReasonText("The virtual machine was deleted.", "To get its data, restore a backup by hand."),
    "JobGone": ReasonText("The vault no longer has the backup job.", "Call with `item_id` instead of `job_id`."),
    "ItemNotFound": ReasonText(
        "The file share or virtual machine is no longer protected.", "Protect it, or name another one."
    ),
    "UnknownDatasource": ReasonText("Meshward doesn't verify backups of this kind of data source.", "Nothing."),
    "NothingProtected": ReasonText(
        "The backup includes no namespace with a workload, or its filters leave out all kinds that are compared.",
        "Include more in the backup: look at the namespaces, resource types and labels of the backup instance.",
    ),
    "NothingToCompare": ReasonText(
        "Everything in the source was created after the backup.", "Verify again after the next backup."
    ),
    "NothingToVerify": ReasonText("The job isn't a backup job that completed.", "Name another job."),
    "NotABackupJob": ReasonText("A text isn't the resource id of a backup job.", "Correct it."),
    "NotAProtectedItem": ReasonText("A text isn't the resource id of a protected item.", "Correct it."),
    "ForeignSubscription": ReasonText(
        "The item is in a subscription that Meshward isn't configured for.",
        "Add the subscription to `MESHWARD_SUBSCRIPTION_IDS` and deploy again.",
    ),
}
