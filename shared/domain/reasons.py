"""Every reason that Meshward gives, by what follows from it. No error can be raised with a word that isn't here.

Rules:
- A reason never changes its name: dashboards, alerts and stored records hold it.
- What each means and what to do about it stands in `local/reasons`, from which `make docs` writes docs/reasons.md.
- A code of Azure or of an API server isn't ours: it is a `ServiceCode`, which `service_code` of `errors` makes.
"""

from typing import Literal, NewType

# Trying again won't help: a flow ends, a rotation is on hold, a call is answered with 400.
type RefusedReason = Literal[
    "AlreadyRotated",
    "AnswerUnreadable",
    "ApiServerElsewhere",
    "BadIssuer",
    "BadPolicy",
    "BadTag",
    "BundleDrift",
    "CaConfigurationRefused",
    "ClockSkewed",
    "ClusterStopped",
    "ConfigEntryRefused",
    "ConsentUnknown",
    "DeadlinePassed",
    "DisksNotRecognised",
    "DraftDisabled",
    "ExtensionElsewhere",
    "ForeignBundle",
    "ForeignIssuer",
    "ForeignRoot",
    "GroupNotOurs",
    "GuardedByAnother",
    "InstanceSoftDeleted",
    "IssuerDrift",
    "IssuerKeyMismatch",
    "IssuerNotValid",
    "ItemNotFound",
    "JobNotProven",
    "KeyUnusable",
    "KindNotServed",
    "LinkedClusterNotMember",
    "LoginRefused",
    "MalformedBody",
    "MalformedQuery",
    "MemberStopped",
    "MemberVanished",
    "MissingPermissions",
    "NameSoftDeleted",
    "NoBundle",
    "NoIssuer",
    "NoManagedIdentity",
    "NoMembers",
    "NoMesh",
    "NoScratchGroup",
    "NoStagingAccount",
    "NoSuchPoint",
    "NoTokenIssuer",
    "NoTrustDomain",
    "NoUsablePoint",
    "NotACluster",
    "NotAName",
    "NotAResourceId",
    "NotAdmitted",
    "NotAnAccount",
    "NotConsented",
    "NotEnforced",
    "NotExternalCA",
    "NotIsolated",
    "NotOptedIn",
    "NotProtected",
    "NotSubscribed",
    "NothingProtected",
    "NothingToCompare",
    "NothingToVerify",
    "OperationUnnamed",
    "PolicyElsewhere",
    "OtherTrustDomain",
    "OutsideFleet",
    "OwnedByOther",
    "PlaceTaken",
    "PoliciesMissing",
    "ProofLost",
    "ProtectedElsewhere",
    "ProvidersUnregistered",
    "ProvisioningFailed",
    "QuotaReached",
    "RestoreNotPossible",
    "RestoreRefused",
    "RootExpired",
    "RootNotAdmitted",
    "RootRequestFailed",
    "SameGeneration",
    "ScratchElsewhere",
    "ScratchShared",
    "SignerNotTrusted",
    "SettingUnknown",
    "StagingElsewhere",
    "StagingNotEmpty",
    "StagingZoneRedundant",
    "StepBroken",
    "TurnOver",
    "UnknownDatasource",
    "UnknownMode",
    "UnsupportedLinkerd",
    "VaultNotOurs",
    "VaultTooWeak",
    "VolumesFree",
    "VolumesRefused",
    "WithoutEffect",
    "WrongKey",
]

# The event starts nothing and ends among the dead letters; a call that asks for the same is answered with 400.
type DeclinedReason = Literal[
    "ForeignSubscription",
    "ForeignVault",
    "MalformedEvent",
    "NoSuchCluster",
    "NotABackupJob",
    "NotAProtectedItem",
    "NotATrustRoot",
    "NotOurs",
    "NothingToVerify",
    "UnknownEventType",
]

# A call is answered with 404.
type NotFoundReason = Literal[
    "ClusterGone",
    "DocumentAbsent",
    "JobGone",
    "MachineGone",
    "NoCensus",
    "NoSuchInstance",
    "NoSuchRoot",
    "NoSuchMember",
    "NothingToRelease",
]

# A call is answered with 409.
type ConflictReason = Literal[
    "ClusterIsThere",
    "CreatedAgain",
    "GenerationUsed",
    "LastMember",
    "NotAbortable",
    "NotConfirmed",
    "NotProven",
    "NothingToHurry",
    "NothingToReplace",
    "OldRootEnding",
    "PlanChanged",
    "RootAdmitted",
    "RotationEnded",
]

# The app's own settings or store are at fault: a call is answered with 500, a flow ends.
type FaultReason = Literal["DocumentBroken", "SettingInvalid", "SettingsMissing"]

# A call is answered with 401.
type CallerReason = Literal[
    "BadToken",
    "Expired",
    "NoLifetime",
    "NoObjectId",
    "NoToken",
    "NotYetValid",
    "WrongAudience",
    "WrongIssuer",
]

# The step is tried again until its deadline; a call is answered with 503.
type WaitingReason = Literal[
    "ApiServerUntrusted",
    "Asked",
    "BundleChanged",
    "BundleWritten",
    "CaBusy",
    "CaConfigurationChanged",
    "Calling",
    "CannotSign",
    "ConfigEntryChanged",
    "Deleting",
    "EntryChanged",
    "EventLost",
    "Forbidden",
    "Hardening",
    "HistoryTaken",
    "IssuerChanged",
    "IssuerNotReloaded",
    "IssuerWritten",
    "KeysUnreachable",
    "LeavesNotRenewed",
    "LedgerUnavailable",
    "MembershipTaken",
    "NoBackupNamespace",
    "NoIdentity",
    "NoKubeconfig",
    "NoLeader",
    "NoToken",
    "NotGone",
    "NotReady",
    "NotSettled",
    "NothingSeen",
    "PagesRepeat",
    "PlaceRemade",
    "PointNotListed",
    "PolicyNotAccepted",
    "ProvingIsolation",
    "Provisioning",
    "ProxiesLackRoots",
    "ReadTaken",
    "ReadsSpent",
    "RestoreAccepted",
    "RestoreRunning",
    "RestoreSent",
    "RestoreValidating",
    "RollingOut",
    "RootUnderWay",
    "ScratchBusy",
    "ShareNotFound",
    "SoftDeleted",
    "StagingTaken",
    "StateUnknown",
    "UnderWay",
    "Unreachable",
    "VaultUnclear",
    "WindowClosed",
]

# Why something is as it is, in a plan, a result or the census; nothing stops for it.
type InformingReason = Literal[
    "Asked",
    "Drawn",
    "HalfLived",
    "NeverVerified",
    "NotAskedFor",
    "NotDrawn",
    "NotDue",
    "NotStarted",
    "Overdue",
    "PolicyChanged",
    "ProtectionFailed",
    "ProtectionLost",
    "Proven",
    "RootExpired",
    "RootExpiring",
    "StateUnknown",
    "UnderWay",
]

ServiceCode = NewType("ServiceCode", str)
type Reason = (
    RefusedReason
    | DeclinedReason
    | NotFoundReason
    | ConflictReason
    | FaultReason
    | CallerReason
    | WaitingReason
    | InformingReason
    | ServiceCode
)
