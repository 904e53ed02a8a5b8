"""Why a cluster isn't protected, or a vault isn't released."""

from local.reasons import ReasonText, Texts

NOTHING = "Nothing; it goes on by itself."

PROTECTION: Texts = {
    "NotAskedFor": ReasonText(
        "Neither the cluster's tags nor the policy ask for protection.",
        "Set the tag `meshward:protect=true` if the cluster is to be protected.",
    ),
    "NotOptedIn": ReasonText(
        "The call asks to protect a cluster that has no tag `meshward:protect=true`.", "Set the tag and call again."
    ),
    "NotStarted": ReasonText("Nothing has begun to protect the cluster.", "Wait for the next sweep, or call it."),
    "UnderWay": ReasonText(
        "A run protects the cluster right now, or Azure Backup hasn't finished what it was asked.", NOTHING
    ),
    "ProtectionFailed": ReasonText("The last run that should protect the cluster has failed.", "The message says why."),
    "ProtectionLost": ReasonText(
        "The cluster was protected once and isn't any more.",
        "The message has the state of its backup instance; `POST /api/protections` protects it again.",
    ),
    "NotReady": ReasonText("Azure is still creating or changing the cluster.", NOTHING),
    "NoSuchCluster": ReasonText("There is no cluster with this id.", "Name another one."),
    "NotOurs": ReasonText(
        "The cluster is in a subscription that Meshward doesn't look after.",
        "Add the subscription to `MESHWARD_SUBSCRIPTION_IDS` and deploy again.",
    ),
    "NoManagedIdentity": ReasonText(
        "The cluster runs as a service principal, which AKS backup can't use.",
        "Move the cluster to a managed identity (`az aks update --enable-managed-identity`).",
    ),
    "NoTokenIssuer": ReasonText(
        "The cluster issues no tokens that Entra could take.", "Run the `az aks update` that the message names."
    ),
    "NoTrustDomain": ReasonText(
        "The cluster has a mesh and no tag `meshward:trust-domain`.", "Set the tag to the mesh's trust domain."
    ),
    "Asked": ReasonText("Azure was asked for a resource and hasn't made it yet.", NOTHING),
    "Provisioning": ReasonText("Azure is making or changing a resource.", NOTHING),
    "ProvisioningFailed": ReasonText(
        "Azure couldn't make a resource, for the cause in the message.", "Remove the resource and start again."
    ),
    "Hardening": ReasonText("A vault is weaker than the policy wants and is being made stronger.", NOTHING),
    "VaultTooWeak": ReasonText(
        "A vault is weaker than the policy wants, in a way that can't be changed.",
        "Delete the vault and start again, or let the policy ask for less.",
    ),
    "GuardedByAnother": ReasonText(
        "The vault is tied to another Resource Guard than the policy names.",
        "Untie it with the consent of those who own that guard, or name that guard in the policy.",
    ),
    "NoIdentity": ReasonText("The cluster's backup extension has no identity yet.", NOTHING),
    "ExtensionElsewhere": ReasonText(
        "The cluster's backup extension stores its backups in another storage account.",
        "Remove the extension, so that Meshward installs it, or stop asking for protection.",
    ),
    "ProtectedElsewhere": ReasonText(
        "Another vault protects the cluster, and a cluster belongs to one vault alone.",
        "Stop that protection, or stop asking for this one.",
    ),
    "InstanceSoftDeleted": ReasonText(
        "The cluster's backup was deleted, and the vault keeps it for some days.",
        "Undelete it, or wait for the day in the message.",
    ),
    "NotProtected": ReasonText(
        "Azure Backup doesn't call the cluster's backup protected and gives no code.", "The message has its words."
    ),
    "NoBackupNamespace": ReasonText(
        "The cluster has no service account for backup workloads.",
        "Apply [infra/cluster](../infra/cluster), as [clusters.md](clusters.md) says.",
    ),
    "KindNotServed": ReasonText(
        "The cluster's API server doesn't serve a kind that Meshward needs.",
        "Install what the message names; [clusters.md](clusters.md) has what a cluster needs.",
    ),
    "PolicyNotAccepted": ReasonText(
        "The mesh hasn't accepted the policy for the backup workloads.",
        "If this stays, the message has the conditions that Linkerd's policy controller gives.",
    ),
    "EntryChanged": ReasonText("Another worker writes the same entry of an identity.", NOTHING),
    "ShareNotFound": ReasonText(
        "The recovery vault hasn't found the file share or machine yet.",
        "If this stays, see that it exists and that the vault may read its storage account.",
    ),
    "VolumesRefused": ReasonText(
        "Some file shares or machines can't be protected; everything else is done.",
        "The message names each with the cause.",
    ),
    "BadTag": ReasonText("A tag of the cluster can't be read.", "Correct the tag that the message names."),
}

RELEASES: Texts = {
    "NothingToRelease": ReasonText("No vault of a cluster that is gone was left behind.", "Name another cluster."),
    "ClusterIsThere": ReasonText("The cluster still exists, so its vault isn't released.", "Delete the cluster first."),
    "Deleting": ReasonText("What belongs to the vault is being deleted.", NOTHING),
    "SoftDeleted": ReasonText("The vault keeps deleted backups until the day in the message.", "Wait for that day."),
}
