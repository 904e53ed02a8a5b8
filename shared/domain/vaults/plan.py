"""What would be done to protect a cluster: the differences between what is planned and what is found, as data.

Rules:
- Event, sweep and HTTP get the same plan. It is empty for a cluster that is protected as planned.
- Its hash covers the protection and every difference, no time and nothing that Azure made up: a plan whose world has
  changed since has another hash, and isn't applied.
- What can neither be taken over nor corrected is no difference: the plan is refused, with the reason.
- A data source that can't be taken stands in the plan as refused, with the reason. It holds up nothing else: the run
  does the rest and fails with the reason.
- What the plan would bring about has no source that is refused, unless a vault protects it already. No role is needed
  on what is refused, whether it is protected or not.
- Without a data source that it protects there is no Recovery Services vault.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from shared.domain.errors import Conflict
from shared.domain.resource_id import name_of, same
from shared.domain.vaults.findings import FoundInstance, require_unclaimed, require_undeleted
from shared.domain.vaults.parts import VAULTS, Change, planned_parts
from shared.domain.vaults.protection import Grant, Protection, grants, source_grants
from shared.domain.vaults.source import FoundItem, SourceCandidate
from shared.domain.vaults.sources import DataSource, refusal


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What is there of a protection."""

    parts: Mapping[str, Any] = {}  # what was found of each of the planned parts, None of what isn't there
    holders: tuple[FoundInstance, ...] = ()  # backup instances of the cluster, in any vault
    deleted: tuple[FoundItem, ...] = ()  # deleted backup instances that the Backup vault still keeps
    items: tuple[FoundItem, ...] = ()  # what the vaults of the data sources protect
    candidates: Mapping[str, SourceCandidate] = {}  # by label: the data sources outside of the vault
    granted: tuple[str, ...] = ()  # names of the grants that are made

    @property
    def needs_cluster(self) -> bool:
        """Whether the cluster has to run for what is missing."""
        protected = any(not holder.in_error for holder in self.holders)
        return not (protected and self.parts["extension"] and self.parts["trusted_access"])

    def principal(self, part: str) -> str:
        """The object id of a part's identity; empty where it has none, or none yet."""
        return getattr(self.parts.get(part), "principal", "")

    def item(self, source: DataSource) -> FoundItem | None:
        """What its vault has of it."""
        return next((item for item in self.items if source.protected_by(item)), None)


class ProtectionPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What it takes to protect a cluster."""

    protection: Protection  # what the plan would bring about
    changes: tuple[Change, ...]  # of the cluster itself
    source_changes: tuple[Change, ...]  # of what it names besides
    sources: tuple[DataSource, ...]  # those that are to be protected, or to go by another policy
    granted: tuple[str, ...]  # names of the grants that are made
    instance: bool  # whether there is a backup instance
    redundancy: str  # of the Backup vault, if there is one
    in_error: bool = False  # whether Azure has failed to protect the backup instance
    standing: FoundInstance | None = None  # the backup instance, if the cluster is protected as planned

    @property
    def differences(self) -> tuple[Change, ...]:
        """What would change."""
        return (*self.changes, *self.source_changes)

    @property
    def refused(self) -> tuple[str, ...]:
        """The data sources that can't be taken, a line each."""
        return tuple(change.line for change in self.source_changes if change.act == "refuse")

    @property
    def accepted(self) -> list[DataSource]:
        """The data sources that it protects, and may do so: roles are for them alone."""
        refused = {change.what for change in self.source_changes if change.act == "refuse"}
        return [source for source in self.protection.sources if source.label not in refused]

    @property
    def hash(self) -> str:
        """SHA-256 of what is planned and what would change, the same in whatever case Azure writes the ids in it."""
        encoded = msgspec.json.encode([self.protection, self.differences], order="deterministic")
        return hashlib.sha256(encoded.lower()).hexdigest()

    @property
    def lines(self) -> tuple[str, ...]:
        """The changes, a line each."""
        return tuple(change.line for change in self.differences)


def plan_of(protection: Protection, seen: Seen) -> ProtectionPlan:
    """The plan; raises PermanentError for what can neither be taken over nor corrected."""
    instance = require_unclaimed(protection, seen.holders)
    require_undeleted(protection, seen.deleted)
    needed = grants(protection, seen.principal("backup_vault"), seen.principal("extension"))
    sources = {source: change for source in protection.sources if (change := _source(protection, seen, source))}
    refused = {source for source, change in sources.items() if change.act == "refuse"}
    accepted = [source for source in protection.sources if source not in refused]
    protection = _with_sources(protection, [*accepted, *filter(seen.item, refused)])
    principals = {service: seen.principal(part) for service, part in VAULTS.items()}
    needed_by_sources = [g for service, vault in principals.items() for g in source_grants(service, accepted, vault)]
    changes = (*_parts(protection, seen), *_instance(protection, instance), *_roles(needed, seen))
    return ProtectionPlan(
        protection=protection,
        changes=changes,
        source_changes=(
            *_parts(protection, seen, of_sources=True),
            *sources.values(),
            *_roles(needed_by_sources, seen),
        ),
        sources=tuple(source for source in sources if source not in refused),
        granted=seen.granted,
        instance=instance is not None,
        in_error=instance is not None and instance.in_error,
        redundancy=vault.redundancy if (vault := seen.parts.get("backup_vault")) else "",
        standing=instance if instance and instance.configured and not changes else None,
    )


def require_agreed(plan: ProtectionPlan, expected: str) -> ProtectionPlan:
    """The plan, if it is the one that was agreed on by its hash (empty: none was)."""
    if expected and expected != plan.hash:
        raise Conflict(
            "PlanChanged",
            f"the plan for cluster {plan.protection.cluster} has changed; its hash is now {plan.hash}; look again",
        )
    return plan


def lacking(plan: ProtectionPlan, grants: Iterable[Grant]) -> list[Grant]:
    """Those of the grants that are still to be made."""
    return [grant for grant in grants if grant.name not in plan.granted]


def _with_sources(protection: Protection, sources: Iterable[DataSource]) -> Protection:
    """The protection with those of its data sources, in its order."""
    kept = set(sources)
    return msgspec.structs.replace(protection, sources=tuple(s for s in protection.sources if s in kept))


def _parts(protection: Protection, seen: Seen, *, of_sources: bool = False) -> Iterator[Change]:
    for name, part in planned_parts(protection).items():
        if part.of_sources is of_sources:
            yield from part.changes(protection, seen.parts.get(name))


def _instance(protection: Protection, instance: FoundInstance | None) -> Iterator[Change]:
    policy, what = protection.terms.backup_policy, f"backup instance {protection.instance}"
    if instance is None:
        yield Change(act="create", what=f"{what}, by policy {policy}")
    elif instance.movable and not same(instance.policy, protection.policy_id):
        yield Change(act="move", what=f"{what} to policy {policy}", why=f"its policy is {name_of(instance.policy)}")
    elif instance.in_error:
        yield Change(act="sync", what=what, why=f"it is in {instance.protection}")


def _source(protection: Protection, seen: Seen, source: DataSource) -> Change | None:
    policy, item = source.policy(protection.terms), seen.item(source)
    candidate, vault = seen.candidates.get(source.label), protection.vault_id(source.service)
    if why := refusal(source, item, candidate, vault, protection.location, protection.terms):
        return Change(act="refuse", what=source.label, why=why)
    if item is None:
        return Change(act="protect", what=f"{source.label} by policy {policy}", why="it isn't protected")
    if not same(item.policy, protection.source_policy_id(source)):
        why = f"its policy is {name_of(item.policy)}"
        return Change(act="move", what=f"{source.label} to policy {policy}", why=why)
    return None


def _roles(needed: Iterable[Grant], seen: Seen) -> Iterator[Change]:
    for grant in needed:
        if grant.name not in seen.granted:
            yield Change(act="grant", what=f"role {grant.role} on {grant.scope}", why="its identity lacks it")
