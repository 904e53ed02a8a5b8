"""What is found of a cluster's protection, and whether it is there to stay.

Rules:
- What was asked for counts when it is seen: None (not there) and every state but Succeeded mean "come back later".
- Failed ends the flow, with the service's own message.
"""

from collections.abc import Sequence

import msgspec

from shared.domain.errors import NotConverged, PermanentError, service_code, shown
from shared.domain.resource_id import same
from shared.domain.restores.verification import vault_in
from shared.domain.states import INSTANCE, PROVISIONING, unknown_state
from shared.domain.vaults.protection import Protection
from shared.domain.vaults.source import FoundItem, VaultService


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A resource with its provisioning state; `message` is what the service says about a failure."""

    state: str
    message: str = ""


class FoundGroup(Found, frozen=True, kw_only=True):
    """A resource group; `mark` is the tag that only what Meshward has made bears."""

    mark: str = ""


class FoundVault(Found, frozen=True, kw_only=True):
    """A vault, in the words of Backup vaults; empty where the service doesn't say."""

    principal: str  # object id of its identity
    soft_delete: str  # On, Off or AlwaysOn
    soft_delete_days: float  # how long what is deleted can be brought back
    immutability: str  # Disabled, Unlocked or Locked
    redundancy: str  # LocallyRedundant, ZoneRedundant or GeoRedundant
    immutable_days: int = 0  # for how long backups are immutable; 0: as the backup policies say
    public: bool | None = False  # to public networks, as far as its kind can be closed; None: by an unknown word
    cluster: str = ""  # <resource group>/<cluster>, by its tag
    guard: str = ""  # the Resource Guard (resource id) that watches over it; only read if the policy document names one


class FoundAccount(Found, frozen=True, kw_only=True):
    """A storage account, and whether it refuses shared keys, public blobs, plain HTTP and old TLS."""

    closed: bool
    blob_url: str

    @property
    def lax(self) -> bool:
        """Whether it stands open and must be closed."""
        return self.state == "Succeeded" and not self.closed


class FoundExtension(Found, frozen=True, kw_only=True):
    """The backup extension; `account` is where it stores backups, `principal` its identity's object id."""

    principal: str
    account: str
    name: str = ""


class FoundInstance(Found, frozen=True, kw_only=True):
    """A backup instance; `protection` is Azure Backup's protection state, `policy` the id of its backup policy."""

    id: str
    protection: str
    policy: str

    @property
    def configured(self) -> bool:
        return INSTANCE.meaning(self.protection) == "good"

    @property
    def changing(self) -> bool:
        """Whether Azure is at work on it: until it is done, it may show the policy that it went by before."""
        return "pending" in (INSTANCE.meaning(self.protection), PROVISIONING.meaning(self.state))

    @property
    def in_error(self) -> bool:
        """Whether Azure has failed to protect it. It tries again only when it is asked to."""
        return not self.changing and same(self.protection, "ProtectionError")

    @property
    def movable(self) -> bool:
        """Whether another policy may be asked for: only of what is configured, and nobody is at work on."""
        return self.configured and not self.changing


class FoundIdentity(Found, frozen=True, kw_only=True):
    """A user-assigned identity, by its object id and its client id."""

    principal: str
    client: str


class Validation(msgspec.Struct, frozen=True, kw_only=True):
    """A validation or a sync under way, and what it is of; without an operation it has nothing to find."""

    protection: Protection
    operation: str = ""


class Protected(msgspec.Struct, frozen=True, kw_only=True):
    """A cluster that is protected."""

    cluster_id: str  # resource id
    vault_id: str  # resource id of the Backup vault
    instance_id: str  # resource id of the backup instance
    protection: str  # Azure Backup's protection state
    redundancy: str  # of the Backup vault
    changes: tuple[str, ...]  # what the run changed, a line each
    volumes: tuple[str, ...] = ()  # labels of the data sources that are protected with it


def require_settled[F: Found](label: str, found: F | None) -> F:
    """What was found, once it is there to stay."""
    if found is None:
        raise NotConverged("Asked", f"{label} was requested")
    meaning = PROVISIONING.require_known(label, found.state)
    if meaning == "bad":
        raise PermanentError(
            "ProvisioningFailed",
            f"{label} is {found.state}: {found.message or 'no reason given'}; remove it and start again",
        )
    if meaning == "pending":
        raise NotConverged("Provisioning", f"{label} is {found.state}")
    return found


def require_installed(protection: Protection, found: FoundExtension | None) -> FoundExtension:
    """The extension, once it is there; raises PermanentError if it failed or stores elsewhere: somebody may need it."""
    if found is not None and found.account.lower() != protection.account:
        raise PermanentError(
            "ExtensionElsewhere",
            f"the backup extension {shown(found.name)} of cluster {protection.cluster} stores backups in account "
            f"{shown(found.account) or '?'}, not in {protection.account}; remove it if nobody needs it and start again",
        )
    extension = require_settled(f"the backup extension of cluster {protection.cluster}", found)
    if not extension.principal:
        raise NotConverged("NoIdentity", f"the backup extension of cluster {protection.cluster} has no identity yet")
    return extension


def require_unclaimed(protection: Protection, holders: Sequence[FoundInstance]) -> FoundInstance | None:
    """Our own instance of the cluster, if it is there; raises PermanentError if another vault holds the cluster."""
    others = [str(vault_in(h.id) or shown(h.id)) for h in holders if not _is_own(protection, h)]
    if others:
        raise PermanentError(
            "ProtectedElsewhere",
            f"cluster {protection.cluster} is protected in {', '.join(others)}; a cluster belongs to one vault: "
            "stop that protection, or remove the tag meshward:protect from the cluster",
        )
    return next(iter(holders), None)


def require_undeleted(protection: Protection, deleted: Sequence[FoundItem]) -> None:
    """Raise PermanentError if somebody has deleted our instance: while it can be brought back, it keeps its name."""
    own = next((d for d in deleted if same(d.name, protection.instance)), None)
    if own:
        vault = protection.requirements(VaultService.BACKUP).label
        raise PermanentError(
            "InstanceSoftDeleted",
            f"the backup of cluster {protection.cluster} was deleted and {vault} keeps it until {own.day}; "
            "undelete it (az dataprotection backup-instance deleted-backup-instance undelete), or wait until then",
        )


def _is_own(protection: Protection, holder: FoundInstance) -> bool:
    return same(holder.id, protection.instance_id)


def require_protected(protection: Protection, found: FoundInstance | None) -> FoundInstance:
    """The cluster's backup instance, once Azure Backup calls its protection configured."""
    instance = require_settled(f"backup instance {protection.instance}", found)
    if instance.changing:
        raise NotConverged(service_code(instance.protection), f"cluster {protection.cluster} is being protected")
    if instance.protection and INSTANCE.meaning(instance.protection) == "unknown":
        raise NotConverged(
            "StateUnknown", unknown_state(f"the protection of {protection.cluster}", instance.protection)
        )
    if not instance.configured:
        raise PermanentError(
            service_code(instance.protection) if instance.protection else "NotProtected",
            f"cluster {protection.cluster} isn't protected: {instance.message or 'no reason given'}",
        )
    return instance
