"""Why a backup is or isn't verified, and why a verification is inconclusive."""

from local.reasons import ReasonText, Texts

NOTHING = "Nothing; it goes on by itself."
MESSAGE = "The message says what stands in the way."

CHOICE: Texts = {
    "Asked": ReasonText("Somebody has asked for the verification.", "Nothing."),
    "NeverVerified": ReasonText("The item was never verified.", "Nothing."),
    "PolicyChanged": ReasonText("The backup policy has changed since the item was last verified.", "Nothing."),
    "Overdue": ReasonText("The item wasn't verified for longer than the policy allows.", "Nothing."),
    "Drawn": ReasonText("The backup was drawn for verification.", "Nothing."),
    "NotDrawn": ReasonText(
        "The backup wasn't drawn, so it isn't verified.", "Call `POST /api/verifications` to verify it nevertheless."
    ),
}

RESTORES: Texts = {
    "NoUsablePoint": ReasonText(
        "Every recovery point is incomplete or flagged as a threat.",
        "Look at the backup's own warnings; points in the vault tier alone need `verify.scratch_group`.",
    ),
    "NoSuchPoint": ReasonText("The call names a recovery point that isn't listed.", "Name another point."),
    "PointNotListed": ReasonText("The recovery point of the backup isn't listed yet.", NOTHING),
    "RestoreNotPossible": ReasonText(
        "Azure Backup has validated the restore and wouldn't make it.",
        "The message is Azure Backup's own: its code, and what it misses.",
    ),
    "RestoreRefused": ReasonText("Azure Backup refused the restore without a code.", "The message has its words."),
    "RestoreValidating": ReasonText("Azure Backup validates the restore.", NOTHING),
    "RestoreSent": ReasonText("The restore was sent, and its job isn't listed yet.", NOTHING),
    "RestoreAccepted": ReasonText("Azure Backup has accepted the restore and has no job yet.", NOTHING),
    "RestoreRunning": ReasonText("A restore of the item is running.", NOTHING),
    "ReadTaken": ReasonText("Another worker took this read of a backup job.", NOTHING),
    "ReadsSpent": ReasonText(
        "The reads of backup jobs for this hour are spent.", "Nothing; it goes on with the next hour."
    ),
    "HistoryTaken": ReasonText("Another verification of the item is being written down.", NOTHING),
    "NotSettled": ReasonText("The restored workloads aren't ready yet.", NOTHING),
    "Calling": ReasonText("Calls of restored workloads are under way.", NOTHING),
    "NotGone": ReasonText(
        "What the verification made isn't removed yet.", "Nothing; the janitor tries again every hour if this fails."
    ),
    "QuotaReached": ReasonText(
        "Ten restores of the item have run within a day, and no more are sent.",
        "Nothing; the next backup is verified.",
    ),
    "StagingTaken": ReasonText(
        "Another restore passes through the scratch group; a verification waits 12 hours for its turn.",
        "Look at `GET /api/instances/<its id>`, and at the log of the janitor.",
    ),
    "StagingNotEmpty": ReasonText(
        "The scratch group holds things that couldn't be told from what a restore leaves there.",
        "Remove what the message names, or name another group in `verify.scratch_group`.",
    ),
    "NoStagingAccount": ReasonText(
        "The staging account isn't in the scratch group.", "Correct `verify.staging_account`."
    ),
    "StagingElsewhere": ReasonText(
        "The staging account is in another region than the item.", "Name one of the item's region in the policy."
    ),
    "StagingZoneRedundant": ReasonText(
        "The staging account is zone-redundant, which Azure Backup refuses.", "Name one with another redundancy."
    ),
    "NoScratchGroup": ReasonText(
        "The policy names no resource group into which disks could be restored.",
        "Set `verify.scratch_group` and `verify.staging_account`.",
    ),
    "ScratchElsewhere": ReasonText("The scratch cluster is in another region than the cluster.", MESSAGE),
    "ScratchBusy": ReasonText("Disks of another restore are still in the scratch group.", NOTHING),
    "ScratchShared": ReasonText(
        "The scratch group holds disks of several restores of the machine, which can't be told apart.",
        "Remove the older ones.",
    ),
    "DisksNotRecognised": ReasonText(
        "Disks were restored, but none has a name that Azure Backup is known to give.",
        "Please report the names in the message.",
    ),
    "TurnOver": ReasonText("The copy of this verification was removed already.", "Verify the point anew, by its item."),
    "PlaceTaken": ReasonText("The place of the copy is there already and isn't Meshward's.", MESSAGE),
    "NotAnAccount": ReasonText("The share's source isn't a storage account.", MESSAGE),
    "ClusterGone": ReasonText("The cluster isn't there any more.", "Restore its backup by hand into another cluster."),
    "ClusterStopped": ReasonText("The cluster is stopped.", "Start it: `az aks start`."),
    "MachineGone": ReasonText("The machine isn't there any more.", "Restore its backup by hand."),
    "JobGone": ReasonText("The vault doesn't know the backup job any more.", "Verify by the item instead."),
    "ItemNotFound": ReasonText(
        "The file share or machine isn't protected any more.", "Protect it, or name another one."
    ),
    "UnknownDatasource": ReasonText("Meshward doesn't verify backups of this kind.", "Nothing."),
    "NothingProtected": ReasonText("The backup covers no namespace of a workload.", "Widen what the backup includes."),
    "NothingToCompare": ReasonText(
        "All that the source holds was made after the backup.", "Verify again after the next backup."
    ),
    "NothingToVerify": ReasonText("The job isn't a backup that has ended well.", "Name another job."),
    "NotABackupJob": ReasonText("The text isn't the resource id of a backup job.", "Correct it."),
    "NotAProtectedItem": ReasonText("The text isn't the resource id of a protected item.", "Correct it."),
    "ForeignSubscription": ReasonText(
        "The item is in a subscription that Meshward doesn't look after.",
        "Add the subscription to `MESHWARD_SUBSCRIPTION_IDS` and deploy again.",
    ),
}
