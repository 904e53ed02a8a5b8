"""Why a rotation is on hold or doesn't start, and why an issuer isn't renewed."""

from local.reasons import ReasonText, Texts

NOTHING = "Nothing; it continues by itself."
MEND_TAGS = "Correct the cluster's tags."

HOLDS: Texts = {
    "ProxiesLackRoots": ReasonText(
        "Live proxies don't trust the roots of the phase, and nothing will restart them.",
        "The blockers say what each pod is. Delete bare pods, pods of OnDelete workloads and pods of deleted "
        "Deployments; let Jobs end, or delete them; inject manual proxies again; resume paused Deployments.",
    ),
    "RollingOut": ReasonText(
        "Restarts haven't finished.",
        "Run `kubectl rollout status` for the workloads that the message names. Often a probe fails, an image is "
        "missing, or pods are unschedulable.",
    ),
    "WindowClosed": ReasonText(
        "Restarts wait for a maintenance window.", "Wait for the window, or widen `maintenance` in the policy document."
    ),
    "LeavesNotRenewed": ReasonText(
        "Proxies haven't renewed their leaf certificates since the new issuer went live.",
        "Restart the pods that the message names. The log of `linkerd-identity` says why they got no certificate.",
    ),
    "IssuerNotReloaded": ReasonText(
        "Replicas of `linkerd-identity` still use the old issuer, although they were restarted.",
        "Look at the events of the Deployment `linkerd-identity`: `IssuerUpdateSkipped` says why.",
    ),
    "NothingSeen": ReasonText(
        "A member shows no proxy, or no replica of `linkerd-identity`.",
        "Check whether Linkerd runs there. If the cluster has no mesh any more, [leave it out]"
        "(rotation.md#a-member-that-holds-up-the-others) and remove its tag.",
    ),
    "MemberStopped": ReasonText(
        "A member is stopped, so nobody can see what its proxies trust.",
        "Start the cluster, or [leave it out](rotation.md#a-member-that-holds-up-the-others).",
    ),
    "MemberVanished": ReasonText(
        "A member isn't tagged any more, but its cluster is still there: its proxies would be cut off.",
        "Set the tags that the message names again, or [leave it out](rotation.md#a-member-that-holds-up-the-others).",
    ),
    "ProofLost": ReasonText(
        "Something that a member has proven isn't true any more: its bundle or issuer was replaced, as by an older "
        "backup. It begins again at prepare, which repairs that.",
        "Nothing. If this stays, another tool restores it each time: "
        "`kubectl get -o yaml --show-managed-fields` names that tool.",
    ),
    "MembershipTaken": ReasonText(
        "Somebody has changed at the same time who takes part in the rotation.", "Nothing; it is read again at once."
    ),
    "NoMembers": ReasonText(
        "No cluster that the policy document lists has the tags of the trust domain.",
        "List the clusters that the message names, if they belong to it. Set the tags again, or abort.",
    ),
    "LinkedClusterNotMember": ReasonText(
        "A member has a Link to a cluster that isn't a member, so that cluster wouldn't get the new root.",
        "List that cluster in the policy document and tag it too, or delete the Link.",
    ),
    "UnsupportedLinkerd": ReasonText(
        "Meshward doesn't support this version of Linkerd.", "Upgrade Linkerd or Meshward."
    ),
    "NoMesh": ReasonText("The cluster's tags name a mesh, but Linkerd isn't installed there.", MEND_TAGS),
    "OtherTrustDomain": ReasonText("Linkerd's trust domain isn't the one in the cluster's tag.", MEND_TAGS),
    "NotExternalCA": ReasonText(
        "Linkerd manages its own certificates in this cluster.",
        "The message has the steps: keep both objects, then upgrade with `identity.externalCA=true`.",
    ),
    "NoBundle": ReasonText(
        "The ConfigMap `linkerd-identity-trust-roots` doesn't exist.",
        "Create it with the current root, as Linkerd's docs on external CAs say.",
    ),
    "NoIssuer": ReasonText(
        "The Secret `linkerd-identity-issuer` doesn't exist.",
        "Create it with an issuer signed by the current root, as Linkerd's docs on external CAs say.",
    ),
    "BadIssuer": ReasonText(
        "The Secret `linkerd-identity-issuer` has no valid certificate.",
        "Create it again with an issuer signed by the current root, as Linkerd's docs on external CAs say.",
    ),
    "IssuerKeyMismatch": ReasonText(
        "The private key in the Secret `linkerd-identity-issuer` isn't that of the certificate beside it: the "
        "cluster doesn't prove that it holds its issuer.",
        "Find out who wrote the Secret. Put the right key back, or "
        "[make an issuer by hand](clusters.md#the-first-issuer).",
    ),
    "IssuerNotValid": ReasonText(
        "The issuer has expired, for instance while the cluster was stopped, or isn't valid yet. Nothing is issued in "
        "its place.",
        "[Make an issuer by hand](clusters.md#the-first-issuer).",
    ),
    "SignerNotTrusted": ReasonText(
        "The cluster's bundle doesn't hold the root that would sign its issuer, so its own proxies wouldn't trust it.",
        "Put the bundle back as the other members have it. A rotation that runs repairs it by itself.",
    ),
    "OwnedByOther": ReasonText(
        "Helm, cert-manager, trust-manager, Argo CD, Flux or another tool writes the bundle or the issuer.",
        "The message says how to stop that tool from writing it.",
    ),
    "BundleDrift": ReasonText(
        "Somebody has changed the bundle that Meshward wrote. Meshward doesn't overwrite it.",
        "Undo the change. To accept it, remove the annotations `meshward/*` from bundle and issuer.",
    ),
    "IssuerDrift": ReasonText(
        "Somebody has changed the issuer that Meshward wrote. Meshward doesn't overwrite it.",
        "Undo the change. To accept it, remove the annotations `meshward/*` from bundle and issuer.",
    ),
    "BundleChanged": ReasonText("Somebody has changed the bundle during the rotation.", "Undo the change."),
    "IssuerChanged": ReasonText("Somebody has changed the issuer during the rotation.", "Undo the change."),
    "BundleWritten": ReasonText(
        "The bundle was just written. If this stays, another tool changes it each time.",
        "`kubectl get -o yaml --show-managed-fields` names the tool. Stop it from writing the bundle.",
    ),
    "IssuerWritten": ReasonText(
        "The issuer was just written. If this stays, another tool changes it each time.",
        "`kubectl get -o yaml --show-managed-fields` names the tool. Stop it from writing the issuer.",
    ),
    "ForeignBundle": ReasonText(
        "The member trusts a root that isn't one of its trust domain's.",
        "If the cluster belongs to another trust domain, correct its tags. If somebody changed the mesh, undo that.",
    ),
    "ForeignIssuer": ReasonText(
        "The member's issuer wasn't signed by a root of its trust domain.",
        "If the cluster belongs to another trust domain, correct its tags. If somebody changed the mesh, undo that.",
    ),
    "ForeignRoot": ReasonText(
        "Key Vault has a certificate that claims to be a root of the trust domain, or has the name of the new one, and "
        "Meshward didn't make it. It is never used.",
        "Find out who has put it there. The message has the command that disables or removes it.",
    ),
    "RootNotAdmitted": ReasonText(
        "The trust domain's root was never admitted, so nothing is rotated there. Issuers are renewed as before.",
        "Compare the fingerprint with that in the clusters' bundles, and make the call that the message has.",
    ),
    "NameSoftDeleted": ReasonText(
        "Key Vault keeps a deleted certificate, key or secret with the name of the new root.",
        "Run one of the commands in the message. Where purging isn't allowed, abort the rotation and start it again: "
        "the next root has another name.",
    ),
    "RootUnderWay": ReasonText(
        "Key Vault is creating the new root.", "Nothing. If this stays, look at the certificate that the message names."
    ),
    "RootRequestFailed": ReasonText(
        "Key Vault refused to create the new root.", "Delete the certificate request with the command in the message."
    ),
    "DraftDisabled": ReasonText(
        "The first version of the new root's certificate is disabled.", "Enable it: its key signs the new root."
    ),
    "MissingPermissions": ReasonText(
        "An identity's role in a cluster isn't the one of this release.",
        "Apply [infra/cluster](../infra/cluster) to the cluster again.",
    ),
}

STARTS: Texts = {
    "NotDue": ReasonText("Less than half of the root's life has passed.", NOTHING),
    "HalfLived": ReasonText("Half of the root's life has passed, so the root is rotated.", NOTHING),
    "Overdue": ReasonText(
        "At most a sixth of the root's life is left.", "Find out why it wasn't rotated earlier: a hold, or an abort."
    ),
    "RootExpiring": ReasonText(
        "The root expires before even a swift rotation can finish.",
        "Get the plan with `?mode=replace`, and start it with its hash.",
    ),
    "RootExpired": ReasonText(
        "The root has expired. Replacing it means downtime.",
        "Get the plan with `?mode=replace`, and start it with its hash.",
    ),
    "AlreadyRotated": ReasonText("The certificate is no longer the current root of its trust domain.", "Nothing."),
    "NotATrustRoot": ReasonText(
        "The certificate doesn't exist, is no trust root of record, or can't be one.",
        "Name another certificate, or set the tags that the message names and admit it.",
    ),
    "SameGeneration": ReasonText(
        "Two enabled roots of a trust domain have the same generation.", "Disable the one that isn't the current root."
    ),
    "NoSuchRoot": ReasonText(
        "No enabled certificate of the trust domain has the fingerprint that the call names.",
        "Name one of those that the message lists, or tag the certificate as [clusters.md](clusters.md) says.",
    ),
    "RootAdmitted": ReasonText(
        "The trust domain has a root already. Only its first one is admitted.",
        "Nothing, or rotate: Meshward makes the next root itself.",
    ),
    "GenerationUsed": ReasonText(
        "The certificate's tag names a generation that the trust domain has used already.",
        "Set its tag `meshward:generation` to a higher number.",
    ),
    "ForeignVault": ReasonText(
        "The event comes from a key vault that isn't the configured one.",
        "Correct the event subscription, or the setting `MESHWARD_KEY_VAULT_URL`.",
    ),
    "UnknownMode": ReasonText(
        "The call names a mode that doesn't exist.", "Use one that the message lists, or leave it out."
    ),
    "NoSuchMember": ReasonText(
        "The cluster isn't a member of the rotation.", "Look at the members in the rotation's plan, and correct the id."
    ),
    "LastMember": ReasonText(
        "The cluster is the last member of the rotation that isn't left out.", "Abort the rotation instead."
    ),
    "RotationEnded": ReasonText("The rotation has ended, so it can't be resumed or aborted.", "Nothing."),
    "NotAbortable": ReasonText(
        "The rotation is past the last phase in which it can be aborted.", "Let it finish, and rotate again afterwards."
    ),
    "OldRootEnding": ReasonText(
        "The old root expires before the rotation could go back and begin again, so it isn't aborted.",
        "Repair what holds the rotation, and let it go on; `swift` saves time.",
    ),
    "NothingToHurry": ReasonText(
        "The root is being replaced, which waits for no leaf certificate and no maintenance window.", "Nothing."
    ),
    "NothingToReplace": ReasonText(
        "The new root is already distributed, and the rotation is already swift.",
        "Find out what holds the rotation, and repair that.",
    ),
    "Proven": ReasonText("The cluster has passed the gate.", "Nothing."),
}
