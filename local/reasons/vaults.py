"""Why a cluster isn't protected, or a vault isn't released."""

from local.reasons import ReasonText, Texts

NOTHING = "Nothing; it continues by itself."

PROTECTION: Texts = {
    "NotAskedFor": ReasonText(
        "Neither the cluster's tags nor the policy document ask for protection.",
        "To protect the cluster, set the tag `meshward:protect=true`.",
    ),
    "NotOptedIn": ReasonText(
        "The call asks for the protection of a cluster without the tag `meshward:protect=true`.",
        "Set the tag and call again.",
    ),
    "NotStarted": ReasonText(
        "No flow has started to protect the cluster yet.", "Wait for the daily sweep, or call `POST /api/protections`."
    ),
    "UnderWay": ReasonText("A flow is protecting the cluster now, or Azure Backup hasn't finished a request.", NOTHING),
    "ProtectionFailed": ReasonText(
        "The last flow that tried to protect the cluster has failed.", "The message says why."
    ),
    "ProtectionLost": ReasonText(
        "The cluster was protected, and no longer is.",
        "The message has the state of its backup instance. To protect it again, call `POST /api/protections`.",
    ),
    "ClusterStopped": ReasonText(
        "The cluster is stopped, and what is missing of its protection needs it.", "Start it: `az aks start`."
    ),
    "NotReady": ReasonText("Azure is still creating or changing the cluster.", NOTHING),
    "NoSuchCluster": ReasonText("No cluster has this resource id.", "Correct the resource id."),
    "NotOurs": ReasonText(
        "The cluster is in a subscription that Meshward isn't configured for.",
        "Add the subscription to `MESHWARD_SUBSCRIPTION_IDS` and deploy again.",
    ),
    "NoManagedIdentity": ReasonText(
        "The cluster uses a service principal, which AKS backup doesn't support.",
        "Give the cluster a managed identity: `az aks update --enable-managed-identity`.",
    ),
    "NoTokenIssuer": ReasonText(
        "The cluster has no OIDC issuer, so Entra can't trust tokens of its service accounts.",
        "Run the `az aks update` that the message names.",
    ),
    "NoTrustDomain": ReasonText(
        "The cluster has a mesh, but no tag `meshward:trust-domain`.", "Set the tag to the mesh's trust domain."
    ),
    "Asked": ReasonText("Azure has accepted the request for a resource and hasn't created it yet.", NOTHING),
    "Provisioning": ReasonText("Azure is creating or changing a resource.", NOTHING),
    "ProvisioningFailed": ReasonText(
        "Azure couldn't create a resource. The message has the cause.", "Remove the resource and start again."
    ),
    "Hardening": ReasonText(
        "A vault is weaker than the policy document requires. Meshward is raising its settings.", NOTHING
    ),
    "WithoutEffect": ReasonText(
        "Azure has accepted a request, and nothing has changed: a setting is still weak, what was deleted is still "
        "there, or what was made can't be read.",
        "Look in Azure for a policy or a lock that undoes the change, or for what stands in its way. The next run asks "
        "again.",
    ),
    "VaultTooWeak": ReasonText(
        "A vault is weaker than the policy document requires, in a setting that Azure can't change.",
        "Delete the vault and start again, or require less in the policy document.",
    ),
    "SettingUnknown": ReasonText(
        "A setting of a vault is in a word that Meshward doesn't know, so it is neither weaker nor stronger than "
        "required. Nothing was changed.",
        "Look at the vault in Azure. Set what the message names to a setting that [policy.md](policy.md) knows, or "
        "report the word.",
    ),
    "VaultNotOurs": ReasonText(
        "A vault, or the names of what would be made, are another cluster's, or the vault's tag is lost. Nothing was "
        "changed.",
        "If the vault is this cluster's, run the command in the message. If two clusters have the same names, create "
        "one of them under another name, and find out why: by chance that never happens.",
    ),
    "GroupNotOurs": ReasonText(
        "Somebody has made the resource group of a cluster's snapshots before Meshward could, or its tag is lost.",
        "Find out who made it, and delete it. If it is Meshward's, give it its tag again: the message names the "
        "document that has it.",
    ),
    "GuardedByAnother": ReasonText(
        "The vault uses another Resource Guard than the one in the policy document.",
        "Remove that guard with its owners' consent, or name it in the policy document.",
    ),
    "NoIdentity": ReasonText("The cluster's backup extension has no identity yet.", NOTHING),
    "ExtensionElsewhere": ReasonText(
        "The cluster has a backup extension, by whatever name, that stores its backups in another storage account.",
        "Remove the extension so that Meshward installs it, or remove the tag `meshward:protect`.",
    ),
    "ProtectedElsewhere": ReasonText(
        "Another vault already protects the cluster, and Azure allows only one.",
        "Stop that protection, or remove the tag `meshward:protect`.",
    ),
    "InstanceSoftDeleted": ReasonText(
        "The cluster's backup instance was deleted. The vault keeps it until its soft delete ends.",
        "Undelete it, or wait until the day in the message.",
    ),
    "NotProtected": ReasonText(
        "Azure Backup says that the cluster isn't protected, and gives no code.", "The message has Azure Backup's text."
    ),
    "NoBackupNamespace": ReasonText(
        "The cluster has no service account for backup workloads.",
        "Apply [infra/cluster](../infra/cluster), as [clusters.md](clusters.md) says.",
    ),
    "KindNotServed": ReasonText(
        "The cluster's API server doesn't have a kind of resource that Meshward needs.",
        "Install what the message names; [clusters.md](clusters.md) lists what a cluster needs.",
    ),
    "PolicyNotAccepted": ReasonText(
        "Linkerd hasn't accepted the policy for the backup workloads yet.",
        "If this stays, the message has the conditions that Linkerd's policy controller reports.",
    ),
    "EntryChanged": ReasonText("Another worker is writing the same record of an identity.", NOTHING),
    "ShareNotFound": ReasonText(
        "The Recovery Services vault hasn't found the file share or virtual machine yet.",
        "If this stays, check that it exists, and that the vault may read its storage account.",
    ),
    "VolumesRefused": ReasonText(
        "Some file shares or virtual machines can't be protected. Everything else is done.",
        "The message names each one with the cause.",
    ),
    "NotConsented": ReasonText(
        "The owner of a storage account or machine hasn't agreed that the cluster backs it up, or agrees no longer. "
        "Nothing was granted or changed there. What is protected already stays so.",
        "Let its owner run the command in the message, or add its line to the policy document "
        "([clusters.md](clusters.md#consent-of-the-owner)). If it isn't the cluster's, correct the cluster's tag and "
        "find out who set it.",
    ),
    "ConsentUnknown": ReasonText(
        "It can't be read whether the owner of a storage account or machine agrees to its backup. Nothing is begun or "
        "ended there.",
        "The message says what Azure has answered. The sweep tries again each day.",
    ),
    "BadTag": ReasonText(
        "A tag of the cluster can't be read, so it counts neither as set nor as missing.",
        "Correct the tag that the message names, or remove it.",
    ),
}

RELEASES: Texts = {
    "NothingToRelease": ReasonText(
        "No deleted cluster with this resource id has left a vault.", "Correct the resource id."
    ),
    "ClusterIsThere": ReasonText("The cluster still exists, so its vault isn't released.", "Delete the cluster first."),
    "CreatedAgain": ReasonText(
        "The cluster was created again under its old name, so the sweep doesn't release the earlier vault.",
        "Look at the plan of its release, and release it by hand if nobody needs its backups.",
    ),
    "NotProven": ReasonText(
        "The cluster has another identity than when the vault was made. A cluster that was created again has one, too, "
        "but so has one whose identity was replaced.",
        "Find out which it was (the activity log says), and settle it by the vault's tag "
        "([clusters.md](clusters.md#7-vaults-of-an-earlier-version)).",
    ),
    "NotConfirmed": ReasonText(
        "The cluster was first seen to be gone less than a day ago. Azure has to say so twice, a day apart.",
        "Call again after the time in the message.",
    ),
    "Deleting": ReasonText("Resources of the vault are being deleted.", NOTHING),
    "VaultUnclear": ReasonText(
        "Azure lists the Backup vault, and answers that it doesn't exist when asked for it.",
        "Nothing. Meshward asks again, and deletes nothing meanwhile.",
    ),
    "SoftDeleted": ReasonText(
        "The vault keeps its deleted backups until the day in the message.", "Wait for that day."
    ),
}
