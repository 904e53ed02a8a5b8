"""What verifications keep in the ledger, beside leases: documents that are written once, and histories that grow."""

from datetime import datetime

import msgspec

from shared.domain.errors import NotConverged
from shared.domain.resource_id import ResourceId
from shared.domain.restores.history import HISTORY, History, Trial, empty_history, history_path
from shared.domain.restores.items import Item
from shared.domain.restores.lease import PLACES
from shared.domain.restores.manifest import manifest_folder, taken_at
from shared.domain.restores.sending import next_token, reads_folder, sends_folder, sends_of
from shared.domain.restores.verification import RestorePlan, counts_reads
from shared.wiring import services


async def spend_read(id: ResourceId) -> None:
    """Take a token for a read of a vault's jobs, where reads are counted; raises TemporaryError when they are spent."""
    if not counts_reads(id):
        return
    world, now = services(), services().now()
    folder = reads_folder(id.subscription, now)
    token = next_token(folder, set(await world.ledger.list(folder)), now)
    if not await world.ledger.create(token, b""):
        raise NotConverged("ReadTaken", "another worker took this read", retry_after=5)


async def sends(verification: str) -> list[datetime]:
    """When a verification sent its restore, oldest first; what may have been sent counts."""
    return sends_of(verification, await services().ledger.list(sends_folder(verification)))


async def placed(plan: RestorePlan) -> RestorePlan:
    """The plan, with the UIDs of the isolated namespaces that were made for it."""
    found = await services().ledger.find(PLACES, PLACES.path(verification=plan.name))
    return msgspec.structs.replace(plan, uids=found.uids) if found else plan


async def manifest_paths(item: Item) -> list[tuple[datetime, str]]:
    """When the item's manifests were taken, and where they are."""
    found = await services().ledger.list(manifest_folder(item.id))
    return [(taken_at(path), path) for path in found]


async def history_of(id: str) -> History | None:
    """The verifications of an item, by its resource id."""
    return await services().ledger.find(HISTORY, history_path(id))


async def add_to_history(plan: RestorePlan, trial: Trial) -> None:
    """Add a verification to its item's history, once; raises NotConverged where another writer was faster."""
    world, path = services(), history_path(plan.item.id)
    seen = await world.ledger.read(path)
    recorded = HISTORY.decoded(path, seen) if seen else empty_history(plan.item, plan.trust_domain)
    updated = recorded.with_trial(trial)
    if updated != recorded and not await world.ledger.update(path, HISTORY.encoded(updated), seen=seen):
        raise NotConverged("HistoryTaken", "another verification of the item is being recorded", retry_after=5)
