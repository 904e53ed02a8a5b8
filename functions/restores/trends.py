"""What `GET /api/restores` shows: how the restores of every item have fared, as data or as a page."""

import asyncio
import re
from datetime import timedelta

from shared.domain.errors import PermanentError
from shared.domain.policy import Policy
from shared.domain.resource_id import ResourceId, parsed
from shared.domain.restores.history import HISTORY, History
from shared.domain.restores.policy import VerifyPolicy
from shared.domain.restores.trends import Trends, trends
from shared.wiring import services

_SHOWN_DAYS = 90
_AT_ONCE = 32


async def shown(source: str = "", days: str = "") -> Trends:
    """The trends of the last days, of one cluster or account (resource id) or of all."""
    outer, now = services(), services().now()
    if days and not (re.fullmatch("[0-9]{1,3}", days) and 0 < int(days) <= 400):
        raise PermanentError("MalformedQuery", '"days" is a number from 1 to 400')
    only = ResourceId(source) if source else None
    policy, slots = await outer.policy(), asyncio.Semaphore(_AT_ONCE)

    async def read(path: str) -> History:
        async with slots:
            return await outer.ledger.get(HISTORY, path)

    found = await asyncio.gather(*[read(path) for path in await outer.ledger.list(HISTORY.folder())])
    wanted = [h for h in found if only is None or parsed(h.source_id) == only]
    since = now - timedelta(days=int(days or _SHOWN_DAYS))
    return trends([(history, _knobs(policy, history)) for history in wanted], since, now)


def _knobs(policy: Policy, history: History) -> VerifyPolicy:
    return policy.at(history.trust_domain, history.source_id if history.kind == "cluster" else "").verify
