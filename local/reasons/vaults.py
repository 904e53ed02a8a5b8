"""Why a cluster isn't protected, or a vault isn't released."""

from local.reasons import Text, Texts

NOTHING = "Nothing; it continues by itself."

PROTECTION: Texts = {
    "NotAskedFor": Text(
        "Neither the cluster's tags nor the policy document ask for protection.",
        "To protect the cluster, set the tag `meshward:protect=true`.",
    ),
    "NotOptedIn": Text(
        "The call asks for the protection of a cluster without the tag `meshward:protect=true`.",
        "Set the tag and call again.",
    ),
    "NotStarted": Text(
        "No flow has started to protect the cluster yet.", "Wait for the daily sweep, or call `POST /api/protections`."
    ),
    "UnderWay": Text("A flow is protecting the cluster now, or Azure Backup hasn't finished a request.", NOTHING),
    "ProtectionFailed": Text("The last flow that tried to protect the cluster has failed.", "The message says why."),
    "ProtectionLost": Text(
        "The cluster was protected, and no longer is.",
        "The message has the state of its backup instance. To protect it again, call `POST /api/protections`.",
    ),
    "NotReady": Text("Azure is still creating or changing the cluster.", NOTHING),
    "NoSuchCluster": Text("No cluster has this resource id.", "Correct the resource id."),
    "NotOurs": Text(
        "The cluster is in a subscription that Meshward isn't configured for.",
        "Add the subscription to `MESHWARD_SUBSCRIPTION_IDS` and deploy again.",
    ),
    "NoManagedIdentity": Text(
        "The cluster uses a service principal, which AKS backup doesn't support.",
        "Give the cluster a managed identity: `az aks update --enable-managed-identity`.",
    ),
    "NoTokenIssuer": Text(
        "The cluster has no OIDC issuer, so Entra can't trust tokens of its service accounts.",
        "Run the `az aks update` that the message names.",
    ),
    "NoTrustDomain": Text(
        "The cluster has a mesh, but no tag `meshward:trust-domain`.", "Set the tag to the mesh's trust domain."
    ),
    "Asked": Text("Azure has accepted the request for a resource and hasn't created it yet.", NOTHING),
    "Provisioning": Text("Azure is creating or changing a resource.", NOTHING),
    "ProvisioningFailed": Text(
        "Azure couldn't create a resource. The message has the cause.", "Remove the resource and start again."
    ),
    "Hardening": Text(
        "A vault is weaker than the policy document requires. Meshward is raising its settings.", NOTHING
    ),
    "VaultTooWeak": Text(
        "A vault is weaker than the policy document requires, in a setting that Azure can't change.",
        "Delete the vault and start again, or require less in the policy document.",
    ),
    "GuardedByAnother": Text(
        "The vault uses another Resource Guard than the one in the policy document.",
        "Remove that guard with its owners' consent, or name it in the policy document.",
    ),
    "NoIdentity": Text("The cluster's backup extension has no identity yet.", NOTHING),
    "ExtensionElsewhere": Text(
        "The cluster's backup extension stores its backups in another storage account.",
        "Remove the extension so that Meshward installs it, or remove the tag `meshward:protect`.",
    ),
    "ProtectedElsewhere": Text(
        "Another vault already protects the cluster, and Azure allows only one.",
        "Stop that protection, or remove the tag `meshward:protect`.",
    ),
    "InstanceSoftDeleted": Text(
        "The cluster's backup instance was deleted. The vault keeps it until its soft delete ends.",
        "Undelete it, or wait until the day in the message.",
    ),
    "NotProtected": Text(
        "Azure Backup says that the cluster isn't protected, and gives no code.", "The message has Azure Backup's text."
    ),
    "NoBackupNamespace": Text(
        "The cluster has no service account for backup workloads.",
        "Apply [infra/cluster](../infra/cluster), as [clusters.md](clusters.md) says.",
    ),
    "KindNotServed": Text(
        "The cluster's API server doesn't have a kind of resource that Meshward needs.",
        "Install what the message names; [clusters.md](clusters.md) lists what a cluster needs.",
    ),
    "PolicyNotAccepted": Text(
        "Linkerd hasn't accepted the policy for the backup workloads yet.",
        "If this stays, the message has the conditions that Linkerd's policy controller reports.",
    ),
    "EntryChanged": Text("Another worker is writing the same record of an identity.", NOTHING),
    "ShareNotFound": Text(
        "The Recovery Services vault hasn't found the file share or virtual machine yet.",
        "If this stays, check that it exists, and that the vault may read its storage account.",
    ),
    "VolumesRefused": Text(
        "Some file shares or virtual machines can't be protected. Everything else is done.",
        "The message names each one with the cause.",
    ),
    "BadTag": Text("A tag of the cluster can't be read.", "Correct the tag that the message names."),
}

RELEASES: Texts = {
    "NothingToRelease": Text("No deleted cluster with this resource id has left a vault.", "Correct the resource id."),
    "ClusterIsThere": Text("The cluster still exists, so its vault isn't released.", "Delete the cluster first."),
    "Deleting": Text("Resources of the vault are being deleted.", NOTHING),
    "SoftDeleted": Text("The vault keeps its deleted backups until the day in the message.", "Wait for that day."),
}
