"""What would be done to protect the volumes that a cluster names: the differences, as data.

Rules:
- It is part of the plan of the cluster's protection and under the same hash.
- A volume that can't be taken stands in the plan as refused, with the reason. It holds up nothing else: the run does
  the rest and fails with the reason.
- Without a volume there is no Recovery Services vault.
"""

from collections.abc import Iterator

import msgspec

from shared.domain.resource_id import name_of, same
from shared.domain.vaults.change import Change
from shared.domain.vaults.findings import FoundVault, unguarded, weaknesses
from shared.domain.vaults.protection import Protection, share_grants
from shared.domain.vaults.volumes import DataSource, FoundItem, SourceCandidate, refusal, source_policy


class SeenVolumes(msgspec.Struct, frozen=True, kw_only=True):
    """The Recovery Services vault with what it protects, and what is named and it doesn't."""

    vault: FoundVault | None = None
    items: tuple[FoundItem, ...] = ()
    candidates: tuple[SourceCandidate, ...] = ()
    guard: str = ""

    @property
    def principal(self) -> str:
        """The object id of the vault's identity, empty where there is none yet."""
        return self.vault.principal if self.vault else ""

    def item(self, source: DataSource) -> FoundItem | None:
        return next((item for item in self.items if item.of(source)), None)


class VolumePlan(msgspec.Struct, frozen=True, kw_only=True):
    """What it takes: the differences, and what is to be protected or to go by another policy."""

    changes: tuple[Change, ...] = ()
    sources: tuple[DataSource, ...] = ()

    @property
    def refused(self) -> tuple[str, ...]:
        """The volumes that can't be protected and why, a line each."""
        return tuple(change.line for change in self.changes if change.act == "refuse")


class VolumeOperation(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked of the vault for a share or machine; without an operation there was nothing to ask for."""

    protection: Protection
    source: DataSource
    operation: str = ""


def volume_plan(protection: Protection, seen: SeenVolumes, granted: tuple[str, ...]) -> VolumePlan:
    """The plan for the volumes; nothing where none is named."""
    if not protection.sources:
        return VolumePlan()
    sources = {source: change for source in protection.sources if (change := _source(protection, seen, source))}
    changes = (*_vault(protection, seen), *sources.values(), *_rights(protection, seen, granted))
    taken = (source for source, change in sources.items() if change.act != "refuse")
    return VolumePlan(changes=changes, sources=tuple(taken))


def _vault(protection: Protection, seen: SeenVolumes) -> Iterator[Change]:
    if seen.vault is None:
        yield Change(act="create", what=protection.recovery_bar.what)
    elif weak := weaknesses(protection.recovery_bar, seen.vault):
        yield Change(act="harden", what=protection.recovery_bar.what, why="; ".join(weak))
    if unguarded(protection.recovery_bar, seen.guard):
        yield Change(act="guard", what=protection.recovery_bar.what, why="no Resource Guard watches over it")


def _source(protection: Protection, seen: SeenVolumes, source: DataSource) -> Change | None:
    what, policy, item = source.label, source_policy(source.kind, protection.terms), seen.item(source)
    candidate = next((each for each in seen.candidates if each.source == source), None)
    if why := refusal(source, item, candidate, protection.recovery_vault_id, protection.location, protection.terms):
        return Change(act="refuse", what=what, why=why)
    if item is None:
        return Change(act="protect", what=f"{what} by policy {policy}", why="it isn't protected")
    if not same(item.policy, protection.source_policy_id(source.kind)):
        return Change(act="move", what=f"{what} to policy {policy}", why=f"it goes by {name_of(item.policy)}")
    return None


def _rights(protection: Protection, seen: SeenVolumes, granted: tuple[str, ...]) -> Iterator[Change]:
    for grant in share_grants(protection, seen.principal):
        if grant.name not in granted:
            yield Change(act="grant", what=f"role {grant.role} on {grant.scope}", why="its identity lacks it")
