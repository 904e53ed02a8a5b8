"""What `GET /api/restores` shows: how the restores of every item have fared, as data or as a page."""

import asyncio
from datetime import timedelta

from functions.engine.documents import unless_broken
from shared.domain.resource_id import ResourceId, parsed
from shared.domain.restores.history import HISTORY, History
from shared.domain.restores.trends import Trends, trends
from shared.wiring import services

CONCURRENT_READS = 32


async def read_trends(source: str, days: int) -> Trends:
    """The trends of the last days, of one cluster or account (resource id) or of all."""
    world, now = services(), services().now()
    only = ResourceId(source) if source else None
    policy, slots = await world.policy(), asyncio.Semaphore(CONCURRENT_READS)

    async def read(path: str) -> History | None:
        async with slots:
            return await unless_broken(world.ledger.get(HISTORY, path))

    found = await asyncio.gather(*[read(path) for path in await world.ledger.list(HISTORY.folder())])
    histories = [h for h in found if h and (only is None or parsed(h.source_id) == only)]
    since = now - timedelta(days=days)
    return trends([(h, policy.at(h.trust_domain, h.source_id).verify) for h in histories], since, now)
