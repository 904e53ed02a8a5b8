"""Azure's words for states, and what each of them means.

Rules:
- Words are compared without case: services differ in it, and so do versions of one.
- A word that isn't listed is neither good nor bad, and nothing is written or deleted because of it. Who meets it says
  so: with the reason `StateUnknown`, where a state is waited for, until the deadline of its step.
- Listed are words that were recorded, or that Azure's SDKs and specifications name.
"""

from typing import Literal

from shared.domain.errors import NotConverged, shown

type Meaning = Literal["good", "bad", "pending", "unknown"]


class States:
    """The words of one kind of state."""

    def __init__(self, *, good: str, bad: str, pending: str = "") -> None:
        listed: dict[Meaning, str] = {"good": good, "bad": bad, "pending": pending}
        self._meanings = {word.lower(): meaning for meaning, words in listed.items() for word in words.split()}

    def meaning(self, word: str) -> Meaning:
        """What the word means."""
        return self._meanings.get(word.lower(), "unknown")

    def require_known(self, label: str, word: str) -> Meaning:
        """What the word means; raises NotConverged "StateUnknown" for one that isn't known."""
        meaning = self.meaning(word)
        if meaning == "unknown":
            raise NotConverged("StateUnknown", unknown_state(label, word))
        return meaning


def unknown_state(label: str, word: str) -> str:
    """What is said of a state that isn't known."""
    return f"{label} is {shown(word) or 'in no state'}, which is no state that Meshward knows"


PROVISIONING = States(
    good="Succeeded",
    bad="Failed Canceled Cancelled Deleting Deleted",
    pending="Accepted Creating InProgress Pending Provisioning Registering RegisteringDns ResolvingDNS Running "
    "Updating",
)
OPERATION = States(
    good="Succeeded",
    bad="Failed Canceled Cancelled PartiallySucceeded PartiallyFailed",
    pending="Accepted Cancelling InProgress NotStarted Pending Provisioning Running Updating",
)
JOB = States(
    good="Completed CompletedWithWarnings",
    bad="Failed Canceled Cancelled",
    pending="InProgress Cancelling NotStarted Paused",
)
INSTANCE = States(  # how a Backup vault protects what it holds
    good="ProtectionConfigured",
    bad="BackupSchedulesSuspended BackupsSuspended ConfiguringProtectionFailed NotProtected ProtectionError "
    "ProtectionStopped RetentionSchedulesSuspended SoftDeleted",
    pending="ConfiguringProtection SoftDeleting UpdatingProtection",
)
ITEM = States(  # how a Recovery Services vault does; IRPending lasts long after the first backup
    good="IRPending Protected",
    bad="BackupsSuspended NotProtected ProtectionError ProtectionPaused ProtectionStopped",
)
REGISTRATION = States(  # of a storage account with a vault
    good="Registered", bad="NotRegistered RegistrationFailed SoftDeleted", pending="Registering Unregistering"
)
# Of a recovery point. Those of machines were recorded with 0, the words are the SDK's. Two of them aren't listed:
# Unknown and NotAvailable say that nothing is known.
THREAT = States(good="0 Healthy", bad="UnHealthy Warning")
