"""What a fleet asks for while nothing happens to it: invocations of functions, and calls by service, on a quiet day.

`python -m local.bench_month 2 10` prints a table for fleets of so many clusters; docs/deploy.md reckons a month by it.
"""

import asyncio
import re
import sys
from collections import Counter
from datetime import timedelta
from functools import partial

from rich.console import Console
from rich.table import Table

from local import scenario
from local.stage import open_stage

DAY = timedelta(days=1)
_SERVICES = {
    "Kubernetes": r"/k8s/",
    "Key Vault signatures": r"/(vaults/[^/]+/)?keys/.*/sign",
    "Key Vault others": r"/(vaults|keys)/",
    "Resource Graph": r"/providers/Microsoft\.ResourceGraph/",
    "Event Grid": r"/topics/",
    "Resource Manager": r"/(subscriptions|providers)/",
}


def main(fleets: list[int]) -> None:
    days = {clusters: asyncio.run(quiet_day(clusters)) for clusters in fleets}
    table = Table("on a quiet day", *(f"{clusters} clusters" for clusters in days))
    for name in dict.fromkeys(name for day in days.values() for name in day):
        table.add_row(name, *(str(day[name]) for day in days.values()))
    Console().print(table)


async def quiet_day(clusters: int) -> Counter[str]:
    """The second day of a trust domain whose root is new: invocations by kind of function, calls by service."""
    seed = partial(scenario.seed_trust, clusters=clusters, left=timedelta(days=300))
    found: Counter[str] = Counter()
    async with open_stage(seed=seed) as stage:
        await stage.clock.advance(DAY)
        kinds, before = stage.host.functions, len(stage.world.wire.exchanges)

        def count(function: str, moment: str) -> None:
            if moment == "before":
                found[f"invocations: {kinds[function]}"] += 1

        stage.host.on_invocation(count)
        await stage.clock.advance(DAY)
        for exchange in list(stage.world.wire.exchanges)[before:]:
            path = re.sub(r"^https://[^/]+", "", exchange.url)
            found[next((name for name, form in _SERVICES.items() if re.match(form, path, re.IGNORECASE)), "Entra")] += 1
    return found


if __name__ == "__main__":
    main([int(clusters) for clusters in sys.argv[1:]])
