"""Why a rotation is on hold or doesn't start, and why an issuer isn't renewed."""

from local.reasons import ReasonText, Texts

NOTHING = "Nothing; it goes on by itself."
MEND_TAGS = "Correct the cluster's tags."

HOLDS: Texts = {
    "ProxiesLackRoots": ReasonText(
        "Live proxies don't trust the roots of the phase, and nothing restarts them.",
        "The blockers say what each is: delete bare pods, let Jobs end or delete them, inject manual proxies anew, "
        "delete the pods of OnDelete workloads and of Deployments that are gone, resume paused Deployments.",
    ),
    "RollingOut": ReasonText(
        "Restarts haven't come to an end.",
        "Run `kubectl rollout status` for the named workloads: often a probe fails, or an image or room is missing.",
    ),
    "WindowClosed": ReasonText(
        "Restarts wait for a maintenance window.", "Wait for it, or widen `maintenance` in the policy."
    ),
    "LeavesNotRenewed": ReasonText(
        "Proxies haven't renewed their leaves since the new issuer is live.",
        "Restart the named pods, and read in the log of `linkerd-identity` why they got no certificate.",
    ),
    "IssuerNotReloaded": ReasonText(
        "Replicas of `linkerd-identity` still use the old issuer, though they were restarted.",
        "Look at the events of the Deployment `linkerd-identity`: `IssuerUpdateSkipped` says why.",
    ),
    "NothingSeen": ReasonText(
        "A member shows no proxy or no identity replica at all.",
        "See whether Linkerd runs there; if the cluster has no mesh any more, remove its tag.",
    ),
    "MemberStopped": ReasonText(
        "A member is stopped, so nobody knows what its proxies trust.",
        "Start it, or remove its tag `meshward:trust-domain` for good.",
    ),
    "NoMembers": ReasonText(
        "No cluster carries the tags of the trust domain any more.", "Set the tags again, or abort."
    ),
    "LinkedClusterNotMember": ReasonText(
        "A member is linked to a cluster that wouldn't get the new root.", "Tag that cluster too, or delete the Link."
    ),
    "UnsupportedLinkerd": ReasonText(
        "Meshward doesn't know how this release of Linkerd behaves.", "Upgrade Linkerd, or Meshward."
    ),
    "NoMesh": ReasonText("The cluster's tags name a mesh, but Linkerd isn't installed there.", MEND_TAGS),
    "OtherTrustDomain": ReasonText("Linkerd's trust domain isn't the one that the cluster's tag names.", MEND_TAGS),
    "NotExternalCA": ReasonText(
        "Linkerd manages its own certificates in this cluster.",
        "The message has the steps: keep both objects, then upgrade with `identity.externalCA=true`.",
    ),
    "NoBundle": ReasonText(
        "The ConfigMap `linkerd-identity-trust-roots` isn't there.",
        "Create it with the root in force, as Linkerd's docs on external CAs say.",
    ),
    "NoIssuer": ReasonText(
        "The Secret `linkerd-identity-issuer` isn't there.",
        "Create it with an issuer of the root in force, as Linkerd's docs on external CAs say.",
    ),
    "BadIssuer": ReasonText(
        "The Secret `linkerd-identity-issuer` holds no certificate.",
        "Create it anew with an issuer of the root in force, as Linkerd's docs on external CAs say.",
    ),
    "OwnedByOther": ReasonText(
        "Helm, cert-manager, trust-manager, Argo CD, Flux or somebody else writes the bundle or the issuer.",
        "The message says how to make it let go.",
    ),
    "BundleDrift": ReasonText(
        "Somebody has changed the bundle that Meshward wrote; it is never overwritten.",
        "Put it back; if the change was meant, remove the annotations `meshward/*` from bundle and issuer.",
    ),
    "IssuerDrift": ReasonText(
        "Somebody has changed the issuer that Meshward wrote; it is never overwritten.",
        "Put it back; if the change was meant, remove the annotations `meshward/*` from bundle and issuer.",
    ),
    "BundleChanged": ReasonText("Somebody has changed the bundle during the rotation.", "Put it back."),
    "IssuerChanged": ReasonText("Somebody has changed the issuer during the rotation.", "Put it back."),
    "BundleWritten": ReasonText(
        "The bundle was written; if this stays, something else changes it each time.",
        "`kubectl get -o yaml --show-managed-fields` says who writes it: make that let go.",
    ),
    "IssuerWritten": ReasonText(
        "The issuer was written; if this stays, something else changes it each time.",
        "`kubectl get -o yaml --show-managed-fields` says who writes it: make that let go.",
    ),
    "ForeignBundle": ReasonText(
        "The member trusts another root than those of its trust domain.",
        "Correct its tags if it belongs to another trust domain, or its mesh if somebody changed that.",
    ),
    "ForeignIssuer": ReasonText(
        "None of the trust domain's roots has signed the member's issuer.",
        "Correct its tags if it belongs to another trust domain, or its mesh if somebody changed that.",
    ),
    "ForeignRoot": ReasonText(
        "Another root has the name that the new one would get.", "Delete that certificate, or correct its tags."
    ),
    "RootUnderWay": ReasonText(
        "Key Vault is making the new root.", "The message names the step; if this stays, look at that certificate."
    ),
    "RootRequestFailed": ReasonText(
        "Key Vault has refused to make the new root.", "Delete the request that the message names."
    ),
    "DraftDisabled": ReasonText(
        "The first version of the new root is disabled.", "Enable it: its key signs the new root."
    ),
    "MissingPermissions": ReasonText(
        "An identity's role in a cluster isn't that of this release.",
        "Apply [infra/cluster](../infra/cluster) to the cluster again.",
    ),
}

STARTS: Texts = {
    "NotDue": ReasonText("Less than half of the root's life is over.", NOTHING),
    "HalfLived": ReasonText("Half of the root's life is over, so the root is rotated.", NOTHING),
    "Overdue": ReasonText(
        "No more than a sixth of the root's life is left.", "See why it wasn't rotated earlier: a hold, or an abort."
    ),
    "RootExpiring": ReasonText(
        "The root expires before even a swift rotation could be done.",
        "Look at the plan, and start the replacement by its hash.",
    ),
    "RootExpired": ReasonText(
        "The root has expired, so that replacing it means downtime.",
        "Look at the plan, and start the replacement by its hash.",
    ),
    "AlreadyRotated": ReasonText("The certificate isn't the current root of its trust domain any more.", "Nothing."),
    "NotATrustRoot": ReasonText(
        "The certificate is missing, or its tags don't say that it is a trust root.",
        "Name another certificate, or set the tags that the message names.",
    ),
    "SameGeneration": ReasonText(
        "Two enabled roots of a trust domain have the same generation.", "Disable the one that isn't in force."
    ),
    "TrustDomainsAlike": ReasonText(
        "The names of two trust domains differ in punctuation alone, so that their roots would share names.",
        "Rename one, or keep its roots in another vault.",
    ),
    "ForeignVault": ReasonText(
        "The event comes from another key vault than the configured one.",
        "Correct the event subscription, or the setting `MESHWARD_KEY_VAULT_URL`.",
    ),
    "UnknownMode": ReasonText("The call names a mode that doesn't exist.", "Name one that the message lists, or none."),
    "RotationEnded": ReasonText("The rotation has ended, so it can neither resume nor abort.", "Nothing."),
    "NotAbortable": ReasonText(
        "The rotation is past the phase from which it can go back.", "Let it go on, and rotate again afterwards."
    ),
    "NothingToHurry": ReasonText(
        "The root is being replaced, which waits for no leaf and no maintenance window.", "Nothing."
    ),
    "NothingToReplace": ReasonText(
        "The new root is distributed and the rotation is hasty already.", "See what holds it, and mend that."
    ),
    "Proven": ReasonText("A gate has seen what it asks for, so the cluster passes.", "Nothing."),
}
