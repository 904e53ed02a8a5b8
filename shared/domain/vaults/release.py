"""What becomes of a vault whose cluster is gone: it is kept for `release_after`, then deleted step by step.

Rules:
- A vault tells by its tags whose it is. An incarnation of a cluster that isn't there any more is gone, also if another
  cluster has its name by now.
- It is kept for `release_after` from the day on which it was first seen without its cluster. Sooner only by hand, by
  the hash of the plan.
- Its backup workloads' identity goes first, since nobody rightly has it any more.
- Nothing is purged: a deleted backup stays soft-deleted for as long as the vault says, and the vault until then.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime

import msgspec

from shared.domain.cluster import CLUSTERS, Cluster
from shared.domain.documents import Document
from shared.domain.errors import NotConverged
from shared.domain.resource_id import GROUP_NAME, ResourceId, folded, group_scope, parsed
from shared.domain.vaults.findings import SoftDeleted
from shared.domain.vaults.parts import PARTS, WhenReleased, released_parts
from shared.domain.vaults.policy import ProtectPolicy
from shared.domain.vaults.protection import CLUSTER_TAG, CREATED_TAG, Protection, VaultService, protection_of
from shared.domain.vaults.source import FoundItem

type Terms = Callable[[str], ProtectPolicy]  # by the cluster's resource id

_TAG = re.compile(rf"(?P<group>{GROUP_NAME})/(?P<cluster>[A-Za-z0-9_-]{{1,63}})")


class TaggedVault(msgspec.Struct, frozen=True, kw_only=True):
    """A Backup vault with its tags."""

    id: str
    location: str
    tags: dict[str, str]


class Remains(msgspec.Struct, frozen=True, kw_only=True):
    """What is left of a protection."""

    parts: tuple[str, ...]  # those of PARTS that are still there
    instances: tuple[str, ...] = ()  # backup instances of the cluster, by name
    soft_deleted: tuple[SoftDeleted, ...] = ()
    items: tuple[FoundItem, ...] = ()  # of its data sources, the deleted ones included

    @property
    def recoverable(self) -> tuple[SoftDeleted, ...]:
        """What can still be brought back, of the cluster and of its data sources."""
        return (*self.soft_deleted, *(SoftDeleted(name=i.name, until=i.until) for i in self.items if i.deleted))

    @property
    def live_items(self) -> tuple[FoundItem, ...]:
        """The backups of data sources that aren't deleted yet."""
        return tuple(item for item in self.items if not item.deleted)


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


GONE_AT = Document(
    "releases/{vault}/gone.json", "When Meshward first saw that a vault's cluster was deleted.", datetime
)
RELEASED = Document("releases/{vault}/released.json", "When a vault was released, and by which steps.", Released)


def orphans(vaults: Iterable[TaggedVault], clusters: Iterable[Cluster], terms: Terms) -> list[Protection]:
    """The protections whose cluster is gone; vaults that aren't ours by their tags are left alone."""
    present = {folded(cluster.id): cluster for cluster in clusters}
    found = filter(None, (_protection(vault, terms) for vault in vaults))
    return [p for p in found if is_gone(p, present.get(folded(p.cluster_id)))]


def is_gone(protection: Protection, cluster: Cluster | None) -> bool:
    """Whether the protected incarnation is gone: nothing has its id, or what has it was created at another time.

    While nobody says when that was, it may be this one.
    """
    return cluster is None or bool(
        protection.incarnation and cluster.incarnation and cluster.incarnation != protection.incarnation
    )


def release_of(protection: Protection, found: Remains, gone_at: datetime) -> Release:
    """The plan of a release."""
    steps = (
        *_deleted(protection, found, "before the backups"),
        *(f"delete backup instance {name}, which stays soft-deleted" for name in found.instances),
        *(f"delete the backups of {item.name}, which stay soft-deleted" for item in found.live_items),
        *(f"wait for the soft-deleted backups of {d.name}, kept until {d.day}" for d in found.recoverable),
        *_deleted(protection, found, "after the backups", "last"),
    )
    return Release(protection=protection, steps=steps, kept_until=gone_at + protection.terms.release_after)


def _deleted(protection: Protection, found: Remains, *when: WhenReleased) -> Iterator[str]:
    for name in released_parts(*when):
        if name in found.parts:
            yield f"{PARTS[name].released_by} {PARTS[name].label(protection)}"


def require_deleted(found: Remains) -> None:
    """Raise NotConverged while a backup isn't deleted."""
    if found.instances:
        raise NotConverged("Deleting", f"backup instances {', '.join(found.instances)} are being deleted")
    if found.live_items:
        names = ", ".join(item.name for item in found.live_items)
        raise NotConverged("Deleting", f"the backups of {names} are being deleted")


def require_empty(protection: Protection, found: Remains) -> None:
    """Raise NotConverged, with the date, while something in the vaults can still be brought back."""
    require_deleted(found)
    if found.recoverable:
        last = max(found.recoverable, key=lambda deleted: deleted.day)
        label = protection.requirements(VaultService.BACKUP).label
        raise NotConverged("SoftDeleted", f"{label} keeps {last.name} until {last.day}")


def _protection(vault: TaggedVault, terms: Terms) -> Protection | None:
    """What the vault protected, by its tags; None if they don't name an incarnation of a cluster."""
    named, vault_id = _TAG.fullmatch(vault.tags.get(CLUSTER_TAG, "")), parsed(vault.id)
    if named is None or vault_id is None:
        return None
    id = group_scope(vault_id.subscription, named["group"]).child(CLUSTERS, named["cluster"])
    try:
        cluster = _gone(id, vault)
    except ValueError:
        return None
    return protection_of(cluster, vault_id.group, terms(str(id)))


def _gone(id: ResourceId, vault: TaggedVault) -> Cluster:
    """What is still known of the cluster; raises ValueError if the tags name no moment of its creation."""
    incarnation = vault.tags.get(CREATED_TAG, "")
    return Cluster(
        id=str(id),
        name=id.name,
        resource_group=id.group,
        subscription_id=id.subscription,
        location=vault.location,
        tags={},
        created_at=datetime.fromisoformat(incarnation) if incarnation else None,
        principal_id="",
    )
