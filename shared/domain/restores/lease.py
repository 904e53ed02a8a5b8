"""What a verification may leave behind: a lease is written before anything is made, and released once all is gone.

Rules:
- A lease holds the plan, which names everything that may have been made. A release stands beside it; both are written
  once, and leases of the last LEASE_RETENTION are looked at. The UIDs of what was made are known only afterwards, and
  stand in a document of their own.
- While its run goes on, the run cleans up. Afterwards whatever is left is the janitor's, until it has seen it gone.
- A restore that is still running may make its copy again: the lease isn't released before that has ended.
"""

from collections.abc import Awaitable, Callable, Collection
from datetime import datetime, timedelta

import msgspec

from shared.domain.documents import Document, Mark
from shared.domain.restores.verification import RestorePlan

LEASE = Document("leases/{day}/{verification}.json", "What a verification may create: its plan.", RestorePlan)
RELEASE = Mark("leases/{day}/{verification}.gone", "All that the verification created is gone.")
LEASE_RETENTION = timedelta(days=30)
_LEASE, _RELEASE = ".json", ".gone"


type Delete = Callable[[str, Callable[[], Awaitable[object]]], Awaitable[None]]
"""What sends the deletion of something (in words), unless that was sent often enough."""


class Places(msgspec.Struct, frozen=True, kw_only=True):
    """The isolated namespaces that a verification has made: their UIDs by name."""

    uids: dict[str, str]


PLACES = Document(
    "places/{verification}.json", "The UIDs of the isolated namespaces that a verification has made.", Places
)


class Cleanup(msgspec.Struct, frozen=True, kw_only=True):
    """A plan whose traces are to be removed."""

    plan: RestorePlan
    may_run: bool  # no restore was seen to end; the ledger says whether one was sent


def lease_path(plan: RestorePlan) -> str:
    """The path of a verification's lease."""
    return LEASE.path(day=f"{plan.planned:%Y-%m-%d}", verification=plan.name)


def release_path(lease: str) -> str:
    """The path of the release, which says that nothing of the verification is left."""
    return lease.removesuffix(_LEASE) + _RELEASE


def verification_of(lease: str) -> str:
    """The name of the verification that a lease belongs to."""
    return lease.rpartition("/")[2].removesuffix(_LEASE)


def retained_since(now: datetime) -> str:
    """The path after which those leases are listed that are still looked at."""
    return f"{LEASE.folder()}{now - LEASE_RETENTION:%Y-%m-%d}"


def unreleased(paths: Collection[str]) -> list[str]:
    """The leases without a release, oldest first."""
    return sorted(path for path in paths if path.endswith(_LEASE) and release_path(path) not in paths)
