"""Why a backup is or isn't verified, and why a verification is inconclusive."""

from local.reasons import Text, Texts

NOTHING = "Nothing; it goes on by itself."
MESSAGE = "The message says what stands in the way."

CHOICE: Texts = {
    "Asked": Text("Somebody has asked for the verification.", "Nothing."),
    "NeverVerified": Text("The item was never verified.", "Nothing."),
    "PolicyChanged": Text("The backup policy has changed since the item was last verified.", "Nothing."),
    "Overdue": Text("The item wasn't verified for longer than the policy allows.", "Nothing."),
    "Drawn": Text("The backup was drawn for verification.", "Nothing."),
    "NotDrawn": Text(
        "The backup wasn't drawn, so it isn't verified.", "Call `POST /api/verifications` to verify it nevertheless."
    ),
}

RESTORES: Texts = {
    "NoUsablePoint": Text(
        "Every recovery point is incomplete or flagged as a threat.",
        "Look at the backup's own warnings; points in the vault tier alone need `verify.scratch_group`.",
    ),
    "NoSuchPoint": Text("The call names a recovery point that isn't listed.", "Name another point."),
    "PointNotListed": Text("The recovery point of the backup isn't listed yet.", NOTHING),
    "RestoreNotPossible": Text(
        "Azure Backup has validated the restore and wouldn't make it.",
        "The message is Azure Backup's own: its code, and what it misses.",
    ),
    "RestoreRefused": Text("Azure Backup refused the restore without a code.", "The message has its words."),
    "RestoreValidating": Text("Azure Backup validates the restore.", NOTHING),
    "RestoreSent": Text("The restore was sent, and its job isn't listed yet.", NOTHING),
    "RestoreAccepted": Text("Azure Backup has accepted the restore and has no job yet.", NOTHING),
    "RestoreRunning": Text("A restore of the item is running.", NOTHING),
    "ReadTaken": Text("Another worker took this read of a backup job.", NOTHING),
    "ReadsSpent": Text("The reads of backup jobs for this hour are spent.", "Nothing; it goes on with the next hour."),
    "HistoryTaken": Text("Another verification of the item is being written down.", NOTHING),
    "NotSettled": Text("The restored workloads aren't ready yet.", NOTHING),
    "Calling": Text("Calls of restored workloads are under way.", NOTHING),
    "NotGone": Text(
        "What the verification made isn't removed yet.", "Nothing; the janitor tries again every hour if this fails."
    ),
    "QuotaReached": Text(
        "Ten restores of the item have run within a day, and no more are sent.",
        "Nothing; the next backup is verified.",
    ),
    "StagingTaken": Text(
        "Another restore passes through the scratch group; a verification waits 12 hours for its turn.",
        "Look at `GET /api/instances/<its id>`, and at the log of the janitor.",
    ),
    "StagingNotEmpty": Text(
        "The scratch group holds things that couldn't be told from what a restore leaves there.",
        "Remove what the message names, or name another group in `verify.scratch_group`.",
    ),
    "NoStagingAccount": Text("The staging account isn't in the scratch group.", "Correct `verify.staging_account`."),
    "StagingElsewhere": Text(
        "The staging account is in another region than the item.", "Name one of the item's region in the policy."
    ),
    "StagingZoneRedundant": Text(
        "The staging account is zone-redundant, which Azure Backup refuses.", "Name one with another redundancy."
    ),
    "NoScratchGroup": Text(
        "The policy names no resource group into which disks could be restored.",
        "Set `verify.scratch_group` and `verify.staging_account`.",
    ),
    "ScratchElsewhere": Text("The scratch cluster is in another region than the cluster.", MESSAGE),
    "ScratchBusy": Text("Disks of another restore are still in the scratch group.", NOTHING),
    "ScratchShared": Text(
        "The scratch group holds disks of several restores of the machine, which can't be told apart.",
        "Remove the older ones.",
    ),
    "DisksNotRecognised": Text(
        "Disks were restored, but none has a name that Azure Backup is known to give.",
        "Please report the names in the message.",
    ),
    "TurnOver": Text("The copy of this verification was removed already.", "Verify the point anew, by its item."),
    "PlaceTaken": Text("The place of the copy is there already and isn't Meshward's.", MESSAGE),
    "NotAnAccount": Text("The share's source isn't a storage account.", MESSAGE),
    "ClusterGone": Text("The cluster isn't there any more.", "Restore its backup by hand into another cluster."),
    "ClusterStopped": Text("The cluster is stopped.", "Start it: `az aks start`."),
    "MachineGone": Text("The machine isn't there any more.", "Restore its backup by hand."),
    "JobGone": Text("The vault doesn't know the backup job any more.", "Verify by the item instead."),
    "ItemNotFound": Text("The file share or machine isn't protected any more.", "Protect it, or name another one."),
    "UnknownDatasource": Text("Meshward doesn't verify backups of this kind.", "Nothing."),
    "NothingProtected": Text("The backup covers no namespace of a workload.", "Widen what the backup includes."),
    "NothingToCompare": Text(
        "All that the source holds was made after the backup.", "Verify again after the next backup."
    ),
    "NothingToVerify": Text("The job isn't a backup that has ended well.", "Name another job."),
    "NotABackupJob": Text("The text isn't the resource id of a backup job.", "Correct it."),
    "NotAProtectedItem": Text("The text isn't the resource id of a protected item.", "Correct it."),
    "ForeignSubscription": Text(
        "The item is in a subscription that Meshward doesn't look after.",
        "Add the subscription to `MESHWARD_SUBSCRIPTION_IDS` and deploy again.",
    ),
}
