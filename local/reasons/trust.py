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
        "Check whether Linkerd runs there. If the cluster has no mesh any more, remove its tag.",
    ),
    "MemberStopped": ReasonText(
        "A member is stopped, so nobody can see what its proxies trust.",
        "Start the cluster, or remove its tag `meshward:trust-domain` for good.",
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
        "Key Vault has a certificate with the name of the new root that isn't this trust domain's.",
        "Delete that certificate, or correct its tags.",
    ),
    "RootUnderWay": ReasonText(
        "Key Vault is creating the new root.", "Nothing. If this stays, look at the certificate that the message names."
    ),
    "RootRequestFailed": ReasonText(
        "Key Vault refused to create the new root.", "Delete the certificate request that the message names."
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
        "The certificate doesn't exist, or its tags don't mark it as a trust root.",
        "Name another certificate, or set the tags that the message names.",
    ),
    "SameGeneration": ReasonText(
        "Two enabled roots of a trust domain have the same generation.", "Disable the one that isn't the current root."
    ),
    "TrustDomainsAlike": ReasonText(
        "The names of two trust domains differ only in punctuation, so their roots would have the same names.",
        "Rename one, or keep its roots in another key vault.",
    ),
    "ForeignVault": ReasonText(
        "The event comes from a key vault that isn't the configured one.",
        "Correct the event subscription, or the setting `MESHWARD_KEY_VAULT_URL`.",
    ),
    "UnknownMode": ReasonText(
        "The call names a mode that doesn't exist.", "Use one that the message lists, or leave it out."
    ),
    "RotationEnded": ReasonText("The rotation has ended, so it can't be resumed or aborted.", "Nothing."),
    "NotAbortable": ReasonText(
        "The rotation is past the last phase in which it can be aborted.", "Let it finish, and rotate again afterwards."
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
