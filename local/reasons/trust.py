"""Why a rotation is on hold or doesn't start, and why an issuer isn't renewed."""

from local.reasons import Text, Texts

NOTHING = "Nothing; it continues by itself."
MEND_TAGS = "Correct the cluster's tags."

HOLDS: Texts = {
    "ProxiesLackRoots": Text(
        "Live proxies don't trust the roots of the phase, and nothing will restart them.",
        "The blockers say what each pod is. Delete bare pods, pods of OnDelete workloads and pods of deleted "
        "Deployments; let Jobs end, or delete them; inject manual proxies again; resume paused Deployments.",
    ),
    "RollingOut": Text(
        "Restarts haven't finished.",
        "Run `kubectl rollout status` for the workloads that the message names. Often a probe fails, an image is "
        "missing, or pods are unschedulable.",
    ),
    "WindowClosed": Text(
        "Restarts wait for a maintenance window.", "Wait for the window, or widen `maintenance` in the policy document."
    ),
    "LeavesNotRenewed": Text(
        "Proxies haven't renewed their leaf certificates since the new issuer went live.",
        "Restart the pods that the message names. The log of `linkerd-identity` says why they got no certificate.",
    ),
    "IssuerNotReloaded": Text(
        "Replicas of `linkerd-identity` still use the old issuer, although they were restarted.",
        "Look at the events of the Deployment `linkerd-identity`: `IssuerUpdateSkipped` says why.",
    ),
    "NothingSeen": Text(
        "A member shows no proxy, or no replica of `linkerd-identity`.",
        "Check whether Linkerd runs there. If the cluster has no mesh any more, remove its tag.",
    ),
    "MemberStopped": Text(
        "A member is stopped, so nobody can see what its proxies trust.",
        "Start the cluster, or remove its tag `meshward:trust-domain` for good.",
    ),
    "NoMembers": Text("No cluster has the tags of the trust domain any more.", "Set the tags again, or abort."),
    "LinkedClusterNotMember": Text(
        "A member has a Link to a cluster that isn't a member, so that cluster wouldn't get the new root.",
        "Tag that cluster too, or delete the Link.",
    ),
    "UnsupportedLinkerd": Text("Meshward doesn't support this version of Linkerd.", "Upgrade Linkerd or Meshward."),
    "NoMesh": Text("The cluster's tags name a mesh, but Linkerd isn't installed there.", MEND_TAGS),
    "OtherTrustDomain": Text("Linkerd's trust domain isn't the one in the cluster's tag.", MEND_TAGS),
    "NotExternalCA": Text(
        "Linkerd manages its own certificates in this cluster.",
        "The message has the steps: keep both objects, then upgrade with `identity.externalCA=true`.",
    ),
    "NoBundle": Text(
        "The ConfigMap `linkerd-identity-trust-roots` doesn't exist.",
        "Create it with the current root, as Linkerd's docs on external CAs say.",
    ),
    "NoIssuer": Text(
        "The Secret `linkerd-identity-issuer` doesn't exist.",
        "Create it with an issuer signed by the current root, as Linkerd's docs on external CAs say.",
    ),
    "BadIssuer": Text(
        "The Secret `linkerd-identity-issuer` has no valid certificate.",
        "Create it again with an issuer signed by the current root, as Linkerd's docs on external CAs say.",
    ),
    "OwnedByOther": Text(
        "Helm, cert-manager, trust-manager, Argo CD, Flux or another tool writes the bundle or the issuer.",
        "The message says how to stop that tool from writing it.",
    ),
    "BundleDrift": Text(
        "Somebody has changed the bundle that Meshward wrote. Meshward doesn't overwrite it.",
        "Undo the change. To accept it, remove the annotations `meshward/*` from bundle and issuer.",
    ),
    "IssuerDrift": Text(
        "Somebody has changed the issuer that Meshward wrote. Meshward doesn't overwrite it.",
        "Undo the change. To accept it, remove the annotations `meshward/*` from bundle and issuer.",
    ),
    "BundleChanged": Text("Somebody has changed the bundle during the rotation.", "Undo the change."),
    "IssuerChanged": Text("Somebody has changed the issuer during the rotation.", "Undo the change."),
    "BundleWritten": Text(
        "The bundle was just written. If this stays, another tool changes it each time.",
        "`kubectl get -o yaml --show-managed-fields` names the tool. Stop it from writing the bundle.",
    ),
    "IssuerWritten": Text(
        "The issuer was just written. If this stays, another tool changes it each time.",
        "`kubectl get -o yaml --show-managed-fields` names the tool. Stop it from writing the issuer.",
    ),
    "ForeignBundle": Text(
        "The member trusts a root that isn't one of its trust domain's.",
        "If the cluster belongs to another trust domain, correct its tags. If somebody changed the mesh, undo that.",
    ),
    "ForeignIssuer": Text(
        "The member's issuer wasn't signed by a root of its trust domain.",
        "If the cluster belongs to another trust domain, correct its tags. If somebody changed the mesh, undo that.",
    ),
    "ForeignRoot": Text(
        "Key Vault has a certificate with the name of the new root that isn't this trust domain's.",
        "Delete that certificate, or correct its tags.",
    ),
    "RootUnderWay": Text(
        "Key Vault is creating the new root.", "Nothing. If this stays, look at the certificate that the message names."
    ),
    "RootRequestFailed": Text(
        "Key Vault refused to create the new root.", "Delete the certificate request that the message names."
    ),
    "DraftDisabled": Text(
        "The first version of the new root's certificate is disabled.", "Enable it: its key signs the new root."
    ),
    "MissingPermissions": Text(
        "An identity's role in a cluster isn't the one of this release.",
        "Apply [infra/cluster](../infra/cluster) to the cluster again.",
    ),
}

STARTS: Texts = {
    "NotDue": Text("Less than half of the root's life has passed.", NOTHING),
    "HalfLived": Text("Half of the root's life has passed, so the root is rotated.", NOTHING),
    "Overdue": Text(
        "At most a sixth of the root's life is left.", "Find out why it wasn't rotated earlier: a hold, or an abort."
    ),
    "RootExpiring": Text(
        "The root expires before even a swift rotation can finish.",
        "Get the plan with `?mode=replace`, and start it with its hash.",
    ),
    "RootExpired": Text(
        "The root has expired. Replacing it means downtime.",
        "Get the plan with `?mode=replace`, and start it with its hash.",
    ),
    "AlreadyRotated": Text("The certificate is no longer the current root of its trust domain.", "Nothing."),
    "NotATrustRoot": Text(
        "The certificate doesn't exist, or its tags don't mark it as a trust root.",
        "Name another certificate, or set the tags that the message names.",
    ),
    "SameGeneration": Text(
        "Two enabled roots of a trust domain have the same generation.", "Disable the one that isn't the current root."
    ),
    "TrustDomainsAlike": Text(
        "The names of two trust domains differ only in punctuation, so their roots would have the same names.",
        "Rename one, or keep its roots in another key vault.",
    ),
    "ForeignVault": Text(
        "The event comes from a key vault that isn't the configured one.",
        "Correct the event subscription, or the setting `MESHWARD_KEY_VAULT_URL`.",
    ),
    "UnknownMode": Text(
        "The call names a mode that doesn't exist.", "Use one that the message lists, or leave it out."
    ),
    "RotationEnded": Text("The rotation has ended, so it can't be resumed or aborted.", "Nothing."),
    "NotAbortable": Text(
        "The rotation is past the last phase in which it can be aborted.", "Let it finish, and rotate again afterwards."
    ),
    "NothingToHurry": Text(
        "The root is being replaced, which waits for no leaf certificate and no maintenance window.", "Nothing."
    ),
    "NothingToReplace": Text(
        "The new root is already distributed, and the rotation is already swift.",
        "Find out what holds the rotation, and repair that.",
    ),
    "Proven": Text("The cluster has passed the gate.", "Nothing."),
}
