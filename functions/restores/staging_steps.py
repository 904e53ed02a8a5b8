"""The steps of a cluster's restore from the vault tier: its turn at the staging group, and what it leaves there."""

import azure.durable_functions as df

from functions.engine.activities import activity
from shared.domain.errors import NotConverged
from shared.domain.restores.lease import LEASE, lease_path, release_path
from shared.domain.restores.staging import (
    BEFORE,
    TURN,
    StagingTurn,
    before_path,
    require_turn,
    staging_before,
    turn_path,
)
from shared.domain.restores.verification import RestorePlan
from shared.wiring import services

app = df.Blueprint()


@activity(app)
async def take_turn(plan: RestorePlan) -> RestorePlan:
    """The staging group for this restore alone, once it is proven empty; what else is there is written down.

    The lease is written first: while it lasts, so does the turn.
    """
    ledger = services().ledger
    await ledger.create(lease_path(plan), LEASE.encoded(plan))
    await _take(plan)
    if await ledger.read(before_path(plan)) is None:
        there = staging_before(await services().verifier.staging.found(plan), plan)
        await ledger.create(before_path(plan), BEFORE.encoded(there))
    return plan


async def _take(plan: RestorePlan) -> None:
    ledger, path, own = services().ledger, turn_path(plan), StagingTurn(lease=lease_path(plan))
    seen = await ledger.read(path)
    turn = TURN.decoded(path, seen) if seen else None
    leases = {own.lease, turn.lease if turn else own.lease}
    released = [gone for gone in map(release_path, leases) if await ledger.read(gone) is not None]
    require_turn(turn, plan, released, services().now())
    if turn != own and not await ledger.update(path, TURN.encoded(own), seen=seen):
        raise NotConverged("StagingTaken", "another restore is claiming the scratch group")
