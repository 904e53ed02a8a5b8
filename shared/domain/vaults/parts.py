"""The parts of a protection that are resources of their own, in the order in which they are made.

The plan walks them for what would change, and a release from the last to the first for what is to be deleted. The
Backup vault goes last of all: by its tags the sweep finds a release that has failed, and begins it again. A new part is
a row here, its reading and deletion in functions/vaults/parts.py, and an `ensure_…` that the runbook calls.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any, Literal, NamedTuple

import msgspec

from shared.domain.errors import NotConverged
from shared.domain.vaults.binding import identity_name
from shared.domain.vaults.findings import FoundAccount, FoundExtension, FoundVault, require_installed
from shared.domain.vaults.protection import Protection
from shared.domain.vaults.source import VaultService
from shared.domain.vaults.strength import lacks_guard, require_strong, weaknesses

type WhenReleased = Literal["with the cluster", "before the backups", "after the backups", "last"]
type Repairs = Callable[[str, Protection, Any], Iterator[Change]]

BACKUP, RECOVERY_SERVICES = VaultService.BACKUP, VaultService.RECOVERY_SERVICES
VAULTS = {BACKUP: "backup_vault", RECOVERY_SERVICES: "recovery_services_vault"}
"""The part that is the vault of each service."""


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One difference between what is planned and what is found: what is done, to what, and why.

    `act` is "refuse" where nothing can be done.
    """

    act: str
    what: str
    why: str = "it isn't there"

    @property
    def line(self) -> str:
        return f"{self.act} {self.what}: {self.why}"


class Part(NamedTuple):
    """A part of a protection."""

    label: Callable[[Protection], str]  # what plans and messages call it
    made_by: str = "create"  # the plan's verb if the part isn't there; empty: it is made with another part
    repairs: Repairs = lambda *_: iter(())  # what the plan would correct in the part, by its label and as it was found
    asked: Callable[[Protection], bool] = lambda _: True  # whether the protection has it at all
    of_sources: bool = False  # whether it is there for data sources rather than for the cluster
    released_by: str = "delete"  # what the plan of a release says
    deleted_when: WhenReleased = "after the backups"  # when a release deletes it

    def changes(self, protection: Protection, found: Any) -> Iterator[Change]:
        """What a plan says of it, as it was found (or None)."""
        if found is None:
            yield Change(act=self.made_by, what=self.label(protection))
        yield from self.repairs(self.label(protection), protection, found)


def _account(label: str, _: Protection, found: FoundAccount | None) -> Iterator[Change]:
    if found and found.lax:
        yield Change(act="close", what=label, why="it allows more than TLS with Entra tokens")


def _extension(_: str, protection: Protection, found: FoundExtension | None) -> Iterator[Change]:
    with suppress(NotConverged):
        require_installed(protection, found)
    yield from ()


def _vault(service: VaultService, label: str, protection: Protection, found: FoundVault | None) -> Iterator[Change]:
    requirements = protection.requirements(service)
    with suppress(NotConverged):
        require_strong(requirements, found)
    if found and (weak := weaknesses(requirements, found)):
        yield Change(act="harden", what=label, why="; ".join(weak))
    if lacks_guard(requirements, found.guard if found else ""):
        yield Change(act="guard", what=label, why="it has no Resource Guard")


PARTS = {
    "snapshots": Part(lambda p: f"resource group {p.snapshot_group} with the snapshots in it", made_by=""),
    "account": Part(lambda p: f"storage account {p.account}", repairs=_account),
    "endpoint": Part(
        lambda p: f"the private endpoint of storage account {p.account}", asked=lambda p: bool(p.terms.subnet)
    ),
    "extension": Part(
        lambda p: f"the backup extension of cluster {p.cluster}", "install", _extension, deleted_when="with the cluster"
    ),
    "recovery_services_vault": Part(
        lambda p: p.requirements(RECOVERY_SERVICES).label,
        repairs=partial(_vault, RECOVERY_SERVICES),
        asked=lambda p: any(source.service is RECOVERY_SERVICES for source in p.sources),
        of_sources=True,
    ),
    "backup_vault": Part(lambda p: p.requirements(BACKUP).label, repairs=partial(_vault, BACKUP), deleted_when="last"),
    "trusted_access": Part(
        lambda p: f"trusted access to cluster {p.cluster}", "grant", deleted_when="with the cluster"
    ),
    "identity": Part(
        lambda p: f"identity {identity_name(p)}",
        made_by="",
        released_by="revoke and delete",
        deleted_when="before the backups",
    ),
}


def planned_parts(protection: Protection) -> dict[str, Part]:
    """The parts that a plan looks at."""
    return {name: part for name, part in PARTS.items() if part.made_by and part.asked(protection)}


def released_parts(*when: WhenReleased) -> list[str]:
    """The parts that a release deletes then, in its order."""
    return [name for then in when for name, part in reversed(PARTS.items()) if part.deleted_when == then]
