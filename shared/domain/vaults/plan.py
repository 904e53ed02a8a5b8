"""What would be done to protect a cluster: the differences between what is wanted and what is found, as data.

Rules:
- The plan is the same, whoever asks for it: event, sweep, HTTP. It is empty for a cluster that is protected as wanted.
- Its hash covers what is wanted and every difference, no time and nothing that Azure made up: a plan whose world has
  changed since has another hash, and isn't applied.
- What can neither be taken over nor mended is no difference: it refuses the plan, with the reason.
"""

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import suppress

import msgspec

from shared.domain.errors import Conflict, NotConverged
from shared.domain.resource_id import name_of, same
from shared.domain.vaults.change import Change
from shared.domain.vaults.findings import (
    CONFIGURED,
    Found,
    FoundAccount,
    FoundExtension,
    FoundInstance,
    FoundVault,
    SoftDeleted,
    installed,
    strong,
    unclaimed,
    undeleted,
    unguarded,
    weaknesses,
)
from shared.domain.vaults.protection import Grant, Protection, grants
from shared.domain.vaults.volume_plan import SeenVolumes, VolumePlan, volume_plan


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What is there of a protection; None is what isn't.

    `holders` are backup instances of the cluster in any vault, `granted` the names of grants that are made, `deleted`
    what the vault keeps of deleted instances, `guard` the Resource Guard (resource id) that watches over the vault.
    """

    holders: tuple[FoundInstance, ...] = ()
    vault: FoundVault | None = None
    account: FoundAccount | None = None
    extension: FoundExtension | None = None
    access: Found | None = None
    granted: tuple[str, ...] = ()
    volumes: SeenVolumes = SeenVolumes()
    deleted: tuple[SoftDeleted, ...] = ()
    guard: str = ""
    endpoint: Found | None = None

    @property
    def principals(self) -> tuple[str, str]:
        """The object ids of the vault's and the extension's identity; empty where there is none yet."""
        return (self.vault.principal if self.vault else ""), (self.extension.principal if self.extension else "")


class ProtectionPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What it takes to protect a cluster.

    `granted` are the names of grants that are made, `instance` whether there is a backup instance, `redundancy` that of
    the vault, if there is one. `standing` is the backup instance of a cluster that is protected as wanted. `changes`
    are those of the cluster itself, `volumes` those of what it names besides.
    """

    protection: Protection
    changes: tuple[Change, ...]
    granted: tuple[str, ...]
    instance: bool
    redundancy: str
    standing: FoundInstance | None = None
    volumes: VolumePlan = VolumePlan()

    @property
    def differences(self) -> tuple[Change, ...]:
        """What would change, the volumes included."""
        return (*self.changes, *self.volumes.changes)

    @property
    def hash(self) -> str:
        """SHA-256 of what is wanted and what would change, the same in whatever case Azure writes the ids in it."""
        told = msgspec.json.encode([self.protection, self.differences], order="deterministic")
        return hashlib.sha256(told.lower()).hexdigest()

    @property
    def lines(self) -> tuple[str, ...]:
        """The changes, a line each."""
        return tuple(change.line for change in self.differences)


def plan_of(protection: Protection, seen: Seen) -> ProtectionPlan:
    """The plan; raises PermanentError for what can neither be taken over nor mended."""
    instance = unclaimed(protection, seen.holders)
    undeleted(protection, seen.deleted)
    with suppress(NotConverged):
        strong(protection.bar, seen.vault)
    with suppress(NotConverged):
        installed(protection, seen.extension)
    with suppress(NotConverged):
        strong(protection.recovery_bar, seen.volumes.vault)
    configured = instance is not None and instance.protection == CONFIGURED
    changes = (
        *_storage(protection, seen),
        *_vault(protection, seen),
        *_backup(protection, instance),
        *_rights(protection, seen),
    )
    return ProtectionPlan(
        protection=protection,
        changes=changes,
        granted=seen.granted,
        instance=instance is not None,
        redundancy=seen.vault.redundancy if seen.vault else "",
        standing=instance if configured and not changes else None,
        volumes=volume_plan(protection, seen.volumes, seen.granted),
    )


def agreed(plan: ProtectionPlan, expected: str) -> ProtectionPlan:
    """The plan, if it is the one that was agreed on by its hash (empty: none was)."""
    if expected and expected != plan.hash:
        raise Conflict(
            "PlanChanged",
            f"the plan for cluster {plan.protection.cluster} is {plan.hash} by now; look at it and call again",
        )
    return plan


def lacking(plan: ProtectionPlan, grants: Iterable[Grant]) -> list[Grant]:
    """Those of the grants that are still to be made."""
    return [grant for grant in grants if grant.name not in plan.granted]


def _storage(protection: Protection, seen: Seen) -> Iterator[Change]:
    if seen.account is None:
        yield Change(act="create", what=f"storage account {protection.account}")
    elif seen.account.lax:
        yield Change(
            act="close", what=f"storage account {protection.account}", why="it is open to more than Entra over TLS"
        )
    if protection.terms.subnet and seen.endpoint is None:
        yield Change(act="create", what=f"private endpoint of storage account {protection.account}")
    if seen.extension is None:
        yield Change(act="install", what=f"the backup extension of cluster {protection.cluster}")


def _vault(protection: Protection, seen: Seen) -> Iterator[Change]:
    if seen.vault is None:
        yield Change(act="create", what=protection.bar.what)
    elif weak := weaknesses(protection.bar, seen.vault):
        yield Change(act="harden", what=protection.bar.what, why="; ".join(weak))
    if unguarded(protection.bar, seen.guard):
        yield Change(act="guard", what=protection.bar.what, why="no Resource Guard watches over it")


def _backup(protection: Protection, instance: FoundInstance | None) -> Iterator[Change]:
    policy = protection.terms.backup_policy
    if instance is None:
        yield Change(act="create", what=f"backup instance {protection.instance}, by policy {policy}")
    elif not same(instance.policy, protection.policy_id):
        why = f"it goes by {name_of(instance.policy)}"
        yield Change(act="move", what=f"backup instance {protection.instance} to policy {policy}", why=why)


def _rights(protection: Protection, seen: Seen) -> Iterator[Change]:
    if seen.access is None:
        yield Change(act="grant", what=f"trusted access to cluster {protection.cluster}")
    for grant in grants(protection, *seen.principals):
        if grant.name not in seen.granted:
            yield Change(act="grant", what=f"role {grant.role} on {grant.scope}", why="its identity lacks it")
