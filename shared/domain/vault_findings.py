"""What is found of a cluster's protection, and whether it will do.

Rules:
- What was asked for counts when it is seen: None (not there) and every state but Succeeded mean "come back later".
- Failed ends the flow, with the service's own words.
- What is found weaker than wanted ends the flow too. It is never accepted and never loosened; stronger will do.
"""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from shared.domain.errors import NotConverged, PermanentError
from shared.domain.vault import Protection

RETENTION_DAYS = 14
_SOFT_DELETE = ("Off", "On", "AlwaysOn")
_IMMUTABILITY = ("Disabled", "Unlocked", "Locked")
_REDUNDANCY = ("LocallyRedundant", "ZoneRedundant", "GeoRedundant")
_ENDED = {"failed", "canceled", "deleting", "deleted"}


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A resource with its provisioning state; `words` is what the service says about a failure."""

    state: str
    words: str = ""


class FoundVault(Found, frozen=True, kw_only=True):
    """A Backup vault; empty where the service doesn't say. `principal` is its identity's object id."""

    principal: str
    soft_delete: str
    soft_delete_days: float
    immutability: str
    redundancy: str


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


class FoundInstance(Found, frozen=True, kw_only=True):
    """A backup instance; `protection` is Azure Backup's protection state."""

    protection: str


class FoundOperation(Found, frozen=True, kw_only=True):
    """A long-running operation of Azure Backup; `code` names the error of a failed one."""

    code: str = ""


class Unclaimed(msgspec.Struct, frozen=True, kw_only=True):
    """A cluster that no vault but ours holds."""

    cluster_id: str


class Validation(msgspec.Struct, frozen=True, kw_only=True):
    """A validation under way, and the protection that it validates; without an operation it has nothing to find."""

    wanted: Protection
    operation: str = ""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """How a validation ended: clean without a code."""

    code: str = ""
    message: str = ""


class Protected(msgspec.Struct, frozen=True, kw_only=True):
    """A cluster that is protected; `seen_at` in UTC."""

    cluster_id: str
    vault_id: str
    instance_id: str
    protection: str
    seen_at: datetime


def settled[F: Found](what: str, found: F | None) -> F:
    """What was found, once it is there to stay."""
    if found is None:
        raise NotConverged("Asked", f"{what} was asked for")
    if found.state.lower() in _ENDED:
        raise PermanentError(
            "ProvisioningFailed",
            f"{what} is {found.state}: {found.words or 'no reason given'}; remove it and start again",
        )
    if found.state.lower() != "succeeded":
        raise NotConverged("Provisioning", f"{what} is {found.state}")
    return found


def strong(name: str, found: FoundVault | None) -> FoundVault:
    """The vault, once it is there; raises PermanentError that names every setting that is weaker than wanted."""
    vault = settled(f"Backup vault {name}", found)
    weak = [] if vault.principal else ["it has no system-assigned identity"]
    if _rank(_SOFT_DELETE, vault.soft_delete) < _SOFT_DELETE.index("On"):
        weak.append(f"soft delete is {vault.soft_delete or 'unknown'}, not On")
    elif vault.soft_delete_days < RETENTION_DAYS:
        weak.append(f"soft delete keeps {vault.soft_delete_days:.0f} days, not {RETENTION_DAYS}")
    if _rank(_IMMUTABILITY, vault.immutability) < _IMMUTABILITY.index("Unlocked"):
        weak.append(f"immutability is {vault.immutability or 'unknown'}, not Unlocked")
    if _rank(_REDUNDANCY, vault.redundancy) < _REDUNDANCY.index("GeoRedundant"):
        weak.append(f"redundancy is {vault.redundancy or 'unknown'}, not GeoRedundant")
    if weak:
        raise PermanentError("VaultTooWeak", f"Backup vault {name}: {'; '.join(weak)}; set it right and start again")
    return vault


def installed(wanted: Protection, found: FoundExtension | None) -> FoundExtension:
    """The extension, once it is there; raises PermanentError if it stores elsewhere: it may belong to somebody."""
    if found is not None and found.account.lower() != wanted.account:
        raise PermanentError(
            "ExtensionElsewhere",
            f"the backup extension of cluster {wanted.cluster} stores backups in account {found.account or '?'}, "
            f"not in {wanted.account}; remove the extension if nobody needs it and start again",
        )
    extension = settled(f"the backup extension of cluster {wanted.cluster}", found)
    if not extension.principal:
        raise NotConverged("NoIdentity", f"the backup extension of cluster {wanted.cluster} has no identity yet")
    return extension


def unclaimed(wanted: Protection, holders: Sequence[str]) -> Unclaimed:
    """Raise PermanentError if a vault (by id) other than ours holds an instance of the cluster."""
    others = [vault for vault in holders if vault.lower() != wanted.vault_id.lower()]
    if others:
        raise PermanentError(
            "ProtectedElsewhere",
            f"cluster {wanted.cluster} is protected in {', '.join(others)}; a cluster belongs to one vault: "
            "stop that protection, or remove the tag meshward:protect from the cluster",
        )
    return Unclaimed(cluster_id=wanted.cluster_id)


def concluded(wanted: Protection, found: FoundOperation) -> Finding:
    """What the validation found, once it has ended: its error counts only if it failed."""
    state = found.state.lower()
    if state == "succeeded":
        return Finding()
    if state not in _ENDED:
        raise NotConverged("Validating", f"the backup of cluster {wanted.cluster} is being validated")
    return Finding(code=found.code or found.state, message=found.words)


def protected(wanted: Protection, found: FoundInstance | None, now: datetime) -> Protected:
    """The cluster's protection, once Azure Backup calls it configured."""
    instance = settled(f"backup instance {wanted.instance}", found)
    if instance.protection == "ConfiguringProtection":
        raise NotConverged("ConfiguringProtection", f"cluster {wanted.cluster} is being protected")
    if instance.protection != "ProtectionConfigured":
        raise PermanentError(
            instance.protection or "NotProtected",
            f"cluster {wanted.cluster} isn't protected: {instance.words or 'no reason given'}",
        )
    return Protected(
        cluster_id=wanted.cluster_id,
        vault_id=wanted.vault_id,
        instance_id=wanted.instance_id,
        protection=instance.protection,
        seen_at=now,
    )


def _rank(order: tuple[str, ...], value: str) -> int:
    """How strong the value is; one that isn't known is weaker than all."""
    return order.index(value) if value in order else -1
