"""What becomes of a vault whose cluster is gone: it is kept for `release_after`, then deleted step by step.

Rules:
- A vault tells by its tags whose it is. An incarnation is gone if Resource Manager answers 404 for the cluster's id, or
  tells another incarnation. What is unknown is never another one.
- It is kept for `release_after` from the first look that found it gone, if every look since has. Sooner only by hand,
  by the hash of the plan.
- One answer isn't enough to delete backups: 404 counts once it was given at two looks a day apart.
- While another incarnation has the id, the vault is released by hand alone, and only if that is proven: the id was free
  for a day before, or the resourceUIDs differ. The identity of the protected cluster may just have been replaced.
- Its backup workloads' identity goes first, since nobody rightly has it any more.
- That the Backup vault is gone, a look at it and the list of vaults have to say: an answer that is wrong once would
  let go the storage of backups that it keeps.
- Nothing is deleted while Azure is at work on it, or while it is in a state that isn't known.
- What was asked to be deleted gets its time to go, and is asked for twice within an hour at most.
- Nothing is purged: a deleted backup stays soft-deleted for as long as the vault says, and the vault until then.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta

import msgspec

from shared.domain.cluster import Cluster
from shared.domain.documents import Document
from shared.domain.errors import Conflict, NotConverged
from shared.domain.incarnation import Incarnation
from shared.domain.resource_id import parsed, same
from shared.domain.states import PROVISIONING, REGISTRATION
from shared.domain.vaults.findings import Found
from shared.domain.vaults.parts import PARTS, WhenReleased, released_parts
from shared.domain.vaults.policy import ProtectPolicy
from shared.domain.vaults.protection import Protection, protection_of
from shared.domain.vaults.source import FoundItem, VaultService
from shared.domain.vaults.tagged import TaggedVault

type Terms = Callable[[str], ProtectPolicy]  # by the cluster's resource id

CONFIRMED_AFTER = timedelta(days=1)  # between the first look that finds a cluster gone and a release


class Remains(msgspec.Struct, frozen=True, kw_only=True):
    """What is left of a protection."""

    parts: tuple[str, ...]  # those of PARTS that are still there
    items: tuple[FoundItem, ...] = ()  # of both vaults, the deleted ones included

    @property
    def recoverable(self) -> tuple[FoundItem, ...]:
        """What is deleted, and can still be brought back."""
        return tuple(item for item in self.items if item.deleted)

    @property
    def live_items(self) -> tuple[FoundItem, ...]:
        """What isn't deleted yet."""
        return tuple(item for item in self.items if not item.deleted)

    @property
    def deletable_items(self) -> list[FoundItem]:
        """What may be deleted now: Azure isn't at work on it, in a state that is known."""
        return [item for item in self.live_items if item.meaning in ("good", "bad")]


class Release(msgspec.Struct, frozen=True, kw_only=True):
    """The plan of a release."""

    protection: Protection
    steps: tuple[str, ...]  # a line for each
    kept_until: datetime  # when the sweep would begin with it, in UTC

    @property
    def hash(self) -> str:
        """SHA-256 of whose vault it is and of the steps, the same in whatever case Azure writes the ids in it."""
        encoded = msgspec.json.encode([self.protection.backup_vault_id, self.steps])
        return hashlib.sha256(encoded.lower()).hexdigest()


class Released(msgspec.Struct, frozen=True, kw_only=True):
    """A protection that was released: the steps, and when that was, in UTC."""

    vault_id: str
    steps: tuple[str, ...]
    at: datetime


class Absence(msgspec.Struct, frozen=True, kw_only=True):
    """What was seen of an incarnation that is gone; nothing of one that the last look has found. Times are in UTC."""

    since: datetime | None = None  # when every look since has found it gone
    free: datetime | None = None  # since when every look has got 404 for its id
    was_free: bool = False  # for a day, before another incarnation took the id

    def after(self, now: datetime, *, gone: bool, free: bool) -> "Absence":
        """What is known after another look, which got 404 if the id is `free`."""
        if not gone:
            return Absence()
        first = (self.free or now) if free else None
        confirmed = first is not None and now - first >= CONFIRMED_AFTER
        return Absence(since=self.since or now, free=first, was_free=self.was_free or confirmed)


ABSENCE = Document(
    "releases/{vault}/absence.json", "Since when every look at a vault's cluster has found it gone.", Absence
)
RELEASED = Document("releases/{vault}/released.json", "When a vault was released, and by which steps.", Released)


def protections(vaults: Iterable[TaggedVault], terms: Terms) -> list[Protection]:
    """What the vaults protect or have protected; those that aren't ours by their tags are left alone."""
    return [protection for vault in vaults if (protection := _protection(vault, terms))]


def is_gone(protection: Protection, cluster: Cluster | None) -> bool:
    """Whether the protected incarnation is gone: nothing has its id (None), or it is known to be another one."""
    return cluster is None or Incarnation.read(protection.incarnation).another(cluster.incarnation)


def require_absent(protection: Protection, cluster: Cluster | None) -> None:
    """Raise Conflict if a cluster has the id: whether it is another one is then for people to say."""
    if cluster is not None:
        raise Conflict(
            "CreatedAgain",
            f"cluster {protection.cluster} was created again, so {protection.backup_vault} is released by hand alone",
        )


def require_confirmed(protection: Protection, gone: Absence, cluster: Cluster | None, now: datetime) -> datetime:
    """When the incarnation was first seen to be gone; raises Conflict unless that is proven by looks a day apart.

    `cluster` is what has the id now.
    """
    if gone.since is None:
        raise Conflict("ClusterIsThere", f"cluster {protection.cluster} still exists, so its vault isn't released")
    if cluster and not (gone.was_free or _made_again(protection, cluster)):
        raise Conflict(
            "NotProven",
            f"cluster {protection.cluster} has another identity than when {protection.backup_vault} was made, and "
            "nothing proves that it was created again",
        )
    first = gone.since if cluster else gone.free
    if first is None or now - first < CONFIRMED_AFTER:
        raise Conflict(
            "NotConfirmed",
            f"cluster {protection.cluster} was first seen to be gone on {first or now:%Y-%m-%d at %H:%M} UTC; "
            "its vault can be released a day after that",
        )
    return gone.since


def _made_again(protection: Protection, cluster: Cluster) -> bool:
    """Whether the resourceUIDs, which nobody can change, say that it is another incarnation."""
    before, now = Incarnation.read(protection.incarnation), cluster.incarnation
    return bool(before.uid and now.uid) and before.another(now)


def release_of(protection: Protection, found: Remains, gone_at: datetime) -> Release:
    """The plan of a release."""
    steps = (
        *_deleted(protection, found, "before the backups"),
        *(f"delete the backups of {item.name}, which stay soft-deleted" for item in found.live_items),
        *(f"wait for the soft-deleted backups of {d.name}, kept until {d.day}" for d in found.recoverable),
        *_deleted(protection, found, "after the backups", "last"),
    )
    return Release(protection=protection, steps=steps, kept_until=gone_at + protection.terms.release_after)


def _deleted(protection: Protection, found: Remains, *when: WhenReleased) -> Iterator[str]:
    for name in released_parts(*when):
        if name in found.parts:
            yield f"{PARTS[name].released_by} {PARTS[name].label(protection)}"


def may_delete(label: str, found: Found) -> bool:
    """Whether to ask for the deletion of a part, which Azure may be deleting already.

    Raises NotConverged while Azure is at work on it, or while it is in a state that isn't known.
    """
    if same(found.state, "Deleting"):
        return False
    if PROVISIONING.require_known(label, found.state) == "pending":
        raise NotConverged("Provisioning", f"{label} is {found.state}, so it isn't deleted yet")
    return True


def registrations_to_end(found: Mapping[str, str]) -> list[str]:
    """The registrations of storage accounts (states by name) that Azure isn't at work on.

    Raises NotConverged while one is in a state that isn't known.
    """
    meanings = {name: REGISTRATION.require_known(f"the registration of {name}", state) for name, state in found.items()}
    return [name for name, meaning in meanings.items() if meaning != "pending"]


def require_deleted(found: Remains) -> None:
    """Raise NotConverged while a backup isn't deleted."""
    for item in found.live_items:
        item.states.require_known(f"the backup of {item.name}", item.state)
    if found.live_items:
        names = ", ".join(item.name for item in found.live_items)
        raise NotConverged("Deleting", f"the backups of {names} are being deleted")


def require_unlisted(protection: Protection, vaults: Iterable[TaggedVault]) -> None:
    """Raise NotConverged if the Backup vault, which a look at itself didn't find, is listed: it may well be there."""
    if any(same(vault.id, protection.backup_vault_id) for vault in vaults):
        label = protection.requirements(VaultService.BACKUP).label
        raise NotConverged("VaultUnclear", f"{label} is listed, and Azure answers that it doesn't exist")


def require_empty(protection: Protection, found: Remains) -> None:
    """Raise NotConverged, with the date, while something in the vaults can still be brought back."""
    require_deleted(found)
    if found.recoverable:
        last = max(found.recoverable, key=lambda deleted: deleted.day)
        label = protection.requirements(VaultService.BACKUP).label
        raise NotConverged("SoftDeleted", f"{label} keeps {last.name} until {last.day}")


def _protection(vault: TaggedVault, terms: Terms) -> Protection | None:
    """What the vault protects, by its tags; None if they don't name an incarnation of a cluster."""
    id, incarnation, vault_id = vault.cluster, vault.incarnation, parsed(vault.id)
    if id is None or incarnation is None or vault_id is None:
        return None
    known = Cluster(
        id=str(id),
        name=id.name,
        resource_group=id.group,
        subscription_id=id.subscription,
        location=vault.location,
        tags={},
        principal_id="",
    )
    return protection_of(known, vault_id.group, terms(str(id)), incarnation)
