"""What Azure Backup stages for a cluster's restore from the vault tier, and leaves behind for Meshward
to remove: disks and snapshots in a group, a container in a storage account.

Rules:
- Nobody documents what these are called, so names prove nothing. Before a restore is sent the group is proven empty of
  disks and snapshots, and the containers that are there are written down. While one restore has its turn at the group,
  no other has.
- Ours is what wasn't there then, was made while our restore job ran, and isn't called as a machine's restore calls what
  it makes. While a machine holds it, it is left there and reported.
- A turn lasts as long as its holder's lease: until its run, or the janitor after it, has seen that all is gone. A lease
  that nobody looks at any more ends its turn, too.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Literal

import msgspec

from shared.domain.documents import Document
from shared.domain.errors import NotConverged, PermanentError
from shared.domain.resource_id import ResourceId
from shared.domain.restores.disks import is_named_by_machine_restore
from shared.domain.restores.lease import lease_path, release_path, retained_since
from shared.domain.restores.sending import ran_during
from shared.domain.restores.verification import RestoreJob, RestorePlan


class Staged(msgspec.Struct, frozen=True, kw_only=True):
    """Something in a staging group or its account."""

    kind: Literal["disk", "snapshot", "container"]
    name: str
    made: datetime  # of a container, when it last changed
    held: bool = False  # a machine has the disk attached

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


class StagingBefore(msgspec.Struct, frozen=True, kw_only=True):
    """What was there before a restore was sent: `disk orders`, `container logs`."""

    there: tuple[str, ...]


class StagingTurn(msgspec.Struct, frozen=True, kw_only=True):
    """Which verification may use a staging group now: the path of its lease."""

    lease: str


TURN = Document("turns/{subscription}/{group}.json", "Which restore uses a scratch group for staging.", StagingTurn)
BEFORE = Document(
    "staging/{verification}.json", "What a scratch group held before a restore was staged in it.", StagingBefore
)


def turn_path(plan: RestorePlan) -> str:
    """The path of the turn at the plan's staging group."""
    id = ResourceId(plan.staging_group)
    return TURN.path(subscription=id.subscription, group=id.group).lower()


def before_path(plan: RestorePlan) -> str:
    """The path of what was in the staging group before the plan's restore."""
    return BEFORE.path(verification=plan.name)


def require_turn(turn: StagingTurn | None, plan: RestorePlan, released: Collection[str], now: datetime) -> None:
    """Raise NotConverged while another verification has its turn, PermanentError where the plan's is over.

    `released` are the releases among those of the holder's lease and the plan's own.
    """
    own = lease_path(plan)
    if release_path(own) in released:
        raise PermanentError("TurnOver", "the copy of this verification was already removed: verify its item again")
    if turn is None or turn.lease == own or release_path(turn.lease) in released or turn.lease < retained_since(now):
        return
    message = f"another restore uses {plan.staging_group} for staging: {turn.lease}"
    raise NotConverged("StagingTaken", message)


def staging_before(found: Iterable[Staged], plan: RestorePlan) -> StagingBefore:
    """What is there before the plan's restore; raises PermanentError for what the restore might have made."""
    found = list(found)
    foreign = [str(each) for each in found if each.kind != "container" and not is_named_by_machine_restore(each.name)]
    if foreign:
        message = (
            f"{plan.staging_group} isn't empty, so Meshward couldn't tell what a restore leaves there: remove "
            f"{', '.join(foreign[:5])}, or set another group in verify.scratch_group"
        )
        raise PermanentError("StagingNotEmpty", message)
    return StagingBefore(there=tuple(map(str, found)))


def staged_by(found: Iterable[Staged], there: StagingBefore, jobs: Sequence[RestoreJob]) -> list[Staged]:
    """What these restore jobs, all of the same verification, have staged."""
    return [
        each
        for each in found
        if str(each) not in there.there and not is_named_by_machine_restore(each.name)
        if any(ran_during(job, each.made) for job in jobs)
    ]
